"""Self-play and cross-play: exact values, gaps in J, returns that go up, the pair estimator."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from certify.bounds.policy import PolicyBox
from certify.crossplay.approx_runs import proved_runs
from certify.crossplay.matrix import cross_play, orbit_of_policy
from certify.crossplay.pairs import disjoint_pairs
from certify.crossplay.report import study_json, study_text
from certify.crossplay.study import study, study_policies
from certify.errors import InputError
from certify.games import builtin
from certify.games.oneshot import one_shot
from certify.games.tree import unroll
from certify.symmetry import symmetries


def test_dec_tiger_below_the_threshold() -> None:
    """docs/theory/symmetry.md#cross-play: SP about -17.49 against XP about -101.5 at alpha = 6."""
    tree = unroll(builtin("dectiger", 2), cluster=False)
    group = symmetries(tree.game)
    for proof in proved_runs(tree, Fraction(6)):
        orbit = orbit_of_policy(proof, group)
        if (
            len(orbit.policies) == 2
            and abs(float(cross_play(tree, 6, orbit.policies[:1]).sp_reward[0].lower) + 17.49) < 0.01
        ):
            break
    else:
        pytest.fail("the policy with self-play -17.49 was not found")
    assert orbit.stabiliser == 2
    table = cross_play(tree, Fraction(6), orbit.policies)
    assert all(Fraction(-17493, 1000) < sp.lower <= sp.upper < Fraction(-17492, 1000) for sp in table.sp_reward)
    assert Fraction(-10146, 100) < table.xp_reward[0][0][1].lower
    assert table.xp_reward[0][0][1].upper < Fraction(-10145, 100)
    for of in ("J", "return"):
        gap = table.gap(of)
        assert gap.lower > 83 and gap.width < Fraction(1, 10**40)


def test_study_below_and_above() -> None:
    below = study(builtin("dectiger", 2), Fraction(6))
    assert (below.status, below.relation, below.group_order) == ("proved", "gap", 4)
    assert below.gap_of == "return" and below.gap.lower > 83
    above = study(builtin("dectiger", 2), Fraction(45), threshold=lambda game: Fraction(40))
    assert (above.status, above.relation) == ("proved", "equal")
    assert above.gap.lower == above.gap.upper == 0 and len(above.table.sp_reward) == 1
    unknown = study(builtin("dectiger", 2), Fraction(45), threshold=lambda game: Fraction(50))
    assert unknown.status == "undecided" and "50" in unknown.reason
    assert study(builtin("dectiger", 2), Fraction(45)).status == "undecided"


def test_the_return_may_go_up_in_cross_play_while_j_goes_down() -> None:
    """docs/theory/symmetry.md#cross-play, counterexample: SP 6.645, XP 7.143 in one role, at alpha = 3."""
    rows = [[-10, -2, 9], [-2, -4, 5], [9, 5, 8]]
    game = one_shot(
        "counterexample", ["abc", "abc"], {(a, b): r for a, row in enumerate(rows) for b, r in enumerate(row)}
    )
    tree = unroll(game, cluster=False)
    group = symmetries(tree.game)
    assert group.order == 2
    orbits = [orbit_of_policy(proof, group) for proof in proved_runs(tree, Fraction(3), starts=20)]
    split = next(orbit for orbit in orbits if len(orbit.policies) == 2)
    table = cross_play(tree, Fraction(3), split.policies)
    assert abs(float(table.sp_reward[0].lower) - 6.645) < 1e-3
    crossed = sorted(float(table.xp_reward[0][j][k].lower) for j, k in ((0, 1), (1, 0)))
    assert abs(crossed[1] - 7.143) < 1e-3 and crossed[1] > float(table.sp_reward[0].upper)
    assert table.gap("J").lower > 0 and table.gap("return").lower > 0  # the mean over roles is lower
    for j, k in ((0, 1), (1, 0)):
        assert table.xp_value[0][j][k].upper < table.sp_value[0].lower


