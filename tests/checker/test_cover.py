"""The driver of covers with an engine that accepts everything: what it insists on by itself."""

import copy
import json
import multiprocessing
import time
from fractions import Fraction
from pathlib import Path

import pytest
from sampling import random_process

from certify.checker import check_certificate
from certify.checker.cover.obligations import DefiniteClaim, StepClaim, verify_all
from certify.checker.cover.tree import check_cover, concavity_claims, cover_claims, read_nodes
from certify.checker.reading.envelope import Failed

VALID = Path(__file__).resolve().parent.parent / "certificates" / "valid"
PROCESS = random_process(1)
ALPHA = Fraction(1, 2)


class Recorder:
    """Accepts everything and keeps a diary; boxes are lists of what has been done to them."""

    batch = 2

    def __init__(self):
        self.diary = []

    def initial_box(self):
        return ()

    def is_empty(self, box):
        return "emptied" in box

    def split(self, box, block, action, at, upper):
        return (*box, (block, action, at, upper))

    def cuts(self, steps, unit):
        return [step.log_ratio for step in steps]

    def cut(self, box, step, cut):
        assert cut is step.log_ratio
        return (*box, "step")

    def verify(self, claims):
        for number, claim in enumerate(claims):
            if not self.accepts(claim):
                return number, "no"
        return None

    def accepts(self, claim):
        self.diary.append(claim)
        return True


STEP = {"agent": 0, "depth": 0, "log_ratio": [[1, 1]]}
SPLIT = {"agent": 1, "depth": 1, "class": 0, "action": 1, "at": "1/3"}


def tree():
    return [
        {"parent": None, "beta": ["0", "2"], "steps": [STEP], "split": {"beta": "1/2"}},
        {"parent": 0, "beta": ["0", "1/2"], "steps": [], "close": "nondegenerate"},
        {"parent": 0, "beta": ["1/2", "2"], "steps": [], "split": SPLIT},
        {"parent": 2, "beta": ["1/2", "2"], "steps": [], "close": "nondegenerate"},
        {"parent": 2, "beta": ["1/2", "2"], "steps": [STEP], "close": "nondegenerate"},
    ]


def run(nodes, engine=None, **options):
    check_cover(read_nodes({"nodes": nodes}, PROCESS), -4, ALPHA, engine or Recorder(), **options)


def test_boxes_and_betas_reach_the_engine():
    nodes, engine, kept = read_nodes({"nodes": tree()}, PROCESS), Recorder(), {1: None, 4: None}
    verify_all(lambda: cover_claims(nodes, -4, ALPHA, engine, kept), engine)
    lower, upper = (((1, 1, 0), 1, Fraction(1, 3), side) for side in (False, True))
    ends = (Fraction(1, 2), Fraction(2))
    assert engine.diary == [
        StepClaim((), (0, 2), nodes[0].steps[0], -4),
        DefiniteClaim(("step",), (0, Fraction(1, 2))),
        DefiniteClaim(("step", lower), ends),
        StepClaim(("step", upper), ends, nodes[4].steps[0], -4),
        DefiniteClaim(("step", upper, "step"), ends),
    ]
    assert kept == {1: ("step",), 4: ("step", upper, "step")}


@pytest.mark.parametrize(
    "change",
    [
        lambda n: n.pop(),
        lambda n: n.append(n[-1]),
        lambda n: n[1].update(beta=["0", "1/3"]),
        lambda n: n[2].update(beta=["1/3", "2"]),
        lambda n: n[0].update(beta=["0", "1"]),
        lambda n: n[0].update(beta=["0", "3"]),
        lambda n: n[3].update(beta=["1/2", "1"]),
        lambda n: n[3].update(parent=4),
        lambda n: n[3].update(parent=1),
        lambda n: n[0].update(split={"beta": "0"}),
        lambda n: n[0].update(split={"beta": "5"}),
        lambda n: n.reverse(),
    ],
)
def test_trees_that_do_not_cover(change):
    nodes = copy.deepcopy(tree())
    change(nodes)
    with pytest.raises(Failed) as caught:
        run(nodes)
    assert "node" in caught.value.where


