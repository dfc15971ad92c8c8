"""Compiled loops and arrays make the same proposals: the same bounds, the same forms, the same covers."""

import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from legal_games import random_legal_game
from random_games import random_game

import certify
from certify.games.builtin import builtin
from certify.games.objective import for_objective
from certify.games.tree import unroll
from certify.run import Run
from certify.thresholds import approx_models, approx_policy, approx_step, approx_support, contraction, loops
from certify.thresholds.approx_definite import approx_margin
from certify.thresholds.approx_exp import approx_exp
from certify.thresholds.compiled import compiler, entries, stationary, sweeps
from certify.thresholds.compiled.batch import batches_for
from certify.thresholds.compiled.compiler import SWITCH, available, installed
from certify.thresholds.compiled.constants import LIMIT
from certify.thresholds.contraction import Task, whole_space
from certify.thresholds.cover import Effort, find_cover
from certify.thresholds.index_tables import Plan
from certify.thresholds.step_rule import ArrayRule, step_rule

needs_numba = pytest.mark.skipif(not installed(), reason="the extra compiled is not installed")
# the first run on a machine compiles, which takes a minute: such tests are slow ones


def plan_of(game):
    return Plan(unroll(game))


GAMES = {
    "two agents, three steps": lambda rng: random_game(rng, horizon=3, observations=2, initial_observations=True),
    "two agents, two steps": lambda rng: random_game(rng, horizon=2),
    "three agents": lambda rng: random_game(rng, agents=3, horizon=2, actions=(2, 3, 2)),
    "three agents, three steps": lambda rng: random_game(rng, agents=3, horizon=3, actions=2, observations=(2, 1, 1)),
    "weights, a discount, many actions": lambda rng: random_game(
        rng, actions=(3, 5), weights=True, discount=True, available=True
    ),
    "two agents, eight actions": lambda rng: random_game(rng, actions=8, states=1, observations=1),
    "one step": lambda rng: random_game(rng, horizon=1, actions=(4, 6), initial_observations=True),
    "one agent": lambda rng: random_game(rng, agents=1, horizon=3, actions=3),
    "legal actions, KL": lambda rng: for_objective(random_legal_game(int(rng.integers(100))), "kl"),
    "dectiger": lambda rng: builtin("dectiger", horizon=2),
}


def random_boxes(rng, plan, count, width):
    """Boxes around random policies, each with a policy inside."""
    box = []
    for i in range(plan.agents):
        row = []
        for level in plan.levels:
            shape = (count, level.classes[i], level.action_counts[i])
            inside = rng.dirichlet(np.full(shape[2], 2.0), size=shape[:2])
            lower = np.maximum(1e-6, inside - width * rng.random(shape)) if shape[2] > 1 else np.ones(shape)
            row.append((np.minimum(lower, inside), np.minimum(1, inside + width * rng.random(shape))))
        box.append(row)
    return box


@pytest.fixture
def arrays(monkeypatch):
    """Switches to numpy and back."""

    def switch(on):
        monkeypatch.setenv(SWITCH, "no" if on else "")

    return switch


def test_the_switch_keeps_to_arrays(arrays):
    arrays(True)
    assert not available()
    plan = plan_of(builtin("lever:2"))
    assert isinstance(step_rule(plan, random_boxes(np.random.default_rng(0), plan, 1, 0.5), np.array([1.0])), ArrayRule)


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("width", [1.0, 0.1])
@pytest.mark.parametrize("name", GAMES)
def test_bounds_and_forms_agree(name, width):
    compare(name, width)


@pytest.mark.skipif(installed(), reason="these loops are compiled here")
@pytest.mark.parametrize("name", ["two agents, two steps", "one step"])
def test_the_loops_agree_without_a_compiler(name):
    with np.errstate(all="ignore"):
        compare(name, 0.2, count=1)


@pytest.mark.skipif(installed(), reason="these loops are compiled here")
def test_whole_sweeps_agree_without_a_compiler():
    with np.errstate(all="ignore"):
        compare_sweeps("two agents, two steps", sweeps=2)


@pytest.mark.skipif(installed(), reason="these loops are compiled here")
@pytest.mark.parametrize("name", ["two agents, two steps", "three agents"])
def test_replies_count_without_a_compiler(name, monkeypatch):
    with np.errstate(all="ignore"):
        compare_replies(name, monkeypatch)


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("name", ["two agents, three steps", "three agents", "three agents, three steps", "dectiger"])
def test_replies_count(name, monkeypatch):
    compare_replies(name, monkeypatch)


