"""Branch and bound on one fundamental domain: fewer boxes, the same claims, and nothing that the checker takes on
trust."""

import copy
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from bracket_multistart import FACTORS, different_policies
from symmetric_games import symmetric_game

import certify
from certify.answers import ladder
from certify.answers.carried import symmetries_of
from certify.certificates.threshold import cover_certificate
from certify.checker import check_certificate
from certify.games import builtin
from certify.games.objective import for_objective
from certify.games.tree import unroll
from certify.thresholds.cover import Effort, Stalled, find_cover
from certify.thresholds.cover_tree import Node, images_last, joined, node_from_json, node_to_json, restrict
from certify.thresholds.images import MOST_ELEMENTS, NO_SYMMETRIES
from certify.thresholds.index_tables import Plan


def images(nodes):
    return [k for k, node in enumerate(nodes) if isinstance(node.close, dict)]


def accepted(game, nodes, symmetries, engine="fast"):
    document = cover_certificate(game, images_last(nodes), [], automorphisms=symmetries.maps)
    return check_certificate(json.loads(json.dumps(document)), engine)


class Search:
    """A game, its symmetries, and covers with and without them."""

    def __init__(self, name, alpha, horizon=None, objective="entropy"):
        self.game = for_objective(builtin(name, horizon), objective)
        self.plan = Plan(unroll(self.game))
        self.symmetries = symmetries_of(self.plan.tree)
        self.high = 1 / Fraction(alpha)
        self.rounds = []

    def cover(self, symmetries, **more):
        return find_cover(self.plan, self.high, effort=Effort(branch=True, symmetries=symmetries), **more)


@pytest.mark.parametrize(
    "name, alpha, horizon, objective, part",
    [
        ("lever:3", "367/1000", None, "entropy", 0.9),
        ("lever:3", "367/1000", None, "local", 0.9),
        ("lever:3", "367/1000", None, "kl", 0.9),
        pytest.param("dectiger", "13", 2, "entropy", 0.95, marks=pytest.mark.slow),
        pytest.param("dectiger", "12386/1000", 2, "entropy", 0.85, marks=pytest.mark.slow),
    ],
)
def test_fewer_steps_prove_the_same(name, alpha, horizon, objective, part):
    search = Search(name, alpha, horizon, objective)
    whole, domain = search.cover(NO_SYMMETRIES), search.cover(search.symmetries)
    assert not images(whole) and images(domain)
    count = [sum(len(node.steps) for node in nodes) for nodes in (whole, domain)]
    assert count[1] < part * count[0], count
    verdict = accepted(search.game, domain, search.symmetries)
    assert verdict.valid, verdict.failed_step


def test_without_symmetries_nothing_changes():
    search = Search("climbing", "10")
    assert search.symmetries is NO_SYMMETRIES
    assert not images(search.cover(search.symmetries))
    document = cover_certificate(search.game, search.cover(NO_SYMMETRIES), [])
    assert "automorphisms" not in document["proof"]


@pytest.fixture(scope="module")
def levers():
    search = Search("lever:3", "367/1000")
    search.nodes = search.cover(
        search.symmetries, save=lambda nodes: search.rounds.append(copy.deepcopy([node_to_json(n) for n in nodes]))
    )
    return search


