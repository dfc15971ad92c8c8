"""Nodes that close as images: what is accepted is true of stationary policies, and each condition is needed.

The lemma (docs/theory/symmetry.md#images-of-nodes) says where stationary policies lie, so policies found by
multistart can refute it; with a condition left out they do.
"""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from symmetric_games import symmetric_game

from certify.certificates.symmetry import map_to_json
from certify.checker import check_certificate
from certify.checker.cover import image
from certify.checker.cover.tree import Node
from certify.checker.fast.engine import FastEngine
from certify.checker.plain.engine import StdlibEngine
from certify.checker.reading.envelope import Failed, sha256
from certify.checker.reading.game import read_game
from certify.checker.reading.process import build_process
from certify.games import builtin
from certify.games.canonical import game_to_json
from certify.games.tree import unroll
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.approx_policies import approx_policies
from certify.thresholds.approx_policy import approx_soft_values, softmax
from certify.thresholds.index_tables import Plan

FOLDER = Path(__file__).resolve().parent.parent / "certificates"
GAMES, PAIRS = range(10), 150
SURE = 1e-7  # policies are known so well that no constraint is closer


class Case:
    """A random game with a symmetry, and its stationary policies at a temperature at which there are several."""

    def __init__(self, number):
        game, maps = symmetric_game(number)
        restated = read_game(game_to_json(game))
        self.process = build_process(restated)
        self.carriers = image.read_carriers(self.process, restated, [map_to_json(g) for g in maps])
        tree = unroll(game)
        self.plan, eq = Plan(tree), ApproxEquations(tree)
        rng = np.random.default_rng(number)
        for alpha in (1.0, 0.5, 0.25):
            self.beta = 1 / alpha
            found = approx_policies(eq, alpha, rng, starts=48, newton_starts=48, limit=24)
            self.policies = [eq.nested(z) for z in found.z]
            if len(self.policies) > 4:
                break
        self.values = np.unique([p for policy in self.policies for row in policy for t in row for p in t.ravel()])

    def chain(self, rng, like=None, carrier=None):
        """Constraints (block, action, at, upper), random, or nearly the images of others."""
        if like is not None:
            found = []
            for (i, t, k), action, at, upper in like:
                *block, moved = carrier[i, t, k, action]
                change = Fraction(int(rng.choice([0, 0, 0, 0, -1, 1])), 16)
                at = min(max(at + change, Fraction(1, 64)), Fraction(63, 64))
                found.append((tuple(block), moved, at, upper != (rng.random() < 0.05)))
            return found[: len(found) - (rng.random() < 0.1)] + self.chain(rng)[: int(rng.integers(2))]
        coordinates = list(self.carriers[0])
        found = []
        for _ in range(int(rng.integers(1, 4))):
            i, t, k, action = coordinates[int(rng.integers(len(coordinates)))]
            at = Fraction(round(float(rng.choice(self.values)) * 64), 64) + Fraction(int(rng.integers(-1, 2)), 64)
            at = min(max(at, Fraction(1, 64)), Fraction(63, 64))
            found.append(((i, t, k), action, at, bool(rng.integers(2))))
        return found


def tree_of(chains, of, carrier):
    """Nodes with one path for each chain of constraints; the last node of the second is an image of that of the
    first."""
    nodes, children, ends = [Node(None, (0, 1), (), None, ("beta", Fraction(1, 2)))], [[]], []
    for chain in chains:
        parent = 0
        for block, action, at, upper in chain:
            nodes.append(Node(parent, (0, 1), (), None, (block, action, at)))
            number = len(nodes) - 1
            children[parent].append(number)
            # the path goes on in the first or the second child; the other one is no node here
            children.append([-1] if upper else [])
            parent = number
        nodes.append(Node(parent, (0, 1), (), None, None))
        children[parent].append(len(nodes) - 1)
        children.append([])
        ends.append(len(nodes) - 1)
    nodes[ends[1]] = Node(nodes[ends[1]].parent, (0, 1), (), (ends[0] if of is None else of, carrier), None)
    return nodes, children, list(range(len(nodes))), ends


def satisfies(policy, chain, slack):
    return all(
        policy[i][t][k, a] >= float(at) - slack if upper else policy[i][t][k, a] <= float(at) + slack
        for (i, t, k), a, at, upper in chain
    )


def carried_back(case, policy, carrier):
    """g^-1 pi, entry by entry."""
    found = [[np.full_like(table, np.nan) for table in row] for row in policy]
    for (i, t, k, a), (j, u, m, b) in carrier.items():
        found[i][t][k, a] = policy[j][u][m, b]
    return found


def accepted_and_wrong(engine):
    """(pairs of nodes accepted that some stationary policy is in, stationary policies that refute them)."""
    accepted, wrong = 0, 0
    for number in GAMES:
        case, rng = CASES[number], np.random.default_rng(number)
        engine.begin(case.process)
        for _ in range(PAIRS):
            carrier = case.carriers[int(rng.integers(len(case.carriers)))]
            first = case.chain(rng)
            second = case.chain(rng, first, carrier if rng.random() < 0.7 else {c: c for c in carrier})
            nodes, children, last, ends = tree_of((first, second), None, carrier)
            box = engine.initial_box()
            for block, action, at, upper in second:
                box = engine.split(box, block, action, at, upper)
            try:
                image.check_image(nodes, children, last, ends[1], box, engine)
            except Failed:
                continue
            inside = [p for p in case.policies if satisfies(p, second, -SURE)]
            accepted += bool(inside)
            wrong += sum(not satisfies(carried_back(case, p, carrier), first, SURE) for p in inside)
    return accepted, wrong


