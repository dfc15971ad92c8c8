"""The largest certified step of gradient ascent (docs/theory/steps.md#smoothness): an upper bound of the Lipschitz
constant of the gradient in the logits, from ranges and sizes alone.

The matrix B(alpha) of the theory is affine and non-decreasing in alpha, so one positive vector gives a bound at alpha*
and how fast it grows above.  Floats only propose the vector: exact sums decide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certify.games.model import FIRST, Game
from certify.games.reachability import met_observations
from certify.thresholds.shapes import Shape, log_above, round_up
from certify.thresholds.structural_form import perron

_GRID = 1 << 96  # of roots, rounded up
_VECTOR_GRID = 1 << 20
MOST_ROWS = 2_000  # (agent, step) pairs that a checker takes (docs/certificate-format.md, section 3.1)
_PERRON_ROWS = 400  # up to which the vector is the Perron vector; beyond it is made of ones
_SLACK = 1 + Fraction(1, 10**9)  # what a checker that rounds on its own may lose
# above 1/(3 sqrt 3), 1/e and 4/e^2, as in the format
_MEAN, _INVERSE_E, _FOUR_OVER_E_SQUARED = Fraction(77, 400), Fraction(3679, 10_000), Fraction(1083, 2_000)

Sizes = list[list[tuple[int, Fraction]]]


@dataclass(frozen=True)
class StepSize:
    """At every alpha >= alpha_star gradient ascent with a step of at most 1/(1/step + growth (alpha - alpha_star))
    converges from every initialisation; `vector[i][t]`, positive, is what proves it."""

    step: Fraction
    growth: Fraction
    vector: tuple[tuple[Fraction, ...], ...]

    def at(self, alpha: Fraction, alpha_star: Fraction) -> Fraction:
        """The step at a temperature; below `alpha_star` that of `alpha_star`, which is none too large there.

        >>> StepSize(Fraction(1, 2), Fraction(3), ()).at(Fraction(5), Fraction(4))
        Fraction(1, 5)
        """
        return 1 / (1 / self.step + self.growth * max(Fraction(0), alpha - alpha_star))


def step_size(shape: Shape, sizes: Sizes, alpha_star: Fraction) -> StepSize | None:
    """The certified step at `alpha_star` and how it shrinks above; None where nobody has a choice.

    >>> from certify.games import builtin
    >>> from certify.thresholds.shapes import shape_of
    >>> game = builtin("lever:2")
    >>> found = step_size(shape_of(game), sizes_of(game), Fraction(1, 2))
    >>> round(float(found.step), 3), round(float(found.growth), 3)  # 1/Lambda and (1 + log 2)/2
    (1.155, 0.847)
    """
    keys = [(i, t) for t in range(shape.horizon) for i in range(len(sizes)) if sizes[i][t][0] > 1]
    if not keys:
        return None
    at_star, rising = _Rows(shape, sizes, alpha_star), _Rows(_unpaid(shape), sizes, Fraction(1))
    y = dict.fromkeys(keys, Fraction(1))
    if len(keys) <= _PERRON_ROWS:
        proposed = perron(_approx_matrix(at_star, keys))[1]
        y = {k: Fraction(max(1, round(v * _VECTOR_GRID)), _VECTOR_GRID) for k, v in zip(keys, proposed, strict=True)}
    largest, growth = (max(rows.quotients(y).values()) * _SLACK for rows in (at_star, rising))
    vector = tuple(tuple(y.get((i, t), Fraction(1)) for t in range(shape.horizon)) for i in range(len(sizes)))
    return StepSize(_short_below(1 / largest), Fraction(math.ceil(growth * 10**6), 10**6), vector)


def sizes_of(game: Game) -> Sizes:
    """`[i][t]`: the largest number of legal actions that agent i can have at step t, and an upper bound on the range
    max log rho - min log rho of its reference (0 where it is uniform).

    >>> from certify.games import builtin
    >>> sizes_of(builtin("lever:3"))
    [[(3, Fraction(0, 1))], [(3, Fraction(0, 1))]]
    """
    met = met_observations(game)
    found: Sizes = []
    for i in range(game.number_of_agents):
        steps = []
        for t in range(game.horizon):
            rows = [[p for _, p in game.reference_row(i, t, o)] for o in sorted(met[i][t] or {FIRST})]
            spread = max(max(row) / min(row) for row in rows)
            steps.append((max(map(len, rows)), log_above(spread) if spread > 1 else Fraction(0)))
        found.append(steps)
    return found


def sizes_of_parameters(shape: Shape) -> Sizes:
    """The same for bare parameters: all actions legal, the reference uniform."""
    return [[(int(count), Fraction(0)) for count in row] for row in shape.actions]


def _unpaid(shape: Shape) -> Shape:
    """The shape without rewards: at temperature 1 its matrix is what is added for every unit of temperature."""
    return Shape((Fraction(0),) * shape.horizon, shape.actions, shape.weights, shape.discount)


class _Rows:
    """The matrix B(alpha) of docs/theory/steps.md#smoothness for one shape, every entry rounded up."""

    def __init__(self, shape: Shape, sizes: Sizes, alpha: Fraction) -> None:
        self.agents, self.horizon = len(sizes), shape.horizon
        logs = {n: log_above(Fraction(n)) for row in sizes for n, _ in row if n > 1} | {1: Fraction(0)}
        spans = {count: log_above(count) for row in shape.actions for count in row}
        self.gamma = [Fraction(1)]
        for _ in range(shape.horizon):
            self.gamma.append(round_up(self.gamma[-1] * shape.discount))
        tail, widths = Fraction(0), []  # of the entropies of later steps
        for t in reversed(range(shape.horizon)):
            widths.append(shape.widths[t] + alpha * tail)
            here = sum((w * spans[row[t]] for w, row in zip(shape.weights, shape.actions, strict=True)), Fraction(0))
            tail = round_up(shape.discount * (here + tail))
        self.diagonal: dict[tuple[int, int], Fraction] = {}
        self.level = [self.gamma[t] * width / 4 for t, width in enumerate(reversed(widths))]  # of a pair at one step
        self.later: dict[tuple[int, int], Fraction] = {}  # of a pair of which this is the later one
        for i, steps in enumerate(sizes):
            kappa = alpha * shape.weights[i]
            for t, (n, spread) in enumerate(steps):
                width = 4 * self.level[t]  # with the discount
                own = kappa * (1 + logs[n]) / 2 * self.gamma[t]
                self.diagonal[i, t] = (width + kappa * spread * self.gamma[t]) * _MEAN + own
                sigma = root_above(logs[n] ** 2 / 4 + logs[n] * _INVERSE_E + _FOUR_OVER_E_SQUARED)
                self.later[i, t] = self.level[t] + self.gamma[t] * kappa * (sigma + spread / 2) / 2

    def quotients(self, y: dict[tuple[int, int], Fraction]) -> dict[tuple[int, int], Fraction]:
        """(B y)_k / y_k for the (agent, step) pairs of y, which have a choice: their largest is at least
        lambda_max(B)."""
        at = [sum((y.get((i, t), Fraction(0)) for i in range(self.agents)), Fraction(0)) for t in range(self.horizon)]
        before, after = Fraction(0), Fraction(0)
        sums = {}
        for t in range(self.horizon):
            for i in range(self.agents):
                if (i, t) in y:
                    same = self.level[t] * (at[t] - y[i, t])
                    sums[i, t] = self.diagonal[i, t] * y[i, t] + same + self.later[i, t] * before
            before += at[t]
        for t in reversed(range(self.horizon)):
            own = [(i, t) for i in range(self.agents) if (i, t) in y]
            for k in own:
                sums[k] += after
            after += sum((self.later[k] * y[k] for k in own), Fraction(0))
        return {k: total / y[k] for k, total in sums.items()}


def _approx_matrix(rows: _Rows, keys: list[tuple[int, int]]) -> np.ndarray:
    """B in floats, for proposals."""
    step = np.array([t for _, t in keys])
    later = np.array([float(rows.later[k]) for k in keys])
    level = np.array([float(rows.level[t]) for _, t in keys])
    diagonal = np.array([float(rows.diagonal[k]) for k in keys])
    matrix = np.where(step[:, None] > step, later[:, None], later[None, :])
    matrix = np.where(step[:, None] == step, level[:, None], matrix)
    np.fill_diagonal(matrix, diagonal)
    return matrix


def root_above(x: Fraction) -> Fraction:
    """A dyadic at least the square root of x >= 0.

    >>> root_above(Fraction(4)) >= 2, root_above(Fraction(2)) ** 2 >= 2
    (True, True)
    """
    return Fraction(math.isqrt(-(-x.numerator * _GRID**2 // x.denominator)) + 1, _GRID)


def _short_below(x: Fraction) -> Fraction:
    """A rational with seven digits at most x > 0."""
    scale = Fraction(10) ** (6 - math.floor(math.log10(x)))
    return Fraction(math.floor(x * scale)) / scale
