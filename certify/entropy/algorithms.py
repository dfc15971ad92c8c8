"""The policy-gradient algorithms by name: each turns a policy, advantages and parameters into the
direction u of its step θ → θ + ηu (docs/theory/entropy.md#first-order).

Each entry carries its definition and source.  `direction` is the one entry point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb

from certify.entropy import clipping, groups, repo
from certify.entropy.dynamics import Direction
from certify.entropy.enclosure import ball, dot
from certify.entropy.parameters import Parameter, read_parameters
from certify.entropy.policy import Numbers, Policy
from certify.entropy.steps import check_sample, expected_gradient, sampled_gradient
from certify.errors import InputError

Rows = Sequence[Numbers]
Values = dict[str, Any]


@dataclass(frozen=True)
class Algorithm:
    """A named update rule.  `definition` is the step, `source` where it was published.

    `per_sequence` says that advantages come one per sequence instead of one per action.
    """

    name: str
    definition: str
    source: str
    build: Callable[[Policy, Rows, Values], Direction]
    parameters: Mapping[str, Parameter]
    per_sequence: bool = False


def _without_constants(rows: Rows) -> list[tuple[arb, ...]]:
    """The same in balls, with rows of one repeated exact number replaced by exact zeros.

    For rules from which a constant drops out: the step of such a state is 0, and balls of a number that is no
    dyadic would only enclose it.
    """
    return [
        (arb(0),) * len(row) if all(a.exact and a == row[0] for a in row) else tuple(ball(a) for a in row)
        for row in rows
    ]


def _reinforce(policy: Policy, rows: Rows, values: Values) -> Direction:
    # the baseline drops out exactly
    return expected_gradient(policy, _without_constants(rows))


def _reinforce_sample(policy: Policy, rows: Rows, values: Values) -> Direction:
    if values["action"] is None:
        raise InputError("parameters", "reinforce-sample needs the sampled action", "add --param action=0")
    state, action = values["state"], values["action"]
    check_sample(policy, state, [action])
    return sampled_gradient(policy, state, [action], [ball(rows[state][action]) - ball(values["baseline"])])


def _shared(policy: Policy, rows: Rows, values: Values) -> Direction:
    if values["action"] is None or values["gram"] is None:
        raise InputError("parameters", "shared needs action and gram", "add --param action=0 --param gram=1,1/2")
    state, action, gram = values["state"], values["action"], values["gram"]
    check_sample(policy, state, [action])
    if len(gram) != len(policy) or len({s.size for s in policy}) != 1:
        raise InputError(
            "parameter gram", f"{len(gram)} numbers for {len(policy)} states", "give one per state, of one size"
        )
    pi, advantage = policy[state].balls().pi, ball(rows[state][action])
    u = [advantage * ((a == action) - p) for a, p in enumerate(pi)]
    return Direction(tuple(tuple(ball(g) * x for x in u) for g in gram), average="the given sample")


def _natural(policy: Policy, rows: Rows, values: Values) -> Direction:
    centred = []
    for state, row in zip(policy, _without_constants(rows), strict=True):
        mean = dot(state.balls().pi, row)
        centred.append(tuple(a - mean for a in row))
    return Direction(tuple(centred))


def _group_rewards(policy: Policy, rows: Rows, values: Values) -> list[Fraction]:
    state, group = values["state"], values["group"]
    check_sample(policy, state, group)
    rewards = [rows[state][k] for k in group]
    if not all(r.exact for r in rewards):
        raise InputError("rewards", "enclosures in a sampled group", "give exact rewards")
    return [r.lower for r in rewards]


def _rloo(policy: Policy, rows: Rows, values: Values) -> Direction:
    if values["group"] is None:  # B_a = r_a − E[mean of the others] = r_a − E_π r, and constants drop out
        return expected_gradient(policy, _without_constants(rows), average="all groups")
    advantages = [ball(a) for a in groups.rloo_advantages(_group_rewards(policy, rows, values))]
    return sampled_gradient(policy, values["state"], values["group"], advantages)


def _grpo(policy: Policy, rows: Rows, values: Values) -> Direction:
    std, delta = values["std"], values["delta"]
    if values["group"] is None:
        effective = [
            groups.expected_grpo(s, row, values["group_size"], std, delta) for s, row in zip(policy, rows, strict=True)
        ]
        return expected_gradient(policy, effective, average="all groups")
    advantages = groups.grpo_advantages(_group_rewards(policy, rows, values), std, delta)
    return sampled_gradient(policy, values["state"], values["group"], advantages)


def _clipped(policy: Policy, rows: Rows, values: Values) -> Direction:
    low, high = values["eps_low"], values["eps_high"]
    if "eps" in values:
        low, high = (values["eps"] if e is None else e for e in (low, high))
    return clipping.clipped_direction(policy, values["old"] or policy, rows, low, high)


def _gspo(policy: Policy, rows: Rows, values: Values) -> Direction:
    if values["sequences"] is None:
        raise InputError(
            "parameters",
            "gspo needs sequences",
            'add --param sequences=FILE with [{"tokens": [[state, action], ...]}, ...]',
        )
    if len(rows[0]) != len(values["sequences"]):
        raise InputError(
            "advantages",
            f"{len(rows[0])} numbers for {len(values['sequences'])} sequences",
            "give one number per sequence",
        )
    old = values["old"]
    if old is not None and [s.size for s in old] != [s.size for s in policy]:
        raise InputError("parameter old", "not the shape of the policy", "give the same states and actions")
    return clipping.gspo_direction(policy, old, values["sequences"], rows[0], values["eps_low"], values["eps_high"])


def _repo(policy: Policy, rows: Rows, values: Values) -> Direction:
    neutral = values["beta"] == "neutral"
    beta = repo.neutral_beta(policy, rows) if neutral else ball(values["beta"])
    return expected_gradient(policy, repo.repo_advantages(policy, rows, beta), neutral=neutral)


def _repo_d(policy: Policy, rows: Rows, values: Values) -> Direction:
    beta = ball(values["zeta"]) * repo.first_order_loss(policy, rows)
    return expected_gradient(policy, repo.repo_advantages(policy, rows, beta))


def _repo_r(policy: Policy, rows: Rows, values: Values) -> Direction:
    return expected_gradient(policy, repo.rescaled_advantages(policy, rows, values["zeta"], values["clamp"]))


def _entropy_bonus(policy: Policy, rows: Rows, values: Values) -> Direction:
    plain = expected_gradient(policy, _without_constants(rows))
    tau = ball(values["coefficient"])
    with_bonus = []
    for state, row in zip(policy, plain.rows, strict=True):
        balls, weight = state.balls(), ball(state.weight)
        with_bonus.append(tuple(u - tau * weight * p * x for u, p, x in zip(row, balls.pi, balls.centred, strict=True)))
    return Direction(tuple(with_bonus))


_GROUP = {
    "group": Parameter("indices", None, "a sampled group of actions; without it, all groups exactly"),
    "state": Parameter("index", 0, "the state in which the group was sampled"),
}
_OLD = {"old": Parameter("policy", None, "the behaviour policy; default: the policy itself")}
_FIFTH = Fraction(1, 5)

ALGORITHMS: Mapping[str, Algorithm] = {
    a.name: a
    for a in (
        Algorithm(
            "reinforce",
            "u = π ∘ (A − E_π A): the expected gradient; a baseline drops out",
            "Williams 1992; docs/theory/entropy.md#first-order",
            _reinforce,
            {"baseline": Parameter("number", Fraction(0), "subtracted from every advantage")},
        ),
        Algorithm(
            "reinforce-sample",
            "u = (A_k − b)(e_k − π) for one sampled action k",
            "Williams 1992",
            _reinforce_sample,
            {
                "action": Parameter("index", None, "the sampled action k"),
                "baseline": Parameter("number", Fraction(0), "b"),
                "state": Parameter("index", 0, "the state in which it was sampled"),
            },
        ),
        Algorithm(
            "shared",
            "u_s = G_s A_k (e_k − π) in every state s: one sampled action k, G_s = ⟨φ_s, φ⟩ by shared parameters",
            "docs/theory/updates.md#shared-parameters",
            _shared,
            {
                "action": Parameter("index", None, "the sampled action k"),
                "state": Parameter("index", 0, "the state in which it was sampled"),
                "gram": Parameter("numbers", None, "G_s per state"),
            },
        ),
        Algorithm(
            "natural",
            "u = A − E_π A in every state (the Fisher metric cancels π and d(s))",
            "Kakade 2001",
            _natural,
            {},
        ),
        Algorithm(
            "rloo",
            "u = (1/G) Σ_i (r_i − mean of the others)(e_{k_i} − π)",
            "Kool et al. 2019; Ahmadian et al. 2024",
            _rloo,
            _GROUP,
        ),
        Algorithm(
            "grpo",
            "u = (1/G) Σ_i (r_i − mean)/(std + δ) (e_{k_i} − π); std=none leaves the division out",
            "Shao et al. 2024 as trainers run it (docs/recipes.md); Liu et al. 2025 (no division)",
            _grpo,
            {
                **_GROUP,
                "group_size": Parameter("size", 8, "G, where no group is given"),
                "std": Parameter(("sample", "population", "none"), "sample", "which standard deviation"),
                "delta": Parameter("nonnegative", Fraction(1, 10**4), "added to the standard deviation"),
            },
        ),
        Algorithm(
            "grpo-population",
            "GRPO with the population deviation and no δ",
            "Shao et al. 2024 read literally",
            _grpo,
            {
                **_GROUP,
                "group_size": Parameter("size", 8, "G, where no group is given"),
                "std": Parameter(("population", "sample", "none"), "population", "which standard deviation"),
                "delta": Parameter("nonnegative", Fraction(0), "added to the standard deviation"),
            },
        ),
        Algorithm(
            "ppo",
            "gradient of E_old[min(ρA, clip(ρ, 1 − ε, 1 + ε)A)] at the policy",
            "Schulman et al. 2017",
            _clipped,
            {
                **_OLD,
                "eps": Parameter("fraction", _FIFTH, "ε"),
                "eps_low": Parameter("fraction", None, "overrides ε below"),
                "eps_high": Parameter("nonnegative", None, "overrides ε above"),
            },
        ),
        Algorithm(
            "dapo",
            "PPO with asymmetric limits 1 − ε_low, 1 + ε_high",
            "Yu et al. 2025",
            _clipped,
            {
                **_OLD,
                "eps_low": Parameter("fraction", _FIFTH, "ε_low"),
                "eps_high": Parameter("nonnegative", Fraction(7, 25), "ε_high"),
            },
        ),
        Algorithm(
            "gspo",
            "PPO on sequences with the ratio (π(y)/π_old(y))^{1/|y|}",
            "Zheng et al. 2025",
            _gspo,
            {
                **_OLD,
                "sequences": Parameter("sequences", None, "tokens as [state, action], per sequence"),
                "eps_low": Parameter("fraction", Fraction(3, 10000), "ε_low"),
                "eps_high": Parameter("nonnegative", Fraction(4, 10000), "ε_high"),
            },
            per_sequence=True,
        ),
        Algorithm(
            "repo",
            "u = π ∘ (A − βL − E_π A); beta=neutral takes β* = E[πÃL]/E[πL²]",
            "arXiv 2603.11682, after docs/theory/entropy.md#first-order",
            _repo,
            {"beta": Parameter("number|neutral", Fraction(0), "β, or neutral")},
        ),
        Algorithm(
            "repo-d",
            "REPO with β = ζ E[πÃL], the first-order loss per unit step",
            "arXiv 2603.11682, after docs/theory/entropy.md#first-order",
            _repo_d,
            {"zeta": Parameter("number", Fraction(1), "ζ; above 0 it opposes collapse")},
        ),
        Algorithm(
            "repo-r",
            "A > 0: max(0, A(1 − ζ log π)); A < 0: min(0, A(1 + ζ log π))",
            "arXiv 2603.11682, after docs/theory/entropy.md#first-order",
            _repo_r,
            {
                "zeta": Parameter("number", Fraction(1, 100), "ζ"),
                "clamp": Parameter("positive", None, "log π is clamped below at −clamp"),
            },
        ),
        Algorithm(
            "entropy-bonus",
            "u = π ∘ (A − E_π A) + τ∇H with ∇H = −π ∘ L",
            "Williams and Peng 1991",
            _entropy_bonus,
            {"coefficient": Parameter("number", Fraction(1, 100), "τ")},
        ),
    )
}


def find_algorithm(name: str) -> Algorithm:
    """The algorithm of that name; `InputError` lists the known ones otherwise."""
    if name not in ALGORITHMS:
        raise InputError("algorithm", f"{name!r} is unknown", f"use one of {', '.join(ALGORITHMS)}")
    return ALGORITHMS[name]


def direction(name: str, policy: Policy, advantages: Rows, given: Mapping[str, Any]) -> Direction:
    """The direction u of algorithm `name`; `given` maps parameter names to values or their text.

    Balls are made at the working precision.  Raises `InputError` for unknown names, parameters
    out of range, and shapes that do not fit.

    >>> from certify.entropy.enclosure import RationalEnclosure
    >>> from certify.entropy.policy import policy_from_json
    >>> policy = policy_from_json(["1/2", "1/2"])
    >>> u = direction("natural", policy, ((RationalEnclosure.of(1), RationalEnclosure.of(0)),), {})
    >>> u.rows[0][0] == arb(1) / 2
    True
    """
    algorithm = find_algorithm(name)
    values = read_parameters(name, algorithm.parameters, given, policy)
    return algorithm.build(policy, advantages, values)
