"""certify.optimum and certify.policy_distance: against other proofs, closed forms, brute force."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from random_games import random_games

import certify
from certify import checker
from certify.answers.threshold import threshold
from certify.bounds import arb_evaluate
from certify.errors import InputError
from certify.games import builtin
from certify.games.histories import histories
from certify.games.oneshot import one_shot
from certify.games.tree import unroll
from certify.stationary import enclosed
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.approx_policies import approx_settle
from certify.stationary.existence import prove_stationary
from certify.stationary.piece_proof import PieceProof
from certify.thresholds.approx_policy import approx_stationary
from certify.thresholds.index_tables import Plan

TIGHT = Fraction(1, 10**12)


def structural(game):
    return threshold(game, method="structural")


def by_key(tree, box):
    """{key: {action: (lower, upper)}} of a proof on a clustered tree."""
    found = {}
    for i in range(tree.number_of_agents):
        for x in histories(tree, i):
            names = [tree.game.actions[i][a] for a in tree.game.actions_at(i, x.depth)]
            ends = (box.lower[i][x.depth][x.class_index], box.upper[i][x.depth][x.class_index])
            found[x.key] = {a: (lo, hi) for a, lo, hi in zip(names, *ends, strict=True)}
    return found


@pytest.mark.parametrize(
    "name, horizon, alpha", [("dectiger", 2, 340), ("tiny-hanabi:E", None, 60), ("match:2x2x2", None, 3)]
)
def test_enclosures_agree_with_another_proof_and_with_arb(name, horizon, alpha) -> None:
    game = builtin(name, horizon)
    result = certify.optimum(game, alpha)
    assert (result.status, result.kind) == ("proved", "unique") and result.radius < TIGHT
    tree = unroll(game)
    policy, _ = approx_stationary(Plan(tree), 1 / alpha)
    other = prove_stationary(tree, Fraction(alpha), policy)
    for key, row in by_key(tree, other.policy).items():
        for action, (low, high) in row.items():
            mine = result.policy[key][action]
            assert mine.lower <= low <= high <= mine.upper  # the other proof is the sharper one
    found = arb_evaluate(tree, other.policy, alpha, precision=200).to_floats()
    for mine, theirs in ((result.value, "value"), (result.return_, "reward"), (result.entropy, "entropy")):
        assert mine.lower <= Fraction(found[theirs].upper) and Fraction(found[theirs].lower) <= mine.upper
        assert mine.upper - mine.lower < TIGHT


def test_closed_forms_of_matching_levers() -> None:
    """Uniform policies; the rate is (alpha - 1/n)/n: minus the Hessian is S (alpha n I - payoff) S."""
    for n, alpha in ((2, Fraction(3)), (3, Fraction(1)), (5, Fraction(4, 5))):
        result = certify.optimum(f"lever:{n}", alpha)
        assert all(p.lower <= Fraction(1, n) <= p.upper for row in result.policy.values() for p in row.values())
        rate = (alpha - Fraction(1, n)) / n
        assert rate * (1 - Fraction(1, 10**4)) < result.rate <= rate
        assert result.greedy_return == Fraction(1, n) and all(tie.proved for tie in result.ties)


def test_greedy_of_dectiger_is_the_best_deterministic_policy() -> None:
    result = certify.optimum("dectiger", 340, horizon=2)
    assert result.greedy_return == -4 and set(result.greedy.values()) == {("listen",)} and not result.ties
    assert all(gap > 0 for gap in result.greedy_gap.values())


def test_constant_payoffs_are_exact_numbers_that_rounding_may_not_lose() -> None:
    result = certify.optimum(one_shot("flat", ["ab", "cd"], dict.fromkeys(itertools.product(range(2), repeat=2), 1)), 1)
    assert result.status == "proved" and result.greedy_return == 1 and all(tie.proved for tie in result.ties)


def test_a_tie_that_no_symmetry_explains_is_undecided() -> None:
    """One agent that cannot see the state: b is worth 0 or 2 at even odds, a is worth 1 for certain."""
    flat = one_shot("coin", ["ab"], {(0,): 1})
    reward = {(0, (0,)): Fraction(1), (1, (0,)): Fraction(1), (1, (1,)): Fraction(2)}
    game = replace(
        flat, states=("tails", "heads"), start=tuple((s, (), Fraction(1, 2)) for s in range(2)), reward=reward
    )
    result = certify.optimum(game, 1)
    assert result.status == "proved" and result.greedy_return is None
    assert [(tie.proved, tie.actions, tie.orbit) for tie in result.ties] == [(False, ("a", "b"), ())]
    document = json.loads(json.dumps(result.document))
    document["claim"]["greedy"]["rows"][0]["tied"] = True
    assert checker.check_certificate(document).failed_step["step"] == "greedy"


def test_a_path_contains_the_points_on_it() -> None:
    tube = certify.optimum("lever:3:1/2", "1/2:3/4", width="1/50")
    assert tube.status == "proved" and len(tube.pieces) > 2
    covered = Fraction(1, 2)
    for piece in tube.pieces:
        assert piece.alpha.lower <= covered
        covered = piece.alpha.upper
        assert max(p.upper - p.lower for row in piece.policy.values() for p in row.values()) <= Fraction(1, 49)
    assert covered == Fraction(3, 4)
    for alpha in (Fraction(1, 2), Fraction(3, 5), Fraction(3, 4)):
        point = certify.optimum("lever:3:1/2", alpha)
        for piece in (p for p in tube.pieces if p.alpha.lower <= alpha <= p.alpha.upper):
            assert piece.value.lower <= point.value.lower and point.value.upper <= piece.value.upper
            assert all(
                piece.policy[key][a].lower <= p.lower and p.upper <= piece.policy[key][a].upper
                for key, row in point.policy.items()
                for a, p in row.items()
            )


def test_the_principal_branch_is_labelled_and_agrees_where_it_is_unique() -> None:
    game = builtin("climbing")
    coarse = certify.optimum(game, 17, threshold=structural(game))  # structural: from 39/2 on
    fine = certify.optimum(game, 17)  # a sharper threshold reaches it
    assert (coarse.kind, fine.kind) == ("principal branch", "unique")
    for key, row in fine.policy.items():
        for action, p in row.items():
            other = coarse.policy[key][action]
            assert max(p.lower, other.lower) <= min(p.upper, other.upper)
    assert "continues the unique one" in checker.check_certificate(coarse.document).claim


def test_the_branch_of_levers_ends_where_the_uniform_policy_degenerates() -> None:
    game = builtin("lever:3")
    above = certify.optimum(game, Fraction(17, 50), threshold=structural(game))
    assert (above.status, above.kind) == ("proved", "principal branch")
    below = certify.optimum(game, Fraction(33, 100), threshold=structural(game))  # a saddle beyond 1/3
    assert below.status == "undecided" and 0 < below.reached - Fraction(1, 3) < Fraction(1, 1000)
    assert "degenerate" in below.reason and below.document is None
    with pytest.raises(InputError):
        below.save("nowhere.json")


def test_a_path_ends_where_the_branch_degenerates() -> None:
    game = builtin("lever:3")
    result = certify.optimum(game, (Fraction(3, 10), Fraction(2, 5)), threshold=structural(game))
    assert (result.status, result.kind) == ("partial", "principal branch") and "degenerate" in result.reason
    assert 0 < result.alpha.lower - Fraction(1, 3) < Fraction(1, 1000) and result.alpha.upper == Fraction(2, 5)
    assert checker.check_certificate(json.loads(json.dumps(result.document))).valid


def test_a_path_may_cross_the_threshold_and_lie_below_it() -> None:
    game = builtin("climbing")  # structural: from 39/2 on
    for alpha in ("19:20", "17:18"):
        result = certify.optimum(game, alpha, threshold=structural(game))
        assert (result.status, result.kind) == ("proved", "principal branch") and not result.reason


def test_what_is_proved_before_an_interruption_is_kept(monkeypatch) -> None:
    calls = itertools.count()
    prove = PieceProof.image

    def interrupted(self, piece):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return prove(self, piece)

    monkeypatch.setattr(PieceProof, "image", interrupted)
    result = certify.optimum("lever:3:1/2", "1/2:3/4")
    assert result.status == "partial" and "interrupted" in result.reason and result.alpha.lower > Fraction(1, 2)


def test_the_checker_has_the_last_word(monkeypatch) -> None:
    wrong = enclosed.policy_ends
    monkeypatch.setattr(enclosed, "policy_ends", lambda image: [[(lo, lo) for lo, _ in row] for row in wrong(image)])
    result = certify.optimum("dectiger", 340, horizon=2)
    assert result.status == "undecided" and "does not confirm" in result.reason and not result.policy


def test_thresholds_are_compared_with_the_game(tmp_path) -> None:
    given = structural(builtin("lever:3"))
    path = given.save(tmp_path / "threshold.json")
    for same in (given, given.document, path, str(path)):
        assert certify.optimum("lever:3", 1, threshold=same).status == "proved"
    with pytest.raises(InputError, match="another game"):
        certify.optimum("lever:4", 1, threshold=path)
    with pytest.raises(InputError, match="not a threshold"):
        certify.optimum("lever:3", 1, threshold={"kind": "optimum"})
    damaged = json.loads(path.read_text())
    damaged["claim"]["alpha_star"] = "1/4"
    below = certify.optimum("lever:3", Fraction(2, 5), threshold=damaged)
    assert below.status == "undecided" and "threshold" in below.reason


@pytest.mark.parametrize("alpha", [0, "-1", "1:1/2", "1:2:3", "x", float("nan"), None, "1e-390", "1e390"])
def test_bad_temperatures(alpha) -> None:
    with pytest.raises(InputError):
        certify.optimum("lever:3", alpha)


HALF = {"0": "1/2", "1": "1/2"}


def test_distance_of_a_table_from_the_uniform_policy() -> None:
    table = {"agent1:": HALF, "agent2:": {"0": "7/10", "1": "3/10"}}
    result = certify.policy_distance("lever:2", 1, table)
    assert result.status == "proved" and result.norm == "max |π − π*|" and result.at[0] == "agent2:"
    assert result.distance_lower <= Fraction(1, 5) <= result.distance < Fraction(1, 5) + TIGHT
    assert result.return_gap.lower <= 0 <= result.return_gap.upper
    peaked = certify.policy_distance("lever:2", 1, {"agent1:": {"0": 1, "1": 0}, "agent2:": {"0": 1, "1": 0}})
    assert abs(peaked.return_gap.lower + Fraction(1, 2)) < TIGHT and peaked.distance >= Fraction(1, 2)


def test_rows_that_miss_one_are_enclosed() -> None:
    table = {"agent1:": HALF, "agent2:": {"0": "0.7000004", "1": "0.3"}}
    result = certify.policy_distance("lever:2", 1, table)
    assert Fraction("0.2000004") <= result.distance < Fraction("0.2000005")
    assert result.return_gap.upper - result.return_gap.lower > Fraction(1, 10**8)


def test_arrays_and_files_mean_the_same_as_documents(tmp_path) -> None:
    game = builtin("dectiger", 2)
    tree = unroll(game, cluster=False)
    rng = np.random.default_rng(0)
    arrays = [np.round(rng.dirichlet(np.ones(3), size=len(histories(tree, i))) * 1024) / 1024 for i in range(2)]
    for array in arrays:
        array[:, 0] += 1 - array.sum(1)
    document = {
        x.key: dict(
            zip(("listen", "open-left", "open-right"), (float(p).hex() and str(Fraction(p)) for p in row), strict=True)
        )
        for i in range(2)
        for x, row in zip(histories(tree, i), arrays[i], strict=True)
    }
    np.savez(tmp_path / "policy.npz", *arrays)
    (tmp_path / "policy.json").write_text(json.dumps(document))
    results = [
        certify.policy_distance(game, 340, p)
        for p in (arrays, document, str(tmp_path / "policy.npz"), str(tmp_path / "policy.json"))
    ]
    assert len({(r.distance, r.at, r.return_gap.lower, r.return_gap.upper) for r in results}) == 1
    optimum = results[0].optimum
    exact = max(
        abs(Fraction(p) - optimum.policy[x.key][a].lower)
        for i in range(2)
        for x, row in zip(histories(tree, i), arrays[i], strict=True)
        for a, p in zip(("listen", "open-left", "open-right"), row, strict=True)
    )
    assert abs(results[0].distance - exact) < TIGHT


def test_below_the_threshold_nothing_is_said_about_a_table() -> None:
    game = builtin("lever:3")
    table = {f"agent{k}:": {"0": "1/3", "1": "1/3", "2": "1/3"} for k in (1, 2)}
    result = certify.policy_distance(game, Fraction(17, 50), table, threshold=structural(game))
    assert result.status == "undecided" and result.distance is None and "uniqueness" in result.reason


@pytest.mark.parametrize(
    "table, what",
    [
        ({"agent1:": HALF}, "no row"),
        ({"agent1:": HALF, "agent2:": {"0": "1/2"}}, "sum to 0.5"),
        ({"agent1:": HALF, "agent2:": HALF, "agent3:": HALF}, "no reachable AOH"),
        ([np.array([[0.5, 0.5]])], "1 arrays"),
        ([np.array([[0.5, 0.5]]), np.array([[np.nan, 0.5]])], "not finite"),
    ],
)
def test_bad_tables(table, what) -> None:
    with pytest.raises(InputError, match=what):
        certify.policy_distance("lever:2", 1, table)


def test_greedy_return_is_that_of_enumeration() -> None:
    payoff = {(a, b): (3 * a + 5 * b + a * b) % 7 for a, b in itertools.product(range(3), repeat=2)}
    result = certify.optimum(one_shot("table", ["012", "012"], payoff), 20)
    best = [int(result.greedy[f"agent{k}:"][0]) for k in (1, 2)]
    assert result.greedy_return == payoff[tuple(best)]


def test_a_game_beyond_the_size_of_a_krawczyk_step_is_undecided() -> None:
    result = certify.optimum("lever:302", 1)
    assert (result.status, result.kind) == ("undecided", None) and "602 log-ratios" in result.reason


def test_a_path_over_many_orders_of_magnitude() -> None:
    result = certify.optimum("lever:3:1/2", ("1", "1e9"), width="1/4")
    assert result.status == "proved" and not result.reason and result.alpha.upper == 10**9


def test_a_game_without_choices() -> None:
    game = one_shot("mute", ["a", "b"], {(0, 0): 3})
    for alpha in ("1", "1:2"):
        result = certify.optimum(game, alpha)
        assert result.status == "proved" and result.return_.lower <= 3 <= result.return_.upper


@pytest.mark.parametrize("number", range(8))
def test_random_games_and_runs_from_random_starts(number: int) -> None:
    """Falsification: no float run at a proved optimum ends elsewhere."""
    game = random_games(11, 8)[number]
    given = structural(game)
    result = certify.optimum(game, max(Fraction(1), given.alpha_star * Fraction(11, 10)), threshold=given)
    assert (result.status, result.kind) == ("proved", "unique"), result.reason
    eq = ApproxEquations(unroll(game, cluster=False))
    if eq.size == 0:
        return  # nobody has a choice: the proof was all
    starts = np.random.default_rng(number).normal(scale=4, size=(eq.size, 12))
    ends = eq.policy(approx_settle(eq, starts, float(1 / result.alpha.lower)))
    wanted = np.array([float(p.lower) for row in result.policy.values() for p in row.values()])
    assert ends.shape[1] > 0 and np.abs(ends - wanted[:, None]).max() < 1e-4


@pytest.mark.slow
def test_dectiger_at_45_with_a_threshold_passed_in(tmp_path) -> None:
    game = builtin("dectiger", 2)
    given = threshold(game, method="localisation", rtol=1).save(tmp_path / "threshold.json")
    result = certify.optimum(game, 45, threshold=given)
    assert (result.status, result.kind) == ("proved", "unique")
    assert result.radius < TIGHT and result.rate > Fraction(9, 10) and result.greedy_return == -4


def test_probabilities_that_a_certificate_cannot_say_are_undecided() -> None:
    """e^-1200: beyond the format's limit of 1,000 for a log-ratio."""
    result = certify.optimum([[2400, 0], [1200, 0]], 1, time_limit=20)
    assert result.status == "undecided" and "beyond what a certificate can say" in result.reason
