"""A multiplicity certificate in words (docs/certificate-format.md, section 7)."""

from __future__ import annotations

from typing import Any

from certify.exact import parse_rational, significant_text

_LABELS = {
    "maximum": "a strict local maximum: an open set of initialisations trains to it",
    "saddle": "a saddle: the objective rises in some direction",
    None: "not labelled",
}


def describe_multiplicity(document: dict[str, Any]) -> list[str]:
    """Lines about a multiplicity certificate; raises `KeyError` and the like for a damaged one."""
    game, proof = document["game"], document["proof"]
    lines = [
        f"Multiplicity certificate for the game {game['name']!r}, horizon {game['horizon']}",
        f"  game SHA-256 {document['game_sha256']}",
        "",
        "What is claimed",
        *evidence_lines(proof),
    ]
    return lines + [
        "",
        "What follows",
        "  Training ends in different policies from different initialisations, at these temperatures.",
        "What it does not say",
        "  Whether the stationary policy is unique at other temperatures; which initialisations lead where;",
        "  that no further stationary policies exist.",
        "",
        "Nothing on this page has been verified; run `certify check`.",
    ]


def evidence_lines(proof: dict[str, Any]) -> list[str]:
    """What the evidence proves, also where a threshold certificate carries it."""
    witness, two = proof["witness"], proof["two_maxima"]
    lines = [f"  At {_temperature(witness)} at least two stationary policies exist.", *_policies(witness)]
    if isinstance(two, dict):
        lines += [f"  At {_temperature(two)} at least two strict local maxima exist.", *_policies(two)]
    return lines


def _temperature(witness: dict[str, Any]) -> str:
    alpha = significant_text(parse_rational(witness["alpha"], "alpha"), 8, up=False)
    return f"alpha = {witness['alpha']} (at least {alpha})"


def _policies(witness: dict[str, Any]) -> list[str]:
    lines = [
        f"    enclosed policy {k + 1}: {_LABELS[policy.get('kind')]}" for k, policy in enumerate(witness["policies"])
    ]
    if len(witness["policies"]) == 1:
        lines.append("    the other one: where the flow ends that starts uphill of it (Theorem A)")
    if "symmetry" in witness:
        lines.append("    a symmetry of the game maps the first to the second")
    return lines
