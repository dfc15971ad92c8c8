"""Writes tests/certificates/local: certificates of the local bonus, and attacks named after what they try.

Run `python tests/helpers/local_certificates.py` after a change of the format.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import numpy as np
from certificate_files import write_anew
from legal_games import random_legal_game
from random_games import random_game

import certify
from certify.certificates.threshold import cover_certificate
from certify.games import builtin
from certify.games.canonical import sha256_of
from certify.games.objective import for_objective
from certify.games.tree import unroll
from certify.thresholds.cover import find_cover
from certify.thresholds.index_tables import Plan
from certify.thresholds.structural import structural_thresholds

FOLDER = Path(__file__).resolve().parents[1] / "certificates" / "local"
Document = dict[str, Any]


def covered(game: Any, alpha: F, objective: str = "local") -> Document:
    played = for_objective(game, objective)
    found = cover_certificate(played, find_cover(Plan(unroll(played)), 1 / alpha), [])
    return json.loads(json.dumps(found))


def uneven() -> Any:
    """Two agents whose observations depend on both: every kind of entry of the form differs from the entropy's."""
    game = random_game(np.random.default_rng(7), horizon=2, discount=F(3, 4), weights=(F(1), F(1, 2)))
    return replace(game, name="uneven")


def legal() -> Any:
    """Legal sets after observations, and rewards at both steps."""
    rng = np.random.default_rng(3)
    game = replace(random_legal_game(2), horizon=2, name="legal", weights=(F(1), F(1, 2)))
    return replace(game, reward={key: F(int(rng.integers(-6, 7))) for key in game.reward})


def threshold(game: Any, **options: Any) -> Document:
    found = certify.threshold(game, objective="local", **options)
    return json.loads(json.dumps(found.document))


def valid() -> dict[str, Document]:
    start = structural_thresholds(for_objective(uneven(), "local"))[0].alpha_star
    optimum = certify.optimum(builtin("two-stage-lever"), 4, objective="local")
    below = certify.threshold("lever:2", objective="local").document
    assert below is not None and optimum.document is not None
    multiple = {k: below[k] for k in ("format", "version", "game", "game_sha256", "objective")}
    multiple |= {
        "kind": "multiplicity",
        "claim": {k: below["claim"][k] for k in ("alpha_multiple", "alpha_two_maxima")},
        "proof": below["multiplicity"],
    }
    return {
        "cover": covered(uneven(), start / 2),
        "cover_of_legal_sets": covered(
            legal(), structural_thresholds(for_objective(legal(), "local"))[0].alpha_star / 2
        ),
        "structural_regular": threshold("two-stage-lever", method="structural"),
        "structural_contraction": threshold("lever:2", method="structural"),
        "structural_of_one_step": threshold("climbing", method="structural"),
        "bracket": json.loads(json.dumps(below)),
        "several_policies": json.loads(json.dumps(multiple)),
        "optimum": json.loads(json.dumps(optimum.document)),
    }


def first_step(document: Document) -> Document:
    return document["proof"]["nodes"][0]["steps"][0]


def lowered_by(units: int) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        for row in first_step(document)["log_ratio"]:
            row[:] = [None if m is None else m - units for m in row]

    return change


def unclosed(document: Document) -> None:
    """The whole policy space at once, claimed to be regular."""
    node = document["proof"]["nodes"][0]
    document["proof"]["nodes"] = [{"parent": None, "beta": node["beta"], "steps": [], "close": "nondegenerate"}]


def regular_at_equality(document: Document) -> None:
    """Two levers at 1/2: the sums of `regular` are 1 there, and it needs less."""
    document["proof"] = {"type": "structural", "form": "regular", "vector": [["1"], ["1"]]}


def entropy_cover(document: Document) -> None:
    start = structural_thresholds(for_objective(uneven(), "entropy"))[0].alpha_star
    other = covered(uneven(), start / 2, "entropy")
    document.update(claim=other["claim"], proof=other["proof"])


def labelled(document: Document) -> None:
    document["proof"]["witness"]["policies"][0]["kind"] = "maximum"


def widened(document: Document) -> None:
    """A legal set with one action more than the proof is about."""
    document["game"]["reference"] = [
        [i, o, [[a, "1/3"] for a in range(3)]] if len(row) == 1 else [i, o, row]
        for i, o, row in document["game"]["reference"]
    ]


def modulus(document: Document) -> None:
    entry = {"alpha": document["claim"]["alpha_star"], "modulus": "0", "node": 0, "steps": []}
    document["claim"]["strong_concavity"] = [entry]


