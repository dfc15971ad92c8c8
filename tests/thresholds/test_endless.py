"""Thresholds for every horizon at once: against those of single horizons, exactly; attacks are refused."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from endless_certificates import alternating, games
from observed_games import Markov, observed_game

import certify
from certify import checker
from certify.checker.reading.envelope import Malformed
from certify.cli.main import cli
from certify.errors import InputError
from certify.games.builtin import builtin
from certify.games.model import Game
from certify.thresholds.endless_form import endless_form
from certify.thresholds.row_form import row_form, smallest_multiplier
from certify.thresholds.shapes import return_widths, shape_of
from certify.thresholds.windows.endless import EndlessSearch

FOLDER = Path(__file__).resolve().parent.parent / "certificates" / "endless"


def files(kind: str) -> list[Path]:
    found = sorted((FOLDER / kind).glob("*.json"))
    assert found
    return found


@pytest.mark.parametrize("path", files("valid"), ids=lambda p: p.stem)
def test_valid_ones_pass(path: Path) -> None:
    verdict = checker.check_file(path)
    assert verdict.valid, verdict.failed_step
    assert ", every horizon: for every alpha" in verdict.claim


@pytest.mark.parametrize("path", files("invalid"), ids=lambda p: p.stem)
def test_attacks_are_refused(path: Path) -> None:
    assert not checker.check_file(path).valid


@pytest.mark.parametrize("path", files("malformed"), ids=lambda p: p.stem)
def test_what_is_no_such_claim_is_malformed(path: Path) -> None:
    with pytest.raises(Malformed):
        checker.check_file(path)


def test_values_that_nothing_ties_to_the_end_are_false() -> None:
    """Their range is 4.2 for ever; with one step left it is 6.2."""
    (path,) = (p for p in files("invalid") if p.stem == "values_not_tied_to_the_end")
    failed = checker.check_file(path).failed_step
    assert failed is not None and failed["why"] == "an upper value is below a lower one"
    proof = json.loads(path.read_text(encoding="utf-8"))["proof"]
    claimed = max(map(Fraction, proof["upper"])) - min(map(Fraction, proof["lower"]))
    assert claimed < shape_of(replace(alternating(), horizon=1)).widths[0]


@pytest.mark.parametrize(("name", "game"), list(games()), ids=lambda x: x if isinstance(x, str) else "")
def test_every_horizon_has_smaller_bounds(name: str, game: Game) -> None:
    """Ranges and multipliers of the form `rows` at horizons up to 30 stay on the safe side of those for all."""
    found = endless_form(game)
    for horizon in (1, 2, 3, 20):
        shape = shape_of(replace(game, horizon=horizon))
        assert max(return_widths(shape, found.alpha_star)) <= found.spread
        if len(found.multipliers) > 1:
            least = smallest_multiplier(shape, found.alpha_star)
            assert least is not None and least >= min(found.multipliers)
            rows = row_form(shape) if horizon == 3 else None
            assert rows is None or rows.alpha_star <= found.alpha_star * (1 + Fraction(1, 10**6))


def test_it_is_the_limit_of_long_horizons() -> None:
    """With discount 1/2 a few hundred steps are as good as all of them: within 2 %."""
    game = builtin("recycling", horizon=1, discount="1/2")
    rows = row_form(shape_of(replace(game, horizon=60)))
    assert rows is not None
    assert rows.alpha_star <= endless_form(game).alpha_star <= rows.alpha_star * Fraction(51, 50)


@pytest.mark.parametrize("seed", range(3))
def test_floats_find_one_policy_at_any_horizon(seed: int) -> None:
    rng = np.random.default_rng(seed)
    game = observed_game(rng, horizon=1, discount=Fraction(1, 4), bound=3)
    alpha = float(endless_form(game).alpha_star)
    for horizon in (1, 2, 4, 9):
        assert len(Markov(replace(game, horizon=horizon)).stationary(1 / alpha, rng, starts=5)) == 1


def test_the_command() -> None:
    found = CliRunner().invoke(
        cli, ["threshold", "recycling", "--horizon", "inf", "--discount", "1/2", "--method", "structural", "--json"]
    )
    answer = json.loads(found.stdout)
    assert answer["status"] == "proved" and answer["horizon"] is None
    assert certify.threshold(
        builtin("recycling", discount="1/2"), horizon="inf", method="structural"
    ).alpha_star == Fraction(answer["alpha_star"])
    plain = CliRunner().invoke(
        cli, ["threshold", "recycling", "--horizon", "inf", "--discount", "1/2", "--method", "structural"]
    )
    assert plain.stdout.startswith("recycling, every horizon, discount 1/2")
    assert "with every number of steps" in plain.stdout


@pytest.mark.parametrize("given", ["infinity", "1e3", "INF", "1/2"])
def test_other_numbers_of_steps_are_one_line(given: str) -> None:
    found = CliRunner().invoke(cli, ["threshold", "recycling", "--horizon", given])
    assert found.exit_code == 2 and "neither a whole number nor inf" in found.output


def test_interrupted_it_keeps_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(EndlessSearch, "climb", interrupted)
    found = certify.threshold(builtin("recycling", discount="1/2"), horizon="inf")
    assert found.status == "proved" and found.method == "structural (endless)" and "interrupted" in found.reason


def test_tables_that_take_too_long_are_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EndlessSearch, "__init__", lambda *_: time.sleep(600))
    began = time.monotonic()
    for limit in (1, 5, 25):  # on a busy machine the structural form may need longer than the shortest
        found = certify.threshold(builtin("recycling", discount="1/2"), horizon="inf", time_limit=limit)
        if found.status == "proved":
            break
    assert time.monotonic() - began < 300
    assert found.status == "proved" and "out of time while comparing windows" in found.reason


@pytest.mark.slow
def test_windows_are_sharper() -> None:
    """In a game whose payoffs are in other units, too."""
    game = builtin("recycling", discount="1/2")
    large = replace(game, reward={key: 10**6 * r for key, r in game.reward.items()})
    found = certify.threshold(large, horizon="inf", rtol="1/2", time_limit=60)
    assert found.method.startswith("windows") and found.alpha_star < 10**6 * endless_form(game).alpha_star / 2


@pytest.mark.parametrize(
    ("game", "options", "why"),
    [
        ("dectiger", {}, "discount 1"),
        ("recycling", {"discount": "9999999999999999999/10000000000000000000"}, "too close to 1"),
        ("lever:2", {}, "exactly 1 step|discount 1"),
        ("recycling", {"objective": "local"}, "entropy"),
        ("recycling", {"method": "search"}, "use auto"),
        ("recycling", {"modulus_at": "9"}, "no modulus"),
        ("recycling", {"checkpoint": "kept"}, "keeps none"),
        ("recycling", {"alpha_min": "1"}, "no lower end"),
    ],
)
def test_what_it_cannot_do_is_one_line(game: str, options: dict, why: str) -> None:
    options = dict(options)
    with pytest.raises(InputError, match=why):
        certify.threshold(builtin(game, discount=options.pop("discount", None)), horizon="inf", **options)
