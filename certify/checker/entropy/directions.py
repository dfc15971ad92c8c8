"""The direction u of every algorithm's step θ → θ + ηu, written anew for the checker
(docs/theory/entropy.md#first-order).  Standard library only.

Unless said otherwise u_s = d(s) π ∘ (B − E_π B) with the effective advantages B given below.
"""

from fractions import Fraction
from math import factorial

from certify.checker.entropy.input import field, interval, number, policy, row, whole
from certify.checker.kinds.symmetry import Malformed
from certify.checker.numbers.interval import UNIT, ZERO, Interval, exp, sqrt, total

_MOST_GROUPS = 2_000_000


def direction(states, algorithm, advantages, parameters):
    """(rows of intervals, whether the first-order change is exactly 0 by construction)."""
    if algorithm not in _RULES:
        raise Malformed(f"algorithm {str(algorithm)[:40]!r} is unknown")
    if not isinstance(parameters, dict):
        raise Malformed("parameters: not an object")
    data = field(advantages, "states", list, "advantages")
    if algorithm == "gspo":
        if len(data) != 1:
            raise Malformed("advantages: one row, one number per sequence")
        rows = [row(data[0], "advantages")]
    else:
        if len(data) != len(states):
            raise Malformed("advantages: one row per state")
        rows = [row(items, "advantages", s.size) for items, s in zip(data, states)]
    return _RULES[algorithm](states, rows, parameters)


def _intervals(rows):
    return [[interval(a) for a in items] for items in rows]


def _expected(states, effective, neutral=False):
    result = []
    for s, items in zip(states, effective):
        mean = s.mean(items)
        result.append([s.mass * p * (b - mean) for p, b in zip(s.pi, items)])
    return result, neutral


def _sampled(states, index, actions, advantages):
    if index >= len(states) or max(actions) >= states[index].size:
        raise Malformed("parameters: a sampled state or action out of range")
    size = Interval.of(len(actions))
    push = total(advantages)
    u = [-(p * push) for p in states[index].pi]
    for k, a in zip(actions, advantages):
        u[k] = u[k] + a
    rows = [[ZERO] * s.size for s in states]
    rows[index] = [x / size for x in u]
    return rows, False


def _parameter(parameters, key, least=None, most=None):
    value = number(parameters.get(key), f"parameter {key}")
    if (least is not None and value < least) or (most is not None and value > most):
        raise Malformed(f"parameter {key}: out of range")
    return value


def _reinforce(states, rows, parameters):
    _parameter(parameters, "baseline")  # a constant drops out of π ∘ (A − E_π A)
    return _expected(states, _intervals(rows))


def _reinforce_sample(states, rows, parameters):
    index = whole(parameters.get("state"), "parameter state")
    action = whole(parameters.get("action"), "parameter action")
    if index >= len(rows) or action >= len(rows[index]):
        raise Malformed("parameters: a sampled state or action out of range")
    advantage = interval(rows[index][action]) - Interval.of(_parameter(parameters, "baseline"))
    return _sampled(states, index, [action], [advantage])


def _natural(states, rows, parameters):
    result = []
    for s, items in zip(states, _intervals(rows)):
        mean = s.mean(items)
        result.append([a - mean for a in items])
    return result, False


def _group(rows, parameters):
    index = whole(parameters.get("state"), "parameter state")
    actions = [whole(k, "parameter group") for k in field(parameters, "group", list, "parameters")]
    if len(actions) < 2 or index >= len(rows) or max(actions) >= len(rows[index]):
        raise Malformed("parameter group: out of range")
    rewards = [rows[index][k] for k in actions]
    if any(low != high for low, high in rewards):
        raise Malformed("advantages: a sampled group needs exact rewards")
    return index, actions, [low for low, _ in rewards]


def _rloo(states, rows, parameters):
    if parameters.get("group") is None:
        return _expected(states, _intervals(rows))  # E over groups: the baseline is independent
    index, actions, rewards = _group(rows, parameters)
    others = len(rewards) - 1
    return _sampled(states, index, actions, [Interval.of(r - (sum(rewards) - r) / others) for r in rewards])


def _normalised(rewards, std, delta):
    """(r − mean)/(std + δ) for the first member of a group; 0 where all rewards agree."""
    size = len(rewards)
    mean = sum(rewards) / size
    squares = sum((r - mean) ** 2 for r in rewards)
    if std == "none":
        return Interval.of(rewards[0] - mean)
    if squares == 0:
        return ZERO
    variance = squares / (size if std == "population" else size - 1)
    return Interval.of(rewards[0] - mean) / (sqrt(Interval.of(variance)) + Interval.of(delta))


