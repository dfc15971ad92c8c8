"""The models (5): U and V of sampled policies lie between centre + slopes + low and centre + slopes + high."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from fast_reference import action_values, box_around, engine_for, floats, processes, random_policy, sample, with_centres

from certify.checker.fast import copies as fast_copies
from certify.checker.fast import models as fast_models


def eta(policy: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return -(policy * np.log(np.where(policy > 0, policy, 1) / centre)).sum(-1)


def misses(seed: int, count: int, samples: int = 12, pinned: int | None = None) -> tuple[int, float]:
    """How many U(e, a) leave their enclosure, and the smallest (upper end) - (value) at depths with a future; of
    policies in which agent `pinned` plays its centres."""
    rng = np.random.default_rng(seed)
    found, nearest = 0, np.inf
    for process in [p for p in processes(seed, count) if p.horizon > 1]:
        engine = engine_for(process)
        box = box_around(random_policy(rng, process, 0.3), float(rng.choice([0.05, 0.3, 1.0])))
        betas = (Fraction(0), Fraction(int(rng.integers(1, 60)), 100))
        for policy in (sample(rng, box) for _ in range(samples)):
            if pinned is not None:
                policy = with_centres(policy, box, pinned, -1)
            for number, beta in enumerate(betas):
                U = action_values(process, policy, float(beta))
                for t in range(process.horizon - 1):
                    model = engine.copies(1).action_model(t, box, floats(betas), pinned)
                    base = model.centre.mid[:, :, number].copy()
                    for (j, u), slopes in model.slopes.items():
                        pairs, block = engine._layout.pairs[t][j, u], box[u][j]
                        pi, c = policy[u][j], block.centre
                        delta = np.concatenate([pi - c, eta(pi, c)[:, None]], axis=1)
                        part = np.einsum("pas,ps->pa", slopes.mid[:, :, number], delta[pairs.klass])
                        np.add.at(base, pairs.owner, part)
                    above = base + model.high[:, :, number] - U[t]
                    below = U[t] - base - model.low[:, :, number]
                    found += int((above < -1e-11).sum() + (below < -1e-11).sum())
                    nearest = min(nearest, float(above.min()), float(below.min()))
    return found, nearest


@pytest.mark.parametrize("pinned", [None, 0])
def test_models_hold_at_sampled_policies(pinned):
    found, nearest = misses(21, 60, pinned=pinned)
    assert found == 0
    assert nearest < 1e-6


def halfway(q: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices moved half of their way to the centre."""
    return 0.5 * (q + c[:, None]), c


@pytest.mark.parametrize(
    "name, broken",
    [
        ("sigma", lambda true: lambda *a: tuple(0 * x for x in true(*a))),
        ("vertex_products", lambda true: lambda blocks, rows: halfway(*true(blocks, rows))),
        ("_with_entropy", lambda true: lambda means, block, classes, w: true(means, block, classes, 0.5 * w)),
    ],
)
def test_the_same_samples_leave_a_broken_model(monkeypatch, name, broken):
    monkeypatch.setattr(fast_models, name, broken(getattr(fast_models, name)))
    assert misses(21, 60)[0] > 0


@pytest.mark.parametrize(
    "broken", [lambda m: m._replace(low=0 * m.low), lambda m: m._replace(slopes={})], ids=["remainder", "slopes"]
)
def test_the_same_samples_leave_a_broken_model_with_centres(monkeypatch, broken):
    true = fast_models.action_model
    monkeypatch.setattr(fast_copies, "action_model", lambda *a: broken(true(*a)))
    assert misses(21, 60, pinned=0)[0] > 0


def test_models_are_kept_between_steps_only_while_their_boxes_are():
    """A step at depth 0 keeps the model of depth 0; another box below it, or another beta, does not."""
    process = next(p for p in processes(21, 60) if p.horizon == 2 and p.agents == 2)
    engine = engine_for(process).copies(1)
    rng = np.random.default_rng(0)
    one, two = (box_around(random_policy(rng, process, 0.3), 0.1) for _ in range(2))
    betas = floats((Fraction(1, 3),))
    first = engine.action_model(0, one, betas)
    assert engine.action_model(0, (two[0], one[1]), betas) is first
    other = engine.action_model(0, (two[0], two[1]), betas)
    assert other is not first
    assert np.abs(other.centre.mid - engine_for(process).copies(1).action_model(0, two, betas).centre.mid).max() == 0
    assert engine.action_model(0, two, floats((Fraction(1, 5),))) is not other
