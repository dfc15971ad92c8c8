"""Gambit itself as an oracle, where pygambit is installed: it reads what we write, and its logit equilibria are our
stationary policies.  `benchmarks/gambit_qre.py` compares more games."""

import re
from fractions import Fraction as F
from pathlib import Path

import pytest

import certify
from certify.games.export import efg_text, nfg_text

pygambit = pytest.importorskip("pygambit", reason="pygambit is not installed: Gambit is not asked")
FOLDER = Path(__file__).resolve().parent / "gambit"
TABLES = [FOLDER / "nfg" / "stag_hunt.nfg", FOLDER / "nfg" / "dilemma.nfg", "climbing", "lever:3:9/10"]


@pytest.mark.parametrize("source", TABLES, ids=str)
def test_gambit_solves_the_same_game(source, tmp_path):
    game = certify.load(source)
    path = tmp_path / "game.nfg"
    path.write_text(nfg_text(game), encoding="utf-8")
    theirs = pygambit.read_nfg(str(path))
    threshold = certify.threshold(game, method="structural")
    alpha = threshold.alpha_star * F(3, 2)
    point = pygambit.qre.logit_solve_lambda(theirs, [float(1 / alpha)])[0]
    assert abs(point.lam * float(alpha) - 1) < 1e-6  # it may stop elsewhere
    optimum = certify.optimum(game, alpha, threshold=threshold)
    for agent, player in zip(game.agents, theirs.players, strict=True):
        strategies = player.strategies if hasattr(player, "strategies") else theirs.get_strategies(player)
        ours = optimum.policy[f"{agent}:"].values()
        for own, strategy in zip(ours, strategies, strict=True):
            assert abs(float((own.lower + own.upper) / 2) - float(point.profile[player][strategy])) < 1e-6


@pytest.mark.parametrize(("name", "horizon"), [("dectiger", 2), ("two-stage-lever", 2), ("lewis:2", None)])
def test_gambit_reads_our_trees(name, horizon, tmp_path):
    game = certify.load(name, horizon)
    path = tmp_path / "game.efg"
    path.write_text(efg_text(game), encoding="utf-8")
    theirs = pygambit.read_efg(str(path))
    assert theirs.is_perfect_recall and len(theirs.players) == len(game.agents)
    profile = theirs.mixed_behavior_profile(rational=True)  # everybody uniform
    payoffs = {F(str(payoff_of(profile, player))) for player in theirs.players}
    from certify.bounds.evaluate import evaluate
    from certify.games.tree import unroll

    tree = unroll(game)
    (payoff,) = payoffs
    assert evaluate(tree, tree.uniform(), 1).reward.contains(payoff)


def test_the_local_bonus_has_gambits_agent_equilibria(tmp_path):
    """Two steps: docs/theory/potential.md#payoffs-that-agree."""
    path = tmp_path / "hanabi.efg"
    path.write_text(efg_text(certify.load("tiny-hanabi:E")), encoding="utf-8")
    game = certify.load(path)
    threshold = certify.threshold(game, objective="local", method="structural")
    alpha = threshold.alpha_star * F(3, 2)
    optimum = certify.optimum(game, alpha, objective="local", threshold=threshold)
    theirs = pygambit.read_efg(str(path))
    point = pygambit.qre.logit_solve_lambda(theirs, [float(1 / alpha)], use_strategic=False)[0]
    assert abs(point.lam * float(alpha) - 1) < 1e-6
    rows = [list(row.values()) for row in optimum.policy.values()]
    ours = sorted(float((p.lower + p.upper) / 2) for row in rows if len(row) > 1 for p in row)
    numbers = sorted(map(float, re.findall(r"\d\.\d+(?:e-\d+)?", str(point.profile))))
    assert len(ours) == len(numbers) == 24
    assert max(abs(a - b) for a, b in zip(ours, numbers, strict=True)) < 1e-6


@pytest.mark.parametrize(("name", "horizon"), [("recycling", 2), ("two-stage-lever", 2), ("broadcast-channel", 2)])
def test_the_policy_of_the_local_bonus_is_the_agent_logit_equilibrium(name, horizon, tmp_path):
    game = certify.load(name, horizon, discount=1)  # Gambit counts all payoffs from the beginning
    path = tmp_path / "game.efg"
    path.write_text(efg_text(game), encoding="utf-8")
    theirs = pygambit.read_efg(str(path))
    threshold = certify.threshold(game, objective="local", method="structural")
    alpha = threshold.alpha_star * F(5, 4)
    point = pygambit.qre.logit_solve_lambda(theirs, [float(1 / alpha)])[0]
    assert abs(point.lam * float(alpha) - 1) < 1e-6  # it may stop elsewhere
    optimum = certify.optimum(game, alpha, objective="local", threshold=threshold)
    entropy = certify.optimum(game, alpha)
    ours = sorted(float((p.lower + p.upper) / 2) for row in optimum.policy.values() for p in row.values())
    others = sorted(float((p.lower + p.upper) / 2) for row in entropy.policy.values() for p in row.values())
    found = sorted(float(p) for player in point.profile for _, mixed in player for _, p in mixed)
    assert len(found) == len(ours)
    assert max(abs(p - q) for p, q in zip(found, ours, strict=True)) < 1e-6
    if name != "two-stage-lever":
        assert max(abs(p - q) for p, q in zip(found, others, strict=True)) > 1e-5


def payoff_of(profile, player):
    """A player's payoff, whichever of pygambit's interfaces is there."""
    if hasattr(profile, "payoff"):
        return profile.payoff(player)
    found = profile.payoffs() if callable(profile.payoffs) else profile.payoffs
    return found[player]
