"""Verifies how large a step of gradient ascent may be, in exact rationals (format, section 3.1;
docs/theory/steps.md#smoothness): the gradient of J in the logits is Lipschitz with any number that bounds
(B y)_k / y_k for all k, y > 0, and B(alpha) is affine and non-decreasing in alpha.
"""

from fractions import Fraction
from math import isqrt
from typing import Any

from certify.checker.kinds.structural import MAX_ROWS, Shape, read_vector, shortened
from certify.checker.numbers.fixed_point import ONE, log_rational
from certify.checker.reading.envelope import Failed, rational, record
from certify.checker.reading.game import Game, reachable

_MEAN = Fraction(1925, 10_000)  # > 1/(3 sqrt 3): 27 * 1925^2 > 10^8
_INVERSE_E = Fraction(3679, 10_000)  # > 1/e
_FOUR = Fraction(5415, 10_000)  # > 4/e^2, the square of twice the last

Sizes = list[list[tuple[int, Fraction]]]


def sizes_of(game: Game) -> Sizes:
    """[i][t]: the largest number of legal actions of agent i at step t, and the largest ratio of two entries of a row
    of its reference."""
    if not game.reference:
        return [[(len(sets), Fraction(1)) for sets in steps] for steps in game.actions]
    reached = reachable(game)
    rows = [[[game.row(i, t, d[i]) for _, d in at] for t, at in enumerate(reached)] for i in range(game.agents)]
    return [
        [(max(map(len, step)), max(max(r.values()) / min(r.values()) for r in step)) for step in own] for own in rows
    ]


def check_step_size(data: Any, alpha_star: Fraction, shape: Shape, sizes: Sizes) -> str:
    """What the claim `data` says, once its inequalities are verified; raises `Failed` or `Malformed`."""
    where = "claim.ascent"
    record(data, where, ("step_size", "growth", "vector"))
    step, growth = (rational(data[name], f"{where}.{name}") for name in ("step_size", "growth"))
    if step <= 0:
        raise Failed("not positive", step=where)
    vector = read_vector(data["vector"], [len(shape.widths)] * len(sizes), where)
    if len(sizes) * len(shape.widths) > MAX_ROWS:
        raise Failed(f"more than {MAX_ROWS} pairs of an agent and a step", step=where)
    unpaid = Shape(shape.actions, shape.weights, shape.discount, [Fraction(0)] * len(shape.widths))
    for sums, most, what in (
        (row_sums(shape, sizes, alpha_star, vector), 1 / step, "step_size"),
        (row_sums(unpaid, sizes, Fraction(1), vector), growth, "growth"),
    ):
        for (i, t), found in sums.items():
            if found > most:
                raise Failed(f"the sum of agent {i}, step {t} is too large", step=f"{where}.{what}")
    return (
        f"gradient ascent with a step of at most {step} at alpha = {alpha_star}, and of at most "
        f"1/({1 / step} + {growth} (alpha - {alpha_star})) above, converges to it from every initialisation"
    )


def step_at(data: Any, alpha_star: Fraction, alpha: Fraction) -> Fraction:
    """The step that a verified claim allows at `alpha`: below alpha_star, where B is smaller, that of alpha_star."""
    step, growth = (rational(data[name], f"claim.ascent.{name}") for name in ("step_size", "growth"))
    return 1 / (1 / step + growth * max(alpha - alpha_star, Fraction(0)))


def row_sums(shape: Shape, sizes: Sizes, alpha: Fraction, vector: list[list[Fraction]]) -> dict[Any, Fraction]:
    """{(i, t): (B y)_(i, t) / y_(i, t)} for every agent and step with a choice, y = `vector`, all of it rounded up."""
    horizon, gamma, later = len(shape.widths), [Fraction(1)], Fraction(0)
    width = [Fraction(0)] * horizon  # gamma^t D_t
    for _ in range(horizon):
        gamma.append(shortened(gamma[-1] * shape.discount))
    for t in reversed(range(horizon)):
        width[t] = gamma[t] * (shape.widths[t] + alpha * later)
        entropies = sum(w * _log(steps[t]) for w, steps in zip(shape.weights, shape.actions, strict=True))
        later = shortened(shape.discount * (entropies + later))
    pair, own = {}, {}  # of a row with an earlier one (of whichever agent); of a row with itself
    for i, steps in enumerate(sizes):
        for t, (count, ratio) in enumerate(steps):
            if count > 1:
                kappa, n, o = gamma[t] * alpha * shape.weights[i], _log(Fraction(count)), _log(ratio)
                sigma = _root(n**2 / 4 + n * _INVERSE_E + _FOUR)
                pair[i, t] = (width[t] / 2 + kappa * (sigma + o / 2)) / 2
                own[i, t] = (width[t] + kappa * o) * _MEAN + kappa * (1 + n) / 2
    sums = {}
    rows = [[(i, vector[i][t]) for i in range(len(sizes)) if (i, t) in own] for t in range(horizon)]
    before = Fraction(0)  # the sum of y over all earlier rows
    for t, at in enumerate(rows):
        for i, y in at:
            same = sum(z for j, z in at if j != i) * width[t] / 4
            sums[i, t] = own[i, t] * y + same + pair[i, t] * before
        before = shortened(before + sum(y for _, y in at))
    after = Fraction(0)  # what the later rows add to each of these
    for t in reversed(range(horizon)):
        for i, y in rows[t]:
            sums[i, t] = (sums[i, t] + after) / y
        after = shortened(after + sum(pair[i, t] * y for i, y in rows[t]))
    return sums


def _log(x: Fraction) -> Fraction:
    """At least log x."""
    return Fraction(log_rational(x)[1], ONE)


def _root(x: Fraction) -> Fraction:
    """At least the square root of x."""
    return Fraction(isqrt(x.numerator * ONE**2 // x.denominator) + 1, ONE)
