"""The direction u of every algorithm's step θ → θ + ηu, written anew for the checker
(docs/theory/entropy.md#first-order).

Unless said otherwise u_s = d(s) π ∘ (B − E_π B) with the effective advantages B given below.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import factorial
from typing import Any

from certify.checker.entropy.input import Ends, State, interval, larger, policy, row, smaller, sqrt
from certify.checker.numbers.interval import UNIT, ZERO, Interval, exp, total
from certify.checker.reading.envelope import Malformed, array, integer, rational, record

_MOST_GROUPS = 2_000_000
_LARGEST_GROUP = 10_000

Rows = list[list[Ends]]
Direction = tuple[list[list[Interval]], bool]
Parameters = dict[str, Any]


def direction(states: list[State], algorithm: Any, advantages: Any, parameters: Any) -> Direction:
    """(rows of intervals, whether the first-order change is exactly 0 by construction)."""
    if not isinstance(algorithm, str) or algorithm not in _RULES:
        raise Malformed("algorithm", f"{str(algorithm)[:40]!r} is unknown")
    rule, known = _RULES[algorithm]
    record(parameters, "parameters", (), known)
    data = array(record(advantages, "advantages", ("states",))["states"], "advantages.states")
    if algorithm == "gspo":
        if len(data) != 1:
            raise Malformed("advantages.states", "not one row, one number per sequence")
        rows = [row(data[0], "advantages.states")]
    else:
        array(data, "advantages.states", len(states))
        rows = [row(items, "advantages.states", s.size) for items, s in zip(data, states, strict=True)]
    return rule(states, rows, parameters)


def _intervals(rows: Rows) -> list[list[Interval]]:
    return [[interval(a) for a in items] for items in rows]


def _expected(states: list[State], effective: list[list[Interval]], neutral: bool = False) -> Direction:
    result = []
    for s, items in zip(states, effective, strict=True):
        mean = s.mean(items)
        result.append([s.mass * p * (b - mean) for p, b in zip(s.pi, items, strict=True)])
    return result, neutral


def _sampled(states: list[State], index: int, actions: list[int], advantages: list[Interval]) -> Direction:
    size = Interval.of(len(actions))
    push = total(advantages)
    u = [-(p * push) for p in states[index].pi]
    for k, a in zip(actions, advantages, strict=True):
        u[k] = u[k] + a
    rows = [[ZERO] * s.size for s in states]
    rows[index] = [x / size for x in u]
    return rows, False


def _parameter(parameters: Parameters, key: str, least: int | None = None, most: int | None = None) -> Fraction:
    value = rational(parameters.get(key), f"parameters.{key}")
    if (least is not None and value < least) or (most is not None and value > most):
        raise Malformed(f"parameters.{key}", "out of range")
    return value


def _index(parameters: Parameters, key: str, count: int) -> int:
    return integer(parameters.get(key), f"parameters.{key}", 0, count - 1)


def _reinforce(states: list[State], rows: Rows, parameters: Parameters) -> Direction:
    _parameter(parameters, "baseline")  # a constant drops out of π ∘ (A − E_π A)
    return _expected(states, _intervals(rows))


def _reinforce_sample(states: list[State], rows: Rows, parameters: Parameters) -> Direction:
    index = _index(parameters, "state", len(rows))
    action = _index(parameters, "action", len(rows[index]))
    advantage = interval(rows[index][action]) - Interval.of(_parameter(parameters, "baseline"))
    return _sampled(states, index, [action], [advantage])


def _shared(states: list[State], rows: Rows, parameters: Parameters) -> Direction:
    """One sampled action moves every state s by G_s times its gradient (docs/theory/updates.md#shared-parameters)."""
    index = _index(parameters, "state", len(rows))
    action = _index(parameters, "action", len(rows[index]))
    gram = [rational(g, "parameters.gram") for g in array(parameters.get("gram"), "parameters.gram", len(states))]
    if any(s.size != states[index].size for s in states):
        raise Malformed("policy", "states of different sizes share no parameters")
    push = interval(rows[index][action])
    u = [push * ((UNIT if a == action else ZERO) - p) for a, p in enumerate(states[index].pi)]
    return [[Interval.of(g) * x for x in u] for g in gram], False


def _natural(states: list[State], rows: Rows, parameters: Parameters) -> Direction:
    result = []
    for s, items in zip(states, _intervals(rows), strict=True):
        mean = s.mean(items)
        result.append([a - mean for a in items])
    return result, False


def _group(rows: Rows, parameters: Parameters) -> tuple[int, list[int], list[Fraction]]:
    index, where = _index(parameters, "state", len(rows)), "parameters.group"
    actions = [integer(k, where, 0, len(rows[index]) - 1) for k in array(parameters.get("group"), where)]
    if len(actions) < 2:
        raise Malformed(where, "fewer than two actions")
    rewards = [rows[index][k] for k in actions]
    if any(low != high for low, high in rewards):
        raise Malformed("advantages", "a sampled group needs exact rewards")
    return index, actions, [low for low, _ in rewards]


def _rloo(states: list[State], rows: Rows, parameters: Parameters) -> Direction:
    if parameters.get("group") is None:
        return _expected(states, _intervals(rows))  # E over groups: the baseline is independent
    index, actions, rewards = _group(rows, parameters)
    others = len(rewards) - 1
    return _sampled(states, index, actions, [Interval.of(r - (sum(rewards) - r) / others) for r in rewards])


def _normalised(rewards: Sequence[Fraction], std: str, delta: Fraction) -> Interval:
    """(r − mean)/(std + δ) for the first member of a group; 0 where all rewards agree."""
    size = len(rewards)
    mean = sum(rewards, Fraction(0)) / size
    squares = sum(((r - mean) ** 2 for r in rewards), Fraction(0))
    if std == "none":
        return Interval.of(rewards[0] - mean)
    if squares == 0:
        return ZERO
    variance = squares / (size if std == "population" else size - 1)
    return Interval.of(rewards[0] - mean) / (sqrt(Interval.of(variance)) + Interval.of(delta))


def _grpo(states: list[State], rows: Rows, parameters: Parameters) -> Direction:
    std = parameters.get("std")
    if std not in ("none", "population", "sample"):
        raise Malformed("parameters.std", "none of none, population, sample")
    delta = _parameter(parameters, "delta", 0)
    if parameters.get("group") is not None:
        index, actions, rewards = _group(rows, parameters)
        advantages = [_normalised([r, *rewards[:i], *rewards[i + 1 :]], std, delta) for i, r in enumerate(rewards)]
        return _sampled(states, index, actions, advantages)
    size = integer(parameters.get("group_size"), "parameters.group_size", 2, _LARGEST_GROUP)
    if std == "none":
        shrink = Interval.of(Fraction(size - 1, size))
        return _expected(states, [[shrink * a for a in items] for items in _intervals(rows)])
    return _expected(states, [_all_groups(s, items, size, std, delta) for s, items in zip(states, rows, strict=True)])


def _all_groups(state: State, items: list[Ends], size: int, std: str, delta: Fraction) -> list[Interval]:
    """E[Â_1 | r_1 = r] for every action's reward r, summed over multisets of the other members."""
    if any(low != high for low, high in items):
        raise Malformed("advantages", "a standard deviation needs exact rewards")
    values = sorted({low for low, _ in items})
    masses = [total(p for p, (low, _) in zip(state.pi, items, strict=True) if low == v) for v in values]
    result = dict.fromkeys(values, ZERO)
    stack: list[tuple[tuple[int, ...], Interval, int]] = [((), UNIT, factorial(size - 1))]
    groups = 0
    while stack:
        counts, weight, ways = stack.pop()
        left = size - 1 - sum(counts)
        if len(counts) == len(values) - 1:
            counts, ways = (*counts, left), ways // factorial(left)
            weight = weight * _power(masses[-1], left) * Interval.of(ways)
            others = [v for v, c in zip(values, counts, strict=True) for _ in range(c)]
            for v in values:
                result[v] = result[v] + weight * _normalised([v, *others], std, delta)
            groups += 1
            if groups > _MOST_GROUPS:
                raise Malformed("parameters.group_size", "too many groups to check")
            continue
        mass = masses[len(counts)]
        stack += [((*counts, c), weight * _power(mass, c), ways // factorial(c)) for c in range(left + 1)]
    return [result[low] for low, _ in items]


def _power(x: Interval, exponent: int) -> Interval:
    result = UNIT
    for _ in range(exponent):
        result = result * x
    return result


def _kept(ratio: Interval, advantage: Ends, low_limit: Interval, high_limit: Interval) -> Interval:
    """1 or 0 (or their hull): does min(ρA, clip(ρ)A) keep the gradient?  At a limit it does."""
    low, high = advantage
    options: set[int] = set()
    if high > 0:
        options |= {1} if not (ratio - high_limit).hi > 0 else {0} if (ratio - high_limit).lo > 0 else {0, 1}
    if low < 0:
        options |= {1} if not (low_limit - ratio).hi > 0 else {0} if (low_limit - ratio).lo > 0 else {0, 1}
    if not options:
        return UNIT
    return Interval.of(min(options), max(options))


def _exact_kept(ratio: Fraction, advantage: Ends, low_limit: Fraction, high_limit: Fraction) -> Interval:
    low, high = advantage
    options: set[int] = set()
    if high > 0:
        options.add(int(ratio <= high_limit))
    if low < 0:
        options.add(int(ratio >= low_limit))
    return Interval.of(min(options), max(options)) if options else UNIT


def _old(states: list[State], parameters: Parameters) -> list[State] | None:
    """The behaviour policy, where one is given."""
    if parameters.get("old") is None:
        return None
    old = policy(parameters["old"], "parameters.old")
    if [s.size for s in old] != [s.size for s in states]:
        raise Malformed("parameters.old", "not the shape of the policy")
    return old


def _clipped(states: list[State], rows: Rows, parameters: Parameters) -> Direction:
    low, high = (
        _parameter(parameters, key if parameters.get(key) is not None else "eps", 0) for key in ("eps_low", "eps_high")
    )
    if low > 1:
        raise Malformed("parameters", "a clip range out of range")
    old = _old(states, parameters) or states
    effective = []
    for s, before, items in zip(states, old, rows, strict=True):
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


def _gspo(states: list[State], rows: Rows, parameters: Parameters) -> Direction:
    sequences = array(parameters.get("sequences"), "parameters.sequences", len(rows[0]))
    low, high = _parameter(parameters, "eps_low", 0, 1), _parameter(parameters, "eps_high", 0)
    old = _old(states, parameters)
    u = [[ZERO] * s.size for s in states]
    for item, advantage in zip(sequences, rows[0], strict=True):
        where = "parameters.sequences.tokens"
        record(item, "parameters.sequences", ("tokens",), ("old_log_probabilities",))
        tokens = [
            (integer(k, where, 0, len(states) - 1), integer(a, where, 0, states[k].size - 1))
            for k, a in (array(token, where, 2) for token in array(item["tokens"], where))
        ]
        if not tokens:
            raise Malformed(where, "no tokens")
        given = item.get("old_log_probabilities")
        if given is not None:
            before = [interval(x) for x in row(given, "old_log_probabilities", len(tokens))]
        else:
            before = [(old or states)[k].log_pi[a] for k, a in tokens]
        length = Interval.of(len(tokens))
        if given is None and old is None:
            ratio = UNIT
        else:
            ratio = exp(total(states[s].log_pi[a] - b for (s, a), b in zip(tokens, before, strict=True)) / length)
        kept = _kept(ratio, advantage, Interval.of(1 - low), Interval.of(1 + high))
        scale = ratio * interval(advantage) * kept / (length * Interval.of(len(sequences)))
        for s, k in tokens:
            for a in range(states[s].size):
                u[s][a] = u[s][a] + scale * ((UNIT if a == k else ZERO) - states[s].pi[a])
    return u, False


def _loss_and_norm(states: list[State], rows: Rows) -> tuple[Interval, Interval]:
    """Σ d² (E[πAL] − E[A]E[πL]) and Σ d² E[πL²]."""
    loss, norm = ZERO, ZERO
    for s, items in zip(states, _intervals(rows), strict=True):
        mean = s.mean(items)
        square = s.mass * s.mass
        loss = loss + square * total(p * p * x * (a - mean) for p, x, a in zip(s.pi, s.centred, items, strict=True))
        norm = norm + square * total(p * p * x.square() for p, x in zip(s.pi, s.centred, strict=True))
    return loss, norm


def _repo_with(states: list[State], rows: Rows, beta: Interval, neutral: bool = False) -> Direction:
    return _expected(
        states,
        [
            [a - beta * x for a, x in zip(items, s.centred, strict=True)]
            for s, items in zip(states, _intervals(rows), strict=True)
        ],
        neutral,
    )


def _repo(states: list[State], rows: Rows, parameters: Parameters) -> Direction:
    if parameters.get("beta") != "neutral":
        return _repo_with(states, rows, Interval.of(_parameter(parameters, "beta")))
    loss, norm = _loss_and_norm(states, rows)
    if not norm.positive():
        raise Malformed("parameters.beta", "the neutral value is 0/0 here")
    return _repo_with(states, rows, loss / norm, neutral=True)


def _repo_d(states: list[State], rows: Rows, parameters: Parameters) -> Direction:
    loss, _ = _loss_and_norm(states, rows)
    return _repo_with(states, rows, Interval.of(_parameter(parameters, "zeta")) * loss)


def _repo_r(states: list[State], rows: Rows, parameters: Parameters) -> Direction:
    zeta = Interval.of(_parameter(parameters, "zeta"))
    floor = None if parameters.get("clamp") is None else -Interval.of(_parameter(parameters, "clamp"))
    effective = []
    for s, items in zip(states, rows, strict=True):
        scaled = []
        for (low, high), x in zip(items, s.log_pi, strict=True):
            x = x if floor is None else larger(x, floor)
            parts = []
            if high > 0:
                parts.append(larger(Interval.of(max(low, Fraction(0)), high) * (UNIT - zeta * x), ZERO))
            if low < 0:
                parts.append(smaller(Interval.of(low, min(high, Fraction(0))) * (UNIT + zeta * x), ZERO))
            scaled.append(ZERO if not parts else parts[0] if len(parts) == 1 else parts[0].hull(parts[1]))
        effective.append(scaled)
    return _expected(states, effective)


def _entropy_bonus(states: list[State], rows: Rows, parameters: Parameters) -> Direction:
    # τ∇H = −τ π ∘ L, the same vector as REPO's −β L term under π ∘ (· − E_π ·), because E_π L = 0
    return _repo_with(states, rows, Interval.of(_parameter(parameters, "coefficient")))


_RULES: dict[str, tuple[Callable[[list[State], Rows, Parameters], Direction], tuple[str, ...]]] = {
    "reinforce": (_reinforce, ("baseline",)),
    "reinforce-sample": (_reinforce_sample, ("action", "baseline", "state")),
    "shared": (_shared, ("action", "state", "gram")),
    "natural": (_natural, ()),
    "rloo": (_rloo, ("group", "state")),
    "grpo": (_grpo, ("group", "state", "group_size", "std", "delta")),
    "grpo-population": (_grpo, ("group", "state", "group_size", "std", "delta")),
    "ppo": (_clipped, ("eps", "eps_low", "eps_high", "old")),
    "dapo": (_clipped, ("eps_low", "eps_high", "old")),
    "gspo": (_gspo, ("sequences", "eps_low", "eps_high", "old")),
    "repo": (_repo, ("beta",)),
    "repo-d": (_repo_d, ("zeta",)),
    "repo-r": (_repo_r, ("zeta", "clamp")),
    "entropy-bonus": (_entropy_bonus, ("coefficient",)),
}
