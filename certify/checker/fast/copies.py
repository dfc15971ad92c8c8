"""What the fast engine knows of a number of disjoint copies of the process: bounds of F and models of the
future for as many boxes at once (docs/certificate-format.md, 4.4).

Here a box is that of all copies: tuples (per depth) of tuples (per agent) of `BlockBox`, the classes of copy c
behind those of the copies before it.  `betas` is an array (copies, betas) of nearest floats.  No bound of one
copy depends on the policies of another.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from certify.checker.fast.coupled import Later, Links
from certify.checker.fast.layout import Layout
from certify.checker.fast.lines import Lines, build_lines, meets_one
from certify.checker.fast.models import CHUNK_BYTES, Boxes, Model, action_model, last_model, value_model
from certify.checker.fast.step import (
    Coupling,
    Differences,
    chance_differences,
    differences,
    reply_differences,
    upper_bounds,
)

MOST_COUPLED = 2**29  # bytes per copy beyond which the coupled form is left out


class Copies:
    """A layout of copies, and what has been derived from it."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._lines: dict[tuple[int, int], list[Lines]] = {}
        self._chances: dict[tuple[int, int, bool], list] = {}
        self._links: dict[tuple[int, int, bool], Links] = {}
        self._first: dict[tuple[int, int], str] = {}
        self._models: dict[tuple[str, int, int | None], tuple[tuple, np.ndarray, Model]] = {}

    def not_shown(
        self, box: Boxes, agent: int, depth: int, betas: np.ndarray, ratio: np.ndarray, claimed: np.ndarray
    ) -> np.ndarray:
        """Where F <= 0 is shown by no form of the rule, (classes, ordered pairs, betas), among the `claimed`
        (classes, ordered pairs); `ratio` is a lower bound of w_i M_ab.

        Replies show F° <= 0 at all betas or nothing.
        """
        key = (agent, depth)
        differences = functools.cache(lambda reply: self._differences(box, *key, betas, reply))
        open_ = np.broadcast_to(claimed[:, :, None], (*claimed.shape, betas.shape[1])).copy()
        forms = self.forms(agent, depth)
        for form in sorted(forms, key=lambda form: (form == "coupled", form != self._first.get(key))):
            found = differences(form == "replies")
            shown = self._bounds(found, box, key, betas, ratio, form, open_.any(2)) <= 0
            open_ &= ~(shown.all(2, keepdims=True) if form == "replies" else shown)
            if not open_.any():
                self._first[key] = form
                break
        return open_

    def forms(self, agent: int, depth: int) -> list[str]:
        """The forms of the rule that differ here: without slopes, or at the top alone, sharing and separate are one;
        the coupled form begins with the separate one, replies with the coupled one, where there is one."""
        last = depth == self.layout.horizon - 1
        top = depth == 0 and all(x.single for x in self._chunks(agent, depth))
        small = coupled_bytes(self.layout, agent, depth) <= MOST_COUPLED * self.layout.copies
        separate = "coupled" if not last and self.layout.agents == 2 and small else "separate"
        replies = ["replies"] if not last and self.layout.flows_back else []
        return [*([] if last or top else ["sharing"]), separate, *replies]

    def bounds(self, box: Boxes, agent: int, depth: int, betas: np.ndarray, ratio: np.ndarray, form: str) -> np.ndarray:
        """Upper bounds of F, (classes, ordered pairs, betas), for w_i M_ab = `ratio` (classes, ordered pairs);
        `form` of the rule (6): "sharing", "separate" or "coupled"; of F° for "replies"."""
        everywhere = np.ones(ratio.shape, dtype=bool)
        found = self._differences(box, agent, depth, betas, form == "replies")
        return self._bounds(found, box, (agent, depth), betas, ratio, form, everywhere)

    def _bounds(
        self,
        found: Differences,
        box: Boxes,
        key: tuple[int, int],
        betas: np.ndarray,
        ratio: np.ndarray,
        form: str,
        open_: np.ndarray,
    ) -> np.ndarray:
        """`open_` (classes, ordered pairs): where the coupled form is of interest."""
        reply = form == "replies"
        coupled = form == "coupled" or (reply and "coupled" in self.forms(*key))
        later = self._later(box, *key, betas, reply) if coupled else None
        result = np.empty((*ratio.shape, found.above.shape[3]))
        for lines in self._chunks(*key):
            coupling = None if later is None else Coupling(later, open_[lines.classes])
            result[lines.classes] = upper_bounds(
                self.layout, lines, found, box, ratio[lines.classes], form == "sharing", coupling
            )
        return result

    def _later(self, box: Boxes, agent: int, depth: int, betas: np.ndarray, reply: bool) -> Later:
        key = (agent, depth, reply)
        if key not in self._links:
            self._links[key] = Links(self.layout, depth, self._chance(*key))
        return Later(
            self.action_model(depth + 1, box, betas), self.value_model(depth + 1, box, betas), self._links[key]
        )

    def action_model(self, t: int, box: Boxes, betas: np.ndarray, pinned: int | None = None) -> Model:
        """U at depth t over the boxes of the depths below it, of which agent `pinned` plays the centres."""
        layout = self.layout
        if t == layout.horizon - 1:
            return self._remembered(("U", t, None), (), betas, lambda: last_model(layout, betas))
        return self._remembered(
            ("U", t, pinned),
            box[t + 1 :],
            betas,
            lambda: action_model(layout, t, self.value_model(t + 1, box, betas, pinned), betas),
        )

    def value_model(self, t: int, box: Boxes, betas: np.ndarray, pinned: int | None = None) -> Model:
        """V at depth t over the boxes of depth t and below, of which agent `pinned` plays the centres."""

        def build() -> Model:
            action = self.action_model(t, box, betas, pinned)
            held = [tuple(b.pinned if i == pinned else b for i, b in enumerate(row)) for row in box[t:]]
            return value_model(self.layout, t, action, (*box[:t], *held), pinned)

        return self._remembered(("V", t, pinned), box[t:], betas, build)

    def _remembered(self, name: tuple[str, int, int | None], key: Boxes, betas: np.ndarray, build) -> Model:
        """Steps change one block list at a time: models whose boxes are the very same objects are kept."""
        if name in self._models:
            known, at, model = self._models[name]
            same = all(x is y for old, new in zip(known, key, strict=True) for x, y in zip(old, new, strict=True))
            if same and np.array_equal(at, betas):
                return model
        model = build()
        self._models[name] = (key, betas, model)
        return model

    def _differences(self, box: Boxes, agent: int, depth: int, betas: np.ndarray, reply: bool) -> Differences:
        value, chances = None, []
        action = self.action_model(depth, box, betas)
        if reply:
            return reply_differences(self.layout, agent, depth, action, self.action_model(depth, box, betas, agent))
        if depth < self.layout.horizon - 1:
            value = self.value_model(depth + 1, box, betas)
            chances = self._chance(agent, depth, False)
        return differences(self.layout, agent, depth, action, value, chances)

    def _chance(self, agent: int, depth: int, reply: bool) -> list:
        key = (agent, depth, reply)
        if key not in self._chances:
            self._chances[key] = chance_differences(self.layout, *key)
        return self._chances[key]

    def _chunks(self, agent: int, depth: int) -> list[Lines]:
        if (agent, depth) not in self._lines:
            one = meets_one(self.layout, agent, depth)
            count = 1 + step_bytes(self.layout, agent, depth) // CHUNK_BYTES
            self._lines[agent, depth] = [
                build_lines(self.layout, agent, depth, part)
                for alike in (np.flatnonzero(one), np.flatnonzero(~one))
                if len(alike)
                for part in np.array_split(alike, min(count, len(alike)))
            ]
        return self._lines[agent, depth]


