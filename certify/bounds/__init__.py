"""What can be enclosed: rigorous evaluation of policies and boxes of policies (docs/theory/objective.md#the-objective,
docs/theory/objective.md#stationary-policies, docs/theory/hessian.md#the-second-derivative-formula).

`evaluate` and `hessian` climb from float64 with proved error bounds to arb; exact rationals are
the third way on small games.  `docs/bounds.md` states the guarantees.
"""

from certify.bounds.arb_evaluate import ArbEvaluation, ArbHessian, arb_evaluate, arb_hessian
from certify.bounds.definite import is_positive_definite, largest_eigenvalue_upper, smallest_eigenvalue_lower
from certify.bounds.enclosure import Enclosure
from certify.bounds.evaluate import Evaluation, evaluate
from certify.bounds.exact_evaluate import ExactEvaluation, ExactHessian, exact_evaluate, exact_hessian
from certify.bounds.hessian import HessianForm, hessian
from certify.bounds.local_bonus import local_bonus_field, local_bonus_q
from certify.bounds.policy import Blocks, Layout, PolicyBox, layout_of
from certify.bounds.tangent import lambda_max_lower, lambda_max_upper, tangent_eigenvalue_upper

__all__ = [
    "ArbEvaluation",
    "ArbHessian",
    "Blocks",
    "Enclosure",
    "Evaluation",
    "ExactEvaluation",
    "ExactHessian",
    "HessianForm",
    "Layout",
    "PolicyBox",
    "arb_evaluate",
    "arb_hessian",
    "evaluate",
    "exact_evaluate",
    "exact_hessian",
    "hessian",
    "is_positive_definite",
    "lambda_max_lower",
    "lambda_max_upper",
    "largest_eigenvalue_upper",
    "layout_of",
    "local_bonus_field",
    "local_bonus_q",
    "smallest_eigenvalue_lower",
    "tangent_eigenvalue_upper",
]
