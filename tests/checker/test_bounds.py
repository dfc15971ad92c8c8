"""The plain engine's bounds against random policies: vertices, sigma, models, steps, definiteness."""

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest
from engines import apply_step, definite
from sampling import action_values, objective, random_box, random_policy, random_process, values

from certify.checker.cover.tree import Step, pairs
from certify.checker.numbers.fixed_point import BITS, ONE
from certify.checker.numbers.linear import greedy
from certify.checker.numbers.positive_definite import definite_on_tangents, positive_definite
from certify.checker.plain.box import Block, Box, multilinear_max
from certify.checker.plain.engine import StdlibEngine
from certify.checker.plain.models import Models
from certify.checker.plain.step import StepCheck

GAMES = [
    dict(seed=1),
    dict(seed=2, initial=True),
    dict(seed=3, agents=3, observations=1),
    dict(seed=4, actions=3, observations=1),
    dict(seed=5, agents=1),
    dict(seed=6, horizon=3, observations=1, states=3),
    dict(seed=7, agents=3, horizon=1, initial=True),
]


def engine_for(process):
    engine = StdlibEngine()
    engine.begin(process)
    return engine


def random_block(rng, count):
    cells = sorted(rng.sample(range(1, 64), count - 1))
    point = [b - a for a, b in zip([0, *cells], [*cells, 64], strict=True)]
    return Block(
        [max(0, p - rng.randrange(0, 12)) * (ONE // 64) for p in point],
        [min(64, p + rng.randrange(0, 12)) * (ONE // 64) for p in point],
    )


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_vertices_are_all_points_with_one_coordinate_in_between(count):
    rng = random.Random(count)
    for _ in range(20):
        block = random_block(rng, count)
        brute = set()
        for free in range(count):
            for ends in itertools.product(*((low, high) for low, high in zip(block.lower, block.upper, strict=True))):
                rest = ONE - sum(ends) + ends[free]
                if block.lower[free] <= rest <= block.upper[free]:
                    brute.add(ends[:free] + (rest,) + ends[free + 1 :])
        assert set(block.vertices) == brute
        coefficients = [rng.randrange(-1000, 1000) for _ in range(count)]
        assert greedy(block.lower, block.upper, coefficients) == max(
            sum(c * x for c, x in zip(coefficients, v, strict=True)) for v in block.vertices
        )


def test_multilinear_maximum_over_two_blocks():
    rng = random.Random(8)
    for _ in range(20):
        blocks = [random_block(rng, 3), random_block(rng, 2)]
        table = [rng.randrange(-50, 50) for _ in range(6)]
        brute = max(
            sum(p[a] * q[b] * table[2 * a + b] for a in range(3) for b in range(2))
            for p in blocks[0].vertices
            for q in blocks[1].vertices
        )
        assert multilinear_max(table, blocks) == brute


@pytest.mark.parametrize("count", [2, 3, 4])
def test_sigma_bounds_the_supremum_and_is_attained(count):
    rng, points = random.Random(count), np.random.default_rng(count)
    for _ in range(30):
        block = random_block(rng, count)
        g, e = [rng.uniform(-2, 2) for _ in range(count)], rng.choice([-1.0, 0.0, 0.3, 1.5])
        slope = [int(x * ONE) for x in (*g, e)]
        centre = np.array([c / ONE for c in block.centre])
        assert sum(block.centre) == ONE and min(block.centre) > 0
        vertices = np.array([[x / ONE for x in v] for v in block.vertices])
        best = -math.inf
        for _ in range(100):
            p = points.dirichlet(np.full(len(vertices), 0.3)) @ vertices
            kl = float(np.sum(np.where(p > 0, p * np.log(np.maximum(p, 1e-300) / centre), 0)))
            best = max(best, float(np.dot(g, p - centre)) - e * kl)
            assert kl <= BITS
        assert best <= block.sigma_plus(slope, 0) / ONE + 1e-12
        assert block.sigma_plus(slope, 0) <= block.sigma(slope, 0)
        if e == 0:
            assert block.sigma(slope, 0) / ONE == pytest.approx(max(vertices @ g) - centre @ g, abs=1e-12)


def test_contraction_keeps_every_policy_within_the_bounds():
    points, rng = np.random.default_rng(3), random.Random(3)
    for _ in range(200):
        count = rng.choice([2, 3, 4])
        p = points.dirichlet(np.ones(count))
        ratios = [
            [math.ceil(math.log(p[a] / p[b]) * 2**9 + rng.random() * 200) for b in range(count)] for a in range(count)
        ]
        bounds = [
            [None if a == b or rng.random() < 0.1 else m for b, m in enumerate(row)] for a, row in enumerate(ratios)
        ]
        block = Block([0] * count, [ONE] * count).contracted(
            {(a, b): m for a, row in enumerate(bounds) for b, m in enumerate(row)}, -9
        )
        for low, x, high in zip(block.lower, p, block.upper, strict=True):
            assert low / ONE <= x + 1e-15 and x - 1e-15 <= high / ONE


@pytest.mark.parametrize("sizes", GAMES, ids=lambda sizes: f"seed{sizes['seed']}")
@pytest.mark.parametrize("clustering", [True, False])
def test_models_enclose_the_values(sizes, clustering):
    process = random_process(clustering=clustering, **sizes)
    rng = np.random.default_rng(sizes["seed"])
    engine = engine_for(process)
    scale = engine.setting.scale
    for _ in range(2):
        box, beta = random_box(process, rng), Fraction(int(rng.integers(0, 40)), 50)
        models = Models(engine.setting, box, beta)
        for _ in range(10):
            policy = random_policy(box, rng)
            U, V = ([scale * np.array(x) for x in part] for part in values(process, policy, beta))

            def linear(model):
                total = model.centre / ONE
                for y, slope in model.slopes.items():
                    p = policy[y[1]][y[0]][y[2]]
                    c = np.array([x / ONE for x in box.block(y).centre])
                    total += float(np.dot([x / ONE for x in slope[:-1]], p - c))
                    total -= slope[-1] / ONE * float(np.sum(p * np.log(p / c)))
                return total

            for t in range(process.horizon):
                for e in range(len(process.joint[t])):
                    model = models.v(t)[e]
                    assert model.low / ONE - 1e-9 <= V[t][e] - linear(model) <= model.high / ONE + 1e-9
                    for a, model in enumerate(models.u(t)[e]):
                        rest = U[t][e][a] - linear(model)
                        assert model.low / ONE - 1e-9 <= rest <= model.high / ONE + 1e-9


@pytest.mark.parametrize("sizes", GAMES, ids=lambda sizes: f"seed{sizes['seed']}")
@pytest.mark.parametrize("sharing", ["sharing", "separate"])
def test_a_bound_below_what_a_policy_does_never_holds(sizes, sharing):
    """For a policy in the box with Q(a) - Q(b) = d, no bound lambda < d is verified; and loose ones are."""
    process = random_process(**sizes)
    rng = np.random.default_rng(sizes["seed"] + 100)
    engine = engine_for(process)
    scale = engine.setting.scale
    accepted = 0
    for _ in range(2):
        box, beta = random_box(process, rng, width=0.2), Fraction(int(rng.integers(1, 40)), 50)
        check = StepCheck(engine.models_at(box, beta))
        for t in range(process.horizon):
            for i in range(process.agents):
                k = int(rng.integers(process.classes[t][i]))
                for a, b in pairs(process.actions[t][i])[:2]:
                    met = [action_values(process, random_policy(box, rng), beta, i, t, k) for _ in range(20)]
                    best = max(q[a] - q[b] for q in met)
                    line = engine.line((i, t, k))
                    assert not check.holds(line, (a, b), int((best - 1e-9) * scale * ONE), sharing)
                    accepted += check.holds(line, (a, b), int((best + 5) * scale * ONE), sharing)
    assert accepted


def test_broken_suprema_are_noticed(monkeypatch):
    """The two tests above fail when what the slopes may add is forgotten."""
    monkeypatch.setattr(Block, "sigma", lambda self, slope, shift: 0)
    monkeypatch.setattr(Block, "sigma_plus", lambda self, slope, shift: 0)
    with pytest.raises(AssertionError):
        test_models_enclose_the_values(GAMES[5], True)
    with pytest.raises(AssertionError):
        for sizes in GAMES[:4]:
            test_a_bound_below_what_a_policy_does_never_holds(sizes, False)


def test_definite_boxes_have_negative_second_derivatives():
    """Along segments within a box certified with `own`, beta J is concave; and wide boxes are refused."""
    accepted = refused = 0
    for sizes in GAMES[:4]:
        process = random_process(**sizes)
        engine = engine_for(process)
        rng = np.random.default_rng(sizes["seed"] + 50)
        for beta in (Fraction(0), Fraction(1, 20), Fraction(1)):
            box = random_box(process, rng, width=0.05)
            ok, why = definite(engine, box, (beta,), modulus=Fraction(0), own=True)
            accepted, refused = accepted + ok, refused + (not ok)
            assert ok or why
            for _ in range(10 if ok else 0):
                first, last = random_policy(box, rng), random_policy(box, rng)

                def along(s):
                    return objective(
                        process,
                        [
                            [
                                [(1 - s) * p + s * q for p, q in zip(x, y, strict=True)]
                                for x, y in zip(f, g, strict=True)
                            ]
                            for f, g in zip(first, last, strict=True)
                        ],
                        beta,
                    )

                assert along(0.5) >= (along(0) + along(1)) / 2 - 1e-12
    assert accepted and refused


def test_second_derivative_at_a_point_is_the_one_bounded():
    """On boxes that are nearly points D - C is minus the second derivative of beta J, entry by entry."""
    from certify.checker.plain.definite import SecondDerivative

    for sizes in GAMES[:4]:
        process = random_process(**sizes)
        engine = engine_for(process)
        rng = np.random.default_rng(sizes["seed"] + 70)
        beta = Fraction(1, 2)
        box = random_box(process, rng, width=0.0)
        width = ONE >> 20
        box = Box(
            tuple(
                tuple(
                    tuple(Block([x - width for x in b.centre], [x + width for x in b.centre]) for b in blocks)
                    for blocks in layer
                )
                for layer in box.layers
            )
        )
        form = SecondDerivative(engine.models_at(box, beta))
        order = {(t, i, k): form.offsets[i, t, k] for i, t, k in form.offsets}
        size = sum(form.sizes)
        low, high = np.zeros((size, size)), np.zeros((size, size))
        for k, l, (below, above) in form.entries(True):
            k, l = min(k, l), max(k, l)
            low[k, l] += below / ONE
            high[k, l] += above / ONE
        assert np.all(high >= low) and np.max(high - low) < 1e-2
        upper = np.triu((low + high) / 2, 1)
        matrix = np.diag([d / ONE for d in form.diagonal(1)]) - upper - upper.T
        policy = [[[np.array([x / ONE for x in b.centre]) for b in blocks] for blocks in layer] for layer in box.layers]
        for _ in range(5):
            direction = np.zeros(size)
            for (t, i, _), offset in order.items():
                v = rng.normal(size=process.actions[t][i])
                direction[offset : offset + len(v)] = v - v.mean()

            def part(name, p):
                return direction[order[name] : order[name] + len(p)] if name in order else 0

            def moved(s):
                return objective(
                    process,
                    [
                        [[p + s * part((t, i, k), p) for k, p in enumerate(x)] for i, x in enumerate(layer)]
                        for t, layer in enumerate(policy)
                    ],
                    beta,
                )

            step = 1e-3
            second = (moved(step) - 2 * moved(0) + moved(-step)) / step**2
            assert direction @ matrix @ direction == pytest.approx(-engine.setting.scale * second, rel=2e-3, abs=2e-3)


def test_positive_definiteness():
    rng = np.random.default_rng(0)
    for size in (1, 2, 5, 12):
        for shift, truth in ((1e-4, True), (-1e-4, False)):
            root = rng.integers(-50, 50, (size, size + 2))
            gram = root @ root.T
            least = np.linalg.eigvalsh(gram)[0]
            matrix = [[int(x) << BITS for x in row] for row in gram]
            for k in range(size):
                matrix[k][k] -= int((least - shift) * ONE)
            assert positive_definite(matrix) is truth


def test_interval_matrices_are_refused_where_a_member_is_indefinite():
    zero = [[0] * 4 for _ in range(4)]
    wide = [[0, 0, 8, 8], [0, 0, 8, 8], [8, 8, 0, 0], [8, 8, 0, 0]]
    minus = [[-x for x in row] for row in wide]
    # members +-8 on the 2 x 2 block: definite on tangents iff D > 8 * 4 / 2
    assert definite_on_tangents([2, 2], [17] * 4, minus, wide)
    assert not definite_on_tangents([2, 2], [15] * 4, minus, wide)
    assert definite_on_tangents([2, 2], [1] * 4, zero, zero) and not definite_on_tangents([2, 2], [0] * 4, zero, zero)


def test_a_box_on_the_boundary_is_not_verified():
    process = random_process(1)
    engine = engine_for(process)
    box = engine.initial_box()
    corner = box.replaced(0, 1, [Block([ONE, 0], [ONE, 0])] * process.classes[1][0])
    assert not engine.is_empty(corner)
    ok, why, _ = apply_step(engine, corner, Step(1, 0, ((10**6, 10**6),)), (Fraction(1),), -4)
    assert not ok and "boundary" in why
