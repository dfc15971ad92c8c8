"""A search that is interrupted, stopped or killed goes on where it was, and ends with the same certificate."""

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import pytest

import certify
from certify import checkpoint
from certify.errors import InputError
from certify.games.tree import unroll
from certify.run import OutOfTime
from certify.thresholds import branch_and_bound, cover
from certify.thresholds.cover_tree import Node, joined, last_box, node_from_json, node_to_json, open_boxes, restrict
from certify.thresholds.index_tables import Plan

GAME, OPTIONS = "lever:3", {"method": "search", "rtol": "1/100"}


def substance(result):
    return {key: value for key, value in result.document.items() if key != "search"}


@pytest.fixture(scope="module")
def whole():
    return certify.threshold(GAME, **OPTIONS)


class Interrupted:
    """Lets some rounds of the search pass, then interrupts it, once."""

    def __init__(self, rounds):
        self.rounds, self.true = rounds, cover._run

    def __call__(self, *arguments):
        self.rounds -= 1
        if self.rounds == -1:
            raise KeyboardInterrupt
        return self.true(*arguments)


@pytest.mark.parametrize("rounds", [7, pytest.param(12, marks=pytest.mark.slow)])
def test_an_interrupted_search_goes_on(rounds, tmp_path, monkeypatch, whole):
    book = tmp_path / "search.checkpoint"
    monkeypatch.setattr(checkpoint, "_EVERY", 0.0)
    monkeypatch.setattr(cover, "_run", Interrupted(rounds))
    first = certify.threshold(GAME, checkpoint=book, **OPTIONS)
    assert first.status == "proved"  # what was found by then counts
    assert first.alpha_star > whole.alpha_star
    second = certify.threshold(GAME, checkpoint=book, **OPTIONS)
    assert substance(second) == substance(whole)


def test_a_finished_search_need_not_be_repeated(tmp_path, monkeypatch, whole):
    book = tmp_path / "search.checkpoint"
    assert substance(certify.threshold(GAME, checkpoint=book, **OPTIONS)) == substance(whole)

    def never(*_, **__):
        raise AssertionError("searched again")

    monkeypatch.setattr(cover, "contract", never)
    monkeypatch.setattr("certify.answers.ladder.find_multiplicity", never)
    assert substance(certify.threshold(GAME, checkpoint=book, **OPTIONS)) == substance(whole)


def test_a_killed_process_goes_on(tmp_path, whole):
    book, out = tmp_path / "search.checkpoint", tmp_path / "lever.cert.json"
    command = [
        sys.executable,
        "-c",
        "from certify.cli import main; main()",
        "threshold",
        GAME,
        "--method",
        "search",
        "--rtol",
        "1/100",
        "--checkpoint",
        str(book),
        "-o",
        str(out),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while not book.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert book.exists()
    out.unlink(missing_ok=True)  # where this process had to wait for its turn
    assert subprocess.run(command, capture_output=True, timeout=1200, check=False).returncode == 0
    found = json.loads(out.read_text(encoding="utf-8"))
    assert {key: value for key, value in found.items() if key != "search"} == json.loads(json.dumps(substance(whole)))


def test_other_searches_and_damaged_files_are_refused(tmp_path, whole):
    book = tmp_path / "search.checkpoint"
    certify.threshold("lever:2", checkpoint=book, **OPTIONS)
    with pytest.raises(InputError, match="about another search \\(game_sha256\\)"):
        certify.threshold(GAME, checkpoint=book, **OPTIONS)
    with pytest.raises(InputError, match="about another search \\(rtol\\)"):
        certify.threshold("lever:2", method="search", rtol="1/50", checkpoint=book)
    book.unlink()
    certify.threshold(GAME, checkpoint=book, **OPTIONS)
    data = json.loads(book.read_text(encoding="utf-8"))
    for stages in ([], {"below": 3}, {"below": {}}, data["stages"] | {"localisation": [[{"parent": None}]]}):
        book.write_text(json.dumps(data | {"stages": stages}), encoding="utf-8")
        with pytest.raises(InputError, match="damaged"):
            certify.threshold(GAME, checkpoint=book, **OPTIONS)
    for text in ("", "[]", '{"format": "certify-certificate"}', "\x00"):
        book.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match="not a checkpoint"):
            certify.threshold(GAME, checkpoint=book, **OPTIONS)
    with pytest.raises(InputError, match="cannot be written"):
        certify.threshold("lever:2", checkpoint=tmp_path / "nowhere" / "x", **OPTIONS)


def test_a_lie_in_a_checkpoint_is_refused_by_the_checker(tmp_path, whole):
    """Nothing in it is trusted: boxes called empty that are not cost the cover that holds them."""
    book = tmp_path / "search.checkpoint"
    certify.threshold(GAME, checkpoint=book, **OPTIONS)
    data = json.loads(book.read_text(encoding="utf-8"))
    for node in data["stages"]["pieces"][-1]:
        if node.get("close") == "nondegenerate":
            node["close"] = "empty"
    book.write_text(json.dumps(data), encoding="utf-8")
    result = certify.threshold(GAME, checkpoint=book, **OPTIONS)
    assert result.status == "proved" and result.alpha_star > whole.alpha_star


