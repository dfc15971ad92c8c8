"""Covers as trees of nodes: what a search has closed, joined, cut short, written down and taken up again
(docs/certificate-format.md, section 4.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from certify.exact import parse_rational, rational_text
from certify.thresholds.contraction import Box, replayed, whole_space
from certify.thresholds.index_tables import Plan

Close = str | dict[str, Any] | None


@dataclass
class Node:
    """One node of a cover; open while it has neither `close` nor `split`.  An image closes with an object that names
    another node and an automorphism."""

    parent: int | None
    low: Fraction
    high: Fraction
    steps: list[dict] = field(default_factory=list)
    close: Close = None
    split: dict | None = None


def child_boxes(node: Node, box: Box) -> Iterator[tuple[Fraction, Fraction, Box]]:
    """Interval and first box of both children of a node that is split, `box` being its last one."""
    split = node.split or {}
    if "beta" in split:
        yield node.low, split["beta"], box
        yield split["beta"], node.high, box
        return
    i, t, k, a, at = (split[key] for key in ("agent", "depth", "class", "action", "at"))
    for end in (1, 0):
        copy = [list(row) for row in box]
        ends = [copy[i][t][0].copy(), copy[i][t][1].copy()]
        ends[end][k, a] = float(at)
        copy[i][t] = tuple(ends)
        yield node.low, node.high, copy


def branched(nodes: list[Node]) -> set[int]:
    """Nodes below a split of policies."""
    found: set[int] = set()
    for k, node in enumerate(nodes):
        if node.parent is not None and (node.parent in found or "agent" in (nodes[node.parent].split or {})):
            found.add(k)
    return found


def open_boxes(plan: Plan, nodes: list[Node]) -> dict[int, Box]:
    """The first box of every open node, from the steps of the nodes above it."""
    first: dict[int, Box] = {0: whole_space(plan)}
    waiting: dict[int, list[Box]] = {}
    for k, node in enumerate(nodes):
        if node.parent is not None:
            first[k] = waiting[node.parent].pop(0)
        if node.split is not None:
            last = replayed(first.pop(k), node.steps)
            waiting[k] = [box for _, _, box in child_boxes(node, last)]
        elif node.close is not None:
            del first[k]
    return first


def last_box(plan: Plan, nodes: list[Node], index: int) -> Box:
    """The box of a node after its steps."""
    path = [index]
    while nodes[path[-1]].parent is not None:
        path.append(nodes[path[-1]].parent)
    box = whole_space(plan)
    for k, below in zip(reversed(path), [*reversed(path[:-1]), None], strict=True):
        box = replayed(box, nodes[k].steps)
        if below is not None:
            first = min(j for j in range(k + 1, below + 1) if nodes[j].parent == k)
            box = list(child_boxes(nodes[k], box))[0 if below == first else 1][2]
    return box


def steps_of(nodes: list[Node]) -> int:
    """How many claims a check of a tree has to verify, about: its steps, and one that closes a node."""
    return sum(len(node.steps) + 1 for node in nodes)


def restrict(nodes: list[Node], reached: Fraction) -> list[Node]:
    """The part of an unfinished tree that covers betas up to `reached`, renumbered: what lies above goes,
    intervals end at `reached`, and where only the lower half of a beta split is left, parent and
    child become one node.
    """
    children: dict[int, list[int]] = {}
    for k, node in enumerate(nodes):
        if node.parent is not None and node.low < reached:
            children.setdefault(node.parent, []).append(k)
    result: list[Node] = []
    number: dict[int, int] = {}
    pending: list[tuple[int | None, int]] = [(None, 0)]
    while pending:
        parent, k = pending.pop()
        node = nodes[k]
        number[k], steps = len(result), [_shortened(step, node, reached) for step in node.steps]
        while node.split is not None and "beta" in node.split and len(children[k]) == 1:
            k = children[k][0]
            node = nodes[k]
            steps += [_shortened(step, node, reached) for step in node.steps]
            number[k] = len(result)
        result.append(Node(parent, node.low, min(node.high, reached), steps, node.close, node.split))
        index = len(result) - 1
        if node.split is not None:
            pending += [(index, child) for child in reversed(children[k])]
    for node in result:
        node.close = _renumbered(node.close, number)
    return result


def _shortened(step: dict, node: Node, high: Fraction) -> dict:
    """A step for the part of a node's interval up to `high`: multiples at its ends are affine in beta."""
    if "sums" not in step or high >= node.high:
        return step
    part = (high - node.low) / (node.high - node.low)
    return {**step, "sums": [[first, round(first + part * (last - first))] for first, last in step["sums"]]}


def _renumbered(close: Close, number: Mapping[int, int] | Sequence[int]) -> Close:
    """How a node closes, with the node that it is an image of under its new number."""
    if not isinstance(close, dict):
        return close
    image = close["image"]
    return {"image": {**image, "node": number[image["node"]]}}


def images_last(nodes: list[Node]) -> list[Node]:
    """The same tree in an order in which images come after the nodes that they are of and all below them: every node
    is followed by those below it, first children first."""
    if not any(isinstance(node.close, dict) for node in nodes):
        return nodes
    return restrict(nodes, nodes[0].high)


def joined(pieces: list[list[Node]]) -> list[Node]:
    """One tree from trees of adjacent intervals, the lowest first: a balanced tree of beta splits above them."""
    result: list[Node] = []

    def add(first: int, last: int, parent: int | None) -> None:
        if last - first == 1:
            base = len(result)
            number = range(base, base + len(pieces[first]))
            for node in pieces[first]:
                above = parent if node.parent is None else base + node.parent
                close = _renumbered(node.close, number)
                result.append(Node(above, node.low, node.high, node.steps, close, node.split))
            return
        middle = (first + last) // 2
        own = len(result)
        result.append(
            Node(parent, pieces[first][0].low, pieces[last - 1][0].high, split={"beta": pieces[middle][0].low})
        )
        add(first, middle, own)
        add(middle, last, own)

    add(0, len(pieces), None)
    return result


def node_to_json(node: Node) -> dict[str, Any]:
    """A node as certificates list it; an open one has neither `close` nor `split`."""
    result: dict[str, Any] = {
        "parent": node.parent,
        "beta": [rational_text(node.low), rational_text(node.high)],
        "steps": node.steps,
    }
    if node.close is not None:
        result["close"] = node.close
    elif node.split is not None:
        result["split"] = {
            key: rational_text(value) if key in ("beta", "at") else value for key, value in node.split.items()
        }
    return result


def node_from_json(data: dict[str, Any]) -> Node:
    """The inverse of `node_to_json`."""
    low, high = (parse_rational(x, "beta") for x in data["beta"])
    split = data.get("split")
    if split is not None:
        split = {key: parse_rational(value, key) if key in ("beta", "at") else value for key, value in split.items()}
    close = data.get("close")
    if isinstance(close, dict):
        close = {"image": {key: int(close["image"][key]) for key in ("node", "automorphism")}}
    return Node(data["parent"], low, high, data["steps"], close, split)
