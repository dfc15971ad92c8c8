"""What an objective is called on a page about a certificate, and what it assumes (docs/objectives.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Words:
    """`regularised`: how the objective is; `bonus`: what it pays beside the return; `assumed`: lines about it."""

    regularised: str
    bonus: str
    assumed: tuple[str, ...]


_WORDS = {
    "visitation": Words(
        "entropy-regularised",
        "entropy",
        (
            "the entropy gradient flows through the visitation distribution (not the",
            "PPO-style local bonus); exact gradient flow; action sets depend on the agent and the step only;",
        ),
    ),
    "kl": Words(
        "KL-regularised",
        "-KL",
        (
            "each step pays -alpha KL(policy || reference), whose gradient flows through the",
            "visitation distribution; exact gradient flow; legal actions and the reference (uniform on them where",
            "none is given) depend on the step and the last observation; a game that ends early goes on with one",
            "legal action per agent, and every agent is told;",
        ),
    ),
}


def words_of(document: dict[str, Any]) -> Words:
    """The words for a certificate's objective, the entropy where none is named.

    >>> words_of({"objective": "kl"}).bonus
    '-KL'
    """
    return _WORDS[document.get("objective", "visitation")]