def compare_replies(name, monkeypatch):
    """Loops know the third way: without it arrays find larger bounds; and both want it to hold at both ends."""
    rng = np.random.default_rng(11)
    plan = plan_of(GAMES[name](rng))
    box, beta = random_boxes(rng, plan, 1, 0.5), np.array([0.3, 0.6])
    found = compiled_rule(plan, box, beta).log_ratio_bounds(0, 0)
    assert agree(found, ArrayRule(plan, box, beta).log_ratio_bounds(0, 0))
    monkeypatch.setattr(approx_step.Step, "_over_interval", lambda self, bound, way: bound)
    alone = ArrayRule(plan, box, beta).log_ratio_bounds(0, 0)
    assert (alone <= found + 1e-9).all() and not agree(found, alone)
    monkeypatch.setattr(
        approx_step.Step, "_over_interval", lambda self, bound, way: bound + (np.inf if way.reply else 0.0)
    )
    without = ArrayRule(plan, box, beta).log_ratio_bounds(0, 0)
    assert (found <= without + 1e-9).all() and not agree(found, without)


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in GAMES if name not in ("one step", "one agent")])
def test_whole_sweeps_agree(name, arrays):
    arrays(False)
    compare_sweeps(name, sweeps=30)


def compare_sweeps(name, sweeps):
    """The same steps, the same boxes to the last digit, the same ends, and the same softest directions."""
    plan = plan_of(GAMES[name](np.random.default_rng(3)))
    beta = 0.02 if name == "dectiger" else 0.1
    wide = whole_space(plan)
    tasks = [Task(beta, 1.1 * beta, wide, 0.01), Task(beta, 1.1 * beta, wide, 0.01, patient=False)]
    tasks.append(Task(8 * beta, 9 * beta, wide, 0.0, patient=False))
    one = contraction._contracted(plan, tasks, least_gain=0.0005, sweeps=sweeps, run=None)
    other = contraction._contract_compiled(plan, tasks, 0.0005, sweeps, None)
    for x, y in zip(one, other, strict=True):
        assert x.steps and x.steps == y.steps and x.kind == y.kind
        assert all(np.array_equal(a, b) for a, b in zip(ends(x.box), ends(y.box), strict=True))
        assert (x.soft is None) == (y.soft is None)
        assert x.soft is None or np.allclose(x.soft, y.soft, rtol=1e-6)
    warmer = contraction._contract_compiled(plan, [Task(beta / 2, beta, wide, 0.01)], 0.0005, 1, None)
    assert warmer[0].steps != one[0].steps[: len(warmer[0].steps)]
    left = contraction.work_left(plan, tasks, 0.0005, 2, None)
    betas = np.array([(task.low + task.high) / 2 for task in tasks])
    tried = batches_for(plan).tried([task.box for task in tasks], betas, 2, 0.001, Run())
    assert agree(left, tried)


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("name", GAMES)
def test_stationary_policies_agree(name):
    compare_stationary(name)


@pytest.mark.skipif(installed(), reason="these loops are compiled here")
@pytest.mark.parametrize("name", ["two agents, two steps", "weights, a discount, many actions", "legal actions, KL"])
def test_stationary_policies_agree_without_a_compiler(name):
    compare_stationary(name, rounds=3)


def compare_stationary(name, rounds=200):
    """After as many rounds, from the same policy, up to rounding."""
    plan = plan_of(GAMES[name](np.random.default_rng(4)))
    start = approx_policy.approx_stationary(plan, 0.0, rounds=2)[0]
    for beta in (0.05, 2.0):
        one, other = (
            solve(plan, beta, start, damping=0.3, tolerance=1e-13, rounds=rounds)
            for solve in (approx_policy.approx_stationary, stationary.approx_stationary)
        )
        assert one[1] == pytest.approx(other[1], rel=1e-6, abs=1e-12)
        assert all(
            np.allclose(p, q, atol=1e-12)
            for a, b in zip(one[0], other[0], strict=True)
            for p, q in zip(a, b, strict=True)
        )
        assert not all(np.allclose(p, q) for a, b in zip(one[0], start, strict=True) for p, q in zip(a, b, strict=True))


def ends(box):
    return [end for row in box for pair in row for end in pair]