def _grpo(states, rows, parameters):
    std = parameters.get("std")
    if std not in ("none", "population", "sample"):
        raise Malformed("parameter std: none, population or sample")
    delta = _parameter(parameters, "delta", 0)
    if parameters.get("group") is not None:
        index, actions, rewards = _group(rows, parameters)
        advantages = [_normalised([r, *rewards[:i], *rewards[i + 1 :]], std, delta) for i, r in enumerate(rewards)]
        return _sampled(states, index, actions, advantages)
    size = whole(parameters.get("group_size"), "parameter group_size", 2)
    if std == "none":
        shrink = Interval.of(Fraction(size - 1, size))
        return _expected(states, [[shrink * a for a in items] for items in _intervals(rows)])
    return _expected(states, [_all_groups(s, items, size, std, delta) for s, items in zip(states, rows)])


def _all_groups(state, items, size, std, delta):
    """E[Â_1 | r_1 = r] for every action's reward r, summed over multisets of the other members."""
    if any(low != high for low, high in items):
        raise Malformed("advantages: a standard deviation needs exact rewards")
    values = sorted({low for low, _ in items})
    masses = [total(p for p, (low, _) in zip(state.pi, items) if low == v) for v in values]
    result = dict.fromkeys(values, ZERO)
    stack, groups = [((), UNIT, factorial(size - 1))], 0
    while stack:
        counts, weight, ways = stack.pop()
        left = size - 1 - sum(counts)
        if len(counts) == len(values) - 1:
            counts, ways = (*counts, left), ways // factorial(left)
            weight = weight * _power(masses[-1], left) * Interval.of(ways)
            others = [v for v, c in zip(values, counts) for _ in range(c)]
            for v in values:
                result[v] = result[v] + weight * _normalised([v, *others], std, delta)
            groups += 1
            if groups > _MOST_GROUPS:
                raise Malformed("parameter group_size: too many groups to check")
            continue
        mass = masses[len(counts)]
        stack += [((*counts, c), weight * _power(mass, c), ways // factorial(c)) for c in range(left + 1)]
    return [result[low] for low, _ in items]


def _power(x, exponent):
    result = UNIT
    for _ in range(exponent):
        result = result * x
    return result


def _kept(ratio, advantage, low_limit, high_limit):
    """1 or 0 (or their hull): does min(ρA, clip(ρ)A) keep the gradient?  At a limit it does."""
    low, high = advantage
    options = set()
    if high > 0:
        options |= {1} if not (ratio - high_limit).hi > 0 else {0} if (ratio - high_limit).lo > 0 else {0, 1}
    if low < 0:
        options |= {1} if not (low_limit - ratio).hi > 0 else {0} if (low_limit - ratio).lo > 0 else {0, 1}
    if not options:
        return UNIT
    return Interval.of(min(options), max(options))


def _exact_kept(ratio, advantage, low_limit, high_limit):
    low, high = advantage
    options = set()
    if high > 0:
        options.add(int(ratio <= high_limit))
    if low < 0:
        options.add(int(ratio >= low_limit))
    return Interval.of(min(options), max(options)) if options else UNIT


def _clipped(states, rows, parameters):
    keys = {key: parameters.get(key) for key in ("eps", "eps_low", "eps_high")}
    low = number(keys["eps"] if keys["eps_low"] is None else keys["eps_low"], "parameter eps_low")
    high = number(keys["eps"] if keys["eps_high"] is None else keys["eps_high"], "parameter eps_high")
    if not 0 <= low <= 1 or high < 0:
        raise Malformed("parameters: a clip range out of range")
    old = states if parameters.get("old") is None else policy(parameters["old"], "parameter old")
    if [s.size for s in old] != [s.size for s in states]:
        raise Malformed("parameter old: not the shape of the policy")
    effective = []
    for s, before, items in zip(states, old, rows):
        kept = []
        same = s.ends == before.ends and s.logits == before.logits
        exact = s.exact and before.exact and not (s.logits or before.logits)
        for a, advantage in enumerate(items):
            if same or exact:
                ratio = Fraction(1) if same else s.ends[a][0] / before.ends[a][0]
                factor = _exact_kept(ratio, advantage, 1 - low, 1 + high)
            else:
                factor = _kept(s.pi[a] / before.pi[a], advantage, Interval.of(1 - low), Interval.of(1 + high))
            kept.append(interval(advantage) * factor)
        effective.append(kept)
    return _expected(states, effective)


def _gspo(states, rows, parameters):
    sequences = field(parameters, "sequences", list, "parameters")
    if len(sequences) != len(rows[0]) or not sequences:
        raise Malformed("parameter sequences: one advantage per sequence")
    low, high = _parameter(parameters, "eps_low", 0, 1), _parameter(parameters, "eps_high", 0)
    old = None if parameters.get("old") is None else policy(parameters["old"], "parameter old")
    if old is not None and [s.size for s in old] != [s.size for s in states]:
        raise Malformed("parameter old: not the shape of the policy")
    u = [[ZERO] * s.size for s in states]
    for item, advantage in zip(sequences, rows[0]):
        tokens = field(item, "tokens", list, "sequence")
        if not tokens or any(not isinstance(t, list) or len(t) != 2 for t in tokens):
            raise Malformed("sequence: tokens are [state, action]")
        tokens = [(whole(s, "token"), whole(a, "token")) for s, a in tokens]
        if any(s >= len(states) or a >= states[s].size for s, a in tokens):
            raise Malformed("sequence: a token out of range")
        given = item.get("old_log_probabilities")
        if given is not None:
            before = [interval(x) for x in row(given, "old_log_probabilities", len(tokens))]
        else:
            before = [(old or states)[s].log_pi[a] for s, a in tokens]
        length = Interval.of(len(tokens))
        if given is None and old is None:
            ratio = UNIT
        else:
            ratio = exp(total(states[s].log_pi[a] - b for (s, a), b in zip(tokens, before)) / length)
        kept = _kept(ratio, advantage, Interval.of(1 - low), Interval.of(1 + high))
        scale = ratio * interval(advantage) * kept / (length * Interval.of(len(sequences)))
        for s, k in tokens:
            for a in range(states[s].size):
                u[s][a] = u[s][a] + scale * ((UNIT if a == k else ZERO) - states[s].pi[a])
    return u, False


def _loss_and_norm(states, rows):
    """Σ d² (E[πAL] − E[A]E[πL]) and Σ d² E[πL²]."""
    loss, norm = ZERO, ZERO
    for s, items in zip(states, _intervals(rows)):
        mean = s.mean(items)
        square = s.mass * s.mass
        loss = loss + square * total(p * p * x * (a - mean) for p, x, a in zip(s.pi, s.centred, items))
        norm = norm + square * total(p * p * x.square() for p, x in zip(s.pi, s.centred))
    return loss, norm


def _repo_with(states, rows, beta, neutral=False):
    return _expected(
        states,
        [[a - beta * x for a, x in zip(items, s.centred)] for s, items in zip(states, _intervals(rows))],
        neutral,
    )


def _repo(states, rows, parameters):
    if parameters.get("beta") != "neutral":
        return _repo_with(states, rows, Interval.of(_parameter(parameters, "beta")))
    loss, norm = _loss_and_norm(states, rows)
    if not norm.positive():
        raise Malformed("parameter beta: the neutral value is 0/0 here")
    return _repo_with(states, rows, loss / norm, neutral=True)


def _repo_d(states, rows, parameters):
    loss, _ = _loss_and_norm(states, rows)
    return _repo_with(states, rows, Interval.of(_parameter(parameters, "zeta")) * loss)


def _repo_r(states, rows, parameters):
    zeta = Interval.of(_parameter(parameters, "zeta"))
    floor = None if parameters.get("clamp") is None else -Interval.of(_parameter(parameters, "clamp"))
    effective = []
    for s, items in zip(states, rows):
        scaled = []
        for (low, high), x in zip(items, s.log_pi):
            x = x if floor is None else x.at_least(floor)
            parts = []
            if high > 0:
                parts.append((Interval.of(max(low, 0), high) * (UNIT - zeta * x)).at_least(ZERO))
            if low < 0:
                parts.append((Interval.of(low, min(high, 0)) * (UNIT + zeta * x)).at_most(ZERO))
            scaled.append(ZERO if not parts else parts[0] if len(parts) == 1 else parts[0].hull(parts[1]))
        effective.append(scaled)
    return _expected(states, effective)


def _entropy_bonus(states, rows, parameters):
    # τ∇H = −τ π ∘ L, the same vector as REPO's −β L term under π ∘ (· − E_π ·), because E_π L = 0
    return _repo_with(states, rows, Interval.of(_parameter(parameters, "coefficient")))


_RULES = {
    "reinforce": _reinforce,
    "reinforce-sample": _reinforce_sample,
    "natural": _natural,
    "rloo": _rloo,
    "grpo": _grpo,
    "ppo": _clipped,
    "dapo": _clipped,
    "gspo": _gspo,
    "repo": _repo,
    "repo-d": _repo_d,
    "repo-r": _repo_r,
    "entropy-bonus": _entropy_bonus,
}
