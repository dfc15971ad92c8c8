"""Nodes of a cover that close as images of others under automorphisms of the game (format, section 4.2).

Let g be an automorphism, and let every policy in the last box of node B be carried by the inverse of g to where the
splits of policies on the way to node A put policies into A.  Then a stationary policy in B's box is the image of a
stationary policy in A's region, and A and the nodes below it show that those are nondegenerate
(docs/theory/symmetry.md#images-of-nodes).
"""

from fractions import Fraction
from typing import Any

from certify.checker.reading.automorphism import read_generators
from certify.checker.reading.envelope import Failed
from certify.checker.reading.game import Game
from certify.checker.reading.process import Process
from certify.checker.stationary.equations import rows_of
from certify.checker.stationary.equivariance import entry_images

Coordinate = tuple[int, int, int, int]  # of a policy: agent, depth, class, action
Carrier = dict[Coordinate, Coordinate]


def read_carriers(process: Process, game: Game, data: Any) -> list[Carrier]:
    """Per entry of `proof.automorphisms`, shown to be one, where it carries the coordinates of policies."""
    points, maps = read_generators(game, data, "proof.automorphisms", "automorphism ")
    if any(a != b for layer in process.meant for own in layer for row in own for a, b in enumerate(row)):
        raise Failed("images where actions have other names", step="automorphisms")
    rows, found = rows_of(process), []
    for number, g in enumerate(maps):
        try:
            pairs = list(entry_images(process, game, points, g))
        except Failed as failure:
            raise Failed(failure.why, step=f"automorphism {number}") from None
        found.append({(*rows[x], a): (*rows[y], b) for (x, a), (y, b) in pairs})
    return found


def policy_splits(nodes: list[Any], children: list[list[int]], number: int) -> list[tuple[Any, int, Fraction, bool]]:
    """(block, action, at, upper) of every split of policies on the way to a node: pi(action) <= at, or >= at if
    upper."""
    found = []
    while (parent := nodes[number].parent) is not None:
        if nodes[parent].split[0] != "beta":
            found.append((*nodes[parent].split, children[parent].index(number) == 1))
        number = parent
    return found


def check_image(nodes: Any, children: Any, last: Any, number: int, box: Any, engine: Any) -> None:
    """`Failed` unless the stationary policies in the last box of a node are images of ones in another's region;
    `children` and `last`: per node the next ones and the last one below it."""
    (of, carrier), where = nodes[number].close, {"node": number, "step": "close"}
    if of >= len(nodes):
        raise Failed("it is the image of no node", **where)
    if last[of] >= number:
        raise Failed(f"node {of} and those below it are not all listed before it", **where)
    if not nodes[of].beta[0] <= nodes[number].beta[0] <= nodes[number].beta[1] <= nodes[of].beta[1]:
        raise Failed(f"its interval is not inside that of node {of}", **where)
    for (i, t, k), action, at, upper in policy_splits(nodes, children, of):
        *block, moved = carrier[i, t, k, action]
        if not engine.within(box, block, moved, at, upper):
            raise Failed(f"its policies are not shown to be images of ones in node {of}", **where)
