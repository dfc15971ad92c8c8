"""Policies under KL to a reference with legal sets: enclosed, compared with plain recursion in floats."""

from __future__ import annotations

import json
import sys
from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest
from legal_games import MATCH, MIRROR
from legal_oracle import Logits, worth

import certify
from certify.answers.optimum_result import OptimumResult
from certify.bounds.other_names import other_names
from certify.checker import check_certificate
from certify.entropy.flow import flow_report, history_tree
from certify.errors import InputError
from certify.games import Game, as_game, game_to_json
from certify.games.histories import histories
from certify.games.tree import unroll
from certify.symmetry import read_map, symmetries
from certify.symmetry.histories import act, fixed_subspace, is_equivariant

sys.path.insert(0, str(Path(__file__).parent.parent / "thresholds"))
from test_kl import preferred_lever, random_games

ENGINES = ("stdlib", "fast")


def centres(result: OptimumResult) -> dict[str, dict[str, float]]:
    return {key: {a: float(p.lower + p.upper) / 2 for a, p in row.items()} for key, row in result.policy.items()}


def subjects() -> list:
    return [
        (as_game(MATCH), F(1)),
        (as_game(MIRROR), F(2)),
        (preferred_lever(3), F(1)),
        (random_games(7), F(20)),
        *(pytest.param(random_games(seed), F(20), marks=pytest.mark.slow) for seed in (2, 3, 4, 5)),
    ]


@pytest.mark.parametrize(("game", "alpha"), subjects(), ids=lambda x: getattr(x, "name", None))
def test_values_stationarity_and_rate_are_those_of_the_definition(game: Game, alpha: F) -> None:
    found = certify.optimum(game, alpha, objective="kl")
    assert found.status == "proved" and found.objective == "kl"
    policy = centres(found)
    reward, bonus = worth(game, policy)
    assert bonus <= 1e-12
    for name, value in (("return_", reward), ("entropy", bonus), ("value", reward + float(alpha) * bonus)):
        enclosure = getattr(found, name)
        assert float(enclosure.lower) - 1e-9 <= value <= float(enclosure.upper) + 1e-9, name
        assert enclosure.upper - enclosure.lower < F(1, 10**9)
    flow = Logits(game, policy, float(alpha))
    assert np.abs(flow.gradient()).max() < 1e-8
    frame = flow.tangent()
    slowest = np.linalg.eigvalsh(-(frame.T @ flow.hessian() @ frame))[0]
    assert found.rate is not None and 0.999 * slowest < float(found.rate) < 1.001 * slowest
    if found.greedy_return is not None:
        greedy = {
            key: {a: 1.0 / len(found.greedy[key]) if a in found.greedy[key] else 0.0 for a in row}
            for key, row in policy.items()
        }
        assert worth(game, greedy)[0] == pytest.approx(float(found.greedy_return))


def test_fixed_sets_and_no_reference_pay_the_entropy_less_a_constant() -> None:
    game, alpha = certify.load("two-stage-lever"), F(3)
    entropy, kl = (certify.optimum(game, alpha, objective=o) for o in ("entropy", "kl"))
    assert centres(entropy) == centres(kl) and entropy.rate == kl.rate and entropy.greedy == kl.greedy
    constant = 4 * np.log(2)
    assert float(entropy.entropy.lower - kl.entropy.lower) == pytest.approx(constant)


@pytest.mark.slow
def test_a_path_and_a_branch_below_the_threshold() -> None:
    game = as_game(MIRROR)
    known = certify.threshold(game, objective="kl", method="structural")
    path = certify.optimum(game, (5, 6), objective="kl", threshold=known, width="1/10")
    assert path.status == "proved" and path.kind == "unique"
    at = certify.optimum(game, 5, objective="kl", threshold=known)
    assert path.pieces[0].value.lower <= at.value.upper and at.value.lower <= path.pieces[0].value.upper
    # -KL is negative, so J is least at the highest temperature of a piece: only wide pieces can tell
    wide = certify.optimum(lever := preferred_lever(3), (1, 4), objective="kl", width="1/2")
    assert wide.status == "proved", wide.reason
    for alpha in (1, 2, 4):
        at = certify.optimum(lever, alpha, objective="kl")
        assert wide.value.lower <= at.value.lower and at.value.upper <= wide.value.upper
    lever = preferred_lever(5)
    known = certify.threshold(lever, objective="kl", method="structural")
    below = certify.optimum(lever, F(1, 5), objective="kl", threshold=known)
    assert below.status == "proved" and below.kind == "principal branch"
    assert all(set(row) == {"0"} for row in below.greedy.values())  # the preferred lever


