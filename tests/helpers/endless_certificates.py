"""Writes tests/certificates/endless: thresholds for every horizon at once, and attacks on them
(`python tests/helpers/endless_certificates.py`)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from certificate_files import write_sorted
from random_games import random_game

from certify.certificates.threshold import endless_certificate, endless_windows_certificate
from certify.certificates.windows import _step as step_json
from certify.games.builtin import builtin
from certify.games.canonical import sha256_of
from certify.games.model import Game, check_game
from certify.thresholds.endless_form import endless_form
from certify.thresholds.windows.approx_values import Box
from certify.thresholds.windows.endless import EndlessLocalised, EndlessSearch

FOLDER = Path(__file__).resolve().parent.parent / "certificates" / "endless"
Document = dict[str, Any]


def alternating() -> Game:
    """Two states that follow each other, with rewards 3 and -3 whatever is done but for a little: with one step the
    returns differ by 6, with all of them by 4 (discount 1/2)."""
    actions = tuple((a, b) for a in range(2) for b in range(2))
    reward = {(s, a): Fraction(3 - 6 * s) + Fraction(a == (0, 0), 10) for s in range(2) for a in actions}
    names = ("first", "second")
    return check_game(
        Game(
            "alternating", names, ("high", "low"), (names, names), (("o",), ("o",)),
            ((0, (), Fraction(1, 2)), (1, (), Fraction(1, 2))),
            {(s, a): ((1 - s, Fraction(1)),) for s in range(2) for a in actions},
            {(a, s): (((0, 0), Fraction(1)),) for s in range(2) for a in actions},
            reward, 1, Fraction(1, 2),
        )
    )  # fmt: skip


def games() -> Iterator[tuple[str, Game]]:
    """(name, game)."""
    rng = np.random.default_rng(3)
    yield "recycling", builtin("recycling", horizon=1, discount="9/10")
    yield "alternating", alternating()
    yield "three_agents", random_game(rng, agents=3, horizon=2, discount=Fraction(3, 4), weights=True)
    yield "one_chooser", random_game(rng, actions=(3, 1), horizon=1, discount=Fraction(1, 2))
    yield "initial", random_game(rng, horizon=2, discount=Fraction(1, 2), initial_observations=True, states=3)


def attacks(valid: dict[str, Document]) -> Iterator[tuple[str, Document]]:
    """What somebody might change in a valid certificate."""

    def changed(name: str, change: Callable[[Document], Any]) -> Document:
        document = copy.deepcopy(valid[name])
        change(document)
        return document

    def part(d: Document, name: str, factor: Fraction) -> None:
        x = d["proof"][name]
        d["proof"][name] = [str(Fraction(y) * factor) for y in x] if isinstance(x, list) else str(Fraction(x) * factor)

    def shift(d: Document, name: str, by: Fraction) -> None:
        d["proof"][name] = [str(Fraction(y) + by) for y in d["proof"][name]]

    def alpha(d: Document, factor: Fraction) -> None:
        d["claim"]["alpha_star"] = str(Fraction(d["claim"]["alpha_star"]) * factor)

    def game(d: Document, **fields: Any) -> None:
        d["game"].update(fields)
        d["game_sha256"] = sha256_of(d["game"])

    less, more = Fraction(99, 100), Fraction(101, 100)
    yield "alpha_star_lowered", changed("recycling", lambda d: alpha(d, less))
    yield "spread_lowered", changed("recycling", lambda d: part(d, "spread", less))
    yield "spread_raised", changed("recycling", lambda d: part(d, "spread", Fraction(3)))
    yield "multipliers_raised", changed("three_agents", lambda d: part(d, "multipliers", more))
    yield "multiplier_zero", changed("three_agents", lambda d: d["proof"].update(multipliers=["0", "0", "0"]))
    yield "multiplier_negative", changed("recycling", lambda d: part(d, "multipliers", Fraction(-1)))
    yield "upper_lowered", changed("three_agents", lambda d: shift(d, "upper", -more / 100))
    yield "lower_raised", changed("three_agents", lambda d: shift(d, "lower", more / 100))
    yield "discount_raised", changed("recycling", lambda d: game(d, discount="19/20"))
    yield "discount_one", changed("recycling", lambda d: game(d, discount="1"))

    def without_second_condition(d: Document) -> None:
        """Values that reproduce themselves, and nothing that ties them to the end, where they are 0."""
        d["proof"].update(upper=["11/5", "-9/5"], lower=["2", "-2"])

    yield "values_not_tied_to_the_end", changed("alternating", without_second_condition)


def window_malformed(valid: dict[str, Document]) -> Iterator[tuple[str, Document]]:
    """Proofs by windows that are none."""

    def changed(change: Callable[[Document], Any]) -> Document:
        document = copy.deepcopy(valid["windows_one"])
        change(document)
        return document

    yield "windows_without_horizons", changed(lambda d: d["claim"].pop("horizons"))
    yield "windows_before_too_short", changed(lambda d: d["proof"].update(before=1))
    yield "windows_last_changed", changed(lambda d: d["proof"].update(last=d["proof"]["last"] + 1))
    yield "windows_constants_missing", changed(lambda d: d["proof"]["intervals"][0]["constants"].pop())
    yield "windows_price_missing", changed(lambda d: d["proof"]["intervals"][0]["price"].pop())
    yield "windows_claim_missing", changed(lambda d: d["proof"]["intervals"][0]["claim"].pop())
    yield "windows_called_windows", changed(lambda d: d["proof"].update(type="windows"))


def malformed(valid: dict[str, Document]) -> Iterator[tuple[str, Document]]:
    """What is no claim about every horizon at all."""

    def changed(change: Callable[[Document], Any]) -> Document:
        document = copy.deepcopy(valid["recycling"])
        change(document)
        return document

    yield "horizons_missing", changed(lambda d: d["claim"].pop("horizons"))
    yield "horizons_some", changed(lambda d: d["claim"].update(horizons="some"))
    yield "form_of_one_horizon", changed(lambda d: d.update(proof={"type": "structural", "form": "rows"}))
    yield "value_missing", changed(lambda d: d["proof"]["upper"].pop())
    yield "multiplier_missing", changed(lambda d: d["proof"]["multipliers"].pop())
    yield "float_spread", changed(lambda d: d["proof"].update(spread=0.25))
    yield "with_evidence", changed(lambda d: d.update(multiplicity={}))
    modulus = {"alpha": "1000", "modulus": "1", "node": None, "steps": []}
    yield "with_a_modulus", changed(lambda d: d["claim"].update(strong_concavity=[modulus]))


def window_games() -> Iterator[tuple[str, Game, int]]:
    """(name, game, k) for proofs by windows."""
    rng = np.random.default_rng(8)
    yield "windows_recycling", builtin("recycling", horizon=1, discount="9/10"), 0
    yield "windows_one", random_game(rng, horizon=2, discount=Fraction(1, 2), observations=(2, 1)), 1
    yield (
        "windows_three_agents",
        random_game(rng, agents=3, horizon=2, discount=Fraction(1, 2), observations=1, weights=True),
        0,
    )
    yield (
        "windows_initial",
        random_game(
            rng, horizon=2, discount=Fraction(1, 2), initial_observations=True, actions=(3, 2), observations=1, states=3
        ),
        1,
    )
    yield "windows_two", random_game(rng, horizon=2, discount=Fraction(1, 4), observations=(1, 2)), 2


def by_windows(game: Game, k: int) -> Document:
    """A threshold by windows for every horizon, quickly rather than sharply."""
    search = EndlessSearch(game, k)
    search.climb(float(endless_form(game).alpha_star), 0.5, most=4)
    found = search.endless()
    assert found is not None
    return endless_windows_certificate(game, found)


def narrow_claim(game: Game, k: int) -> Document:
    """What would follow if what is supposed did not have to follow from itself: that all later policies are uniform."""
    document = by_windows(game, k)
    last = document["proof"]["intervals"][-1]
    low, high = (Fraction(x) for x in last["beta"])
    search = EndlessSearch(game, k)
    found = EndlessLocalised.whole(search.tables, search.beliefs, np.array([float(low), float(high)]))
    level, boxes = search.tables.levels[1], []
    for i in range(search.tables.n):
        size, used = level.shape[i], len(level.sides[i].windows)
        box = Box.whole(level.legal[i], used)
        low_end, high_end = (round(2**24 / size) + d for d in (-9, 9))
        box.low[:used], box.high[:used] = low_end / 2**24, high_end / 2**24
        boxes.append(Box(box.low, box.high))
        last["claim"][i] = [[[x] * size] * used for x in (low_end, high_end)]
    found.suppose(boxes)
    found.settle(lambda: None)
    last["steps"] = [step_json(step) for step in found.steps]
    return document


def window_attacks(valid: dict[str, Document]) -> Iterator[tuple[str, Document]]:
    """The same for proofs by windows."""

    def changed(change: Callable[[Document], Any], name: str = "windows_one") -> Document:
        document = copy.deepcopy(valid[name])
        change(document["proof"]["intervals"][-1] if change.__name__ != "whole" else document)
        return document

    def lower(rows: list, by: int) -> None:
        for k, x in enumerate(rows):
            if isinstance(x, list):
                lower(x, by)
            elif x is not None:
                rows[k] = x - by

    one = 2**24
    yield "windows_claim_narrowed", changed(lambda d: lower(d["claim"][0][1], one // 50))
    yield "windows_claim_of_everything", changed(
        lambda d: d.update(claim=[[[[x] * len(row) for row in end] for x, end in zip((0, one), ends, strict=True)]
                                  for ends in d["claim"]])
    )  # fmt: skip
    yield "windows_bound_lowered", changed(lambda d: lower(d["steps"][-1]["log_ratio"], one // 10))
    yield "windows_first_bound_lowered", changed(lambda d: lower(d["steps"][0]["log_ratio"], one // 10))
    yield "windows_price_lowered", changed(lambda d: d.update(price=[x * 9 // 10 for x in d["price"]]))
    yield "windows_price_zero", changed(lambda d: d.update(price=[0 for _ in d["price"]]))
    yield "windows_price_large", changed(lambda d: d.update(price=[one for _ in d["price"]]))
    yield "windows_share_zero", changed(lambda d: d["constants"][0]["same"][0].update(
        share=[0 for _ in d["constants"][0]["same"][0]["share"]]))  # fmt: skip
    yield "windows_range_lowered", changed(lambda d: lower(d["constants"][0]["ranges"][0], one // 10))
    yield "windows_steps_left_out", changed(lambda d: d.update(steps=d["steps"][:1]))
    yield "windows_no_steps", changed(lambda d: d.update(steps=[]))
    yield "windows_gap", changed(lambda d: d.update(beta=[str(Fraction(d["beta"][0]) + 1), d["beta"][1]]))

    def whole(d: Document) -> None:
        d["claim"]["alpha_star"] = str(Fraction(d["claim"]["alpha_star"]) * Fraction(9, 10))

    yield "windows_alpha_star_lowered", changed(whole)
    yield "windows_supposed_without_proof", narrow_claim(builtin("recycling", horizon=1, discount="9/10"), 0)


def write() -> None:
    """All files."""
    valid = {name: endless_certificate(game, endless_form(game)) for name, game in games()}
    windows = {name: by_windows(game, k) for name, game, k in window_games()}
    for folder, found in (
        ("valid", [*valid.items(), *windows.items()]),
        ("invalid", [*attacks(valid), *window_attacks(windows)]),
        ("malformed", [*malformed(valid), *window_malformed(windows)]),
    ):
        write_sorted(FOLDER / folder, found)


if __name__ == "__main__":
    write()
