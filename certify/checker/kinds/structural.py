"""Verifies structural proofs in exact rationals (format, section 3; docs/theory/structural.md).

Nothing is enumerated but states and, for one-step games, joint actions.  The only irrational
numbers are logarithms of action numbers, of which upper bounds are used.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, lcm, prod
from typing import Any

from certify.checker.numbers.fixed_point import ONE, log_rational
from certify.checker.numbers.linear import front
from certify.checker.reading.envelope import Failed, Malformed, array, boolean, integer, pair, rational, record
from certify.checker.reading.game import MAX_HORIZON, Game, Joint, reachable
from certify.checker.reading.process import Process, build_process

FORMS_WITHOUT_GAME = ("theorem-B", "theorem-D-prime", "rows")
WITHOUT_VECTOR = ("one-step-spectral", "rows")
LOCAL_FORMS = ("contraction", "regular", "plain-flow")  # for the local bonus, and for nothing else
FLOWS = {"natural": "contraction", "plain": "plain-flow"}  # of the local bonus, and what shows where they end
FORMS = (*FORMS_WITHOUT_GAME, "one-step-rho", "one-step-spectral", *LOCAL_FORMS)
MAX_ROWS = 2_000  # pairs of an agent and a step
MAX_PAYOFFS = 2_000_000  # joint actions times states that one-step forms enumerate
_LONGEST = 4_096  # bits of a denominator; the digits of c_t double at every step, longer ones are rounded up
_GRID = 512

Sums = dict[tuple[int, int], Fraction]
Vector = list[list[Fraction]]


@dataclass(frozen=True)
class Shape:
    """What the forms for many steps see of a game: action numbers `actions[i][t]` (the largest 1 / reference where
    there is one), weights, discount, and the ranges of the return-to-go, `widths[t]` = D_t."""

    actions: list[list[Fraction]]
    weights: tuple[Fraction, ...]
    discount: Fraction
    widths: list[Fraction]


def shape_of_game(game: Game) -> Shape:
    """The `Shape` of a game: D_t from the best and the worst return-to-go of what legal play reaches."""
    reached = reachable(game)
    later: list[dict[Any, Fraction]] = [{}, {}]  # best and worst return-to-go one step later
    widths: list[Fraction] = []
    for t in reversed(range(game.horizon)):
        ends: list[dict[Any, Fraction]] = [{}, {}]
        for s, decided in reached[t]:
            values = [_backed_up(game, s, a, later) for a in game.legal(t, decided)]
            ends[0][s, decided], ends[1][s, decided] = max(v for v, _ in values), min(v for _, v in values)
        # long digits grow at every step: the best is rounded up, the worst down
        later = [
            {at: sign * shortened(sign * v) for at, v in end.items()} for sign, end in zip((1, -1), ends, strict=True)
        ]
        widths.append(max(later[0].values()) - min(later[1].values()))
    actions = [
        [max(_most(game, i, t, decided) for _, decided in reached[t]) for t in range(game.horizon)]
        for i in range(game.agents)
    ]
    return Shape(actions, game.weights, game.discount, widths[::-1])


def _backed_up(game: Game, s: int, a: Joint, later: list[dict[Any, Fraction]]) -> tuple[Fraction, Fraction]:
    """The largest and the least return-to-go after state s and joint action a."""
    found = [game.reward.get((s, a), Fraction(0))] * 2
    for s2, p in game.transition[s, a] if later[0] else []:
        for o, q in game.emission[a, s2] if game.reference else [((), Fraction(1))]:
            to = s2, game.deciding(o)
            found = [x + game.discount * p * q * end[to] for x, end in zip(found, later, strict=True)]
    return found[0], found[1]


def _most(game: Game, i: int, t: int, decided: Joint) -> Fraction:
    """The largest 1 / reference of a legal action: the number of actions where it is uniform on all."""
    return max(1 / p for p in game.row(i, t, decided[i] if decided else -1).values())


def shape_of_parameters(data: Any) -> Shape:
    """The `Shape` that bare parameters describe (kind "structural-parameters")."""
    record(data, "parameters", ("agents", "horizon", "actions", "return", "discount"))
    agents = integer(data["agents"], "parameters.agents", 1, 1_000)
    horizon = integer(data["horizon"], "parameters.horizon", 1, MAX_HORIZON)
    actions = integer(data["actions"], "parameters.actions", 1, 10**30)
    low, high = pair(data["return"], "parameters.return")
    if low > high:
        raise Malformed("parameters.return", "its ends are in the wrong order")
    if rational(data["discount"], "parameters.discount") != 1:
        # with a discount the return that is left, counted from step t, is not confined to [low, high]
        raise Malformed("parameters.discount", "not 1")
    return Shape([[Fraction(actions)] * horizon] * agents, (Fraction(1),) * agents, Fraction(1), [high - low] * horizon)


def spreads(shape: Shape, beta: Fraction) -> list[Fraction]:
    """Upper bounds of c_t, formula (2), for all t."""
    logs = {count: Fraction(log_rational(count)[1], ONE) for steps in shape.actions for count in steps}
    found = [Fraction(0)] * len(shape.widths)
    later = Fraction(0)  # sum over u > t of gamma^(u - t) times the entropies' ranges
    for t in range(len(shape.widths) - 1, -1, -1):
        found[t] = shortened(beta * shape.widths[t] + later)
        ranges = sum(w * min(logs[shape.actions[j][t]], (found[t] / w) ** 2 / 8) for j, w in enumerate(shape.weights))
        later = shortened(shape.discount * (ranges + later))
    return found


def shortened(x: Fraction) -> Fraction:
    """x, or the next multiple of 2^-_GRID above it if its denominator is long."""
    if x.denominator.bit_length() <= _LONGEST:
        return x
    return Fraction(-(-(x.numerator << _GRID) // x.denominator), 1 << _GRID)


def row_sums(shape: Shape, beta: Fraction, vector: Vector, cross_only: bool) -> Sums:
    """{(i, t): the sum of section 3} for theorem-B, or for theorem-D-prime if `cross_only`."""
    if len(shape.actions) * len(shape.widths) > MAX_ROWS:
        raise Failed(f"more than {MAX_ROWS} pairs of an agent and a step", step="form")
    c = spreads(shape, beta)
    gamma = [shape.discount**t for t in range(len(shape.widths))]
    sums = {}
    choices = [(i, t) for i in range(len(shape.actions)) for t in range(len(shape.widths)) if shape.actions[i][t] > 1]
    for i, t in choices:
        total = Fraction(0)
        for j, u in choices:
            if (j, u) == (i, t) or (cross_only and j == i):
                continue
            kappa = c[t] if u <= t else gamma[u - t] * c[u]
            total += (kappa / 2 if u == t or cross_only else kappa) * vector[j][u]
        sums[i, t] = total / (shape.weights[i] * vector[i][t])
    return sums


def local_sums(shape: Shape, beta: Fraction, vector: Vector, form: str) -> Sums:
    """{(i, t): the sum of section 3} for the local bonus, whose values hold no entropies: c_t = beta D_t."""
    if len(shape.actions) * len(shape.widths) > MAX_ROWS:
        raise Failed(f"more than {MAX_ROWS} pairs of an agent and a step", step="form")
    choices = [(i, t) for i in range(len(shape.actions)) for t in range(len(shape.widths)) if shape.actions[i][t] > 1]
    sums = {}
    for i, t in choices:
        total = Fraction(0)
        for j, u in choices:
            lag = shape.discount ** max(0, u - t) * beta * shape.widths[max(t, u)]
            if form == "plain-flow":  # the number of actions stands for the spread of log pi
                factor = 1 + shape.actions[i][t] if (i, t) == (j, u) else Fraction(int(u != t or j != i), 2)
                factor *= 1 + shape.actions[j if u > t else i][max(t, u)] / 2 if u != t else 1
            elif form == "contraction":  # others' past, everyone's future
                factor = Fraction(1, 2) if u > t or (u == t and j != i) else Fraction(int(u < t and j != i))
            elif i == j:
                factor = Fraction(1, 4) if u != t else Fraction(0)
            else:
                factor = Fraction(9, 16) if u != t else Fraction(1, 2)  # 9/16 is above sqrt(5)/4
            total += factor * lag * vector[j][u]
        sums[i, t] = total / (shape.weights[i] * vector[i][t])
    return sums


def multipliers(shape: Shape, beta: Fraction) -> Sums:
    """{(i, t): y of section 3, rounded down} for the form rows; the first that is not positive is the last."""
    c, found = spreads(shape, beta), {}
    later = [Fraction(0)] * len(shape.actions)  # sum over u > t of gamma^(u - t) c_u^2 / (4 w_j y_{j,u})
    for t in range(len(shape.widths) - 1, -1, -1):
        choice = [i for i, steps in enumerate(shape.actions) if steps[t] > 1]
        for i in choice:
            others = (len(choice) - 1) * c[t] / 2 + sum(x for j, x in enumerate(later) if j != i)
            found[i, t] = 1 - others / shape.weights[i]
            if found[i, t] <= 0:
                return found
        for i in choice:
            later[i] += c[t] ** 2 / (4 * shape.weights[i] * found[i, t])
        later = [shortened(shape.discount * x) for x in later]
    return found


def one_step_sums(game: Game, beta: Fraction, vector: Vector) -> Sums:
    """{(i, o_i): the sum of section 3} for one-step-rho; `vector[i]` follows ascending observations."""
    process = _one_step(game)
    marginal: Sums = {}
    entries: dict[Joint, Fraction] = {}
    for e, p, payoffs in zip(process.joint[0], process.start, process.reward[0], strict=True):
        for i in range(game.agents):
            marginal[i, e[i]] = marginal.get((i, e[i]), Fraction(0)) + p
        for i, j in itertools.combinations(range(game.agents), 2):
            entry = p * _interaction(payoffs, process.actions[0], i, j)
            for key in ((i, e[i], j, e[j]), (j, e[j], i, e[i])):
                entries[key] = entries.get(key, Fraction(0)) + entry
    sums = dict.fromkeys(marginal, Fraction(0))
    for (i, k, j, l), entry in entries.items():
        sums[i, k] += beta * entry * vector[j][l] / (4 * game.weights[i] * marginal[i, k] * vector[i][k])
    observed = [[o for _, _, o in children] for children in process.children[0]]
    return {(i, observed[i][k]): total for (i, k), total in sums.items()}


def _one_step(game: Game) -> Process:
    """The process of a game of one step: every initial observation that occurs, ascending, is a class."""
    if game.horizon != 1:
        raise Failed("this form is for games of one step", step="form")
    if len(game.joint_actions(0)) * len(game.start) > MAX_PAYOFFS:
        raise Failed("more payoffs than this checker enumerates", step="form")
    return build_process(game, clustering=False)


def _interaction(payoffs: Sequence[Fraction], sizes: Sequence[int], i: int, j: int) -> Fraction:
    """max over a, a', b, b' and the others' actions of |u(a,b) - u(a',b) - u(a,b') + u(a',b')|."""
    below, above, scale = _whole(payoffs)
    order = [k for k in range(len(sizes)) if k not in (i, j)] + [i, j]
    tables = [front(whole, sizes, order) for whole in (below, above)]
    # u(a, .) for every a, rounded down and up, a fastest
    rows = [tuple(table[x : x + sizes[j]] for table in tables) for x in range(0, len(tables[0]), sizes[j])]
    best = 0
    for x in range(0, len(rows), sizes[i]):
        for (low, high), (other_low, other_high) in itertools.combinations(rows[x : x + sizes[i]], 2):
            # the largest mixed difference of two rows is the width of their difference
            most, least = max(map(int.__sub__, high, other_low)), min(map(int.__sub__, low, other_high))
            best = max(best, most - least)
    return Fraction(best, scale)


def _whole(payoffs: Sequence[Fraction]) -> tuple[list[int], list[int], int]:
    """Whole numbers below and above the payoffs times a scale: the payoffs themselves where their common
    denominator is short, else within 2^-512 of the largest."""
    scale = 1
    for payoff in payoffs:
        scale = lcm(scale, payoff.denominator)
        if scale.bit_length() > _LONGEST:
            most = max(p.numerator.bit_length() - p.denominator.bit_length() for p in payoffs)
            scale = 1 << max(0, _GRID - most)
            break
    return [floor(p * scale) for p in payoffs], [ceil(p * scale) for p in payoffs], scale


def spectral_holds(game: Game, alpha: Fraction) -> bool:
    """Whether (2 alpha)^2 w_1 w_2 I - X X^T is positive semidefinite (form one-step-spectral)."""
    process = _one_step(game)
    if game.agents != 2 or len(process.joint[0]) != 1:
        raise Failed("this form is for two agents without observations", step="form")
    payoffs, count = process.reward[0][0], process.actions[0][1]
    u = [payoffs[k : k + count] for k in range(0, len(payoffs), count)]
    rows = list(zip(*_centred(zip(*_centred(u), strict=True)), strict=True))
    level = 4 * alpha**2 * game.weights[0] * game.weights[1]
    gram = [[sum(p * q for p, q in zip(x, y, strict=True)) for y in rows] for x in rows]
    return semidefinite([[(level if a == b else 0) - g for b, g in enumerate(row)] for a, row in enumerate(gram)])


def _centred(rows: Any) -> list[list[Fraction]]:
    """Every row less its mean."""
    return [[x - sum(row) / len(row) for x in row] for row in rows]


def semidefinite(matrix: Any) -> bool:
    """Whether a symmetric rational matrix is positive semidefinite, by elimination.

    >>> semidefinite([[1, 1], [1, 1]]), semidefinite([[1, 2], [2, 1]]), semidefinite([[0, 1], [1, 0]])
    (True, False, False)
    """
    matrix = [[Fraction(x) for x in row] for row in matrix]
    while matrix:
        pivot, *rest = matrix[0]
        if pivot < 0 or (pivot == 0 and any(rest)):
            return False
        matrix = [
            [x - (row[0] * y / pivot if pivot else 0) for x, y in zip(row[1:], rest, strict=True)] for row in matrix[1:]
        ]
    return True


def estimated_seconds(form: Any, game: Game) -> float:
    """The work of a form for one step on an everyday machine, from the numbers of actions and digits alone."""
    if form not in ("one-step-rho", "one-step-spectral"):
        return 0.0
    sizes = [len(steps[0]) for steps in game.actions]
    payoffs = prod(sizes) * len(game.start)
    digits = max((r.denominator.bit_length() + r.numerator.bit_length() for r in game.reward.values()), default=0)
    if form == "one-step-rho":
        pairs = sum(4e-6 + 1.5e-7 * m for m, _ in itertools.combinations(sizes, 2))
        return payoffs * pairs * (1 + min(digits, 2 * _LONGEST) / 2_000)
    return min(sizes) ** 2 * sum(sizes) * 3e-6 * (1 + digits * min(sizes) / 5_000)


def check_form(proof: Any, forms: tuple[str, ...]) -> None:
    """`Malformed` unless the proof is structural, in one of the forms."""
    if proof.get("type") != "structural":
        raise Malformed("proof.type", 'none of "structural", "cover", "windows" (parameters alone: not "structural")')
    if proof.get("form") not in forms:
        raise Malformed("proof.form", f"none of {', '.join(forms)}")


def check_structural(
    proof: Any, alpha_star: Fraction, concavity: list[Any], game: Any = None, shape: Shape | None = None
) -> int:
    """Verify a structural proof and the moduli claimed with it; returns the number of steps.

    Give the game, or the shape where there are parameters only.  `concavity`: (alpha, modulus) pairs.
    """
    form = proof["form"]
    record(proof, "proof", ("type", "form") + (() if form in WITHOUT_VECTOR else ("vector",)), ("strict",))
    strict = boolean(proof.get("strict", False), "proof.strict") or form in ("theorem-D-prime", "regular")
    if concavity and form not in ("theorem-B", "one-step-rho"):
        raise Failed(f"the form {form} proves no modulus", strong_concavity=0)
    if form == "one-step-spectral":
        if strict:
            raise Failed("the form one-step-spectral verifies no strict inequality", step="strict")
        if not spectral_holds(game, alpha_star):
            raise Failed("the matrix is not positive semidefinite", step="matrix")
        return 1
    if form == "rows":
        found = multipliers(shape or shape_of_game(game), 1 / alpha_star)
        for (i, t), y in found.items():
            if y <= 0:
                raise Failed(f"the multiplier of agent {i}, step {t} is not positive", step=f"agent {i}, step {t}")
        return len(found)
    shape = None if form == "one-step-rho" else shape or shape_of_game(game)
    lengths = list(_one_step(game).classes[0]) if shape is None else [len(shape.widths)] * len(shape.actions)
    vector = read_vector(proof["vector"], lengths)

    def sums(beta: Fraction) -> Sums:
        if shape is None:
            return one_step_sums(game, beta, vector)
        if form in LOCAL_FORMS:
            return local_sums(shape, beta, vector, form)
        return row_sums(shape, beta, vector, form == "theorem-D-prime")

    at_alpha_star = sums(1 / alpha_star)
    for (i, k), total in at_alpha_star.items():
        if total > 1 or (strict and total == 1):
            place = f"agent {i}, {'observation number' if shape is None else 'step'} {k}"
            raise Failed(f"the sum of {place} is not {'below' if strict else 'at most'} 1", step=place)
    for number, (alpha, modulus) in enumerate(concavity):
        if not 0 <= modulus <= alpha * (1 - max(sums(1 / alpha).values(), default=Fraction(0))):
            raise Failed("the modulus is larger than the sums give, or negative", strong_concavity=number)
    return len(at_alpha_star) + len(concavity)


def read_vector(data: Any, lengths: list[int], where: str = "proof.vector") -> Vector:
    """A positive vector: one list per agent, with the given lengths."""
    vector = [  # any positive vector will do: of long ones, one nearby
        [shortened(rational(z, f"{where}[{i}]")) for z in array(row, f"{where}[{i}]", length)]
        for i, (row, length) in enumerate(zip(array(data, where, len(lengths)), lengths, strict=True))
    ]
    if any(z <= 0 for row in vector for z in row):
        raise Failed("an entry is not positive", step=where.removeprefix("proof."))
    return vector
