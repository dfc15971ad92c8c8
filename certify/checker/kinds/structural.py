"""Verifies structural proofs in exact rationals (format, section 3; docs/theory/structural.md).

Nothing is enumerated but states and, for one-step games, joint actions.  The only irrational
numbers are logarithms of action numbers, of which upper bounds are used.
"""

import itertools
from fractions import Fraction

from certify.checker.numbers.fixed_point import BITS, ONE, log_up
from certify.checker.reading.envelope import Failed, Malformed, array, integer, rational, record
from certify.checker.reading.game import MAX_HORIZON, reachable_states

MAX_ROWS = 2_000  # pairs of an agent and a step
MAX_PAYOFFS = 2_000_000  # joint actions times states that one-step forms enumerate
_LONGEST = 4_096  # bits of a denominator; the digits of c_t double at every step, longer ones are rounded up
_GRID = 512


class Shape:
    """What the forms for many steps see of a game: action numbers, weights, discount, ranges of return.

    `actions[i][t]` and `widths[t]` = D_t.
    """

    def __init__(self, actions, weights, discount, widths):
        self.actions, self.weights, self.discount, self.widths = actions, weights, discount, widths
        self.agents, self.horizon = len(actions), len(widths)


def shape_of_game(game):
    """The `Shape` of a game: D_t from the best and the worst return-to-go of reachable states."""
    states = reachable_states(game)
    top = bottom = None
    widths = []
    for t in range(game.horizon - 1, -1, -1):
        new_top, new_bottom = {}, {}
        for s in states[t]:
            highs, lows = [], []
            for a in game.joint_actions(t):
                reward = game.reward.get((s, a), Fraction(0))
                row = game.transition[s, a] if top is not None else []
                highs.append(reward + game.discount * sum(p * top[s2] for s2, p in row))
                lows.append(reward + game.discount * sum(p * bottom[s2] for s2, p in row))
            new_top[s], new_bottom[s] = max(highs), min(lows)
        top, bottom = new_top, new_bottom
        widths.append(max(top.values()) - min(bottom.values()))
    actions = [[len(step) for step in steps] for steps in game.actions]
    return Shape(actions, game.weights, game.discount, widths[::-1])


def shape_of_parameters(data):
    """The `Shape` that bare parameters describe (kind "structural-parameters")."""
    record(data, "parameters", ("agents", "horizon", "actions", "return", "discount"))
    agents = integer(data["agents"], "parameters.agents", 1, 1_000)
    horizon = integer(data["horizon"], "parameters.horizon", 1, MAX_HORIZON)
    actions = integer(data["actions"], "parameters.actions", 1, 10**30)
    low, high = (rational(x, "parameters.return") for x in array(data["return"], "parameters.return", 2))
    if low > high:
        raise Malformed("parameters.return", "its ends are in the wrong order")
    if rational(data["discount"], "parameters.discount") != 1:
        # with a discount the return that is left, counted from step t, is not confined to [low, high]
        raise Malformed("parameters.discount", "not 1")
    return Shape([[actions] * horizon] * agents, (Fraction(1),) * agents, Fraction(1), [high - low] * horizon)


def spreads(shape, beta):
    """Upper bounds of c_t, formula (2), for all t."""
    logs = {count: Fraction(ceil_log(count), ONE) for steps in shape.actions for count in steps}
    found = [Fraction(0)] * shape.horizon
    later = Fraction(0)  # sum over u > t of gamma^(u - t) times the entropies' ranges
    for t in range(shape.horizon - 1, -1, -1):
        found[t] = _shortened(beta * shape.widths[t] + later)
        ranges = sum(w * min(logs[shape.actions[j][t]], (found[t] / w) ** 2 / 8) for j, w in enumerate(shape.weights))
        later = _shortened(shape.discount * (ranges + later))
    return found