class Refuses(Recorder):
    """Accepts no step that has one before it."""

    def accepts(self, claim):
        return not isinstance(claim, StepClaim) or claim.box == ()


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_an_engine_that_says_no_is_heard(batch, workers):
    engine = Refuses()
    engine.batch = batch
    with pytest.raises(Failed) as caught:
        run(tree(), engine, workers=workers)
    assert caught.value.as_dict() == {"node": 4, "step": 0, "why": "no"}


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_failure_in_order_is_named(workers):
    """A step that does not hold comes before a split that is wrong, and after one."""
    wrong = tree()
    wrong[2]["steps"] = [STEP]
    wrong[4]["beta"] = ["1/2", "1"]
    with pytest.raises(Failed) as caught:
        run(wrong, Refuses(), workers=workers)
    assert caught.value.as_dict() == {"node": 2, "step": 0, "why": "no"}
    wrong[2]["steps"] = []
    with pytest.raises(Failed) as caught:
        run(wrong, Refuses(), workers=workers)
    assert caught.value.where == {"node": 2, "step": "split"}


def test_no_step_concerns_an_empty_box():
    class Empties(Refuses):
        def cut(self, box, step, cut):
            return (*box, "emptied")

    nodes = tree()
    for node in nodes:
        node["steps"] = 2 * [STEP]
    run(nodes, Empties())


def test_moduli_are_bound_to_nodes_that_hold_every_stationary_policy():
    nodes = read_nodes({"nodes": tree()}, PROCESS)
    boxes = dict.fromkeys(range(5), ())

    def check(entry, engine):
        verify_all(lambda: concavity_claims([entry], nodes, -4, boxes, engine), engine)

    engine = Recorder()
    check((Fraction(4), Fraction(1), 1, ()), engine)
    assert engine.diary == [DefiniteClaim((), (Fraction(1, 4),), Fraction(1), True)]
    for alpha, modulus, node in [(1, 1, 1), (1, 1, 3), (4, -1, 1), (4, 5, 1), (4, 1, 9)]:
        with pytest.raises(Failed):
            check((Fraction(alpha), Fraction(modulus), node, ()), Recorder())


def test_a_threshold_with_symmetry_evidence():
    certificate = json.loads((VALID / "lever_rho.json").read_text())
    plain = check_certificate(certificate)
    swap = {"agents": [1, 0], "states": [0], "actions": [[0, 1], [0, 1]], "observations": [[0], [0]]}
    flip = {"agents": [0, 1], "states": [0], "actions": [[1, 0], [1, 0]], "observations": [[0], [0]]}
    certificate["symmetry"] = {
        "order": "4",
        "state_only_order": "1",
        "complete": True,
        "base": [["agent", 0], ["action", 0, 0]],
        "generators": [swap, flip],
        "orbits": {
            "agents": [[0, 1]],
            "actions": [[[0, 0], [0, 1], [1, 0], [1, 1]]],
            "observations": [[[0, 0], [1, 0]]],
            "states": [[0]],
        },
    }
    verdict = check_certificate(certificate)
    assert verdict.valid and verdict.steps > plain.steps
    certificate["symmetry"]["order"] = "8"
    verdict = check_certificate(certificate)
    assert not verdict.valid and verdict.failed_step["step"].startswith("symmetry")


class Interrupted(Exception):
    """Stands for an alarm, or for Ctrl-C."""


class Slow:
    """Takes its time in every other process, and is interrupted in the first one."""

    batch = 1

    def verify(self, claims):
        if multiprocessing.parent_process() is None:
            raise Interrupted
        time.sleep(60)


def two_claims():
    yield from (({"node": k}, None) for k in range(2))


def test_other_processes_end_with_the_check():
    before, began = set(multiprocessing.active_children()), time.monotonic()
    with pytest.raises(Interrupted):
        verify_all(two_claims, Slow(), workers=2)
    assert time.monotonic() - began < 30
    assert set(multiprocessing.active_children()) <= before
