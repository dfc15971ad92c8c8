"""Enclosures of policy, J, return and entropy over a proved box of log-ratios, with short dyadic ends
(docs/theory/objective.md#the-objective, docs/theory/objective.md#stationary-policies).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from certify.bounds.arb_evaluate import arb_evaluate
from certify.bounds.arb_numbers import arb_ends, finite_ends, to_arb, working_precision
from certify.bounds.enclosure import Enclosure
from certify.bounds.other_names import other_names
from certify.bounds.policy import PolicyBox, layout_of
from certify.errors import Undecided
from certify.games.tree import Tree
from certify.stationary.branch_pieces import Piece
from certify.stationary.piece_proof import Image

_PRECISION = 320  # of the balls
_DIGITS = 80  # binary digits behind the leading one that ends keep
_MOST_DIGITS = 160  # behind the point
_SLACK = Fraction(1, 2**190)


@dataclass(frozen=True, eq=False)
class Enclosed:
    """What is claimed for the temperatures [low, high] on one piece: enclosures with `Fraction` ends;
    `policy` per row and action, that of the game: 0 where an action is illegal."""

    piece: int
    low: Fraction
    high: Fraction
    value: Enclosure
    reward: Enclosure
    entropy: Enclosure
    policy: list[list[Enclosure]]


def enclose(tree: Tree, number: int, piece: Piece, low: Fraction, high: Fraction) -> Enclosed:
    """Enclosures over piece `number` at its temperatures within [low, high].

    Raises `Undecided` where an evaluation has no finite bounds.
    """
    policy, layout = policy_ends(piece.image), layout_of(tree)
    names = other_names(tree)
    ends = [np.array([p[k] for row in policy for p in row], dtype=object) for k in range(2)]
    high = high if piece.low == 0 else min(high, 1 / piece.low)
    low = max(low, 1 / piece.high)
    found = arb_evaluate(tree, PolicyBox(*(layout.nested(end) for end in ends)), low, precision=_PRECISION)
    reward, entropy = arb_ends(found.reward), arb_ends(found.entropy)
    if reward is None or entropy is None:
        raise Undecided("an evaluation is not finite: the policy is too close to the boundary")
    # -KL is negative: its least multiple is that of the highest temperature
    value = (reward[0] + min(low * entropy[0], high * entropy[0]), reward[1] + max(low * entropy[1], high * entropy[1]))
    return Enclosed(
        number,
        low,
        high,
        Enclosure(*outward(*value)),
        Enclosure(*outward(*reward)),
        Enclosure(*outward(*entropy)),
        _of_the_game(policy, [names.meant[a:b] - a for a, b in pairwise([*layout.row_start.tolist(), layout.size])]),
    )


def _of_the_game(policy: list[list[tuple[Fraction, Fraction]]], meant: list[np.ndarray]) -> list[list[Enclosure]]:
    """What each legal action has by all its names; exactly 0 at illegal ones, exactly 1 where one action is legal."""
    found = []
    for row, named in zip(policy, meant, strict=True):
        ends = [[Fraction(0), Fraction(0)] for _ in row]
        for (low, high), a in zip(row, named.tolist(), strict=True):
            ends[a] = [ends[a][0] + low, min(Fraction(1), ends[a][1] + high)]
        if (named == named[0]).all():
            ends[named[0]] = [Fraction(1), Fraction(1)]
        found.append([Enclosure(*p) for p in ends])
    return found


def outward(low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
    """Dyadic ends around [low, high] with about `_DIGITS` binary digits, a little apart from exact numbers:
    a checker's arithmetic rounds those too.

    >>> low, high = outward(Fraction(1, 3), Fraction(1, 3))
    >>> low < Fraction(1, 3) < high, high - low < Fraction(1, 10**24)
    (True, True)
    """
    size = max(abs(low), abs(high))
    lead = math.frexp(float(size))[1] if size and float(size) else 0
    scale = Fraction(2) ** min(_DIGITS - lead, _MOST_DIGITS)
    return Fraction(math.floor((low - _SLACK) * scale)) / scale, Fraction(math.ceil((high + _SLACK) * scale)) / scale


def policy_ends(image: Image) -> list[list[tuple[Fraction, Fraction]]]:
    """Ends of pi(a) = 1 / sum_b exp(z_b - z_a) over log-ratios, rounded outwards."""
    rows = []
    with working_precision(_PRECISION):
        for row in image:
            found = []
            for a, (low, high) in enumerate(row):
                others = [z for b, z in enumerate(row) if b != a]
                least = 1 / sum((to_arb(z[1] - low).exp() for z in others), to_arb(Fraction(1)))
                most = 1 / sum((to_arb(z[0] - high).exp() for z in others), to_arb(Fraction(1)))
                ends = outward(finite_ends(least)[0], finite_ends(most)[1])
                found.append(
                    (max(Fraction(0), ends[0]), min(Fraction(1), ends[1])) if others else (Fraction(1), Fraction(1))
                )
            rows.append(found)
    return rows
