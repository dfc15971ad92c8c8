"""Certified self-play and cross-play of policies and of their images under a group.

docs/theory/symmetry.md#cross-play: at distinct stationary policies replacing one agent's policy by the other run's
lowers J_alpha strictly, so a gap in J_alpha is always there; the return may go either way, and its
gap is certified case by case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb

from certify.bounds.arb_evaluate import arb_evaluate
from certify.bounds.arb_numbers import arb_ends
from certify.bounds.enclosure import Enclosure
from certify.bounds.policy import PolicyBox, layout_of
from certify.errors import InputError, Undecided
from certify.games.tree import Tree
from certify.notebook import Facts, Shown, between
from certify.stationary.existence import StationaryProof
from certify.symmetry.group import SymmetryGroup
from certify.symmetry.histories import Carrier
from certify.symmetry.maps import GameMap, identity_map

_PRECISION = 192


@dataclass(frozen=True, repr=False)
class CrossPlay(Shown):
    """Enclosures with `Fraction` ends for m policies; `value` is J_alpha, `reward` the return.

    `sp_*[j]` : self-play of policy j.  `xp_*[i][j][k]` : agent i of run j among the others of run k;
    for two agents `xp_*[0][j][k]` pairs agent 0 of run j with agent 1 of run k.
    """

    sp_value: tuple[Enclosure, ...]
    sp_reward: tuple[Enclosure, ...]
    xp_value: tuple[tuple[tuple[Enclosure, ...], ...], ...]
    xp_reward: tuple[tuple[tuple[Enclosure, ...], ...], ...]

    def facts(self) -> Facts:
        """What a prompt and a notebook show of it: the returns of the teams with agent 0 replaced."""
        rows = [
            (f"agent 0 of run {j + 1}, the others of run {k + 1}: return in", between(cell))
            for j, row in enumerate(self.xp_reward[0][:6])
            for k, cell in enumerate(row[:6])
        ]
        return Facts(f"cross-play of {len(self.sp_reward)} policies", "", tuple(rows))

    def gap(self, of: str, pair: tuple[int, int] | None = None) -> Enclosure:
        """Mean of self-play minus mean of cross-play over ordered pairs of distinct policies and
        over the role that is replaced; `of` is "J" or "return"; `pair` restricts it to one pair.

        Raises `InputError` where there is only one policy.
        """
        sp, xp = (self.sp_value, self.xp_value) if of == "J" else (self.sp_reward, self.xp_reward)
        pairs = [
            (j, k) for j in range(len(sp)) for k in range(len(sp)) if j != k and (pair is None or {j, k} == set(pair))
        ]
        if not pairs:
            raise InputError("policies", "fewer than two", "cross-play needs two policies")
        terms = [(sp[k], role[j][k]) for role in xp for j, k in pairs]
        count = len(terms)
        return Enclosure(
            sum(s.lower - x.upper for s, x in terms) / count, sum(s.upper - x.lower for s, x in terms) / count
        )


def cross_play(tree: Tree, alpha: Fraction | int, policies: Sequence[PolicyBox]) -> CrossPlay:
    """Enclosures of J_alpha and return for every pairing of `policies`, for every policy in each box.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"), cluster=False)
    >>> first, second = ([[np.array([row], dtype=object)]] * 2
    ...                  for row in ([Fraction(3, 4), Fraction(1, 4)], [Fraction(1, 4), Fraction(3, 4)]))
    >>> result = cross_play(tree, Fraction(1, 4), [PolicyBox(p, p) for p in (first, second)])
    >>> result.sp_reward[0].contains(Fraction(5, 8)), result.xp_reward[0][0][1].contains(Fraction(3, 8))
    (True, True)
    """
    layout = layout_of(tree)
    ends = [(layout.flat(p.lower), layout.flat(p.upper)) for p in policies]
    memo: dict[tuple[int, ...], tuple[Enclosure, Enclosure]] = {}

    def play(sources: tuple[int, ...]) -> tuple[Enclosure, Enclosure]:
        if sources not in memo:
            chosen = np.array(sources)[layout.agent]
            entry = np.arange(layout.size)
            box = PolicyBox(*(layout.nested(np.stack([end[side] for end in ends])[chosen, entry]) for side in range(2)))
            result = arb_evaluate(tree, box, alpha, precision=_PRECISION)
            memo[sources] = _enclosure(result.value), _enclosure(result.reward)
        return memo[sources]

    n, m = tree.number_of_agents, len(policies)
    sp = [play((j,) * n) for j in range(m)]
    xp = [
        [[play(tuple(j if i == role else k for i in range(n))) for k in range(m)] for j in range(m)]
        for role in range(n)
    ]

    def part(which: int) -> tuple:
        return tuple(tuple(tuple(cell[which] for cell in row) for row in table) for table in xp)

    return CrossPlay(tuple(v for v, _ in sp), tuple(r for _, r in sp), part(0), part(1))


def _enclosure(ball: arb) -> Enclosure:
    ends = arb_ends(ball)
    if ends is None:
        raise Undecided("an evaluation is not finite: the policy is too close to the boundary")
    return Enclosure(*ends)


@dataclass(frozen=True)
class Orbit:
    """The distinct policies {g·pi}: `policies` (boxes, pi first), and the order of pi's stabiliser
    (None where the group is not proved complete)."""

    policies: tuple[PolicyBox, ...]
    stabiliser: int | None


def orbit_of_policy(proof: StationaryProof, group: SymmetryGroup, *, limit: int = 24) -> Orbit:
    """One box for each coset of the stabiliser of a proved stationary policy.

    `group` is that of the tree's game.  Two images are the same policy where the element that
    links them provably fixes pi.  Raises `Undecided` where the orbit exceeds `limit`, or where two
    images can neither be told apart nor proved equal.
    """
    tree, layout = proof.tree, layout_of(proof.tree)

    def ends(mapping: GameMap) -> tuple[np.ndarray, np.ndarray]:
        carry = Carrier(tree, mapping)
        return carry(proof.lower), carry(proof.upper)

    found: list[tuple[GameMap, tuple[np.ndarray, np.ndarray]]] = [(identity_map(tree.game), (proof.lower, proof.upper))]
    for mapping, _ in found:  # grows while it is walked: a breadth-first search
        for g in group.generators:
            image = g.after(mapping)
            box = ends(image)
            near = [other for other, known in found if not _apart(*box, *known)]
            if not near:
                found.append((image, box))
                if len(found) > limit:
                    raise Undecided(f"the orbit has more than {limit} policies")
            elif len(near) > 1 or not proof.has_only(*ends(near[0].inverse().after(image))):
                raise Undecided("two images of the policy can neither be told apart nor proved equal")
    boxes = tuple(PolicyBox(layout.nested(lower), layout.nested(upper)) for _, (lower, upper) in found)
    return Orbit(boxes, group.order // len(found) if group.complete else None)


def images_of_box(tree: Tree, box: PolicyBox, group: SymmetryGroup, *, limit: int = 24) -> list[PolicyBox]:
    """The different boxes g·box, the given one first; `group` is that of the tree's game.

    Raises `Undecided` where there are more than `limit`.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> from certify.symmetry.group import symmetries
    >>> tree = unroll(builtin("lever:2"), cluster=False)
    >>> policy = [[np.array([[Fraction(1, 4), Fraction(3, 4)]], dtype=object)]] * 2
    >>> len(images_of_box(tree, PolicyBox(policy, policy), symmetries(tree.game)))
    2
    """
    layout = layout_of(tree)
    carriers = [Carrier(tree, g) for g in group.generators]
    found: list[tuple[tuple[Any, ...], ...]] = [(tuple(layout.flat(box.lower)), tuple(layout.flat(box.upper)))]
    seen = set(found)
    for ends in found:  # grows while it is walked
        for carry in carriers:
            moved = tuple(tuple(carry(np.array(end, dtype=object))) for end in ends)
            if moved not in seen:
                if len(found) >= limit:
                    raise Undecided(f"the policy has more than {limit} images")
                seen.add(moved)
                found.append(moved)
    return [PolicyBox(*(layout.nested(np.array(end, dtype=object)) for end in ends)) for ends in found]


def _apart(lower: np.ndarray, upper: np.ndarray, other_lower: np.ndarray, other_upper: np.ndarray) -> bool:
    return bool(((upper < other_lower) | (other_upper < lower)).any())
