"""Structural thresholds: uniqueness from the sizes and ranges of a game, without enumerating a
single history (docs/theory/structural.md; docs/certificate-format.md, section 3).

Everything that decides is exact rational arithmetic; floats only propose vectors and temperatures.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb, ctx

from certify.errors import InputError
from certify.games.model import Game, JointAction

MAX_SPECTRAL = 64  # actions per agent up to which the exact LDL test is tried
MAX_PAYOFF_ENTRIES = 2_000_000
_GRID = 1 << 96  # long fractions are rounded up to this grid


@dataclass(frozen=True)
class Shape:
    """What the general forms need: widths D_t, action counts, weights, discount.

    widths : D_t per step.  actions : |A_{i,t}|, `actions[i][t]`.
    """

    widths: tuple[Fraction, ...]
    actions: tuple[tuple[int, ...], ...]
    weights: tuple[Fraction, ...]
    discount: Fraction

    @property
    def horizon(self) -> int:
        """Number of steps."""
        return len(self.widths)

    def keys(self) -> list[tuple[int, int]]:
        """(agent, step) wherever the agent has a choice."""
        return [(i, t) for i in range(len(self.actions)) for t in range(self.horizon) if self.actions[i][t] > 1]


@dataclass(frozen=True)
class Structural:
    """A structural threshold with what proves it: `form`, `alpha_star`, positive `vector`.

    `sums(alpha)` are exact upper bounds of (K y)_k / y_k at that temperature in units of alpha;
    the form holds where their maximum is <= 1 (`theorem-D-prime`: < 1).
    """

    form: str
    alpha_star: Fraction
    vector: tuple[tuple[Fraction, ...], ...] | None
    strict: bool
    largest_sum: Fraction | None

    @property
    def modulus(self) -> Fraction | None:
        """Certified lower bound on alpha - lambda_max(M) at alpha_star: on the whole policy space for one step,
        where log pi_i(a) - log pi_i(b) <= c_t / w_i (which holds every stationary policy) for more."""
        if self.form not in ("theorem-B", "one-step-rho") or self.largest_sum is None:
            return None
        return self.alpha_star * (1 - self.largest_sum)


def shape_of(game: Game) -> Shape:
    """Widths of the return-to-go by dynamic programming on the states that each step can reach."""
    reached = [sorted({s for s, _, _ in game.start})]
    for t in range(game.horizon - 1):
        reached.append(
            sorted({s2 for a in game.joint_actions_at(t) for s in reached[-1] for s2, _ in game.transition[s, a]})
        )
    top: dict[int, Fraction] = {}
    bottom: dict[int, Fraction] = {}
    widths: list[Fraction] = []
    for t in reversed(range(game.horizon)):
        actions = list(game.joint_actions_at(t))
        high, low = {}, {}
        for s in reached[t]:
            ends = [(_backed_up(game, s, a, top), _backed_up(game, s, a, bottom)) for a in actions]
            high[s], low[s] = max(e for e, _ in ends), min(e for _, e in ends)
        top, bottom = high, low
        widths.append(max(top.values()) - min(bottom.values()))
    actions = tuple(
        tuple(len(game.actions_at(i, t)) for t in range(game.horizon)) for i in range(game.number_of_agents)
    )
    return Shape(tuple(reversed(widths)), actions, game.weights, game.discount)


def _backed_up(game: Game, s: int, a: JointAction, values: dict[int, Fraction]) -> Fraction:
    future = sum((p * values[s2] for s2, p in game.transition[s, a]), Fraction(0)) if values else Fraction(0)
    return game.reward.get((s, a), Fraction(0)) + game.discount * future


def bare_shape(agents: int, horizon: int, actions: int, low: Fraction, high: Fraction) -> Shape:
    """A shape from bare parameters: the undiscounted return of the whole game lies in [low, high].

    Given any history the return still lies there, so D_t = high - low at every step (with a
    discount the width of what is left, counted from step t, could be larger by gamma^-t).
    """
    return Shape((high - low,) * horizon, ((actions,) * horizon,) * agents, (Fraction(1),) * agents, Fraction(1))


def _log_above(count: int) -> Fraction:
    """A dyadic at least log(count)."""
    old, ctx.prec = ctx.prec, 128
    try:
        mantissa, exponent = arb(count).log().upper().man_exp()
        value = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    finally:
        ctx.prec = old
    return _round_up(value)


def _round_up(value: Fraction) -> Fraction:
    """`value` itself if its denominator is short, else the next multiple of 2**-96."""
    return value if value.denominator <= _GRID else Fraction(-((-value.numerator * _GRID) // value.denominator), _GRID)


def return_widths(shape: Shape, alpha: Fraction) -> list[Fraction]:
    """Upper bounds on c_t of docs/certificate-format.md, (2): beta times the width of what is left
    to earn, the entropies of later policies included."""
    beta = 1 / alpha
    logs = {count: _log_above(count) for row in shape.actions for count in row}
    result: list[Fraction] = []
    tail = Fraction(0)  # sum_{u>t} gamma^(u-t-1) sum_j w_j min(...)
    for t in reversed(range(shape.horizon)):
        c = _round_up(beta * shape.widths[t] + shape.discount * tail)
        result.append(c)
        here = sum(
            (w * min(logs[shape.actions[j][t]], (c / w) * (c / w) / 8) for j, w in enumerate(shape.weights)),
            Fraction(0),
        )
        tail = _round_up(here + shape.discount * tail)
    return result[::-1]


def _coefficient(
    shape: Shape, form: str, c: list[Fraction], first: tuple[int, int], second: tuple[int, int]
) -> Fraction:
    """kappa / w_i of docs/certificate-format.md, section 3, for row `first`, column `second`."""
    (i, t), (j, u) = first, second
    sharp = form == "theorem-D-prime"
    if first == second or (sharp and i == j):
        return Fraction(0)
    half = Fraction(1, 2)
    if t == u:
        value = half * c[t]
    elif u > t:
        value = shape.discount ** (u - t) * c[u] * (half if sharp else 1)
    else:
        value = c[t] * (half if sharp else 1)
    return value / shape.weights[i]


def _float_matrix(shape: Shape, form: str, alpha: float, keys: list[tuple[int, int]]) -> np.ndarray:
    """The coefficients above in floats, for proposals."""
    c = np.array([float(x) for x in return_widths(shape, Fraction(alpha))])
    agent, step = np.array(keys).T
    sharp = form == "theorem-D-prime"
    gap = step[None, :] - step[:, None]
    value = c[np.maximum(step[:, None], step[None, :])] * float(shape.discount) ** np.maximum(gap, 0)
    value = np.where((gap == 0) | sharp, value / 2, value) / np.array([float(w) for w in shape.weights])[agent][:, None]
    return np.where((gap == 0) & (agent[:, None] == agent) | (sharp & (agent[:, None] == agent)), 0.0, value)


def largest_sum(shape: Shape, form: str, alpha: Fraction, vector: dict[tuple[int, int], Fraction]) -> Fraction:
    """max_k (K y)_k / y_k at `alpha`, in units of alpha: an exact upper bound on lambda_max(K)/alpha."""
    c, keys = return_widths(shape, alpha), shape.keys()
    return max(
        (sum((_coefficient(shape, form, c, x, y) * vector[y] for y in keys), Fraction(0)) / vector[x] for x in keys),
        default=Fraction(0),
    )


def general(shape: Shape, form: str) -> Structural:
    """The least temperature found at which `theorem-B` or `theorem-D-prime` holds.

    >>> general(bare_shape(2, 1, 2, Fraction(0), Fraction(1)), "theorem-B").alpha_star
    Fraction(1, 2)
    """
    keys = shape.keys()
    strict = form == "theorem-D-prime"
    if not keys or not any(shape.widths) or (strict and len({i for i, _ in keys}) == 1):
        return _for_every_temperature(form, shape)

    def proposal(alpha: float) -> tuple[float, np.ndarray]:
        return _perron(_float_matrix(shape, form, alpha, keys))

    def verified(alpha: Fraction, y: np.ndarray) -> tuple[Fraction, dict]:
        vector = {k: Fraction(max(1, round(v * 2**24)), 2**24) for k, v in zip(keys, y, strict=True)}
        return largest_sum(shape, form, alpha, vector), vector

    low, high = 1e-12, max(1e-9, float(max(shape.widths)))
    while proposal(high)[0] >= 1:
        high *= 2
    while high / low > 1 + 1e-10:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if proposal(middle)[0] <= 1 else (middle, high)
    for alpha in _candidates(high):
        total, vector = verified(alpha, proposal(float(alpha))[1])
        if total < 1 or (total == 1 and not strict):
            rows = tuple(
                tuple(vector.get((i, t), Fraction(1)) for t in range(shape.horizon)) for i in range(len(shape.actions))
            )
            return Structural(form, alpha, rows, total < 1, total)
    raise AssertionError("a temperature above the float threshold failed the exact test")


def _for_every_temperature(form: str, shape: Shape) -> Structural:
    """No pair of blocks interacts: the form holds at every temperature; 1/1000 of the width is named."""
    alpha = max(max(shape.widths) / 1000, Fraction(1, 10**6))
    ones = tuple((Fraction(1),) * shape.horizon for _ in shape.actions)
    return Structural(form, alpha, ones, True, Fraction(0))


def _candidates(value: float) -> Iterator[Fraction]:
    """Short rationals close to `value` first, then ones that are certainly above it."""
    near = Fraction(value)
    for digits in (10, 100, 1000):
        short = near.limit_denominator(digits)
        if abs(short - near) <= near * Fraction(1, 10**8):
            yield short
    for slack in (Fraction(1, 10**7), Fraction(1, 10**6), Fraction(1, 10**4), Fraction(1, 100)):
        scale = Fraction(10) ** (7 - math.floor(math.log10(value)))
        yield Fraction(math.ceil(near * (1 + slack) * scale)) / scale


def _perron(matrix: np.ndarray) -> tuple[float, np.ndarray]:
    """Collatz-Wielandt bound and a positive vector by power iteration (a float proposal)."""
    y = np.ones(len(matrix))
    if not matrix.any():
        return 0.0, y
    for _ in range(200):
        z = matrix @ y + 1e-3 * matrix.max() * y
        y = np.maximum(z / z.max(), 1e-6)
    return float((matrix @ y / y).max()), y


# One step --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OneStep:
    """A one-step game by joint initial observation: probability and exact payoff array."""

    probabilities: dict[tuple[int, ...], Fraction]
    payoffs: dict[tuple[int, ...], np.ndarray]
    weights: tuple[Fraction, ...]


def one_step(game: Game) -> OneStep | None:
    """E[R | o, a] for every joint initial observation o, or None if the game has more steps."""
    counts = [len(game.actions_at(i, 0)) for i in range(game.number_of_agents)]
    if game.horizon != 1 or math.prod(counts) > MAX_PAYOFF_ENTRIES:
        return None
    joint = list(game.joint_actions_at(0))
    chance: dict[tuple[int, ...], Fraction] = {}
    total: dict[tuple[int, ...], list[Fraction]] = {}
    for s, o, p in game.start:
        key = o or (0,) * game.number_of_agents
        chance[key] = chance.get(key, Fraction(0)) + p
        row = total.setdefault(key, [Fraction(0)] * len(joint))
        for k, a in enumerate(joint):
            row[k] += p * game.reward.get((s, a), Fraction(0))
    payoffs = {o: np.array([x / chance[o] for x in row], dtype=object).reshape(counts) for o, row in total.items()}
    return OneStep(chance, payoffs, game.weights)


def interaction(payoff: np.ndarray, i: int, j: int) -> Fraction:
    """max |u(a,b) - u(a',b) - u(a,b') + u(a',b')| over agents i and j, and the others' actions.

    For fixed (a, a') it is the width of u(a, .) - u(a', .) over b.
    """
    moved = np.moveaxis(payoff, (i, j), (0, 1))
    best = Fraction(0)
    for a, b in itertools.combinations(range(moved.shape[0]), 2):
        difference = moved[a] - moved[b]
        best = max(best, Fraction(np.max(difference.max(0) - difference.min(0))))
    return best


def one_step_rho(step: OneStep) -> Structural | None:
    """alpha >= rho(D) / 4, for Bayesian games weighted by the chance of the observations (section 6)."""
    n = len(step.weights)
    marginal = [_marginal(step, i) for i in range(n)]
    keys = [(i, o) for i in range(n) for o in sorted(marginal[i])]
    place = {key: k for k, key in enumerate(keys)}
    table = [[Fraction(0)] * len(keys) for _ in keys]
    for o, p in step.probabilities.items():
        for i, j in itertools.combinations(range(n), 2):
            value = p * interaction(step.payoffs[o], i, j)
            x, y = place[i, o[i]], place[j, o[j]]
            table[x][y] += value
            table[y][x] += value
    for x, (i, o) in enumerate(keys):
        table[x] = [v / (4 * step.weights[i] * marginal[i][o]) for v in table[x]]
    bound, y = _perron(np.array([[float(v) for v in row] for row in table]))
    if bound == 0:
        return None
    z = [Fraction(max(1, round(v * 2**24)), 2**24) for v in y]
    alpha = max(
        sum((v * w for v, w in zip(row, z, strict=True)), Fraction(0)) / w0 for row, w0 in zip(table, z, strict=True)
    )
    if alpha.denominator > 10**6:
        alpha = Fraction(math.ceil(alpha * 10**9), 10**9)
    total = (
        max(
            sum((v * w for v, w in zip(row, z, strict=True)), Fraction(0)) / w0
            for row, w0 in zip(table, z, strict=True)
        )
        / alpha
    )
    split = tuple(tuple(z[place[i, o]] for o in sorted(marginal[i])) for i in range(n))
    return Structural("one-step-rho", alpha, split, total < 1, total)


def _marginal(step: OneStep, agent: int) -> dict[int, Fraction]:
    result: dict[int, Fraction] = {}
    for o, p in step.probabilities.items():
        result[o[agent]] = result.get(o[agent], Fraction(0)) + p
    return result


def one_step_spectral(step: OneStep) -> Structural | None:
    """alpha >= sigma_max(P U P) / (2 sqrt(w_1 w_2)), two agents without observations (arXiv 2605.15651)."""
    if len(step.weights) != 2 or len(step.payoffs) != 1:
        return None
    payoff = next(iter(step.payoffs.values()))
    if max(payoff.shape) > MAX_SPECTRAL:
        return None
    x = payoff - payoff.mean(0, keepdims=True) if payoff.shape[0] else payoff
    x = x - x.mean(1, keepdims=True)
    sigma = float(np.linalg.norm(x.astype(np.float64), 2))
    if sigma == 0:
        return None
    w = step.weights[0] * step.weights[1]
    gram = x @ x.T
    for alpha in _candidates(sigma / (2 * math.sqrt(w))):
        shifted = [
            [4 * alpha * alpha * w * (r == c) - Fraction(gram[r, c]) for c in range(len(gram))]
            for r in range(len(gram))
        ]
        if positive_semidefinite(shifted):
            return Structural("one-step-spectral", alpha, None, False, None)
    return None


def positive_semidefinite(matrix: list[list[Fraction]]) -> bool:
    """Exact decision by LDL^T without pivoting: a zero pivot must have a zero row.

    >>> positive_semidefinite([[Fraction(1), Fraction(1)], [Fraction(1), Fraction(1)]])
    True
    >>> positive_semidefinite([[Fraction(0), Fraction(1)], [Fraction(1), Fraction(5)]])
    False
    """
    a = [row[:] for row in matrix]
    n = len(a)
    for k in range(n):
        pivot = a[k][k]
        if pivot < 0 or (pivot == 0 and any(a[k][m] != 0 for m in range(k + 1, n))):
            return False
        if pivot == 0:
            continue
        for r in range(k + 1, n):
            factor = a[r][k] / pivot
            if factor:
                for c in range(r, n):
                    a[r][c] -= factor * a[k][c]
                    a[c][r] = a[r][c]
    return True


def structural_thresholds(game: Game) -> list[Structural]:
    """Every structural form that applies to `game`, smallest alpha_star first.

    >>> from certify.games.builtin import builtin
    >>> best = structural_thresholds(builtin("lever:2"))[0]
    >>> best.alpha_star
    Fraction(1, 2)
    """
    shape = shape_of(game)
    makers: list[Callable[[], Structural | None]] = [
        lambda: general(shape, "theorem-B"),
        lambda: general(shape, "theorem-D-prime"),
    ]
    if (step := one_step(game)) is not None:
        makers += [lambda: one_step_rho(step), lambda: one_step_spectral(step)]
    found = [result for make in makers if (result := make()) is not None]
    return sorted(found, key=lambda s: (s.alpha_star, s.form == "theorem-D-prime"))


def parse_parameters(text: str) -> tuple[Shape, dict]:
    """`n=2,h=80,actions=20,return=0:25` -> shape and the parameters as a certificate names them."""
    from certify.exact import parse_rational, rational_text

    given: dict[str, str] = {}
    for item in text.split(","):
        key, equals, value = item.partition("=")
        if not equals or key.strip() not in ("n", "h", "actions", "return") or key.strip() in given:
            raise InputError("--structural", f"{item!r}", "write n=2,h=80,actions=20,return=0:25 (each once)")
        given[key.strip()] = value.strip()
    for key in ("n", "h", "actions", "return"):
        if key not in given:
            raise InputError("--structural", f"{key} is missing", "write n=2,h=80,actions=20,return=0:25")
    sizes = {}
    for key, most in (("n", 100), ("h", 1000), ("actions", 10**6)):
        number = parse_rational(given[key], f"--structural, {key}")
        if number.denominator != 1 or not 1 <= number <= most:
            raise InputError("--structural", f"{key}={given[key]}", f"use a whole number from 1 to {most}")
        sizes[key] = int(number)
    low, colon, high = given["return"].partition(":")
    if not colon:
        raise InputError("--structural", f"return={given['return']}", "write return=LOW:HIGH")
    low, high = parse_rational(low, "--structural, return"), parse_rational(high, "--structural, return")
    if high <= low:
        raise InputError("--structural", f"return={given['return']}", "LOW must be less than HIGH")
    parameters = {
        "agents": sizes["n"],
        "horizon": sizes["h"],
        "actions": sizes["actions"],
        "return": [rational_text(low), rational_text(high)],
        "discount": "1",
    }
    return bare_shape(sizes["n"], sizes["h"], sizes["actions"], low, high), parameters
