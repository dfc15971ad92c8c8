"""Policies that somebody holds become tables: every AOH once, numbers as given, errors in one line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from legal_games import random_legal_game

import certify
from certify.bounds.policy_table import as_policy
from certify.games.histories import histories
from certify.games.tree import unroll


def uniform(history: certify.PlayedHistory) -> list[float]:
    return [1 / len(history.available)] * len(history.available)


def biased(history: certify.PlayedHistory) -> dict[str, Fraction]:
    """Another row at every history."""
    n = len(history.available)
    first = Fraction(1 + len(history.key), 2 + len(history.key) * n)
    rest = (1 - first) / (n - 1)
    return {name: first if k == 0 else rest for k, name in enumerate(history.available)}


@pytest.mark.parametrize(("name", "horizon"), [("lever:3", None), ("dectiger", 3), ("lewis:2", None), ("recycling", 2)])
def test_every_history_once_in_order(name: str, horizon: int | None) -> None:
    game = certify.load(name, horizon=horizon)
    asked = []

    def note(history: certify.PlayedHistory) -> list[float]:
        asked.append(history.key)
        return uniform(history)

    table = certify.tabulate(game, note)
    tree = unroll(game, cluster=False)
    assert list(table) == asked == [x.key for i in range(tree.number_of_agents) for x in histories(tree, i)]


def test_what_a_history_says_is_what_its_key_says() -> None:
    def check(history: certify.PlayedHistory) -> list[float]:
        last = history.key.partition(":")[2].split("/")[-1]
        assert last == ("" if history.observation is None else f"{history.action or ''},{history.observation}")
        assert history.legal == history.available
        return uniform(history)

    certify.tabulate("dectiger", check)
    certify.tabulate("lewis:2", check)


def test_memory_goes_from_parent_to_child_only() -> None:
    """It holds the whole past, so it must spell the key."""

    def remember(history: certify.PlayedHistory) -> tuple[list[float], tuple[str, ...]]:
        past = history.memory or ()
        if history.observation is not None:
            past = (*past, f"{history.action},{history.observation}")
        assert history.key.partition(":")[2] == "/".join(past)
        return uniform(history), past

    certify.tabulate(certify.load("dectiger", horizon=3), remember)


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_tables_go_round_through_files(suffix: str, tmp_path: Path) -> None:
    game = certify.load("dectiger", horizon=2)
    table = certify.tabulate(game, biased)
    path = table.save(tmp_path / f"policy.{suffix}")
    tree = unroll(game, cluster=False)
    direct, read = as_policy(tree, table), as_policy(tree, path)
    for a, b in zip(direct.lower, read.lower, strict=True):
        for x, y in zip(a, b, strict=True):
            assert (x == y).all() if suffix == "json" else (abs(x - y) < Fraction(1, 10**15)).all()


def test_a_table_is_a_policy_everywhere(tmp_path: Path) -> None:
    table = certify.tabulate("lever:2", lambda h: [0.75, 0.25] if h.agent == "agent1" else [0.5, 0.5])
    path = table.save(tmp_path / "p.json")
    given, read = (certify.policy_distance("lever:2", 1, policy) for policy in (table, str(path)))
    assert given.distance == read.distance
    assert given.distance is not None
    assert abs(given.distance - Fraction(1, 4)) < Fraction(1, 10**9)
    study = certify.cross_play("lever:2", "1/4", policies=[table, str(path)])
    assert study.table is not None
    assert study.table.sp_reward[0].lower <= Fraction(1, 2) <= study.table.sp_reward[0].upper


def test_rows_of_every_kind() -> None:
    half = Fraction(1, 2)
    for row in (
        [0.5, 0.5], (0.5, 0.5), ["1/2", half], {"0": 0.5, "1": "0.5"}, np.array([0.5, 0.5], dtype=np.float32),
        np.array([0.5, 0.5], dtype=np.float16), {0: np.float64(0.5), 1: np.float32(0.5)},
        (np.array([0.5, 0.5]), "memory"),
    ):  # fmt: skip
        assert dict(certify.tabulate("lever:2", lambda _, row=row: row)["agent1:"]) == {"0": half, "1": half}


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    logits = torch.zeros(2, requires_grad=True)
    assert certify.tabulate("lever:2", lambda _: torch.softmax(logits, 0))["agent2:"]["1"] == Fraction(1, 2)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([1], "1 numbers; give one for each of 0, 1"),
        ([0.5, 0.6], "sum to 1.1; normalise"),
        ([1.5, -0.5], "-0.5 for '1'"),
        ([float("nan"), 0.5], "nan"),
        (np.array([np.inf, 0.5]), "inf"),
        ({"2": 1}, "unknown action '2'"),
        ([[0.5, 0.5]], "number"),
        (np.ones((1, 2)), "shape (1, 2)"),
        (None, "give {action: number}"),
        ("half", "give {action: number}"),
        (0.5, "give {action: number}"),
        ([None, 1], "number"),
        ([True, False, 3], "3 numbers"),
        (np.array([0.5j, 0.5]), "complex"),
    ],
)
def test_what_is_no_row_is_one_line(row: Any, said: str) -> None:
    with pytest.raises(certify.InputError, match="policy at 'agent1:'") as refused:
        certify.tabulate("lever:2", lambda _: row)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("seed", range(6))
def test_the_mask_is_what_the_game_says_is_legal(seed: int) -> None:
    """The tree numbers the legal actions of a class from 0: the mask must be over those available."""
    game = random_legal_game(seed)

    def check(history: certify.PlayedHistory) -> list[float]:
        i = game.agents.index(history.agent)
        last = -1 if history.observation is None else game.observations[i].index(history.observation)
        assert history.legal == tuple(game.actions[i][a] for a in game.legal(i, history.step, last))
        return [legal / sum(history.mask) for legal in history.mask]

    table = certify.tabulate(game, check)
    as_policy(unroll(game, cluster=False), table)


def test_illegal_actions_have_no_probability() -> None:
    game = certify.from_steps(Waiting(), horizon=2)
    seen = {}

    def note(history: certify.PlayedHistory) -> dict[str, float]:
        seen[history.key] = history.legal
        return {name: 1 / len(history.legal) for name in history.legal}

    certify.tabulate(game, note)
    assert set(map(len, seen.values())) == {1, 2}
    with pytest.raises(certify.InputError, match="give 0 to illegal actions"):
        certify.tabulate(game, uniform)


class Waiting:
    """Who hears "wait" may only wait."""

    agents = ("a", "b")
    actions = (("l", "r"), ("l", "r"))

    def initial(self) -> list[tuple[Fraction, str, tuple[str, str]]]:
        return [(Fraction(1), "s", ("go", "go"))]

    def legal(self, state: str) -> list[list[str]]:
        return [["l"], ["l", "r"]] if state == "t" else [["l", "r"], ["l", "r"]]

    def outcomes(self, state: str, joint: tuple[str, str]) -> list[tuple[Any, ...]]:
        half = Fraction(1, 2)
        reward = int(joint[0] == joint[1])
        return [(half, reward, "t", ("wait", "go"), False), (half, reward, "s", ("go", "go"), False)]
