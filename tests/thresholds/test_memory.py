"""Pieces of any size give the same numbers, byte for byte; what cannot fit is refused before it is made."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from random_games import random_games

import certify
from certify.errors import InputError
from certify.games import Game, builtin
from certify.games.objective import for_objective
from certify.games.tree import unroll
from certify.memory import Memory, resident
from certify.stationary.approx_equations import ApproxEquations
from certify.thresholds.contraction import Contraction, Task, contract, whole_space
from certify.thresholds.index_tables import Plan
from certify.thresholds.room import check_room, room_of

TINY = Memory(1)  # nothing is free: one class, one joint class, one box at a time


FEW = {
    "recycling": builtin("recycling", horizon=3),
    "two-stage-lever": builtin("two-stage-lever"),
    "one shot": builtin("match:5x5"),
    "local": for_objective(builtin("dectiger", horizon=2), "local"),
}
MORE = {
    "dectiger": builtin("dectiger", horizon=3),
    "broadcast-channel": builtin("broadcast-channel", horizon=3),
    "local": for_objective(builtin("recycling", horizon=3), "local"),
    **{f"random {k}": game for k, game in enumerate(random_games(4, 18)) if game.number_of_agents * game.horizon < 9},
}


def tasks(plan: Plan) -> list[Task]:
    spread = max(1e-3, *(float(np.abs(level.approx_reward).max()) for level in plan.levels))
    return [Task(low / spread, high / spread, whole_space(plan)) for low, high in ((0, 0.1), (0.05, 0.5), (0.3, 0.3))]


def numbers(plan: Plan) -> Iterator[bytes]:
    """Of two sweeps from the whole policy space, and of both tests of definiteness."""
    batch = Contraction(plan, tasks(plan), least_gain=0.001)
    for _ in range(2):
        batch.sweep()
        yield from (bound.tobytes() for bound in batch.known.values())
        yield from (end.tobytes() for row in batch.box for ends in row for end in ends)
    for own in (False, True):
        form = batch.current().form(own=own)
        yield from (part.tobytes() for part in (form.diagonal, form.middle, form.radius))
        yield from (part.tobytes() for part in batch.margins(own=own, soft=True) if part is not None)


@pytest.mark.parametrize("game", FEW.values(), ids=FEW)
def test_numbers_do_not_depend_on_the_size_of_pieces(game: Game) -> None:
    agree(game)


@pytest.mark.slow
@pytest.mark.parametrize("game", MORE.values(), ids=MORE)
def test_numbers_of_more_games_do_not_depend_on_it(game: Game) -> None:
    agree(game)


def agree(game: Game) -> None:
    tree = unroll(game)
    whole, least = Plan(tree), Plan(tree, TINY)
    assert room_of(least).temporary == 0 and room_of(least).boxes == room_of(least).forms == 1
    assert list(numbers(whole)) == list(numbers(least))
    ends = [contract(plan, tasks(plan), least_gain=0.01, sweeps=6) for plan in (whole, least)]
    for one, other in zip(*ends, strict=True):
        assert (one.kind, one.steps) == (other.kind, other.steps)
        assert (one.soft is None) == (other.soft is None)
        assert one.soft is None or other.soft is None or one.soft.tobytes() == other.soft.tobytes()


def test_columns_do_not_depend_on_the_size_of_pieces() -> None:
    """What looks for several policies from below: one policy of many, and derivatives in all log-ratios."""
    tree = unroll(builtin("dectiger", horizon=2))
    whole, least = ApproxEquations(tree), ApproxEquations(tree, TINY)
    rng = np.random.default_rng(0)
    for width in (1, 2, 3, 7):
        z = rng.normal(size=(whole.size, width))
        assert whole.residual(z, 0.3).tobytes() == least.residual(z, 0.3).tobytes()
    for one, other in zip(whole.linearised(z[:, 0], 0.3), least.linearised(z[:, 0], 0.3), strict=True):
        assert one.tobytes() == other.tobytes()


def test_what_does_not_fit_is_refused_before_it_is_made() -> None:
    game = builtin("dectiger", horizon=5)
    with pytest.raises(InputError, match=r"unrolling depth 1 needs about \d+ MB, --memory is 1 MB; raise --memory"):
        unroll(game, memory=Memory(10**6))
    tree, before = unroll(builtin("dectiger", horizon=4)), resident()
    with pytest.raises(InputError, match=r"horizon 4: localisation needs about .*, --memory is .*; raise --memory"):
        check_room(Plan(tree, Memory(before + 10**6)))
    assert resident() < before + 5 * 10**6
    assert check_room(Plan(tree, Memory(before + 10**9))) is not None


@pytest.mark.parametrize("text", ["", "0", "1 TB", "-1", "lots", "1e3", "." * 50, "1" * 40])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="write a size like 1GB"):
        Memory.of(text)


def test_a_bound_changes_no_certificate() -> None:
    asked = {"method": "localisation", "rtol": "1/2", "alpha_min": "6/5"}
    free = certify.threshold("two-stage-lever", **asked)
    bounded = certify.threshold("two-stage-lever", memory=resident() + 3 * 10**6, **asked)
    assert free.document is not None and free.document == bounded.document
    with pytest.raises(InputError, match="--memory is 2 MB"):
        certify.threshold("two-stage-lever", memory="2MB", **asked)