@pytest.mark.parametrize("name, alpha", [("lever:3", "1/5"), ("two-stage-lever", "1/4"), ("match:3x3x3", "1/8")])
def test_every_pair_of_distinct_stationary_policies_has_a_gap_in_j(name: str, alpha: str) -> None:
    tree = unroll(builtin(name), cluster=False)
    proofs = proved_runs(tree, Fraction(alpha), starts=8)[:4]
    assert len(proofs) > 1
    table = cross_play(tree, Fraction(alpha), [proof.policy for proof in proofs])
    for role in table.xp_value:
        for j in range(len(proofs)):
            for k in range(len(proofs)):
                if j != k:  # one agent of run j among the others of run k: never better than run k
                    assert role[j][k].lower <= table.sp_value[k].upper
    assert all(table.gap("J", (j, k)).lower > 0 for j in range(len(proofs)) for k in range(j))


def test_cross_play_of_given_policies_is_exact() -> None:
    game = builtin("climbing")
    first = [[np.array([[Fraction(1), Fraction(0), Fraction(0)]], dtype=object)]] * 2
    second = [[np.array([[Fraction(0), Fraction(1, 2), Fraction(1, 2)]], dtype=object)]] * 2
    result = study_policies(game, Fraction(1), [PolicyBox(p, p) for p in (first, second)])
    assert result.table.sp_reward[0].contains(11) and result.table.sp_reward[1].contains(Fraction(18, 4))
    assert result.table.xp_reward[0][0][1].contains(-15) and result.table.xp_reward[0][1][0].contains(-15)
    assert result.gap.contains(Fraction(31, 4) + 15)
    with pytest.raises(InputError, match="fewer than two"):
        cross_play(unroll(game, cluster=False), 1, [PolicyBox(first, first)]).gap("J")


def test_an_equivariant_policy_is_its_own_orbit() -> None:
    tree = unroll(builtin("lever:3:9/10"), cluster=False)
    group = symmetries(tree.game)
    proofs = proved_runs(tree, Fraction(2))
    assert len(proofs) == 1
    orbit = orbit_of_policy(proofs[0], group)
    assert len(orbit.policies) == 1 and orbit.stabiliser == group.order == 4


def test_disjoint_pairs_against_numpy() -> None:
    rng = np.random.default_rng(0)
    for size in (2, 3, 7, 8):
        matrix = [[Fraction(int(v)) for v in row] for row in rng.integers(-50, 50, (size, size))]
        estimate = disjoint_pairs(matrix)
        entries = np.array([(matrix[k][k + 1] + matrix[k + 1][k]) / 2 for k in range(0, size - 1, 2)], dtype=float)
        assert estimate.pairs == size // 2 == len(entries)
        assert float(estimate.mean) == pytest.approx(entries.mean())
        if size >= 4:
            assert estimate.approx_standard_error == pytest.approx(entries.std(ddof=1) / np.sqrt(len(entries)))
        else:
            assert estimate.approx_standard_error is None
    for bad in ([[Fraction(1)]], [[Fraction(1), Fraction(2)], [Fraction(3)]]):
        with pytest.raises(InputError, match="square matrix"):
            disjoint_pairs(bad)


def test_where_policies_are_too_large_to_enclose_equality_may_still_be_proved() -> None:
    result = study(builtin("lever:202"), Fraction(3), threshold=lambda game: Fraction(1))
    assert (result.status, result.relation, result.table) == ("proved", "equal", None)
    assert study_json(result, Fraction(3))["sp"] == [] and "equals self-play" in study_text(result, Fraction(3))
    open_case = study(builtin("lever:202"), Fraction(3))
    assert open_case.status == "undecided" and "log-ratios" in open_case.reason


def test_reports_round_outward() -> None:
    result = study(builtin("lever:2"), Fraction(1, 4))
    shown = study_json(result, Fraction(1, 4))
    for ends, exact in zip(shown["sp"], result.table.sp_reward, strict=True):
        assert Fraction(ends[0]) <= exact.lower <= exact.upper <= Fraction(ends[1])
    assert Fraction(shown["gap"][0]) <= result.gap.lower and Fraction(shown["gap"][1]) >= result.gap.upper
    assert shown["stabiliser"] * len(shown["sp"]) == shown["group_order"] == 4
