"""Replies: after the second action an agent's later policies count as its centres (docs/theory/localisation.md#replies;
format, section 4.4).  The lemma against best replies, the plain engine's bound against policies, and the chain of both:
what is bounded is what holds at best replies."""

from fractions import Fraction

import numpy as np
import pytest
from sampling import action_values, random_box, random_policy, random_process

from certify.checker.cover.tree import pairs
from certify.checker.numbers.fixed_point import ONE
from certify.checker.plain.engine import StdlibEngine
from certify.checker.plain.models import Models
from certify.checker.plain.step import StepCheck

GAMES = [
    dict(seed=11),
    dict(seed=12, initial=True),
    dict(seed=13, agents=3, observations=1),
    dict(seed=14, actions=3, observations=1),
    dict(seed=16, horizon=3, observations=1, states=3),
    dict(seed=17, horizon=3, observations=2, states=2),
]


def engine_for(process):
    engine = StdlibEngine()
    engine.begin(process)
    return engine


def with_rows(policy, agent, depth, rows):
    """The policy with other rows of one agent at one depth."""
    changed = [list(layer) for layer in policy]
    changed[depth][agent] = rows
    return changed


def best_reply(process, policy, beta, agent, after):
    """The policy in which the agent's rows at depths > `after` are the soft best replies, last depth first."""
    for t in range(process.horizon - 1, after, -1):
        rows = []
        for k in range(process.classes[t][agent]):
            logits = action_values(process, policy, beta, agent, t, k) / float(process.weights[agent])
            weights = np.exp(logits - logits.max())
            rows.append(np.maximum(weights / weights.sum(), 1e-12))
        policy = with_rows(policy, agent, t, rows)
    return policy


def at_centres(policy, box, agent, after):
    """The policy in which the agent plays the centres of the box at depths > `after`."""
    for t in range(after + 1, len(policy)):
        rows = [np.array([x / ONE for x in block.centre]) for block in box.layers[t][agent]]
        policy = with_rows(policy, agent, t, rows)
    return policy


@pytest.mark.parametrize("sizes", GAMES, ids=lambda sizes: f"seed{sizes['seed']}")
def test_no_later_policy_of_its_own_earns_more_than_the_reply(sizes):
    process = random_process(**sizes)
    rng = np.random.default_rng(sizes["seed"])
    smaller = 0
    for _ in range(3):
        box, beta = random_box(process, rng, width=0.9), float(rng.uniform(0.05, 2))
        policy = random_policy(box, rng)
        for i in range(process.agents):
            k = int(rng.integers(process.classes[0][i]))
            replied = action_values(process, best_reply(process, policy, beta, i, 0), beta, i, 0, k)
            for other in (policy, at_centres(policy, box, i, 0)):
                found = action_values(process, other, beta, i, 0, k)
                assert (found <= replied + 1e-9).all()
                smaller += (found < replied - 1e-6).any()
    assert smaller  # and often it earns less: the lemma says something


def refuted(process, seed, thin=False):
    """Bounds below what some policy of a box does that are verified, and loose bounds that are.

    thin : the agent whose bound it is has a single policy, so that bounds are nearly sharp.
    """
    rng, engine, found, loose = np.random.default_rng(seed), engine_for(process), 0, 0
    scale = engine.setting.scale
    for _ in range(2):
        whole, beta = random_box(process, rng, width=0.9 if thin else 0.5), Fraction(int(rng.integers(1, 40)), 50)
        for i in range(process.agents):
            box = whole.pinned(i) if thin else whole
            check = StepCheck(engine.models_at(box, beta))
            for t in range(process.horizon - 1):
                k = int(rng.integers(process.classes[t][i]))
                met = [random_policy(box, rng) for _ in range(60 if thin else 25)]
                own = np.array([action_values(process, policy, beta, i, t, k) for policy in met])
                pinned = np.array(
                    [action_values(process, at_centres(policy, box, i, t), beta, i, t, k) for policy in met]
                )
                for a, b in pairs(process.actions[t][i])[:2]:
                    best, line = (own[:, a] - pinned[:, b]).max(), engine.line((i, t, k))
                    found += check.holds(line, (a, b), int((best - 1e-9) * scale * ONE), "replies")
                    loose += check.holds(line, (a, b), int((best + 5) * scale * ONE), "replies")
    return found, loose


@pytest.mark.parametrize("sizes", GAMES, ids=lambda sizes: f"seed{sizes['seed']}")
def test_a_bound_below_what_a_policy_does_never_holds(sizes):
    """For a policy of the box with Q(a) - Q°(b) = d no bound below d is verified; and loose ones are."""
    found, loose = refuted(random_process(**sizes), sizes["seed"])
    assert not found
    assert loose


@pytest.mark.parametrize("changed", [{"slopes": {}}, {"low": 2 * ONE}], ids=["others' slopes", "remainder"])
def test_a_broken_rule_is_noticed(monkeypatch, changed):
    """Rules that forget what others may do after the second action, or that take a remainder to be positive."""
    seeds, sizes = range(20, 24), dict(horizon=2, observations=1, states=2)
    assert not any(refuted(random_process(seed, **sizes), seed, thin=True)[0] for seed in seeds)
    inner = Models.pinned

    def broken(self, agent):
        models = inner(self, agent)
        whole = models.u
        models.u = lambda t: [[model._replace(**changed) for model in row] for row in whole(t)]
        return models

    monkeypatch.setattr(Models, "pinned", broken)
    assert any(refuted(random_process(seed, **sizes), seed, thin=True)[0] for seed in seeds)


def test_replies_show_what_nothing_else_does():
    """A bound that holds with replies alone, on the whole space of a game of two steps."""
    process = random_process(seed=14, actions=3, observations=1)
    engine = engine_for(process)
    check = StepCheck(engine.models_at(random_box(process, np.random.default_rng(0), width=0.9), Fraction(1, 2)))

    def least(way):
        low, high = -1 << 60, 1 << 60
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if check.holds(engine.line((0, 0, 0)), (0, 1), middle, way) else (middle, high)
        return high

    assert least("replies") < min(least("separate"), least("sharing"))
