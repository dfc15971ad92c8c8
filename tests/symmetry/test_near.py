"""Near-symmetries: the defect in a benchmark file, planted slips, and what is listed once only."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from symmetry_games import shared_game

from certify.games import builtin
from certify.symmetry import differences, symmetries
from certify.symmetry.compare import describe
from certify.symmetry.near import near_symmetries
from certify.symmetry.near_report import near_json, near_text


def test_the_slip_in_box_pushing() -> None:
    group = symmetries(shared_game("boxPushingUAI07"))
    report = near_symmetries(group)
    assert report.exhausted and len(report.found) == 1
    near = report.found[0]
    shown = [describe(group.game, d) for d in near.differences]
    rows = {(d["at"]["state"], tuple(d["at"]["joint_action"])) for d in shown}
    assert len(shown) == 4
    assert rows == {("s2E4W", ("moveForward", "moveForward")), ("s1E3W", ("moveForward", "moveForward"))}
    slip = next(d for d in shown if d["at"].get("next_state") == "s3E4S")
    assert (slip["value"], slip["image_value"]) == ("9/100", "0")
    wanted = next(d for d in shown if d["at"].get("next_state") == "s3E4W")
    assert (wanted["value"], wanted["image_value"]) == ("0", "9/100")
    assert near.mapping.agents == (1, 0)
    assert "s3E4S" in near_text(group, report)
    assert near_json(group, report)["found"][0]["failing_entries"] == 4


@pytest.mark.parametrize("table", ["reward", "transition"])
def test_a_planted_slip_is_found(table: str) -> None:
    game = shared_game("GridSmall")
    whole = symmetries(game)
    if table == "reward":
        key = next(k for k in game.reward if whole.generators[0].joint_action(k[1]) != k[1])
        broken = replace(game, reward=dict(game.reward) | {key: Fraction(77)})
    else:
        key, row = next(
            (k, r)
            for k, r in game.transition.items()
            if len(r) > 1 and r[0][1] != r[1][1] and whole.generators[0].joint_action(k[1]) != k[1]
        )
        swapped = ((row[0][0], row[1][1]), (row[1][0], row[0][1]), *row[2:])
        broken = replace(game, transition=dict(game.transition) | {key: swapped})
    group = symmetries(broken)
    assert group.order == 1
    found = near_symmetries(group).found
    assert any(
        near.mapping.key == whole.generators[0].key and any(d.key[1] == key[1] for d in near.differences)
        for near in found
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Grid3x3corners", "Mars"])
def test_a_planted_slip_is_found_in_larger_files(name: str) -> None:
    whole = symmetries(shared_game(name))
    game, g = whole.game, whole.generators[0]
    key, row = next(
        (k, r)
        for k, r in game.transition.items()
        if len(r) > 1 and r[0][1] != r[1][1] and (g.states[k[0]], g.joint_action(k[1])) != k
    )
    swapped = ((row[0][0], row[1][1]), (row[1][0], row[0][1]), *row[2:])
    broken = symmetries(replace(game, transition=dict(game.transition) | {key: swapped}))
    assert any(near.mapping.key == g.key for near in near_symmetries(broken, time_limit=60.0).found)


def test_what_is_listed_fails_exactly_where_it_says() -> None:
    group = symmetries(builtin("climbing"))
    report = near_symmetries(group)
    assert report.found[0].mapping.agents == (1, 0) and len(report.found[0].differences) == 2
    for near in report.found:
        assert near.differences == tuple(differences(group.game, near.mapping))
        assert 0 < len(near.differences) <= report.max_entries


def test_cosets_are_listed_once() -> None:
    report = near_symmetries(symmetries(builtin("lever:10:9/10")), max_entries=2)
    assert len(report.found) == 1


def test_limits_are_said() -> None:
    assert not near_symmetries(symmetries(builtin("lever:10")), max_nodes=30).exhausted
    assert not near_symmetries(symmetries(builtin("climbing")), time_limit=0.0).exhausted