def _shortened(x):
    """x, or the next multiple of 2^-_GRID above it if its denominator is long."""
    if x.denominator.bit_length() <= _LONGEST:
        return x
    return Fraction(-(-(x.numerator << _GRID) // x.denominator), 1 << _GRID)


def ceil_log(count):
    """Upper bound of log(count) in fixed point."""
    return log_up(count << BITS)


def row_sums(shape, beta, vector, cross_only):
    """{(i, t): the sum of section 3} for theorem-B, or for theorem-D-prime if `cross_only`."""
    c = spreads(shape, beta)
    gamma = [Fraction(1)]
    for _ in range(shape.horizon):
        gamma.append(gamma[-1] * shape.discount)
    sums = {}
    if shape.agents * shape.horizon > MAX_ROWS:
        raise Failed(f"more than {MAX_ROWS} pairs of an agent and a step", step="form")
    choices = [(i, t) for i in range(shape.agents) for t in range(shape.horizon) if shape.actions[i][t] > 1]
    for i, t in choices:
        total = Fraction(0)
        for j, u in choices:
            if (j, u) == (i, t) or (cross_only and j == i):
                continue
            kappa = c[t] if u <= t else gamma[u - t] * c[u]
            total += (kappa / 2 if u == t or cross_only else kappa) * vector[j][u]
        sums[i, t] = total / (shape.weights[i] * vector[i][t])
    return sums


def one_step_sums(game, beta, vector):
    """{(i, o_i): the sum of section 3} for one-step-rho; `vector[i]` follows ascending observations."""
    payoffs = _one_step_payoffs(game)
    seen = [sorted({o[i] for o in payoffs}) for i in range(game.agents)]
    z = [dict(zip(seen[i], vector[i])) for i in range(game.agents)]
    marginal, entries = {}, {}
    for o, (p, payoff) in payoffs.items():
        for i in range(game.agents):
            marginal[i, o[i]] = marginal.get((i, o[i]), 0) + p
            for j in range(game.agents):
                if j != i:
                    key = (i, o[i], j, o[j])
                    entries[key] = entries.get(key, 0) + p * _interaction(game, payoff, i, j)
    sums = dict.fromkeys(marginal, Fraction(0))
    for (i, oi, j, oj), e in entries.items():
        sums[i, oi] += beta * e * z[j][oj] / (4 * game.weights[i] * marginal[i, oi] * z[i][oi])
    return sums


def _one_step_payoffs(game):
    """{joint observation: (probability, {joint action: expected reward})} of a game of one step."""
    if game.horizon != 1:
        raise Failed("this form is for games of one step", step="form")
    actions = game.joint_actions(0)
    if len(actions) * len(game.start) > MAX_PAYOFFS:
        raise Failed("more payoffs than this checker enumerates", step="form")
    groups = {}
    for s, o, p in game.start:
        groups.setdefault(o or (0,) * game.agents, []).append((s, p))
    result = {}
    for o, states in groups.items():
        total = sum(p for _, p in states)
        result[o] = total, {a: sum(p * game.reward.get((s, a), 0) for s, p in states) / total for a in actions}
    return result


def _interaction(game, payoff, i, j):
    """max over a, a', b, b' and the others' actions of |u(a,b) - u(a',b) - u(a,b') + u(a',b')|."""
    rest = [k for k in range(game.agents) if k not in (i, j)]
    best = Fraction(0)
    for others in itertools.product(*(game.actions[k][0] for k in rest)):
        fixed = dict(zip(rest, others))

        def row(a):
            return [payoff[tuple({**fixed, i: a, j: b}[k] for k in range(game.agents))] for b in game.actions[j][0]]

        rows = [row(a) for a in game.actions[i][0]]
        for first, second in itertools.combinations(rows, 2):
            # the largest mixed difference of two rows is the width of their difference
            difference = [x - y for x, y in zip(first, second)]
            best = max(best, max(difference) - min(difference))
    return best


def spectral_holds(game, alpha):
    """Whether (2 alpha)^2 w_1 w_2 I - X X^T is positive semidefinite (form one-step-spectral)."""
    payoffs = _one_step_payoffs(game)
    if game.agents != 2 or len(payoffs) != 1:
        raise Failed("this form is for two agents without observations", step="form")
    ((_, payoff),) = payoffs.values()
    u = [[payoff[a, b] for b in game.actions[1][0]] for a in game.actions[0][0]]
    rows, columns = len(u), len(u[0])
    row_means = [sum(row) / columns for row in u]
    column_means = [sum(row[b] for row in u) / rows for b in range(columns)]
    mean = sum(row_means) / rows
    x = [[u[a][b] - row_means[a] - column_means[b] + mean for b in range(columns)] for a in range(rows)]
    level = 4 * alpha**2 * game.weights[0] * game.weights[1]
    return semidefinite(
        [[(level if a == b else 0) - sum(p * q for p, q in zip(x[a], x[b])) for b in range(rows)] for a in range(rows)]
    )


def semidefinite(matrix):
    """Whether a symmetric rational matrix is positive semidefinite, by elimination.

    >>> semidefinite([[1, 1], [1, 1]]), semidefinite([[1, 2], [2, 1]]), semidefinite([[0, 1], [1, 0]])
    (True, False, False)
    """
    matrix = [[Fraction(x) for x in row] for row in matrix]
    while matrix:
        pivot, *rest = matrix[0]
        if pivot < 0 or (pivot == 0 and any(rest)):
            return False
        matrix = [[x - (row[0] * y / pivot if pivot else 0) for x, y in zip(row[1:], rest)] for row in matrix[1:]]
    return True


def read_vector(proof, lengths):
    """The positive vector of a proof: one list per agent, with the given lengths."""
    lists = array(proof["vector"], "proof.vector", len(lengths))
    vector = [
        [rational(z, f"proof.vector[{i}]") for z in array(row, f"proof.vector[{i}]", length)]
        for i, (row, length) in enumerate(zip(lists, lengths))
    ]
    if any(z <= 0 for row in vector for z in row):
        raise Failed("an entry is not positive", step="vector")
    return vector


FORMS = ("theorem-B", "theorem-D-prime", "one-step-rho", "one-step-spectral")


def check_structural(proof, alpha_star, concavity, game=None, shape=None):
    """Verify a structural proof and the moduli claimed with it; returns the number of steps.

    Give the game, or the shape where there are parameters only.  `concavity`: (alpha, modulus) pairs.
    """
    form = proof["form"]
    spectral = form == "one-step-spectral"
    record(proof, "proof", ("type", "form") + (() if spectral else ("vector",)), ("strict",))
    if "strict" in proof and not isinstance(proof["strict"], bool):
        raise Malformed("proof.strict", "neither true nor false")
    strict = form == "theorem-D-prime" or proof.get("strict", False)
    if spectral:
        if strict:
            raise Failed("the form one-step-spectral verifies no strict inequality", step="strict")
        if not spectral_holds(game, alpha_star):
            raise Failed("the matrix is not positive semidefinite", step="matrix")
        if concavity:
            raise Failed("the form one-step-spectral proves no modulus", strong_concavity=0)
        return 1
    if form == "one-step-rho":
        payoffs = _one_step_payoffs(game)
        vector = read_vector(proof, [len({o[i] for o in payoffs}) for i in range(game.agents)])
        names = ("agent", "observation number")
    else:
        shape = shape or shape_of_game(game)
        vector = read_vector(proof, [shape.horizon] * shape.agents)
        names = ("agent", "step")

    def sums(beta):
        if form == "one-step-rho":
            return one_step_sums(game, beta, vector)
        return row_sums(shape, beta, vector, form == "theorem-D-prime")

    at_alpha_star = sums(1 / alpha_star)
    for key, total in at_alpha_star.items():
        if total > 1 or (strict and total == 1):
            place = f"{names[0]} {key[0]}, {names[1]} {key[1]}"
            raise Failed(f"the sum of {place} is not {'below' if strict else 'at most'} 1", step=place)
    for number, (alpha, modulus) in enumerate(concavity):
        if form == "theorem-D-prime":
            raise Failed("the form theorem-D-prime proves no modulus", strong_concavity=number)
        if not 0 <= modulus <= alpha * (1 - max(sums(1 / alpha).values(), default=Fraction(0))):
            raise Failed("the modulus is larger than the sums give, or negative", strong_concavity=number)
    return len(at_alpha_star) + len(concavity)