def test_a_symmetry_carries_names_to_other_names() -> None:
    game = as_game(MIRROR)
    group = symmetries(game)
    assert group.order == 4
    tree = unroll(game, cluster=False)
    names = other_names(tree)
    flat = np.where(names.legal, np.random.default_rng(1).random(names.layout.size), 0.0)
    flat = flat / names.layout.row_sums(flat)[names.layout.row_of_entry]
    policy = names.layout.nested(names.spread(flat))
    seen = set()
    for g in group.elements():
        moved = act(tree, g, policy)
        back = act(tree, g.inverse(), moved)
        assert all(np.allclose(x, y) for a, b in zip(back, policy, strict=True) for x, y in zip(a, b, strict=True))
        keyed = [named(tree, p) for p in (policy, moved)]
        assert worth(game, keyed[0]) == pytest.approx(worth(game, keyed[1]))
        seen.add(json.dumps(keyed[1]))
    assert len(seen) == 4
    swap = read_map(
        game, {"actions": {i: {"a": "c", "c": "a"} for i in ("one", "two")},
               "observations": {i: {"low": "high", "high": "low"} for i in ("one", "two")},
               "states": {"low": "high", "high": "low"}}
    )  # fmt: skip
    first, image = named(tree, policy), named(tree, act(tree, swap, policy))
    assert image["one:c,high"] == pytest.approx({"b": first["one:a,low"]["b"], "c": first["one:a,low"]["a"]})
    space = fixed_subspace(tree, group.generators)
    assert (space.parameters, space.all_parameters) == (3, 14)  # one after a match, two after a mismatch
    assert is_equivariant(tree, group.generators, names.uniform()).status == "proved"
    assert is_equivariant(tree, group.generators, policy).status == "refuted"


def named(tree, policy) -> dict[str, dict[str, float]]:
    names = other_names(tree)
    table = names.layout.nested(names.gathered(names.layout.flat(policy)))
    return {
        x.key: {
            tree.game.actions[i][action]: float(table[i][x.depth][x.class_index, number])
            for number, action in enumerate(tree.levels[x.depth].legal_actions(i, x.class_index))
        }
        for i in range(2)
        for x in histories(tree, i)
    }


def test_ties_by_symmetry_where_actions_are_illegal() -> None:
    found = certify.optimum(as_game(MIRROR), F(2), objective="kl")
    assert found.greedy["one:"] == ("a", "c")
    tie = next(t for t in found.ties if t.infoset == "one:")
    assert tie.proved and set(tie.orbit) == {("one:", "a"), ("one:", "c"), ("two:", "a"), ("two:", "c")}
    assert found.greedy["one:a,low"] == ("a",) and found.greedy["one:c,high"] == ("c",)
    assert set(found.policy["one:a,low"]) == {"a", "b"}
    assert found.greedy_return == F(1, 2) * (1 + F(9, 10) / 2) + F(1, 2) * F(9, 10) / 4


def test_cross_play_below_and_above(tmp_path: Path) -> None:
    game = as_game(MIRROR)
    below = certify.cross_play(game, F(1, 4), objective="kl")
    assert below.relation == "gap" and below.orbit is not None and len(below.orbit.policies) == 2
    assert below.gap.lower > 0 and below.group_order == 4
    known = certify.threshold(game, objective="kl", method="structural")
    path = known.save(tmp_path / "mirror.cert.json")
    above = certify.cross_play(game, known.alpha_star, objective="kl", certificate=path)
    assert above.relation == "equal" and above.alpha_star == known.alpha_star
    with pytest.raises(InputError, match="use --objective kl"):
        certify.cross_play(game, 3)


@pytest.mark.parametrize("objective", ["entropy", "kl"])
def test_thresholds_of_the_other_objective_are_refused(objective: str, tmp_path: Path) -> None:
    other = "kl" if objective == "entropy" else "entropy"
    path = certify.threshold("lever:2", method="structural", objective=other).save(tmp_path / "t.json")
    for call in (
        lambda: certify.optimum("lever:2", 1, objective=objective, threshold=path),
        lambda: certify.cross_play("lever:2", 1, objective=objective, certificate=path),
    ):
        with pytest.raises(InputError, match="a certificate for the objective"):
            call()


