"""Weighed steps (docs/certificate-format.md, 4.6): both engines against stationary policies found otherwise."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from excluded import excluding
from random_games import random_game

from certify.checker.cover.obligations import WeighedClaim
from certify.checker.cover.weighed import ONE, Equations, Weighed, read_weighed
from certify.checker.fast import weighed as fast_weighed
from certify.checker.fast.engine import FastEngine
from certify.checker.plain import weighed as plain_weighed
from certify.checker.plain.engine import StdlibEngine
from certify.checker.reading.envelope import Failed, Malformed
from certify.checker.reading.game import read_game
from certify.checker.reading.process import Process, build_process
from certify.games import as_game
from certify.games.canonical import game_to_json
from certify.games.tree import unroll
from certify.thresholds.approx_excluded import excluding_parts
from certify.thresholds.approx_policy import approx_stationary
from certify.thresholds.approx_weighed import Weighed as Search
from certify.thresholds.approx_weighed import rounded
from certify.thresholds.index_tables import Plan

ENGINES = (FastEngine, StdlibEngine)


def process_of(payoffs: list[list[int]]) -> Process:
    return build_process(read_game(game_to_json(as_game(payoffs))))


def softmax(x: np.ndarray) -> np.ndarray:
    z = np.exp(x - x.max())
    return z / z.sum()


def stationary(payoffs: np.ndarray, beta: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray] | None:
    p = rng.dirichlet(np.ones(len(payoffs)))
    for _ in range(4000):
        q = softmax(beta * payoffs.T @ p)
        new = softmax(beta * payoffs @ q)
        if abs(new - p).max() < 1e-14:
            return new, softmax(beta * payoffs.T @ new)
        p = new
    return None


def cases(count: int):
    """Random games, a stationary policy, an interval of beta that holds its own, and a random box that holds it."""
    rng = np.random.default_rng(16)
    while count:
        payoffs = rng.integers(-6, 7, rng.integers(2, 6, size=2))
        beta = float(rng.uniform(0.01, 0.6))
        found = stationary(payoffs.astype(float), beta, rng)
        if found is None:
            continue
        count -= 1
        spread = 10 ** rng.uniform(-3.5, 0)
        ends = []
        for policy in found:
            room = spread * rng.random((2, len(policy)))
            ends.append((np.maximum(policy * (1 - room[0]), 0), np.minimum(policy + room[1] * rng.random(), 1)))
        wide = rng.uniform(0, 0.02) * rng.integers(0, 2)
        yield payoffs.tolist(), found, (Fraction(beta * (1 - wide)), Fraction(beta * (1 + wide))), ends


def box_in(engine, ends):
    """The box of an engine with these ends."""
    box = engine.initial_box()
    for i, (lower, upper) in enumerate(ends):
        for a, (low, high) in enumerate(zip(lower.tolist(), upper.tolist(), strict=True)):
            if low:
                box = engine.split(box, (i, 0, 0), a, Fraction(low), True)
            if high < 1:
                box = engine.split(box, (i, 0, 0), a, Fraction(high), False)
    return box


def claim_with(ends) -> Weighed:
    """The step that claims these ends, in units."""
    return Weighed(tuple(((*map(int, low), *map(int, high)),) for low, high in ends))


def false_claims(engine_class, count: int) -> int:
    """How often an engine verifies a bound that a stationary policy violates."""
    wrong = 0
    for payoffs, policies, betas, ends in cases(count):
        engine = engine_class()
        engine.begin(process_of(payoffs))
        box = box_in(engine, ends)
        for i, policy in enumerate(policies):
            for a, value in enumerate(policy.tolist()):
                nothing = [(np.zeros(len(p)), np.full(len(p), ONE)) for p in policies]
                for side, wanted in ((0, int(value * ONE) + 2), (1, int(value * ONE) - 1)):
                    if 0 <= wanted <= ONE:
                        nothing[i][side][a] = wanted
                        wrong += engine.verify([WeighedClaim(box, betas, claim_with(nothing))]) is None
                        nothing[i][side][a] = (0, ONE)[side]
    return wrong


@pytest.mark.parametrize("engine_class", ENGINES)
def test_no_bound_cuts_off_a_stationary_policy(engine_class):
    assert false_claims(engine_class, 40) == 0


def test_the_test_bites(monkeypatch):
    """Concave summands at the ends alone, and weights whose sums are not 0, are noticed."""

    def at_ends(a, k, ends, logs):
        (lower, upper), (low, high) = ((x[:, None] for x in pair) for pair in (ends, logs))
        return np.maximum(a * low + k * lower, a * high + k * upper), np.zeros_like(a)

    with monkeypatch.context() as patch:
        patch.setattr(fast_weighed, "_terms", at_ends)
        assert false_claims(FastEngine, 15)

    weights = plain_weighed.WeighedRule._weights

    def uneven(self, steep, beta):
        found = weights(self, steep, beta)
        for row in found:
            row[0] += 2**34
        return found

    monkeypatch.setattr(plain_weighed.WeighedRule, "_weights", uneven)
    assert false_claims(StdlibEngine, 15)


def exclusions(count: int):
    """Games, intervals of beta, a box that holds a stationary policy, a part of it that may not, and what excludes that
    part."""
    rng = np.random.default_rng(5)
    for payoffs, policies, betas, ends in cases(count):
        i = int(rng.integers(2))
        a = int(rng.integers(len(policies[i])))
        part = [(lower.copy(), upper.copy()) for lower, upper in ends]
        part[i][1][a] = max(part[i][0][a], policies[i][a] * (1 - 10 ** rng.uniform(-4, -0.3)))
        if any((lower > upper).any() or lower.sum() > 1 or upper.sum() < 1 for lower, upper in part):
            continue
        flat = tuple(np.concatenate([end[side] for end in part])[None] for side in (0, 1))
        rule = Search(Plan(unroll(as_game(payoffs))))
        step = excluding(rule, flat, np.array([[float(b) for b in betas]]))[0]
        if step is not None:
            yield payoffs, betas, ends, part, step


def excluded_by(engine_class, payoffs, betas, ends, step) -> bool:
    process = process_of(payoffs)
    engine = engine_class()
    engine.begin(process)
    claim = WeighedClaim(box_in(engine, ends), betas, read_weighed(step, "here", process))
    return engine.verify([claim]) is None


@pytest.mark.parametrize("engine_class", ENGINES)
def test_boxes_that_hold_a_stationary_policy_are_never_excluded(engine_class):
    """What excludes a part of a box is verified of that part, and not of the box, which holds one."""
    found = 0
    for payoffs, betas, ends, part, step in exclusions(60):
        assert excluded_by(engine_class, payoffs, betas, part, step)
        assert not excluded_by(engine_class, payoffs, betas, ends, step)
        found += 1
    assert found >= 20


@pytest.mark.parametrize("exponent", [4, 20, 70])
def test_weights_of_any_size_change_nothing(exponent):
    """Weights of both agents and temperatures in another unit: both engines verify the same bounds, and exclusions
    with multipliers beyond 64 bits; those that a certificate could not hold are not found."""
    unit = 10**exponent
    for payoffs, betas, _, part, _ in list(exclusions(12))[:4]:
        game, betas = replace(as_game(payoffs), weights=(Fraction(unit),) * 2), tuple(beta * unit for beta in betas)
        rule, process = Search(Plan(unroll(game))), build_process(read_game(game_to_json(game)))
        flat = tuple(np.concatenate([end[side] for end in part])[None] for side in (0, 1))
        found = excluding(rule, flat, np.array([[float(b) for b in betas]]))[0]
        assert (found is None) == (exponent == 70)
        low, high = rounded(rule.bounds(flat, tuple(np.array([float(b)]) for b in betas)))
        first = len(payoffs)
        steps = [claim_with([(low[0, :first], high[0, :first]), (low[0, first:], high[0, first:])])]
        steps += [read_weighed(found, "here", process)] if found else []
        for engine_class in ENGINES:
            engine = engine_class()
            engine.begin(process)
            box = box_in(engine, part)
            assert engine.verify([WeighedClaim(box, betas, step) for step in steps]) is None


def test_the_test_of_exclusions_bites(monkeypatch):
    """Summands at upper ends alone are noticed."""

    def at_upper_ends(a, k, ends, logs):
        return a * logs[1][:, None] + k * ends[1][:, None], np.zeros(a.shape)

    given = list(exclusions(60))
    with monkeypatch.context() as patch:
        patch.setattr(fast_weighed, "_terms", at_upper_ends)
        assert any(excluded_by(FastEngine, p, betas, ends, step) for p, betas, ends, _, step in given)
    term = plain_weighed._term
    monkeypatch.setattr(plain_weighed, "_term", lambda a, k, low, high: term(a, k, high, high))
    assert any(excluded_by(StdlibEngine, p, betas, ends, step) for p, betas, ends, _, step in given)


def parts(count: int):
    """Games, intervals of beta, a box that holds a stationary policy, a step that excludes a part at an end of it, and
    the same for a part that holds the policy."""
    for payoffs, policies, betas, ends in cases(count):
        flat = tuple(np.concatenate([end[side] for end in ends])[None] for side in (0, 1))
        rule, policy = Search(Plan(unroll(as_game(payoffs)))), np.concatenate(policies)
        for step in excluding_parts(rule, flat, np.array([[float(b) for b in betas]]))[0]:
            c, low, high = step["part"]
            inside = int(policy[c] * ONE) + (2 if low == 0 else -2)
            assert not low <= policy[c] * ONE <= high
            if 0 < inside < ONE:
                yield payoffs, betas, ends, step, {**step, "part": [c, 0, inside] if low == 0 else [c, inside, ONE]}


@pytest.mark.parametrize("engine_class", ENGINES)
def test_parts_that_hold_a_stationary_policy_are_never_excluded(engine_class):
    found = 0
    for payoffs, betas, ends, step, false in parts(25):
        assert excluded_by(engine_class, payoffs, betas, ends, step)
        assert not excluded_by(engine_class, payoffs, betas, ends, false)
        found += 1
    assert found >= 20


def test_the_test_of_parts_bites(monkeypatch):
    """Summands at upper ends alone are noticed here too."""
    given = list(parts(25))
    term = plain_weighed._term
    monkeypatch.setattr(plain_weighed, "_term", lambda a, k, low, high: term(a, k, high, high))
    assert any(excluded_by(StdlibEngine, p, betas, ends, false) for p, betas, ends, _, false in given)

    def at_upper_ends(a, k, ends, logs):
        return a * logs[1][:, None] + k * ends[1][:, None], np.zeros(a.shape)

    monkeypatch.setattr(fast_weighed, "_terms", at_upper_ends)
    assert any(excluded_by(FastEngine, p, betas, ends, false) for p, betas, ends, _, false in given)


@pytest.mark.parametrize("engine_class", ENGINES)
def test_what_is_left_of_a_box_touches_the_part(engine_class):
    process = process_of([[1, 0], [0, 1]])
    engine = engine_class()
    engine.begin(process)
    given = {"weights": [1, -1, 0, 0], "sums": [[0, 0], [0, 0]]}
    for part, kept in (([1, 0, ONE // 4], (False, 1, True)), ([2, ONE // 2, ONE], (True, 0, False))):
        step = read_weighed({**given, "part": part}, "here", process)
        box = engine.narrowed(engine.initial_box(), step)
        agent, action, above = kept
        at = Fraction(part[2] if above else part[1], ONE)
        assert engine.within(box, (int(agent), 0, 0), action, at, above)
        assert not engine.is_empty(box)
    for part in ([0, 1, 2], [0, 0, ONE], [4, 0, 1], [-1, 0, 1], [0, 0], [0, -1, ONE], [0, 0, ONE + 1], "0"):
        with pytest.raises(Malformed):
            read_weighed({**given, "part": part}, "here", process)


def test_what_excludes_has_sums_of_zero():
    """Otherwise the unknown constants of the equations would be left."""
    process = process_of([[1, 0], [0, 1]])
    sums = [[0, 0], [0, 0]]
    with pytest.raises(Malformed, match="add up to 0"):
        read_weighed({"weights": [1, 0, -1, 0], "sums": sums}, "here", process)
    with pytest.raises(Malformed):
        read_weighed({"weights": [2**41, -(2**41), 0, 0], "sums": sums}, "here", process)
    with pytest.raises(Malformed):
        read_weighed({"weights": [1, -1, 0], "sums": sums}, "here", process)


@pytest.mark.parametrize("engine_class", ENGINES)
def test_engines_find_what_the_search_finds(engine_class):
    for payoffs, _, betas, ends in cases(25):
        engine = engine_class()
        engine.begin(process_of(payoffs))
        box = box_in(engine, ends)
        flat = tuple(np.concatenate([end[side] for end in ends])[None] for side in (0, 1))
        search = Search(Plan(unroll(as_game(payoffs))))
        low, high = rounded(search.bounds(flat, tuple(np.array([float(b)]) for b in betas)))
        first = len(payoffs)
        step = claim_with([(low[0, :first], high[0, :first]), (low[0, first:], high[0, first:])])
        assert engine.verify([WeighedClaim(box, betas, step)]) is None


@pytest.mark.parametrize("engine_class", ENGINES)
def test_several_classes_and_weights(engine_class):
    """Games with initial observations and weights: an engine verifies what the search finds, and nothing false."""
    rng = np.random.default_rng(4)
    gained = 0
    for _ in range(6):
        game = random_game(rng, horizon=1, actions=(2, 3), initial_observations=True, weights=True)
        plan, beta = Plan(unroll(game)), float(rng.uniform(0.05, 0.3))
        policy, residual = approx_stationary(plan, beta)
        assert residual < 1e-9
        engine = engine_class()
        engine.begin(build_process(read_game(game_to_json(game))))
        box = engine.initial_box()
        ends = [(np.maximum(rows[0] - 0.1, 0), np.minimum(rows[0] + 0.1, 1)) for rows in policy]
        for i, (lower, upper) in enumerate(ends):
            for k, a in np.ndindex(*lower.shape):
                box = engine.split(box, (i, 0, k), a, Fraction(lower[k, a]), True)
                box = engine.split(box, (i, 0, k), a, Fraction(upper[k, a]), False)
        flat = tuple(np.concatenate([end[side].ravel() for end in ends])[None] for side in (0, 1))
        found = np.split(
            np.stack(rounded(Search(plan).bounds(flat, (np.array([beta]),) * 2)), -1)[0], [ends[0][0].size]
        )
        bounds = [part.reshape(*end[0].shape, 2) for part, end in zip(found, ends, strict=True)]
        betas = (Fraction(beta),)
        claimed = [
            [[*row[:, 0].astype(int).tolist(), *row[:, 1].astype(int).tolist()] for row in part] for part in bounds
        ]

        def step(rows):
            return Weighed(tuple(tuple(map(tuple, own)) for own in rows))

        assert engine.verify([WeighedClaim(box, betas, step(claimed))]) is None
        gained += sum(
            ((part[..., 1] - part[..., 0]) / ONE).sum() < 0.5 * (end[1] - end[0]).sum()
            for part, end in zip(bounds, ends, strict=True)
        )
        for i, rows in enumerate(policy):
            for k, a in np.ndindex(*rows[0].shape):
                wrong = [[list(row) for row in own] for own in claimed]
                wrong[i][k][a + rows[0].shape[1]] = int(rows[0][k, a] * ONE) - 1
                assert engine.verify([WeighedClaim(box, betas, step(wrong))]) is not None
    assert gained >= 6


def test_what_weighed_steps_are_not_for():
    """Several steps are malformed; three agents and tilted references are refused."""
    entry = {"bounds": [[[0, 0, ONE, ONE]]] * 2}
    two_steps = build_process(read_game(game_to_json(random_game(np.random.default_rng(1)))))
    with pytest.raises(Malformed, match="several steps"):
        read_weighed(entry, "here", two_steps)
    with pytest.raises(Malformed):
        read_weighed({"bounds": [[[0, 0, ONE, ONE + 1]]] * 2}, "here", process_of([[1, 0], [0, 1]]))
    three = build_process(read_game(game_to_json(random_game(np.random.default_rng(1), agents=3, horizon=1))))
    with pytest.raises(Failed, match="two agents"):
        Equations(three)