CASES = [Case(number) for number in GAMES]


def test_there_is_something_to_refute():
    assert sum(len(case.policies) > 1 for case in CASES) >= 6
    assert max(len(case.carriers) for case in CASES) > 1 and any(len(case.process.joint) == 2 for case in CASES)


def test_images_of_stationary_policies_are_stationary():
    for case in CASES:
        for carrier in case.carriers:
            for policy in case.policies:
                moved = carried_back(case, policy, carrier)
                values = approx_soft_values(case.plan, moved, case.beta)
                for i, row in enumerate(values):
                    for t, table in enumerate(row):
                        assert np.abs(softmax(table / case.plan.weights[i]) - moved[i][t]).max() < 1e-6


@pytest.mark.parametrize("engine", [StdlibEngine, FastEngine])
def test_what_is_accepted_is_true(engine):
    accepted, wrong = accepted_and_wrong(engine())
    assert accepted > 40 and wrong == 0


def slack(monkeypatch):
    def within(self, box, block, action, at, upper):
        agent, depth, k = block
        own = box.layers[depth][agent][k]
        one, room = 1 << 60, (1 << 60) // 10
        return own.lower[action] >= at * one - room if upper else own.upper[action] <= at * one + room

    monkeypatch.setattr(StdlibEngine, "within", within)


def one_side(monkeypatch):
    whole = StdlibEngine.within
    monkeypatch.setattr(StdlibEngine, "within", lambda self, *of: of[-1] or whole(self, *of))


def one_constraint_fewer(monkeypatch):
    whole = image.policy_splits
    monkeypatch.setattr(image, "policy_splits", lambda *of: whole(*of)[1:])


def no_carrier(monkeypatch):
    """The constraints themselves, not their images."""
    whole = StdlibEngine.within
    source = {}

    def splits(nodes, children, number):
        found = whole_splits(nodes, children, number)
        source["at"] = iter(found)
        return found

    def within(self, box, block, action, at, upper):
        own, a, _, _ = next(source["at"])
        return whole(self, box, own, a, at, upper)

    whole_splits = image.policy_splits
    monkeypatch.setattr(image, "policy_splits", splits)
    monkeypatch.setattr(StdlibEngine, "within", within)


@pytest.mark.parametrize("broken", [slack, one_side, one_constraint_fewer, no_carrier])
def test_a_condition_less_is_refuted(broken, monkeypatch):
    """Falsification: each weaker condition lets something pass that a stationary policy contradicts."""
    broken(monkeypatch)
    assert accepted_and_wrong(StdlibEngine())[1] > 0


def mutual(alpha_star):
    """Two levers, split at 1/2; each half is the image of the other: a false claim."""
    game = game_to_json(builtin("lever:2"))
    beta = ["0", str(1 / Fraction(alpha_star))]
    split = {"agent": 0, "depth": 0, "class": 0, "action": 0, "at": "1/2"}
    nodes = [{"parent": None, "beta": beta, "steps": [], "split": split}]
    # a step that holds tells the checker that the other action has the rest
    rest = {"agent": 0, "depth": 0, "log_ratio": [[1 << 19, 1 << 19]]}
    for of in (2, 1):
        nodes.append({"parent": 0, "beta": beta, "steps": [rest], "close": {"image": {"node": of, "automorphism": 0}}})
    flip = {"agents": [0, 1], "states": [0], "actions": [[1, 0], [1, 0]], "observations": [[0], [0]]}
    return {
        "format": "certify-certificate",
        "version": 1,
        "kind": "threshold",
        "game": game,
        "game_sha256": sha256(game),
        "objective": "visitation",
        "claim": {"alpha_star": str(alpha_star), "strong_concavity": []},
        "proof": {"type": "cover", "unit": -4, "nodes": nodes, "automorphisms": [flip]},
    }


@pytest.mark.parametrize("engine", ["stdlib", "fast"])
def test_circles_prove_nothing(engine, monkeypatch):
    """Two levers have several policies below 1/2; without the rule about the order a circle claims 1/10."""
    verdict = check_certificate(mutual("1/10"), engine)
    assert not verdict.valid and verdict.failed_step["node"] == 1 and "listed before" in verdict.failed_step["why"]
    whole = image.check_image
    monkeypatch.setattr(
        image, "check_image", lambda nodes, children, last, *of: whole(nodes, children, [0] * len(nodes), *of)
    )
    assert check_certificate(mutual("1/10"), engine).valid  # false: the rule is needed


def test_other_names_have_no_images():
    """Where illegal actions are other names of legal ones an entry is no probability that a symmetry carries."""
    game = json.loads((FOLDER / "kl" / "valid" / "optimum.json").read_text(encoding="utf-8"))["game"]
    certificate = mutual("1") | {"game": game, "game_sha256": sha256(game), "objective": "kl"}
    certificate["proof"]["automorphisms"] = []
    verdict = check_certificate(certificate, "stdlib")
    assert verdict.failed_step["step"] == "automorphisms" and "other names" in verdict.failed_step["why"]