def test_policies_in_files() -> None:
    game = as_game(MIRROR)
    table = {
        f"{agent}:{key}": row
        for agent in ("one", "two")
        for key, row in {
            "": {"a": "1/2", "c": "1/2"},
            "a,low": {"a": "3/4", "b": "1/4"},
            "c,high": {"c": "3/4", "b": "1/4"},
            **{key: dict.fromkeys("abc", "1/3") for key in ("a,miss", "c,miss")},
        }.items()
    }
    found = certify.policy_distance(game, 2, table, objective="kl")
    exact = centres(certify.optimum(game, 2, objective="kl"))
    wanted = max(abs(float(F(p)) - exact[key][a]) for key, row in table.items() for a, p in row.items())
    assert found.status == "proved" and float(found.distance) == pytest.approx(wanted)
    gap = worth(game, exact)[0] - worth(game, {k: {a: float(F(p)) for a, p in r.items()} for k, r in table.items()})[0]
    assert float(found.return_gap.lower) <= gap + 1e-9 and gap - 1e-9 <= float(found.return_gap.upper)
    with pytest.raises(InputError, match="'c' is illegal there"):
        certify.policy_distance(game, 2, table | {"one:a,low": {"a": "1/2", "c": "1/2"}}, objective="kl")


@pytest.mark.parametrize("seed", [3, 8])
def test_entropy_along_the_flow(seed: int) -> None:
    game, alpha = random_games(seed), F(2)
    tree = history_tree(game, "kl")
    names = other_names(tree)
    rng = np.random.default_rng(seed)
    flat = np.array([F(int(rng.integers(1, 9))) if legal else F(0) for legal in names.legal], dtype=object)
    flat = flat / names.layout.row_sums(flat)[names.layout.row_of_entry]
    policy = names.layout.nested(names.spread(flat))
    report = flow_report(tree, policy, alpha)
    flow = Logits(game, named(tree, policy), float(alpha))
    gradient = flow.gradient()
    h = 1e-5
    ahead, back = (flow.policy(flow.at + s * h * gradient) for s in (1, -1))
    for x in report.histories:
        rows = [np.array(list(p[x.key].values())) for p in (ahead, back)]
        entropies = [-(r * np.log(r)).sum() for r in rows]
        assert float(x.rate.lower) == pytest.approx((entropies[0] - entropies[1]) / (2 * h), abs=1e-7)
    totals = [worth(game, p)[1] for p in (ahead, back)]
    assert float(report.total.lower) == pytest.approx(worth(game, flow.policy(flow.at))[1])
    assert float(report.total_rate.lower) == pytest.approx((totals[0] - totals[1]) / (2 * h), abs=1e-6)
    assert float(report.value_rate.lower) == pytest.approx(gradient @ gradient)


def test_moduli_where_actions_are_illegal() -> None:
    found = certify.threshold(as_game(MIRROR), objective="kl", method="localisation", rtol="1/2", modulus_at=[10])
    assert found.document is not None and len(found.document["claim"]["strong_concavity"]) == 2
    alpha, modulus = 10.0, float(F(found.document["claim"]["strong_concavity"][1]["modulus"]))
    best = centres(certify.optimum(as_game(MIRROR), 10, objective="kl"))
    flow = Logits(as_game(MIRROR), best, alpha)
    # at a stationary policy Hess_theta = S D^2J S: -D^2J >= modulus W in the metric W = w gamma^t d / pi
    frame, steps = flow.tangent(), flow.hessian()
    weights = np.array([
        (1.0 if key.endswith(":") else 0.9 * reach(best, key)) * p for key, row in best.items() for p in row.values()
    ])  # fmt: skip
    inner = np.zeros_like(steps)
    start = 0
    for row in best.values():
        p = np.array(list(row.values()))
        inner[start : start + len(p), start : start + len(p)] = -np.outer(p, p)
        start += len(p)
    scale = weights / np.array([p for row in best.values() for p in row.values()])
    metric = np.diag(weights) + inner * scale[:, None]  # S W^-1.. of one block: w gamma^t d (diag pi - pi pi^T)
    least = np.linalg.eigvalsh(np.linalg.solve(frame.T @ metric @ frame, -(frame.T @ steps @ frame))).min()
    assert 0 < modulus <= least * 1.0001


def reach(policy: dict, key: str) -> float:
    """d(x) of a history of the second step of the mirror game."""
    agent, history = key.split(":")
    action, seen = history.split(",")
    other = policy["two:" if agent == "one" else "one:"]
    met = other[action] if seen != "miss" else 1 - other[action]
    return policy[f"{agent}:"][action] * met


def test_the_certificate_is_about_the_game() -> None:
    game = random_games(7)
    found = certify.optimum(game, 20, objective="kl")
    assert found.document["game"] == game_to_json(game) and found.document["objective"] == "kl"
    for engine in ENGINES:
        verdict = check_certificate(json.loads(json.dumps(found.document)), engine)
        assert verdict.valid and "with KL to its reference" in verdict.claim
