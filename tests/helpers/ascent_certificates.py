"""Writes tests/certificates/ascent: thresholds that carry a step size of gradient ascent, and attacks on that part
(`python tests/helpers/ascent_certificates.py`).  Every invalid file is named after what it tries.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from certificate_files import write_anew
from legal_games import random_legal_game
from random_games import random_game

from certify.certificates.threshold import parameters_certificate, structural_certificate, with_ascent
from certify.games import builtin
from certify.games.model import Game
from certify.games.objective import for_objective
from certify.thresholds.general_forms import general
from certify.thresholds.shapes import parse_parameters, shape_of
from certify.thresholds.step_size import sizes_of, sizes_of_parameters, step_size

FOLDER = Path(__file__).resolve().parent.parent / "certificates" / "ascent"
Document = dict[str, Any]


def games() -> Iterator[tuple[str, Game]]:
    """Games that use every part of the bound."""
    rng = np.random.default_rng(18)
    yield "lever", builtin("lever:2")
    yield "tiger", builtin("dectiger", 2)
    yield "single_agent", random_game(rng, agents=1, horizon=3, actions=3)
    yield (
        "three_agents_discounted",
        random_game(rng, agents=3, horizon=3, discount=Fraction(2, 3), weights=True, observations=1),
    )
    yield "action_sets", random_game(rng, horizon=3, actions=3, available=True, weights=True, observations=1)
    yield "reference", for_objective(random_legal_game(3), "kl")


def certificate(game: Game) -> Document:
    """A structural threshold with its step size."""
    shape = shape_of(game)
    found = general(shape, "theorem-D-prime")
    return with_ascent(structural_certificate(game, found), step_size(shape, sizes_of(game), found.alpha_star))


def valid() -> dict[str, Document]:
    """name: certificate."""
    found = {name: certificate(game) for name, game in games()}
    shape, parameters = parse_parameters("n=2,h=3,actions=4,return=0:10")
    form = general(shape, "theorem-D-prime")
    bare = parameters_certificate(parameters, form)
    found["parameters"] = with_ascent(bare, step_size(shape, sizes_of_parameters(shape), form.alpha_star))
    return found


def _times(name: str, factor: Fraction) -> Callable[[Document], None]:
    def change(ascent: Document) -> None:
        ascent[name] = str(Fraction(ascent[name]) * factor)

    return change


INVALID: dict[str, tuple[str, Callable[[Document], object], str]] = {
    "step_one_part_in_ten_thousand_larger": ("tiger", _times("step_size", 1 + Fraction(1, 10_000)), "step_size"),
    "bound_cut_by_a_third": ("tiger", _times("step_size", Fraction(3, 2)), "step_size"),
    "step_of_three_agents_larger": ("three_agents_discounted", _times("step_size", Fraction(11, 10)), "step_size"),
    "step_of_the_uniform_reference": ("reference", _times("step_size", Fraction(21, 20)), "step_size"),
    "growth_one_part_in_ten_thousand_smaller": ("tiger", _times("growth", 1 - Fraction(1, 10_000)), "growth"),
    "growth_zero": ("lever", lambda a: a.update(growth="0"), "growth"),
    "growth_negative": ("action_sets", lambda a: a.update(growth="-1"), "growth"),
    "step_zero": ("lever", lambda a: a.update(step_size="0"), ""),
    "step_negative": ("lever", lambda a: a.update(step_size="-1"), ""),
    "vector_entry_zero": ("lever", lambda a: a["vector"][1].__setitem__(0, "0"), ""),
    "vector_entry_negative": ("tiger", lambda a: a["vector"][0].__setitem__(1, "-1"), ""),
    "vector_of_ones": ("tiger", lambda a: a.update(vector=[["1", "1"]] * 2), "step_size"),
    "vector_that_hides_the_first_step": ("tiger", lambda a: a.update(vector=[["1000", "1"]] * 2), "step_size"),
    "parameters_step_larger": ("parameters", _times("step_size", Fraction(101, 100)), "step_size"),
}  # fmt: skip
MALFORMED: dict[str, tuple[str, Callable[[Document], object]]] = {
    "no_growth": ("lever", lambda a: a.pop("growth")),
    "decimal_step": ("lever", lambda a: a.update(step_size=0.5)),
    "vector_of_one_agent": ("lever", lambda a: a.update(vector=[["1"]])),
    "vector_of_two_steps": ("lever", lambda a: a.update(vector=[["1", "1"]] * 2)),
    "unknown_field": ("lever", lambda a: a.update(alpha="1")),
    "list": ("lever", lambda a: a.clear()),
}


def main() -> None:
    """Writes everything."""
    base = valid()
    expected = {}
    attacked: dict[str, dict[str, Document]] = {"valid": base, "invalid": {}, "malformed": {}}
    for name, (source, change, place) in INVALID.items():
        attacked["invalid"][name] = copy.deepcopy(base[source])
        change(attacked["invalid"][name]["claim"]["ascent"])
        expected[name] = {"step": "claim.ascent" + ("." + place if place else "")}
    for name, (source, spoil) in MALFORMED.items():
        attacked["malformed"][name] = copy.deepcopy(base[source])
        spoil(attacked["malformed"][name]["claim"]["ascent"])
    write_anew(FOLDER, attacked, (", ", ": "))
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