def test_a_search_goes_on_where_it_stopped(levers):
    whole = [node_to_json(node) for node in levers.nodes]
    chosen = [r for r in levers.rounds[:-1] if any(isinstance(node.get("close"), dict) for node in r)]
    assert chosen
    for kept in chosen[:: max(1, len(chosen) // 3)]:
        nodes = [node_from_json(json.loads(json.dumps(node))) for node in kept]
        assert [node_to_json(node) for node in levers.cover(levers.symmetries, nodes=nodes)] == whole


def test_parts_and_pieces_keep_their_images(levers):
    """Joined with another piece, and cut short, the tree is accepted still."""
    above = find_cover(
        levers.plan,
        levers.high * Fraction(201, 200),
        low=levers.high,
        effort=Effort(branch=True, symmetries=levers.symmetries),
    )
    nodes = joined([levers.nodes, above])
    assert len(images(nodes)) == len(images(levers.nodes)) + len(images(above))
    assert accepted(levers.game, nodes, levers.symmetries).valid
    split = next(node for node in levers.nodes if "agent" in (node.split or {}))
    reached = split.low + (split.high - split.low) / 2
    cut = restrict(levers.nodes, reached)
    assert images(cut) and cut[0].high == reached
    verdict = accepted(levers.game, cut, levers.symmetries)
    # steps that were found for a longer interval may be refused, images not
    assert verdict.valid or verdict.failed_step["step"] != "close", verdict.failed_step


def test_images_are_listed_after_what_they_rest_on(levers):
    nodes = images_last(levers.nodes)
    last = list(range(len(nodes)))
    for k in reversed(range(1, len(nodes))):
        last[nodes[k].parent] = max(last[nodes[k].parent], last[k])
    assert images(nodes) and all(last[nodes[k].close["image"]["node"]] < k for k in images(nodes))


def test_the_order_of_the_search_itself_is_refused(levers):
    """Falsification: as the search grows the tree, images come before parts of what they rest on."""
    document = cover_certificate(levers.game, levers.nodes, [], automorphisms=levers.symmetries.maps)
    verdict = check_certificate(json.loads(json.dumps(document)), "stdlib")
    assert not verdict.valid and "listed before" in verdict.failed_step["why"]


def test_a_search_with_a_false_symmetry_costs_the_cover(levers):
    """What the search believes of symmetries is worth nothing to the checker."""
    wrong = replace(levers.symmetries, images=np.roll(levers.symmetries.images, 1, axis=0))
    try:
        nodes = levers.cover(wrong)
    except Stalled as stalled:
        nodes = restrict(stalled.nodes, stalled.reached)
    assert images(nodes)
    verdict = accepted(levers.game, nodes, wrong)
    assert not verdict.valid and verdict.failed_step["step"] == "close"


def test_large_groups_are_used_in_part():
    tree = unroll(builtin("lever:6"))
    found = symmetries_of(tree)
    assert len(found.maps) == len(found.images) == MOST_ELEMENTS
    assert sorted(found.images[0].tolist()) == list(range(12))


def test_one_domain_leaves_no_policy_out(levers):
    """Multistart finds one policy only, at the temperature that a cover with images proves and above."""
    assert images(levers.nodes) and accepted(levers.game, images_last(levers.nodes), levers.symmetries).valid
    for factor in FACTORS:
        assert different_policies(levers.game, factor / float(levers.high), np.random.default_rng(1)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [11, 12])
def test_symmetric_games_withstand(number):
    """Likewise at the threshold of random symmetric games with images in the proof."""
    game, _ = symmetric_game(number)
    result = certify.threshold(game, method="search", rtol="1/100", time_limit=120)
    assert any(isinstance(node.get("close"), dict) for node in result.document["proof"]["nodes"])
    for factor in FACTORS:
        assert different_policies(game, factor * float(result.alpha_star), np.random.default_rng(number)) == 1


def test_the_ladder_hands_them_on(monkeypatch):
    given = []
    monkeypatch.setattr(ladder, "sharpen", lambda *of, symmetries, **more: given.append(len(symmetries.maps)) or [])
    certify.threshold("lever:3", method="search", rtol="1/100")
    assert given == [11]


def test_unequal_weights_leave_fewer():
    game = replace(builtin("lever:2"), weights=(Fraction(1), Fraction(2)))
    assert len(symmetries_of(unroll(game)).maps) == 1 < len(symmetries_of(unroll(builtin("lever:2"))).maps)


def test_a_node_survives_json():
    node = Node(0, Fraction(0), Fraction(1), [], {"image": {"node": 1, "automorphism": 0}})
    assert node_from_json(json.loads(json.dumps(node_to_json(node)))) == node
