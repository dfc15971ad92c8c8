"""What an objective is called on a page about a certificate, and what it assumes (docs/objectives.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from certify.certificates.markup import Sentence, say


@dataclass(frozen=True)
class Words:
    """`regularised`: how the objective is; `bonus`: what it pays beside the return; `assumed`: sentences about it;
    `flows`: whether Theorem A is about it, so that a unique stationary policy is the limit of every trajectory."""

    regularised: Sentence
    bonus: str
    assumed: tuple[Sentence, ...]
    flows: bool = True

    @property
    def closed(self) -> str:
        """What a definiteness test, or that of a regular box, shows of every stationary policy in the box."""
        return "a nondegenerate maximum" if self.flows else "nondegenerate"


_WORDS = {
    "visitation": Words(
        say("entropy-regularised"),
        "entropy",
        (
            say("The entropy gradient flows through the visitation distribution (not the PPO-style local bonus)."),
            say("Action sets depend on the agent and the step only."),
        ),
    ),
    "kl": Words(
        say("KL-regularised"),
        "-KL",
        (
            say(
                "Each step pays $-alpha KL(policy || reference)$, whose gradient flows through the visitation "
                "distribution."
            ),
            say(
                "Legal actions and the reference (uniform on them where none is given) depend on the step and the last "
                "observation."
            ),
            say("A game that ends early goes on with one legal action per agent, and every agent is told."),
        ),
    ),
    "local": Words(
        say("locally entropy-regularised"),
        "entropy",
        (
            say("The entropy is that of the policies at what is visited, without a gradient through the visitation."),
            say("Stationary is where $pi = softmax(Q / (alpha w))$, $Q$ the reward to go."),
            say("Legal actions depend on the step and the last observation."),
        ),
        flows=False,
    ),
}


def words_of(document: dict[str, Any]) -> Words:
    """The words for a certificate's objective, the entropy where none is named.

    >>> words_of({"objective": "kl"}).bonus
    '-KL'
    """
    word = document.get("objective", "visitation")
    if word in _WORDS:
        return _WORDS[word]
    return Words(say("{}-regularised", word), "bonus", (say("The objective is the one called {}.", word),), flows=False)
