"""The first-order identities of docs/theory/entropy.md#first-order: against automatic differentiation in ball
arithmetic on random rational policies (10,000 in the slow form), and symbolically for 2 and 3 actions."""

import random
from fractions import Fraction

import pytest
import sympy
from entropy_instances import random_advantages, random_policy, row
from flint import arb, arb_series, ctx

from certify.entropy.algorithms import direction
from certify.entropy.dynamics import EntropyPath
from certify.entropy.enclosure import ball, dot, enclosure, working_precision
from certify.entropy.policy import policy_from_json


def entropy_series(pi, u, order=3):
    """H(softmax(log π + ηu)) as a power series in η, straight from the definition of entropy."""
    before = ctx.cap
    ctx.cap = order
    try:
        weights = [p * arb_series([0, x]).exp() for p, x in zip(pi, u, strict=True)]
        total = sum(weights[1:], weights[0])
        new = [w / total for w in weights]
        return -sum((q * q.log() for q in new[1:]), new[0] * new[0].log())
    finally:
        ctx.cap = before


def centred(state, advantages):
    balls = state.balls()
    mean = dot(balls.pi, [ball(a) for a in advantages])
    return balls, [ball(a) - mean for a in advantages]


def identity(name, state, advantages, k):
    """The closed forms of docs/theory/entropy.md#first-order, written out on their own."""
    balls, a = centred(state, advantages)
    pi, x = balls.pi, balls.centred
    if name == "reinforce":
        return -dot((p * p * y for p, y in zip(pi, x, strict=True)), a)
    if name == "natural":
        return -dot((p * y for p, y in zip(pi, x, strict=True)), a)
    score = [p * (balls.entropy + y) for p, y in zip(pi, balls.log_pi, strict=True)]  # S_a
    return -ball(advantages[k]) * (score[k] - dot(pi, score))


def holds_for(name, state, advantages, k, u_for=None):
    given = {"action": k} if name == "reinforce-sample" else {}
    policy = (state,)
    u = direction(name, policy, (advantages,), given)
    found = EntropyPath(policy, u).first_order()
    closed = identity(u_for or name, state, advantages, k)
    series = entropy_series(state.balls().pi, u.rows[0])
    return found.overlaps(closed) and found.overlaps(series[1]) and found.rad() < arb(1e-25)


@pytest.mark.parametrize("policies", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_first_order_identities_on_many_policies(policies):
    rng = random.Random(7)
    names = ("reinforce", "natural", "reinforce-sample")
    with working_precision():
        for case in range(policies):
            n = 2 + case % 49
            state, advantages = random_policy(rng, n), random_advantages(rng, n)
            assert holds_for(names[case % 3], state, advantages, rng.randrange(n)), (case, state)


def test_a_wrong_identity_is_caught():
    """Natural gradient's formula does not fit REINFORCE's step."""
    rng = random.Random(1)
    with working_precision():
        state, advantages = random_policy(rng, 5), random_advantages(rng, 5)
        assert not holds_for("reinforce", state, advantages, 0, u_for="natural")


def test_second_derivative_against_automatic_differentiation():
    rng = random.Random(3)
    with working_precision():
        for case in range(300):
            n = 2 + case % 30
            policy = (random_policy(rng, n),)
            u = direction("natural", policy, (random_advantages(rng, n),), {})
            curvature = EntropyPath(policy, u).local(Fraction(0), Fraction(0)).curvature
            assert curvature.overlaps(2 * entropy_series(policy[0].balls().pi, u.rows[0])[2])


@pytest.mark.parametrize("beta", [Fraction(1, 7), Fraction(-2)])
def test_repo_adds_beta_times_the_entropy_gradient_norm(beta):
    rng = random.Random(5)
    with working_precision():
        for _ in range(200):
            policy, advantages = (random_policy(rng, 6),), random_advantages(rng, 6)
            plain = EntropyPath(policy, direction("reinforce", policy, (advantages,), {})).first_order()
            with_beta = EntropyPath(policy, direction("repo", policy, (advantages,), {"beta": beta})).first_order()
            balls = policy[0].balls()
            norm = dot(
                (p * y for p, y in zip(balls.pi, balls.centred, strict=True)),
                [p * y for p, y in zip(balls.pi, balls.centred, strict=True)],
            )
            # E[πL²] = Σ π²L² is the squared length of ∇H = −π ∘ L
            assert (with_beta - plain).overlaps(ball(beta) * norm)
            assert not (with_beta - plain).overlaps(2 * ball(beta) * norm)


def test_states_add_up_with_their_weights():
    policy = policy_from_json(
        {"states": [{"probabilities": ["1/2", "1/3", "1/6"], "weight": "1/4"}, {"logits": ["0", "1"], "weight": "3/4"}]}
    )
    rows = (row(1, 0, -1), row(0, 2))
    with working_precision():
        together = EntropyPath(policy, direction("reinforce", policy, rows, {})).first_order()
        apart = sum(
            (
                EntropyPath((s,), direction("reinforce", (s,), (r,), {})).first_order()
                for s, r in zip(policy, rows, strict=True)
            ),
            arb(0),
        )
        assert together.overlaps(apart) and enclosure(together).width < Fraction(1, 10**30)


@pytest.mark.parametrize("n", [2, 3])
def test_identities_symbolically(n):
    """d/dη of the entropy at 0, by sympy from the definition, minus the closed forms, is 0."""
    weights = sympy.symbols(f"w0:{n}", positive=True)
    a = sympy.symbols(f"a0:{n}", real=True)
    eta = sympy.Symbol("eta", real=True)
    total = sum(weights)
    pi = [w / total for w in weights]
    mean = sum(p * x for p, x in zip(pi, a, strict=True))
    entropy = -sum(p * sympy.log(p) for p in pi)
    centred_log = [sympy.log(p) + entropy for p in pi]

    def derivative(u):
        new = [p * sympy.exp(eta * x) for p, x in zip(pi, u, strict=True)]
        mass = sum(new)
        along = -sum(q / mass * sympy.log(q / mass) for q in new)
        return sympy.diff(along, eta).subs(eta, 0)

    def vanishes(expression):
        return sympy.simplify(sympy.expand_log(sympy.expand(sympy.together(expression)), force=True)) == 0

    natural = [x - mean for x in a]
    reinforce = [p * x for p, x in zip(pi, natural, strict=True)]
    sample = [a[0] * (int(k == 0) - pi[k]) for k in range(n)]
    score = [p * (entropy + sympy.log(p)) for p in pi]
    assert vanishes(derivative(natural) + sum(p * x * y for p, x, y in zip(pi, natural, centred_log, strict=True)))
    assert vanishes(
        derivative(reinforce) + sum(p * p * x * y for p, x, y in zip(pi, natural, centred_log, strict=True))
    )
    assert vanishes(derivative(sample) + a[0] * (score[0] - sum(p * s for p, s in zip(pi, score, strict=True))))
    assert not vanishes(
        derivative(natural) + sum(p * p * x * y for p, x, y in zip(pi, natural, centred_log, strict=True))
    )
