"""Writes tests/certificates/potential: thresholds of potentials that carry the original game, attacks on what they say
of it, and files that are no certificates.  Run it again after a change of the format:

    python tests/helpers/potential_certificates.py
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import certify
from certify.games.original import Original
from certify.games.potential import potential_game

FOLDER = Path(__file__).resolve().parents[1] / "certificates" / "potential"
Certificate = dict[str, Any]


def game(rows: list[tuple[int, ...]], *sizes: int) -> Original:
    """An original with numbered strategies."""
    return Original(
        players=tuple(f"player{i + 1}" for i in range(len(sizes))),
        strategies=tuple(tuple(str(k + 1) for k in range(size)) for size in sizes),
        payoffs=tuple(tuple(map(Fraction, row)) for row in rows),
    )


STAG_HUNT = game([(4, 9), (0, 6), (3, 0), (3, 2)], 2, 2)  # weights 1, 4/5
THREE = game(  # P / w_i plus something that player i cannot change, w = 1, 1/2, 1/3
    [
        (p + 2 * b - c, 2 * p + 5 * a * c, 3 * p + a - 4 * b)
        for (a, b, c), p in zip(itertools.product(range(2), repeat=3), (2, 0, 0, 1, 0, 1, 1, 5), strict=True)
    ],
    *(2, 2, 2),
)
DILEMMA = game([(2, 2), (0, 3), (3, 0), (1, 1)], 2, 2)  # an exact potential


def rehashed(certificate: Certificate) -> Certificate:
    """The certificate with the hashes of what it now states."""
    for subject in ("game", "original"):
        if subject in certificate:
            text = json.dumps(certificate[subject], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            certificate[f"{subject}_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    return certificate


def certificate(original: Original, name: str) -> Certificate:
    """The threshold of its potential, with both ends of the bracket where there are two."""
    result = certify.threshold(potential_game(original, name, name), time_limit=20, rtol="1/20")
    assert result.document is not None
    return result.document


def attacks(valid: Certificate, structural: Certificate, other: Certificate) -> dict[str, tuple[Certificate, str]]:
    """Name -> (attacked copy, the step that must fail)."""

    def changed(change: Any, source: Certificate = valid) -> Certificate:
        attacked = copy.deepcopy(source)
        change(attacked)
        return attacked

    def payoffs(change: Any) -> Certificate:
        return rehashed(changed(lambda c: change(c["original"]["payoffs"])))

    def weights(c: Certificate) -> None:
        c["game"]["weights"] = ["1", "1"]

    return {
        "payoff_changed": (payoffs(lambda u: u[3].__setitem__(1, "3")), "original.payoffs"),
        "payoff_changed_hash_kept": (
            changed(lambda c: c["original"]["payoffs"][0].__setitem__(0, "7")),
            "original_sha256",
        ),
        "payoffs_of_the_players_swapped": (payoffs(lambda u: [row.reverse() for row in u]), "original.payoffs"),
        "profiles_in_the_order_of_the_file": (
            payoffs(lambda u: u.__setitem__(slice(1, 3), [u[2], u[1]])),
            "original.payoffs",
        ),
        "payoffs_of_another_game": (
            rehashed(changed(lambda c: c["original"].update(payoffs=other["original"]["payoffs"]))),
            "original.payoffs",
        ),
        "payoffs_scaled": (
            payoffs(lambda u: [row.__setitem__(i, str(2 * Fraction(row[i]))) for row in u for i in range(2)]),
            "original.payoffs",
        ),
        "one_player_paid_the_opposite": (
            payoffs(lambda u: [row.__setitem__(0, str(-Fraction(row[0]))) for row in u]),
            "original.payoffs",
        ),
        "weights_forged": (rehashed(changed(weights, structural)), "original.payoffs"),
        "weights_exchanged": (
            rehashed(changed(lambda c: c["game"]["weights"].reverse(), structural)),
            "original.payoffs",
        ),
        "potential_forged": (
            rehashed(changed(lambda c: c["game"]["reward"][0].__setitem__(2, "5"), structural)),
            "original.payoffs",
        ),
        "potential_dropped_at_a_profile": (
            rehashed(changed(lambda c: c["game"]["reward"].pop(), structural)),
            "original",
        ),
        "players_renamed": (
            rehashed(changed(lambda c: c["original"]["players"].__setitem__(0, "player2"))),
            "original",
        ),
        "strategies_exchanged": (rehashed(changed(lambda c: c["original"]["strategies"][0].reverse())), "original"),
        "original_of_a_longer_game": (
            rehashed(
                changed(
                    lambda c: c["game"].update(
                        horizon=2,
                        transition=[[0, [a, b], [[0, "1"]]] for a in range(2) for b in range(2)],
                        emission=[[[a, b], 0, [[[0, 0], "1"]]] for a in range(2) for b in range(2)],
                    ),
                    structural,
                )
            ),
            "original",
        ),
        "original_of_a_game_with_a_reference": (
            rehashed(
                changed(
                    lambda c: (
                        c.update(objective="kl"),
                        c["game"].update(reference=[[0, None, [[0, "1/3"], [1, "2/3"]]]]),
                    ),
                    structural,
                )
            ),
            "original",
        ),
        "original_of_a_game_with_two_states": (
            rehashed(
                changed(
                    lambda c: c["game"].update(states=["s", "r"], start=[[0, [], "1/2"], [1, [], "1/2"]]), structural
                )
            ),
            "original",
        ),
        "original_without_an_action": (
            rehashed(changed(lambda c: c["game"].update(available=[[[0]], [[0, 1]]]), structural)),
            "original",
        ),
        "lambda_star_twice_as_large": (
            changed(lambda c: c["claim"].update(alpha_star=str(Fraction(c["claim"]["alpha_star"]) / 2))),
            "",
        ),
    }


def malformed(valid: Certificate) -> dict[str, Certificate]:
    """Name -> what is no certificate."""

    def changed(change: Any) -> Certificate:
        attacked = copy.deepcopy(valid)
        change(attacked)
        return attacked

    return {
        "original_without_hash": changed(lambda c: c.pop("original_sha256")),
        "hash_without_original": changed(lambda c: c.pop("original")),
        "a_profile_missing": changed(lambda c: c["original"]["payoffs"].pop()),
        "a_payoff_missing": changed(lambda c: c["original"]["payoffs"][0].pop()),
        "a_payoff_too_many": changed(lambda c: c["original"]["payoffs"][0].append("1")),
        "a_payoff_as_a_decimal": changed(lambda c: c["original"]["payoffs"][0].__setitem__(0, "0.5")),
        "no_payoffs": changed(lambda c: c["original"].pop("payoffs")),
        "original_is_null": changed(lambda c: c.update(original=None)),
        "weights_in_the_original": changed(lambda c: c["original"].update(weights=["1", "2"])),
        "hash_is_a_number": changed(lambda c: c.update(original_sha256=1)),
        "a_weight_of_zero": rehashed(changed(lambda c: c["game"].update(weights=["1", "0"]))),
    }


def main() -> None:
    """Write the files."""
    valid = certificate(STAG_HUNT, "stag-hunt")
    bare = certify.threshold(potential_game(STAG_HUNT, "stag-hunt", "stag-hunt"), method="structural").document
    assert bare is not None
    structural = {key: part for key, part in bare.items() if key != "symmetry"}
    three, dilemma = certificate(THREE, "three"), certificate(DILEMMA, "dilemma")
    files = {
        "valid/stag_hunt": valid,
        "valid/stag_hunt_structural": structural,
        "valid/three_players": three,
        "valid/dilemma": dilemma,
    }
    expected = {}
    for name, (document, step) in attacks(valid, structural, dilemma).items():
        files[f"invalid/{name}"], expected[name] = document, step
    optimum = certify.optimum(potential_game(STAG_HUNT, "stag-hunt", "stag-hunt"), 8, threshold=structural).document
    assert optimum is not None
    files["valid/stag_hunt_optimum"] = optimum
    forged = copy.deepcopy(optimum)
    rehashed(forged["proof"]["threshold"])["original"]["payoffs"][3][1] = "3"
    files["invalid/original_within_an_optimum_forged"] = forged
    rehashed(forged["proof"]["threshold"])
    expected["original_within_an_optimum_forged"] = "threshold"
    files |= {f"malformed/{name}": document for name, document in malformed(structural).items()}
    for kind in ("valid", "invalid", "malformed"):
        (FOLDER / kind).mkdir(parents=True, exist_ok=True)
    for name, document in files.items():
        (FOLDER / f"{name}.json").write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