@pytest.fixture(scope="module")
def tree():
    """A plan, and an unfinished and a finished tree of the same interval."""
    plan = Plan(unroll(certify.load("climbing")))
    high, rounds = Fraction(1, 9), []
    finished = cover.find_cover(
        plan,
        high,
        effort=cover.Effort(branch=True),
        save=lambda nodes: rounds.append(
            [Node(n.parent, n.low, n.high, list(n.steps), n.close, n.split) for n in nodes]
        ),
    )
    return plan, rounds[1], finished


def test_boxes_are_replayed_to_the_last_bit(tree):
    plan, unfinished, finished = tree
    boxes = open_boxes(plan, unfinished)
    assert boxes and all(unfinished[k].close is None and unfinished[k].split is None for k in boxes)
    again = cover.find_cover(plan, finished[0].high, effort=cover.Effort(branch=True), nodes=unfinished)
    assert [node_to_json(n) for n in again] == [node_to_json(n) for n in finished]
    for k, box in boxes.items():
        assert (
            last_box(plan, [*finished[:k], Node(finished[k].parent, finished[k].low, finished[k].high)], k) is not None
        )
        for row, other in zip(
            box,
            last_box(plan, [*finished[:k], Node(finished[k].parent, finished[k].low, finished[k].high)], k),
            strict=True,
        ):
            for block, same in zip(row, other, strict=True):
                assert all(np.array_equal(x, y) for x, y in zip(block, same, strict=True))


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_an_alarm_in_the_middle_of_a_round_leaves_whole_nodes(calls, tree, monkeypatch):
    plan, _, finished = tree
    true, left = cover._Growing._children, [calls]

    def rings(growing, k, box, split):
        found = true(growing, k, box, split)
        left[0] -= 1
        if left[0] == 0:
            raise OutOfTime("an alarm")
        return found

    monkeypatch.setattr(cover._Growing, "_children", rings)
    with pytest.raises(cover.Stalled) as stalled:
        cover.find_cover(plan, finished[0].high, effort=cover.Effort(branch=True))
    nodes = stalled.value.nodes
    assert stalled.value.reached == min(n.low for n in nodes if n.close is None and n.split is None)
    again = cover.find_cover(plan, finished[0].high, effort=cover.Effort(branch=True), nodes=nodes)
    assert [node_to_json(n) for n in again] == [node_to_json(n) for n in finished]


def test_an_alarm_costs_no_piece_that_is_finished(tree, monkeypatch):
    plan, found = tree[0], cover.find_cover

    def one(*arguments, low, **options):
        if low:
            raise OutOfTime("an alarm")
        return found(*arguments, low=low, **options)

    monkeypatch.setattr(branch_and_bound, "find_cover", one)
    floor = branch_and_bound.Floor(Fraction(8), True)
    covers = branch_and_bound.sharpen(plan, None, Fraction(20), floor)
    assert len(covers) == 1 and covers[0].nodes[0].high == 1 / covers[0].alpha_star


def test_nodes_survive_json(tree):
    for node in tree[1] + tree[2]:
        assert node_from_json(json.loads(json.dumps(node_to_json(node)))) == node


def test_trees_are_joined_and_cut(tree):
    plan, _, finished = tree
    second = cover.find_cover(plan, Fraction(3, 25), low=finished[0].high, effort=cover.Effort(branch=True))
    third = cover.find_cover(plan, Fraction(241, 2000), low=second[0].high, effort=cover.Effort(branch=True))
    for pieces in ([finished], [finished, second], [finished, second, third]):
        nodes = joined(pieces)
        assert_covers(nodes, Fraction(0), pieces[-1][0].high)
    cut = restrict(joined([finished, second]), (finished[0].high + second[0].high) / 2)
    assert_covers(cut, Fraction(0), (finished[0].high + second[0].high) / 2)


def assert_covers(nodes, low, high):
    """Every node's children split it, and the leaves are closed."""
    assert (nodes[0].low, nodes[0].high, nodes[0].parent) == (low, high, None)
    for k, node in enumerate(nodes):
        children = [n for n in nodes if n.parent == k]
        assert node.parent is None or node.parent < k
        if node.split is None:
            assert node.close is not None and not children
        elif "beta" in node.split:
            assert [(n.low, n.high) for n in children] == [
                (node.low, node.split["beta"]),
                (node.split["beta"], node.high),
            ]
        else:
            assert [(n.low, n.high) for n in children] == [(node.low, node.high)] * 2


def test_no_file_is_left_half_written(tmp_path):
    book = tmp_path / "search.checkpoint"
    certify.threshold("lever:2", checkpoint=book, **OPTIONS)
    assert os.listdir(tmp_path) == [book.name]
