"""Multiplicity certificates in words (docs/certificate-format.md, section 7)."""

from __future__ import annotations

from typing import Any

from certify.certificates.markup import number, say
from certify.certificates.reading_game import assumptions, fraction, setting, subject
from certify.certificates.reading_objective import words_of
from certify.certificates.statement import Item, Statement, items
from certify.exact import rational_text, significant_text

_LABELS = {
    "maximum": "a strict local maximum: an open set of initialisations trains to it",
    "saddle": "a saddle: the objective rises in some direction",
    None: "not labelled",
}
_LONGEST = 40  # characters of a temperature that is written out exactly


def multiplicity(document: dict[str, Any]) -> Statement:
    """What a certificate of kind "multiplicity" states; raises `KeyError` and the like for a damaged one."""
    return Statement(
        "multiplicity",
        say("Multiplicity certificate for the game {}", document["game"]["name"]),
        setting(document),
        subject(document),
        evidence(document["proof"]),
        items(say("Training ends in different policies from different initialisations, at these temperatures."))
        if words_of(document).flows
        else items(say("Who begins at one of them stays there: what is learned depends on the initialisation.")),
        items(
            say("Boxes of log-ratios, each with a Krawczyk step that shows exactly one stationary policy in it; labels "
                "by the sign of the Hessian there, enclosed."),
        ),
        assumptions(document),
        items(
            say("Whether the stationary policy is unique at other temperatures."),
            say("Which initialisations lead where, and that no further stationary policies exist."),
        ),
        game=document["game"],
    )  # fmt: skip


def evidence(proof: dict[str, Any]) -> tuple[Item, ...]:
    """What the evidence proves, also where a threshold certificate carries it."""
    witness, two = proof["witness"], proof["two_maxima"]
    found = [Item(say(f"At {temperature(witness)} at least two stationary policies exist."), _policies(witness))]
    if isinstance(two, dict):
        found.append(Item(say(f"At {temperature(two)} at least two strict local maxima exist."), _policies(two)))
    elif two == "witness":
        found.append(Item(say(f"Both are strict local maxima, at {temperature(witness)}.")))
    return tuple(found)


def temperature(witness: dict[str, Any]) -> str:
    """The one temperature of a witness: exact where that can be read, else between two decimals."""
    alpha = fraction(witness["alpha"], "alpha")
    exact = rational_text(alpha)
    low, high = (significant_text(alpha, 8, up=up) for up in (False, True))
    if low == high:
        return f"$alpha = {low}$"
    if len(exact) <= _LONGEST:
        return f"$alpha = {exact}$ (at least {number(alpha, up=False) if '/' not in number(alpha, up=False) else low})"
    return f"a rational $alpha in [{low}, {high}]$"


def _policies(witness: dict[str, Any]) -> tuple[Item, ...]:
    found = [
        say(f"enclosed policy {k + 1}: {_LABELS[policy.get('kind')]}") for k, policy in enumerate(witness["policies"])
    ]
    if len(witness["policies"]) == 1:
        found.append(say("the other one: where the flow ends that starts uphill of it (Theorem A)"))
    if witness.get("symmetry") is not None:
        found.append(say("a symmetry of the game maps the first to the second"))
    return items(*found)
