"""What a policy-gradient step certainly does to the entropy of a policy (docs/theory/entropy.md).

`EntropyPath` and `certify_sign` answer for one policy, one algorithm and an interval of step sizes
(`certify.answers.entropy.step_report` puts it together); `batch_signs` for thousands of policies
at once; `flow_report` along a game's gradient flow.  See docs/entropy.md.
"""

from certify.entropy.algorithms import ALGORITHMS, direction
from certify.entropy.batch import batch_signs
from certify.entropy.clipping_bound import approach, clipping_bound, ppo_overshoot
from certify.entropy.controllers import AdapoController, ZetaController, closed_loop
from certify.entropy.dynamics import Direction, EntropyPath
from certify.entropy.enclosure import RationalEnclosure, working_precision
from certify.entropy.exhaustive import clip_decisions, count_binade, rounded_exponentials
from certify.entropy.flow import flow_piece, flow_report, history_tree, step_paths
from certify.entropy.formats import BFLOAT16, FLOAT16, FLOAT32, FORMATS
from certify.entropy.policy import StatePolicy, advantages_from_json, policy_from_json
from certify.entropy.rounded_update import rounded_update, stored_ratios
from certify.entropy.rounding import binade_row, cell_table, density_direction
from certify.entropy.sign import certify_sign, change_range, largest_step

__all__ = [
    "ALGORITHMS",
    "BFLOAT16",
    "FLOAT16",
    "FLOAT32",
    "FORMATS",
    "AdapoController",
    "Direction",
    "EntropyPath",
    "RationalEnclosure",
    "StatePolicy",
    "ZetaController",
    "advantages_from_json",
    "approach",
    "batch_signs",
    "binade_row",
    "cell_table",
    "certify_sign",
    "change_range",
    "clip_decisions",
    "clipping_bound",
    "closed_loop",
    "count_binade",
    "density_direction",
    "direction",
    "flow_piece",
    "flow_report",
    "history_tree",
    "largest_step",
    "policy_from_json",
    "ppo_overshoot",
    "rounded_exponentials",
    "rounded_update",
    "step_paths",
    "stored_ratios",
    "working_precision",
]
