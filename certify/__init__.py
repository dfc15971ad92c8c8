"""Machine-checkable certificates for learning in cooperative games.

Names are loaded when they are first used, so that `python -m certify.checker` runs on a machine
that has Python's standard library and nothing else.

>>> import certify
>>> certify.threshold(certify.load("lever:2"), method="structural").alpha_star
Fraction(1, 2)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers; `__getattr__` below loads the same names when they are used
    from certify.answers.anneal import anneal
    from certify.answers.anneal_result import AnnealResult
    from certify.answers.check import check
    from certify.answers.crossplay import cross_play
    from certify.answers.entropy import StepReport, step_report
    from certify.answers.optimum import optimum
    from certify.answers.optimum_result import OptimumResult
    from certify.answers.policy import PolicyDistance, policy_distance
    from certify.answers.symmetries import symmetries
    from certify.answers.threshold import structural_threshold, threshold
    from certify.answers.threshold_result import ThresholdResult
    from certify.crossplay.study import CrossPlayStudy
    from certify.errors import InputError, Undecided
    from certify.games import Game, from_array, from_jaxmarl, from_openspiel, from_payoffs, from_steps, load
    from certify.games.adapters.openspiel_policies import policy_from_openspiel, policy_to_openspiel
    from certify.games.tabulate import PlayedHistory, PolicyTable, tabulate
    from certify.reports.pictures import plot
    from certify.reports.write import report, theorem

__version__ = "0.1.0"

_HOME = {
    "Game": "certify.games",
    "from_array": "certify.games",
    "from_jaxmarl": "certify.games",
    "from_openspiel": "certify.games",
    "from_payoffs": "certify.games",
    "from_steps": "certify.games",
    "load": "certify.games",
    "policy_from_openspiel": "certify.games.adapters.openspiel_policies",
    "policy_to_openspiel": "certify.games.adapters.openspiel_policies",
    "PlayedHistory": "certify.games.tabulate",
    "PolicyTable": "certify.games.tabulate",
    "tabulate": "certify.games.tabulate",
    "InputError": "certify.errors",
    "Undecided": "certify.errors",
    "ThresholdResult": "certify.answers.threshold_result",
    "AnnealResult": "certify.answers.anneal_result",
    "anneal": "certify.answers.anneal",
    "check": "certify.answers.check",
    "cross_play": "certify.answers.crossplay",
    "CrossPlayStudy": "certify.crossplay.study",
    "StepReport": "certify.answers.entropy",
    "step_report": "certify.answers.entropy",
    "structural_threshold": "certify.answers.threshold",
    "threshold": "certify.answers.threshold",
    "OptimumResult": "certify.answers.optimum",
    "optimum": "certify.answers.optimum",
    "PolicyDistance": "certify.answers.policy",
    "plot": "certify.reports.pictures",
    "policy_distance": "certify.answers.policy",
    "report": "certify.reports.write",
    "theorem": "certify.reports.write",
    "symmetries": "certify.answers.symmetries",
}
__all__ = [
    "AnnealResult",
    "CrossPlayStudy",
    "Game",
    "InputError",
    "OptimumResult",
    "PlayedHistory",
    "PolicyDistance",
    "PolicyTable",
    "StepReport",
    "ThresholdResult",
    "Undecided",
    "anneal",
    "check",
    "cross_play",
    "from_array",
    "from_jaxmarl",
    "from_openspiel",
    "from_payoffs",
    "from_steps",
    "load",
    "optimum",
    "plot",
    "policy_distance",
    "policy_from_openspiel",
    "policy_to_openspiel",
    "report",
    "step_report",
    "structural_threshold",
    "symmetries",
    "tabulate",
    "theorem",
    "threshold",
]


if not TYPE_CHECKING:  # a checker that sees it takes every misspelt name for one that exists

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module 'certify' has no attribute {name!r}")
        return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