@pytest.mark.skipif(installed(), reason="these loops are compiled here")
def test_a_cut_is_the_same_to_the_last_digit():
    rng = np.random.default_rng(7)
    for count in (2, 3, 9):
        inside = rng.dirichlet(np.ones(count))
        lower, upper = (np.clip(inside + s * 0.2 * rng.random(count), 0, 1) for s in (-1, 1))
        bound = np.log(inside)[:, None] - np.log(inside) + 0.05 * rng.random((count, count))
        bound[0, 1] = np.inf
        found, pairs = np.zeros((2, count)), ~np.eye(count, dtype=bool)
        sweeps._cut(bound[pairs], (np.concatenate([lower, upper]), 0, count), count, found)
        expected = contraction.cut(lower, upper, contraction.quantise(bound)[1])
        assert np.array_equal(found, expected)
        assert (found[0] <= inside).all() and (found[1] >= inside).all()
        assert not np.array_equal(found[0], np.floor(lower * 2.0**52) / 2.0**52)


def test_exp_is_exact_to_some_units():
    x = np.random.default_rng(0).uniform(-690, 690, 10_000)
    assert np.abs(approx_exp(x) / np.exp(x) - 1).max() < 2.0**-51
    assert (
        approx_exp(np.array([-np.inf, -1e9, 1e9, np.inf])) == approx_exp(np.array([-LIMIT, -LIMIT, LIMIT, LIMIT]))
    ).all()


def compare(name, width, count=3):
    rng = np.random.default_rng([len(name), int(10 * width)])
    plan = plan_of(GAMES[name](rng))
    box, beta = random_boxes(rng, plan, count, width), rng.random(2 * count)
    one = ArrayRule(plan, box, beta)
    other = compiled_rule(plan, box, beta)
    for t in reversed(range(plan.horizon)):
        for i in range(plan.agents):
            found = one.log_ratio_bounds(i, t)
            assert agree(found, other.log_ratio_bounds(i, t))
            assert agree(found, other.log_ratio_bounds(i, t, found + rng.random(found.shape)))
            new = random_boxes(rng, plan, count, width)[i][t]
            one.replace(i, t, new)
            other.replace(i, t, new)
    for own in (False, True):
        one_form, other_form = one.form(own=own), other.form(own=own)
        assert agree(one_form.diagonal, other_form.diagonal)
        assert agree(one_form.middle, other_form.middle) and agree(one_form.radius, other_form.radius)
        assert agree(approx_margin(one_form)[0], approx_margin(other_form)[0], 1e-6)


def compiled_rule(plan, box, beta):
    from certify.thresholds.compiled.step import CompiledStep

    return CompiledStep(plan, box, beta)


def agree(x, y, tolerance=1e-9):
    with np.errstate(invalid="ignore"):
        near = np.abs(x - y) <= tolerance * (1 + np.abs(x))
    return bool((near | (x == y) | ~(np.isfinite(x) | np.isfinite(y))).all())


def test_another_temperature_is_told_apart():
    rng = np.random.default_rng(1)
    plan = plan_of(builtin("dectiger", horizon=2))
    box, beta = random_boxes(rng, plan, 2, 0.1), np.full(4, 0.05)
    one, other = ArrayRule(plan, box, beta), ArrayRule(plan, box, beta * (1 + 1e-6))
    assert not agree(one.log_ratio_bounds(0, 0), other.log_ratio_bounds(0, 0))


@needs_numba
def test_machine_code_is_kept_by_version(tmp_path):
    """A function's machine code holds that of what it calls: a change to another module makes it stale."""
    from certify.thresholds.compiled import compiler

    (tmp_path / "caller.py").write_text("one")
    (tmp_path / "called.py").write_text("two")
    before = compiler.kept_in(tmp_path, tmp_path)
    assert before == compiler.kept_in(tmp_path, tmp_path)
    (tmp_path / "called.py").write_text("renamed")
    assert before != compiler.kept_in(tmp_path, tmp_path)
    ours = str(compiler.kept_in(Path(compiler.__file__).parent, Path()))
    assert ours in sweeps.run.stats.cache_path


