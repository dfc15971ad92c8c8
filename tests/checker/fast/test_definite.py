"""The definiteness rule: proved only where -D^2(beta J), by finite differences, is positive definite."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from checker.fast.test_steps import plain_box
from engines import definite
from fast_reference import box_around, curvature, engine_for, processes, random_policy, sample

from certify.checker.fast import definite as fast_definite
from certify.checker.fast.positive_definite import certainly_positive
from certify.checker.plain.engine import StdlibEngine


def free_parameters(process) -> int:
    return sum(
        c * (a - 1) for row in zip(process.classes, process.actions, strict=True) for c, a in zip(*row, strict=True)
    )


SMALL = [p for p in processes(31, 110) if 1 < free_parameters(p) <= 7]


def interior(rng: np.random.Generator, process, radius: float):
    """A box inside the open policy space, around a policy that is not too extreme."""
    policy = [[0.8 * pi + 0.2 / pi.shape[1] for pi in depth] for depth in random_policy(rng, process, 0.2)]
    return box_around(policy, radius)


def cases(seed: int):
    """(process, beta, box, own): betas near the largest at which the centre of the box is definite."""
    rng = np.random.default_rng(seed)
    for number, process in enumerate(SMALL):
        box, own = interior(rng, process, float(rng.choice([1e-9, 0.01, 0.05]))), bool(number % 2)
        centre = [[block.centre for block in depth] for depth in box]
        beta = 0.02
        while beta < 20 and np.linalg.eigvalsh(curvature(process, centre, beta, own=own))[0] > 0:
            beta *= 2
        for factor in (0.5, 0.75, 0.95):
            yield process, Fraction(round(beta * factor * 1000) + 1, 1000), box, own


def false_proofs(seed: int, enough: int = 10**9) -> tuple[int, int]:
    """(wrongly proved, proved): policies of proved boxes at which the form has a negative direction; the
    search ends when there are `enough`."""
    rng = np.random.default_rng(seed)
    wrong = proved = 0
    for process, beta, box, own in cases(seed):
        if definite(engine_for(process), box, (beta,), own=own)[0]:
            proved += 1
            forms = (curvature(process, sample(rng, box), float(beta), own=own) for _ in range(3))
            smallest = min(np.linalg.eigvalsh(form)[0] for form in forms)
            wrong += smallest < -1e-5
            if wrong >= enough:
                break
    return wrong, proved


def test_the_processes_are_varied():
    assert {(p.agents, p.horizon) for p in SMALL} >= {(2, 1), (2, 2), (3, 1), (1, 2)}
    assert len(SMALL) > 15


def test_proved_forms_are_positive_at_sampled_policies():
    wrong, proved = false_proofs(1)
    assert wrong == 0
    assert proved > 20


@pytest.mark.parametrize("name", ["_diagonal", "_couplings"])
def test_the_same_samples_refute_a_broken_form(monkeypatch, name):
    true = getattr(fast_definite, name)

    def halved(*arguments):
        return {key: [type(x)(0.5 * x.low, 0.5 * x.high) for x in parts] for key, parts in true(*arguments).items()}

    broken = {"_diagonal": lambda *arguments: 1.5 * true(*arguments), "_couplings": halved}
    monkeypatch.setattr(fast_definite, name, broken[name])
    assert false_proofs(1, enough=1)[0] > 0


def test_tiny_boxes_are_decided_like_points():
    """On boxes of radius 1e-9 the verdict is the sign of the smallest eigenvalue, away from 0."""
    rng = np.random.default_rng(5)
    verdicts = set()
    for number, process in enumerate(SMALL):
        box, own = interior(rng, process, 1e-9), bool(number % 2)
        centre = [[block.centre for block in depth] for depth in box]
        for beta in (Fraction(1, 50), Fraction(3, 10), Fraction(1), Fraction(4)):
            smallest = np.linalg.eigvalsh(curvature(process, centre, float(beta), own=own))[0]
            if abs(smallest) > 1e-4:
                ok, why = definite(engine_for(process), box, (beta,), own=own)
                assert ok is bool(smallest > 0), (smallest, why)
                verdicts.add(ok)
    assert verdicts == {True, False}


def test_the_modulus_lowers_the_diagonal():
    """lambda_max(M) <= alpha - modulus: decided like a point on a tiny box, for moduli near the largest."""
    rng = np.random.default_rng(6)
    decided = 0
    for process in SMALL[:16]:
        box, beta = interior(rng, process, 1e-9), Fraction(1, 50)
        centre = [[block.centre for block in depth] for depth in box]
        for modulus in (Fraction(0), Fraction(20), Fraction(40), Fraction(45), Fraction(49)):
            smallest = np.linalg.eigvalsh(curvature(process, centre, 0.02, float(modulus), own=True))[0]
            if abs(smallest) > 1e-3:
                assert definite(engine_for(process), box, (beta,), modulus, True)[0] is bool(smallest > 0)
                decided += 1
        assert not definite(engine_for(process), box, (beta,), Fraction(50), True)[0]
    assert decided > 48


def test_verdicts_agree_with_the_plain_engine():
    """The engines choose y and the factor each for itself, so near the limit one may prove more: away from
    it, at 0.9 and 1.1 times beta, they agree."""
    compared = 0
    for number, (process, beta, box, own) in enumerate(cases(2)):
        if number % 4:
            continue
        engine, plain = engine_for(process), StdlibEngine()
        plain.begin(process)
        other = plain_box(plain, process, box)
        mine = [definite(engine, box, (beta * f,), own=own)[0] for f in (Fraction(9, 10), Fraction(11, 10))]
        if mine[0] == mine[1]:
            assert definite(plain, other, (beta,), own=own)[0] is mine[0]
            compared += 1
    assert compared > 10


def test_both_ends_of_the_interval_count():
    process = next(p for p in SMALL if p.agents == 2 and p.horizon == 1 and min(p.actions[0]) > 1)
    box = interior(np.random.default_rng(0), process, 1e-6)
    engine = engine_for(process)
    assert definite(engine, box, (Fraction(0), Fraction(1, 1000)))[0]
    ok, why = definite(engine, box, (Fraction(0), Fraction(10**6)))
    assert not ok and "beta = 1000000" in why


def test_a_lower_bound_of_zero_is_not_definite():
    """Where log pi enters: after the first step."""
    process = next(p for p in SMALL if p.horizon > 1 and max(p.actions[1]) > 1)
    engine = engine_for(process)
    ok, why = definite(engine, engine.initial_box(), (Fraction(0),))
    assert not ok and "at depth 1 has a lower bound 0" in why


def interval_matrices(seed: int, count: int):
    """(diagonal, low, high, last): random interval forms on blocks of 2 and 3 actions."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        sizes = rng.integers(1, 4, size=5)
        last = np.repeat(np.cumsum(sizes) - 1, sizes)
        n = len(last)
        mid = rng.normal(size=(n, n)) * rng.choice([0.05, 0.3, 0.6])
        mid = np.triu(mid, 1) + np.triu(mid, 1).T
        rad = rng.random((n, n)) * rng.choice([1e-9, 0.05])
        rad = np.triu(rad, 1) + np.triu(rad, 1).T
        yield rng.uniform(0.5, 2, n) * 10.0 ** rng.integers(-3, 3), mid - rad, mid + rad, last