def set_flow(name: str, **parts: Any) -> Callable[[Document], None]:
    return lambda d: d["flows"][name].update(parts)


def renamed(objective: str, *, flows: bool = False) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        document["objective"] = objective
        if not flows:
            document.pop("flows", None)

    return change


INVALID: dict[str, tuple[str, str, Callable[[Document], Any]]] = {  # (valid file, start of the failing step, change)
    "cover_as_one_of_the_entropy": ("cover", "", renamed("visitation")),
    "cover_as_one_of_kl": ("cover", "", renamed("kl")),
    "cover_of_the_entropy": ("cover", "", entropy_cover),
    "cover_of_legal_sets_as_one_of_kl": ("cover_of_legal_sets", "", renamed("kl")),
    "regular_claimed_on_a_singular_box": ("cover", "close", unclosed),
    "bound_much_too_small": ("cover", "0", lowered_by(1 << 12)),
    "legal_bound_much_too_small": ("cover_of_legal_sets", "0", lowered_by(1 << 12)),
    "legal_set_widened": ("cover_of_legal_sets", "", widened),
    "modulus_of_a_cover": ("cover", "", modulus),
    "contraction_of_the_entropy": ("structural_contraction", "form", renamed("visitation")),
    "flows_of_the_entropy": ("structural_of_one_step", "form", renamed("visitation", flows=True)),
    "theorem_d_prime": ("structural_regular", "form", lambda d: d["proof"].update(form="theorem-D-prime")),
    "theorem_b": ("structural_regular", "form", lambda d: d["proof"].update(form="theorem-B")),
    "plain_flow_as_a_proof": ("structural_regular", "form", lambda d: d["proof"].update(form="plain-flow")),
    "regular_at_equality": ("structural_contraction", "agent", regular_at_equality),
    "alpha_below_regular": ("structural_regular", "agent", lambda d: d["claim"].update(alpha_star="3")),
    "natural_flow_from_lower": ("structural_regular", "flows.natural", set_flow("natural", alpha="7/2")),
    "plain_flow_from_where_the_natural_one_is": (
        "cover",
        "flows.plain",
        lambda d: set_flow("plain", **d["flows"]["natural"])(d),
    ),
    "flow_from_zero": ("cover", "flows.plain", set_flow("plain", alpha="0")),
    "flow_with_a_vector_of_zeros": (
        "structural_of_one_step",
        "flows.natural",
        set_flow("natural", vector=[["0"], ["0"]]),
    ),
    "a_maximum": ("several_policies", "proof.witness", labelled),
    "several_policies_of_the_entropy_elsewhere": (
        "several_policies",
        "",
        lambda d: d["claim"].update(alpha_multiple="3/5"),
    ),
    "bracket_above_itself": ("bracket", "", lambda d: d["claim"].update(alpha_star="1/4")),
    "rate_doubled": ("optimum", "rate", lambda d: d["claim"].update(rate=str(2 * F(d["claim"]["rate"])))),
    "optimum_of_the_entropy": ("optimum", "threshold", lambda d: d.update(objective="visitation")),
}
MALFORMED: dict[str, tuple[str, Callable[[Document], Any]]] = {
    "objective_unknown": ("cover", lambda d: d.update(objective="locale")),
    "flow_unknown": ("cover", lambda d: d["flows"].update(other=d["flows"]["plain"])),
    "flows_a_list": ("cover", lambda d: d.update(flows=[])),
    "flow_without_a_vector": ("cover", lambda d: d["flows"]["plain"].pop("vector")),
    "ascent": ("cover", lambda d: d["claim"].update(ascent={"step_size": "1", "growth": "1", "vector": []})),
    "reference_not_uniform": (
        "cover_of_legal_sets",
        lambda d: d["game"]["reference"].append([0, 0, [[0, "1/2"], [1, "1/4"], [2, "1/4"]]]),
    ),
}


def attacked(document: Document, change: Callable[[Document], Any]) -> Document:
    """A changed copy with the hash of the game that it is about now."""
    result = copy.deepcopy(document)
    change(result)
    return result | {"game_sha256": sha256_of(result["game"])}


def main() -> None:
    good = valid()
    files = {"valid": good}
    files["invalid"] = {name: attacked(good[of], change) for name, (of, _, change) in INVALID.items()}
    files["malformed"] = {name: attacked(good[of], change) for name, (of, change) in MALFORMED.items()}
    write_anew(FOLDER, files, (", ", ": "))
    steps = {name: step for name, (_, step, _) in INVALID.items()}
    (FOLDER / "expected.json").write_text(json.dumps(steps, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
