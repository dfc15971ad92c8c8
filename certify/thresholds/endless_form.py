"""The form `endless`: one structural threshold for every horizon, discount below 1 (docs/theory/structural.md).

The form `rows` in its limit: ranges of the return to go, of entropies and multipliers that bound those of all
horizons.  Exact, from floats that propose.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certify.errors import InputError
from certify.games.model import Game
from certify.thresholds.shapes import log_above, round_up
from certify.thresholds.structural_form import candidates

_GRID = 1 << 40  # values of states are multiples of its inverse, relative to the largest reward
_PASSES = 20_000


@dataclass(frozen=True)
class Endless:
    """A threshold for every horizon: `upper` and `lower` values per state that any number of steps can reach,
    ascending; `spread` bounds the range of what is left to gain in units of alpha_star, `multipliers` those of the
    agents with a choice."""

    alpha_star: Fraction
    upper: tuple[Fraction, ...]
    lower: tuple[Fraction, ...]
    spread: Fraction
    multipliers: tuple[Fraction, ...]


MOST_DISCOUNT = 1 - Fraction(1, 10**9)  # closer to 1 floats find no values


def every_state(game: Game) -> list[int]:
    """The states that any number of steps can reach.

    Raises `InputError` for games without a discount or whose steps differ.
    """
    where = game.source or game.name
    if game.discount == 1:
        raise InputError(where, "discount 1", "thresholds for every horizon need a discount below 1: add --discount")
    if game.discount > MOST_DISCOUNT:
        raise InputError(where, f"discount 1 - {float(1 - game.discount):.3g}", "too close to 1: name a horizon")
    if game.reference or not game.flows_back:
        raise InputError(where, "an objective that is not the entropy", "thresholds for every horizon are for it only")
    if any(
        game.actions_at(i, 0) != game.actions_at(i, t) for i in range(len(game.agents)) for t in range(game.horizon)
    ):
        raise InputError(where, "actions that differ between steps", "thresholds for every horizon need the same ones")
    found = new = {s for s, *_ in game.start}
    while new:
        missing = [(s, a) for s in sorted(new) for a in game.joint_actions_at(0) if (s, a) not in game.transition]
        if missing:
            raise InputError(where, f"no transition from state {game.states[missing[0][0]]}", "a game of one step?")
        new = {s2 for s in new for a in game.joint_actions_at(0) for s2, _ in game.transition[s, a]} - found
        found = found | new
    return sorted(found)


def endless_form(game: Game) -> Endless:
    """The least temperature found at which the form holds.

    >>> from certify.games.builtin import builtin
    >>> endless_form(builtin("recycling", discount="1/2")).alpha_star > 0
    True
    """
    upper, lower = _values(game, every_state(game))
    width = max(upper) - min(lower)
    sizes = {i: len(game.actions_at(i, 0)) for i in range(len(game.agents)) if len(game.actions_at(i, 0)) > 1}
    if len(sizes) < 2 or not width:  # one chooser alone is unique at every temperature
        width = width or Fraction(1)
        least = Fraction(math.ceil(width), 10**9) if len(sizes) < 2 else width
        held = _at(game, sizes, width, least)
        if held is not None:
            return Endless(least, tuple(upper), tuple(lower), *held)
    high = float(width)
    while _at(game, sizes, width, Fraction(high)) is None:
        high *= 2
    low = high / 2
    while _at(game, sizes, width, Fraction(low)) is not None:
        low, high = low / 2, low
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if _at(game, sizes, width, Fraction(middle)) is not None else (middle, high)
    for alpha in _above(high):
        held = _at(game, sizes, width, alpha)
        if held is not None:
            return Endless(alpha, tuple(upper), tuple(lower), *held)
    raise AssertionError("no temperature above the least one")


def _above(high: float) -> Iterator[Fraction]:
    """Short temperatures at or above `high`, then larger ones."""
    return itertools.chain(candidates(high), (Fraction(high * 2**k) for k in range(1, 30)))


def _values(game: Game, states: list[int]) -> tuple[list[Fraction], list[Fraction]]:
    """Values that the best and the worst return satisfy with an inequality, exactly."""
    actions = list(game.joint_actions_at(0))
    place = {s: k for k, s in enumerate(states)}
    reward = np.array([[float(game.reward.get((s, a), 0)) for a in actions] for s in states])
    move = np.zeros((len(states), len(actions), len(states)))
    for s in states:
        for k, a in enumerate(actions):
            for s2, p in game.transition[s, a]:
                move[place[s], k, place[s2]] = float(p)
    gamma, found = float(game.discount), []
    for sign in (1, -1):
        v = np.zeros(len(states))
        for _ in range(_PASSES):
            new = (sign * reward + gamma * move @ v).max(1)
            change = new - v
            v = new + gamma / (1 - gamma) * change.max()  # above what is looked for
            if np.abs(change).max() < 1e-13 * (1 + np.abs(v).max()):
                break
        found.append(_exact(game, states, v, sign))
    upper, lower = found[0], [-x for x in found[1]]
    gap = max(Fraction(0), max(lower) - min(upper))  # one number must lie below all upper and above all lower values
    return [x + gap for x in upper], lower


def _exact(game: Game, states: list[int], v: np.ndarray, sign: int) -> list[Fraction]:
    """v rounded, and raised by what its inequality lacks."""
    scale = Fraction(max(1.0, float(np.abs(v).max()))).limit_denominator(1)
    values = dict(zip(states, (Fraction(round(Fraction(x) / scale * _GRID), _GRID) * scale for x in v), strict=True))
    lack = max(
        sign * game.reward.get((s, a), Fraction(0))
        + game.discount * sum((p * values[s2] for s2, p in game.transition[s, a]), Fraction(0))
        - values[s]
        for s in states
        for a in game.joint_actions_at(0)
    )
    shift = round_up(max(lack, Fraction(0)) / (1 - game.discount))
    return [values[s] + shift for s in states]


def _at(
    game: Game, sizes: dict[int, int], width: Fraction, alpha: Fraction
) -> tuple[Fraction, tuple[Fraction, ...]] | None:
    """Spread and multipliers at a temperature, or None where none are found."""
    later, w = game.discount / (1 - game.discount), game.weights
    logs = {i: log_above(Fraction(count)) for i, count in sizes.items()}
    c = 0.0
    for _ in range(_PASSES):
        ranges = sum(float(w[i]) * min(float(logs[i]), (c / float(w[i])) ** 2 / 8) for i in sizes)
        new = float(width / alpha) + float(later) * ranges
        if new <= c * (1 + 1e-13):
            break
        c = new
    spread = Fraction(c * (1 + 1e-10))
    exact = sum((w[i] * min(logs[i], (spread / w[i]) ** 2 / 8) for i in sizes), Fraction(0))
    if width / alpha + later * exact > spread:
        return None
    y = dict.fromkeys(sizes, 1.0)
    for _ in range(_PASSES):
        new_y = {}
        for i in sizes:
            cost = (len(sizes) - 1) * c / 2 + float(later) * sum(
                c * c / (4 * float(w[j]) * y[j]) for j in sizes if j != i
            )
            new_y[i] = 1 - cost / float(w[i])
            if new_y[i] <= 0:
                return None
        if all(y[i] - new_y[i] < 1e-12 for i in sizes):
            break
        y = new_y
    given = {i: Fraction(y[i] * (1 - 1e-9)) for i in sizes}
    for i in sizes:
        lags = later * sum((spread**2 / (4 * w[j] * given[j]) for j in sizes if j != i), Fraction(0))
        if given[i] <= 0 or given[i] > 1 - ((len(sizes) - 1) * spread / 2 + lags) / w[i]:
            return None
    return spread, tuple(given.values())