def smallest_eigenvalue(matrix: np.ndarray, last: np.ndarray) -> float:
    free = np.flatnonzero(last != np.arange(len(last)))
    basis = np.zeros((len(last), len(free)))
    basis[free, np.arange(len(free))], basis[last[free], np.arange(len(free))] = 1, -1
    return float(np.linalg.eigvalsh(basis.T @ matrix @ basis)[0]) if len(free) else np.inf


def indefinite_members(seed: int, count: int, width: float = 1.0) -> tuple[int, int]:
    """(indefinite members, proved matrices), where the test sees `width` times the true radii."""
    rng, wrong, proved = np.random.default_rng(seed), 0, 0
    for diagonal, low, high, last in interval_matrices(seed, count):
        mid, rad = (low + high) / 2, (high - low) / 2
        if certainly_positive(diagonal, mid - width * rad, mid + width * rad, last):
            proved += 1
            for _ in range(60):
                sign = np.sign(rng.normal(size=len(last)))
                member = np.where(np.multiply.outer(sign, sign) > 0, high, low)
                wrong += smallest_eigenvalue(np.diag(diagonal) - member, last) < 0
    return wrong, proved


def test_interval_matrices_proved_positive_have_positive_members():
    wrong, proved = indefinite_members(9, 150)
    assert wrong == 0
    assert 20 < proved < 150


def test_the_same_members_refute_a_test_with_smaller_radii():
    assert indefinite_members(9, 150, width=0.3)[0] > 0


def test_singular_and_negative_matrices_are_not_proved():
    last = np.array([1, 1, 3, 3])
    zero = np.zeros((4, 4))
    assert certainly_positive(np.ones(4), zero, zero, last)
    assert not certainly_positive(np.array([1, 1, 0.0, 1]), zero, zero, last)
    assert not certainly_positive(np.full(4, np.nan), zero, zero, last)
    coupled = zero.copy()
    coupled[0, 2] = coupled[2, 0] = 4.0  # v = (1, -1, 1, -1): 4 - 8 < 0
    assert not certainly_positive(np.ones(4), coupled, coupled, last)
    coupled[0, 2] = coupled[2, 0] = 2.0  # singular
    assert not certainly_positive(np.ones(4), coupled, coupled, last)
    coupled[0, 2] = coupled[2, 0] = 2.0 - 1e-6
    assert certainly_positive(np.ones(4), coupled, coupled, last)