@needs_numba
@pytest.mark.slow
def test_what_is_lent_is_what_was_given():
    """Tuples of arrays and numbers: read and written in place by functions that they are handed on to, in rows, parts
    and other shapes; nobody counts the uses."""
    from certify.thresholds.compiled.compiler import borrower, compiled, nested

    lent = borrower()

    @nested
    def add(pair, number, at):
        table, flat = pair
        row = table[at]
        for x in range(row.shape[0]):
            row[x] += number * flat.reshape(2, 3)[at, x]
        table[at - at, x] -= flat[2:][0]

    def caller(job, columns):
        pair, number = lent(job)
        add(pair, number, np.int64(1))
        column = lent(columns)  # not one behind the other
        for x in range(len(column)):
            column[x] *= 2.0

    table, flat = np.arange(6.0).reshape(2, 3), np.arange(6.0)
    expected = table.copy()
    expected[1] += 10 * flat[3:]
    expected[0, 2] -= flat[2]
    expected[:, 1] *= 2
    before = sys.getrefcount(table), sys.getrefcount(flat)
    compiled(caller)(((table, flat), 10.0), table[:, 1])
    assert np.array_equal(table, expected) and np.array_equal(flat, np.arange(6.0))
    assert before == (sys.getrefcount(table), sys.getrefcount(flat))


@pytest.mark.parametrize("actions", [5, 6, 7])
def test_vertices_by_their_ends_are_those_by_order(actions, monkeypatch):
    rng = np.random.default_rng(actions)
    inside = rng.dirichlet(np.ones(actions), size=(2, 3))
    lower, upper = (np.clip(inside + s * 0.3 * rng.random(inside.shape), 0, 1) for s in (-1, 1))
    lower[0, 0], upper[0, 0] = 0.0, 1.0
    upper[0, 1, :2] = lower[0, 1, :2] = inside[0, 1, :2]  # some actions are fixed
    found = []
    for most in (3, 7):
        monkeypatch.setattr(approx_support, "_ORDERS", most)
        points = approx_support.vertices(lower, upper)
        found.append([[sorted({tuple(p) for p in np.round(q, 9) + 0.0}) for q in row] for row in points])
        assert np.allclose(points.sum(-1), 1) and (points >= lower[..., None, :] - 1e-9).all()
    assert found[0] == found[1]


def test_a_remainder_by_filling_up_is_that_over_all_vertices(monkeypatch):
    rng = np.random.default_rng(5)
    plan = plan_of(random_game(rng, actions=(3, 5)))
    box, found = random_boxes(rng, plan, 2, 0.3), []
    for few in (2, 9):
        monkeypatch.setattr(approx_models, "FEW", few)
        monkeypatch.setattr(approx_step, "FEW", few)
        found.append(ArrayRule(plan, box, np.full(4, 0.5)).log_ratio_bounds(0, 0))
    assert agree(*found)


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("name, beta", [("dectiger", "1/15"), ("lever:3", "5/2")])
def test_covers_are_the_same(name, beta, arrays):
    plan = plan_of(builtin(name, 2 if name == "dectiger" else None))
    covers = []
    for on in (True, False):
        arrays(on)
        covers.append(find_cover(plan, Fraction(beta), effort=Effort(branch=True)))
    assert covers[0] == covers[1]


@needs_numba
@pytest.mark.slow
def test_everything_that_searches_call_is_made():
    """No game compiles more than `loops.make`: one signature of every function that Python calls."""
    loops.make()
    assert compiler.is_complete()
    functions = [sweeps.run, stationary.iterate, *(f for f in vars(entries).values() if hasattr(f, "signatures"))]
    known = {f: set(f.signatures) for f in functions}
    assert len(known) == 12 and all(known.values())
    for name, game in GAMES.items():
        plan = plan_of(game(np.random.default_rng(3)))
        tasks = [Task(0.02, 0.03, whole_space(plan), 0.01)] * 2
        assert contraction.contract(plan, tasks, least_gain=0.0005, sweeps=4)
        contraction.work_left(plan, tasks, 0.0005, 2, None)
        stationary.approx_stationary(plan, 0.02, plan.tree.uniform(), rounds=2)
        compare(name, 0.2)
        assert known == {f: set(f.signatures) for f in known}, name


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("name", ["dectiger", "recycling"])
def test_certificates_are_the_same(name, arrays):
    """Of whole answers, byte for byte."""
    loops.make()
    found = []
    for on in (True, False):
        arrays(on)
        found.append(certify.threshold(name, horizon=2, rtol="1/20", time_limit=600))
    one, other = (json.dumps(answer.document) for answer in found)
    assert found[0].status == "proved" and not found[0].method.startswith("structural")
    assert one == other
