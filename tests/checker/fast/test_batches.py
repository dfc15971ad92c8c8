"""Many claims at a time: the verdicts of the boxes alone and of the plain engine, whatever shares a batch."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from checker.fast.test_definite import interior
from checker.fast.test_steps import blocks_with_a_choice, plain_box, single_claim
from fast_reference import bounds, box_around, engine_for, floats, forms, least_ratios, processes, random_policy

from certify.checker.check import check_certificate
from certify.checker.cover.obligations import DefiniteClaim, StepClaim
from certify.checker.fast.box import BlockBox
from certify.checker.fast.engine import FastEngine, _replaced, _side_by_side
from certify.checker.plain.engine import StdlibEngine

PROCESSES = [p for p in processes(47, 40) if blocks_with_a_choice(p)][:16]
VALID = Path(__file__).parents[2] / "certificates" / "valid"
BETAS = [(Fraction(1, 7),), (Fraction(0), Fraction(1, 5)), (Fraction(1, 9), Fraction(1, 3))]


def boxes_of(rng: np.random.Generator, process, count: int) -> list:
    return [box_around(random_policy(rng, process, 0.3), float(rng.choice([0.02, 0.2, 1.0]))) for _ in range(count)]


def step_claims(rng: np.random.Generator, process, count: int) -> tuple[list[StepClaim], list[bool]]:
    """Single log ratios 1e-7 above or below the least that is verified, and which are above."""
    engine, claims, holds = engine_for(process), [], []
    for box in boxes_of(rng, process, count):
        betas = BETAS[int(rng.integers(len(BETAS)))]
        for i, t in blocks_with_a_choice(process):
            least = least_ratios(engine, box, i, t, betas)
            k, pair = (int(rng.integers(n)) for n in least.shape)
            above = bool(rng.random() < 0.7)
            ratio = Fraction(least[k, pair] + (1e-7 if above else -1e-7)) / process.weights[i]
            claims.append(StepClaim(box, betas, single_claim(process, i, t, k, pair, int(ratio * 2**40)), -40))
            holds.append(above)
    return claims, holds


def form_claims(rng: np.random.Generator, process, count: int) -> list[DefiniteClaim]:
    return [
        DefiniteClaim(
            interior(rng, process, 1e-6),
            (Fraction(0), Fraction(int(rng.integers(1, 300)), 100)),
            None,
            bool(rng.random() < 0.5),
        )
        for _ in range(count)
    ]


def refused(engine, claims) -> list[int]:
    """The numbers of all claims that are not shown, found one after another."""
    found, start = [], 0
    while start < len(claims) and (failure := engine.verify(claims[start:])) is not None:
        found.append(start + failure[0])
        start = found[-1] + 1
    return found


@pytest.mark.parametrize(
    "number", [pytest.param(k, marks=[pytest.mark.slow] * (k == 13)) for k in range(len(PROCESSES))]
)
def test_a_batch_of_steps_has_the_verdicts_of_its_boxes_alone(number):
    process, rng = PROCESSES[number], np.random.default_rng(number)
    claims, holds = step_claims(rng, process, 5)
    engine, plain = engine_for(process), StdlibEngine()
    plain.begin(process)
    expected = [n for n, above in enumerate(holds) if not above]
    assert refused(engine, claims) == expected == [n for n, c in enumerate(claims) if engine_for(process).verify([c])]
    assert sorted(engine._doubtful(claims)) == expected  # and none of the others had to be tried alone
    for claim, above in list(zip(claims, holds, strict=True))[:4]:
        other = claim._replace(box=plain_box(plain, process, claim.box))
        assert (plain.verify([other]) is None) is above


def test_the_processes_are_varied():
    assert {(p.agents, p.horizon) for p in PROCESSES} >= {(2, 1), (2, 2), (3, 2), (2, 3)}


def test_a_batch_of_forms_has_the_verdicts_of_its_boxes_alone():
    rng, seen = np.random.default_rng(2), set()
    for process in [p for p in PROCESSES if sum(map(sum, p.classes)) < 12]:
        claims, engine = form_claims(rng, process, 12), engine_for(process)
        alone = [n for n, claim in enumerate(claims) if engine_for(process).verify([claim])]
        assert refused(engine, claims) == alone == sorted(engine._doubtful(claims))
        seen.add((bool(alone), len(alone) < len(claims)))
    assert (True, True) in seen


def test_bounds_of_copies_are_those_of_the_boxes():
    """Also where the boxes have different numbers of vertices, and whatever the other copies hold."""
    for number, process in enumerate(PROCESSES):
        rng = np.random.default_rng(number)
        engine, boxes = engine_for(process), boxes_of(rng, process, 4)
        betas = [(Fraction(int(rng.integers(1, 50)), 100), Fraction(1, 2)) for _ in boxes]
        together, table = _side_by_side(boxes), np.concatenate([floats(b) for b in betas])
        for i, t in blocks_with_a_choice(process):
            shape = (process.classes[t][i], process.actions[t][i] * (process.actions[t][i] - 1))
            ratios = rng.normal(size=(4, *shape))
            for form in forms(engine, i, t):
                found = engine.copies(4).bounds(together, i, t, table, ratios.reshape(-1, shape[1]), form)
                for part, box, at, ratio in zip(found.reshape(4, *shape, 2), boxes, betas, ratios, strict=True):
                    alone = bounds(engine, box, i, t, at, ratio, form)
                    assert np.abs(part - alone).max() < 1e-12 * (1 + np.abs(alone).max())


def test_a_box_that_cannot_be_verified_at_all_spoils_no_other():
    """A box on the boundary has no centre: every claim of its batch is tried alone, and it alone is refused."""
    process = next(p for p in PROCESSES if p.agents == 2 and p.horizon == 2 and min(map(min, p.actions)) > 1)
    claims, holds = step_claims(np.random.default_rng(5), process, 6)
    claims = [claim for claim, above in zip(claims, holds, strict=True) if above]
    engine = engine_for(process)
    top = [n for n, claim in enumerate(claims) if claim.step.depth == 0][-1]
    low, up = (end.copy() for end in (claims[top].box[1][0].lower, claims[top].box[1][0].upper))
    low[0], up[0] = 0, 0
    low[0, 0] = up[0, 0] = 1
    claims[top] = claims[top]._replace(box=_replaced(claims[top].box, 1, 0, BlockBox(low, up)))
    n, why = engine.verify(claims)
    assert n == top and "centre" in why


def tampered(name: str, node: int, step: int) -> dict:
    """A valid certificate in one step of which log pi(0) - log pi(1) and its negative are both to be below 0."""
    certificate = json.loads((VALID / f"{name}.json").read_text())
    row = certificate["proof"]["nodes"][node]["steps"][step]["log_ratio"][0]
    actions = next(A for A in range(2, 10) if len(row) == A * (A - 1))
    row[0] = row[actions - 1] = -10
    return certificate


@pytest.mark.parametrize(
    "name, node, step", [("dectiger_horizon_2", 0, 3), ("dectiger_horizon_2", 1, 2), ("climbing_split_by_policy", 2, 0)]
)
def test_a_changed_step_in_the_middle_of_a_batch_is_the_one_named(monkeypatch, name, node, step):
    certificate = tampered(name, node, step)
    places = [check_certificate(certificate, engine).failed_step for engine in ("stdlib", "fast")]
    true = FastEngine.begin

    def one_at_a_time(engine, process):
        true(engine, process)
        engine.batch = 1

    monkeypatch.setattr(FastEngine, "begin", one_at_a_time)
    alone = check_certificate(certificate, "fast").failed_step
    assert alone == places[1]
    assert all((place["node"], place["step"]) == (node, step) for place in places)


@pytest.mark.parametrize("engine", ["stdlib", "fast"])
def test_the_number_of_workers_changes_nothing(monkeypatch, engine):
    for kind in (StdlibEngine, FastEngine):  # several batches, so that every worker has one
        monkeypatch.setattr(kind, "begin", with_small_batches(kind.begin))
    valid = json.loads((VALID / "dectiger_horizon_2.json").read_text())
    wrong = tampered("dectiger_horizon_2", 3, 4)
    later = copy.deepcopy(wrong)
    later["proof"]["nodes"][-1]["beta"][0] = "0"  # the walk fails too, further on
    for certificate in (valid, wrong, later):
        verdicts = [check_certificate(certificate, engine, workers=workers) for workers in (1, 3)]
        assert verdicts[0] == verdicts[1]
        assert verdicts[0].valid is (certificate is valid)


def with_small_batches(begin):
    def changed(engine, process):
        begin(engine, process)
        engine.batch = 3

    return changed
