"""The structural forms of the local bonus: `regular` for uniqueness, `contraction` and `plain-flow` for where the
natural and the plain gradient flow end, too (docs/theory/local-bonus.md#regular-without-boxes,
docs/theory/local-bonus.md#contraction-without-boxes, docs/theory/local-bonus.md#the-plain-flow;
docs/certificate-format.md, section 3).

Exact rational arithmetic decides; floats only propose vectors.  All sums are linear in beta, since no entropy is in
the values.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from certify.games.model import Game
from certify.thresholds.shapes import Shape, shape_of
from certify.thresholds.structural_form import Structural, candidates, perron

CONTRACTION, REGULAR, PLAIN = "contraction", "regular", "plain-flow"
_ABOVE_HALF_ROOT = Fraction(9, 16)  # of sqrt(5)/4


def local_forms(game: Game) -> Iterator[Structural]:
    """The forms for uniqueness with the least temperatures found.

    >>> from certify.games import builtin
    >>> [form.alpha_star for form in local_forms(builtin("lever:2"))][1]
    Fraction(1, 2)
    """
    shape = shape_of(game)
    yield _form(shape, REGULAR)
    yield _form(shape, CONTRACTION)


def flow_forms(game: Game) -> dict[str, Structural]:
    """Per flow ("natural", "plain") the form by which it converges from every initialisation above its temperature."""
    shape = shape_of(game)
    return {"natural": _form(shape, CONTRACTION), "plain": _form(shape, PLAIN)}


def influence(shape: Shape, form: str) -> list[list[Fraction]]:
    """The coefficients of the sums of section 3 at beta = 1, row and column an (agent, step) with a choice, divided by
    the row's weight."""
    keys = shape.keys()
    return [[_coefficient(shape, form, x, y) / shape.weights[x[0]] for y in keys] for x in keys]


def _coefficient(shape: Shape, form: str, first: tuple[int, int], second: tuple[int, int]) -> Fraction:
    (i, t), (j, u) = first, second
    lag, later = shape.discount ** max(0, u - t) * shape.widths[max(t, u)], shape.actions[i if t > u else j][max(t, u)]
    if first == second:
        return lag * (1 + later) if form == PLAIN else Fraction(0)
    if t == u:
        return lag / 2
    if form == PLAIN:
        return lag / 2 * (1 + later / 2)
    if form == CONTRACTION:
        return lag / 2 if u > t else lag if i != j else Fraction(0)
    return lag / 4 if i == j else lag * _ABOVE_HALF_ROOT


def _form(shape: Shape, form: str) -> Structural:
    keys, table = shape.keys(), influence(shape, form)
    approx = np.array([[float(x) for x in row] for row in table]).reshape(len(keys), len(keys))
    value, y = perron(approx)
    if not value:  # no choice, or nothing at stake: the form holds at every temperature, and one is named
        return _stated(shape, form, max(max(shape.widths) / 1000, Fraction(1, 10**6)), y)
    exact = _stated(shape, form, Fraction(1), y)
    assert exact.largest_sum is not None
    strict = form == REGULAR
    for alpha in candidates(value):
        if exact.largest_sum < alpha or (exact.largest_sum == alpha and not strict):
            return _stated(shape, form, alpha, y)
    return _stated(shape, form, exact.largest_sum * (1 + Fraction(int(strict), 10**7)), y)


def _stated(shape: Shape, form: str, alpha: Fraction, y: np.ndarray) -> Structural:
    """The form at a temperature, with its largest sum in units of it."""
    keys, table = shape.keys(), influence(shape, form)
    vector = [Fraction(max(1, round(v * 2**24)), 2**24) for v in y]
    totals = [sum((c * z for c, z in zip(row, vector, strict=True)), Fraction(0)) for row in table]
    largest = max((total / z for total, z in zip(totals, vector, strict=True)), default=Fraction(0))
    at = dict(zip(keys, vector, strict=True))
    rows = tuple(tuple(at.get((i, t), Fraction(1)) for t in range(shape.horizon)) for i in range(len(shape.actions)))
    return Structural(form, alpha, rows, form == REGULAR, largest / alpha)
