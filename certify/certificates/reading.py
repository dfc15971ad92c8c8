"""Certificates in words: what is claimed, what it rests on, and what is not claimed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.certificates.reading_crossplay import describe_crossplay
from certify.certificates.reading_multiplicity import describe_multiplicity
from certify.certificates.reading_objective import Words, words_of
from certify.certificates.reading_optimum import describe_optimum
from certify.errors import InputError
from certify.exact import parse_rational, significant_text


def describe(document: Any, where: str) -> str:
    """A page about a certificate; nothing on it is verified (that is `certify check`).

    Raises `InputError` if the object is not a certificate.
    """
    if not isinstance(document, dict) or document.get("format") != "certify-certificate":
        raise InputError(where, "not a certificate", "give a file that `certify` wrote")
    try:
        writer = _WRITERS.get(document.get("kind"), _other)
        return "\n".join(writer(document))
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            where, f"a damaged certificate ({type(error).__name__}: {error})", "run `certify check` on it"
        ) from None


def _threshold(document: dict[str, Any]) -> list[str]:
    game, claim, proof = document["game"], document["claim"], document["proof"]
    alpha = parse_rational(claim["alpha_star"], "alpha_star")
    lines = [
        f"Threshold certificate for the game {game['name']!r}",
        f"  {len(game['agents'])} agents, {len(game['states'])} reachable states, horizon {game['horizon']}, "
        f"discount {game['discount']}, weights {', '.join(game['weights'])}",
        f"  game SHA-256 {document['game_sha256']}",
        "",
    ]
    lines += _claim(alpha, claim, game["horizon"], words_of(document))
    lines += ["", "How it is proved"]
    lines += _structural(proof) if proof["type"] == "structural" else _cover(proof)
    if "symmetry" in document:
        lines += [
            "",
            f"Symmetries: evidence for a group of order {document['symmetry'].get('order', '?')} is included.",
        ]
    return lines + _assumptions(words_of(document))


def _claim(alpha, claim: dict[str, Any], horizon: int, words: Words) -> list[str]:
    # docs/theory/structural.md: for several steps the structural bound counts the entropies of localised policies only
    structural = (
        "the whole policy space" if horizon == 1 else "the policies with log-ratios within the structural bound"
    )
    lines = [
        "What is claimed",
        f"  For every temperature alpha >= {claim['alpha_star']} ({_about(alpha, up=True)}) the {words.regularised}",
        "  objective has exactly one stationary policy. Every trajectory of the softmax policy-gradient flow",
        "  converges to it, from every initialisation, and it is fixed by every symmetry of the objective.",
    ]
    for item in claim.get("strong_concavity", []):
        modulus = parse_rational(item["modulus"], "modulus")
        region = structural if item["node"] is None else "the box that holds every stationary policy there"
        lines.append(
            f"  At alpha = {item['alpha']} it is strongly concave on {region}, modulus at least "
            f"{significant_text(modulus, 8, up=False)}."
            if modulus > 0
            else f"  At alpha = {item['alpha']} it is concave on {region}; no modulus above 0 is claimed there."
        )
    return lines


def _about(value: Fraction, *, up: bool) -> str:
    """A fraction as a decimal, on the safe side where it is none."""
    text = significant_text(value, 8, up=up)
    return text if Fraction(text) == value else f"{'at most' if up else 'at least'} {text}"


def _structural(proof: dict[str, Any]) -> list[str]:
    return [
        f"  structural bound, form {proof['form']}: a positive vector bounds the largest eigenvalue of a small",
        "  matrix made of ranges and sizes (docs/theory/structural.md). No history is enumerated.",
    ]


def _cover(proof: dict[str, Any]) -> list[str]:
    nodes = proof["nodes"]
    closed = [n for n in nodes if "close" in n]
    steps = sum(len(n["steps"]) for n in nodes)
    return [
        f"  {len(closed)} closed boxes cover all beta = 1/alpha in [0, {nodes[0]['beta'][1]}] and all policies,",
        f"  reached by {steps} contraction steps; {sum(n['close'] == 'nondegenerate' for n in closed)} end in a "
        "definiteness test, "
        f"{sum(n['close'] == 'empty' for n in closed)} are empty.",
        f"  AOHs that no policy can tell apart were merged: {'yes' if proof.get('clustering', True) else 'no'}.",
    ]


def _parameters(document: dict[str, Any]) -> list[str]:
    p, claim = document["parameters"], document["claim"]
    alpha = parse_rational(claim["alpha_star"], "alpha_star")
    return [
        f"Structural certificate for every game with {p['agents']} agents, horizon {p['horizon']}, "
        f"{p['actions']} actions each,",
        f"  return in [{p['return'][0]}, {p['return'][1]}], discount {p['discount']}, weights 1",
        "",
        *_claim(alpha, claim, p["horizon"], words_of(document)),
        "",
        "How it is proved",
        *_structural(document["proof"]),
        *_assumptions(words_of(document)),
    ]


def _other(document: dict[str, Any]) -> list[str]:
    lines = [f"Certificate of kind {document.get('kind')!r}"]
    claim = document.get("claim", {})
    lines += [f"  {key}: {value}" for key, value in claim.items()] if isinstance(claim, dict) else [f"  {claim}"]
    return lines + ["", "Nothing on this page has been verified; run `certify check`."]


def _assumptions(words: Words) -> list[str]:
    first, *rest = words.assumed
    return [
        "",
        "What it assumes",
        f"  Tabular softmax policies; {first}",
        *(f"  {line}" for line in rest),
        "  the game is exactly the one restated inside the certificate.",
        "What it does not say",
        "  Nothing about temperatures below alpha*; nothing about sampled gradients, finite step sizes or",
        "  function approximation; nothing about how good the unique policy is.",
        "",
        "Nothing on this page has been verified; run `certify check`.",
    ]


_WRITERS = {
    "threshold": _threshold,
    "structural-parameters": _parameters,
    "optimum": describe_optimum,
    "multiplicity": describe_multiplicity,
    "crossplay": describe_crossplay,
}