def step_bytes(layout: Layout, agent: int, depth: int) -> int:
    """About the size of the largest temporary array of a step (the coupled form takes its cases in parts)."""
    d = layout.depths[depth]
    products = math.prod(most_vertices(A) for j, A in enumerate(d.actions) if j != agent)
    ordered = d.actions[agent] * (d.actions[agent] - 1)
    later = {(j, u): layout.depths[u].actions[j] for j, u in layout.pairs[depth]}
    slopes = max(
        (len(pairs) * (most_vertices(later[key]) + later[key]) for key, pairs in layout.pairs[depth].items()), default=0
    )
    return 16 * slopes * products * ordered


def coupled_bytes(layout: Layout, agent: int, depth: int) -> int:
    """About the size of all cases of the coupled form."""
    if layout.agents != 2 or depth == layout.horizon - 1:
        return 0
    d, after = layout.depths[depth], layout.depths[depth + 1]
    own, other = after.actions[agent], after.actions[1 - agent]
    links = len(np.unique(d.source * after.joint_classes + d.target))
    products = most_vertices(d.actions[1 - agent]) * most_vertices(other) * (most_vertices(own) + own + 1)
    return 16 * links * products * d.actions[agent] * (d.actions[agent] - 1)


def most_vertices(actions: int) -> int:
    """The largest number of vertices of a box in the simplex."""
    return actions * math.comb(actions - 1, (actions - 1) // 2)


def widest_bytes(layout: Layout) -> int:
    """About the size of the largest temporary array that one box of the process needs."""
    found = 1
    for t, d in enumerate(layout.depths):
        vertices = [most_vertices(A) for A in d.actions]
        found = max(found, 8 * d.joint_classes * d.joint_actions * (math.prod(vertices) if t else 1))
        for i, A in enumerate(d.actions):
            found = max(found, step_bytes(layout, i, t), 16 * d.joint_classes * d.joint_actions * (A - 1))
    return found
