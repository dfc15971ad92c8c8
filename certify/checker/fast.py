"""The checker's second engine: the same steps in vectorised float64 with proved error bounds.

Verifies the contraction steps and the definiteness tests of a cover (docs/certificate-format.md, 4.3 to
4.5; theory, sections 4, 5 and 7).  Trusts IEEE double arithmetic, numpy's and scipy's sums of products in
any order (not their exp and log), and shares no code with the search or with the other engine.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from certify.checker.cover import Step
from certify.checker.envelope import Failed
from certify.checker.fast_box import BlockBox, box_of_log_ratios, grid_down, grid_up
from certify.checker.fast_definite import positive_definite
from certify.checker.fast_layout import Layout
from certify.checker.fast_lines import Lines, build_lines, meets_one
from certify.checker.fast_models import CHUNK_BYTES, Boxes, Model, action_model, last_model, value_model
from certify.checker.fast_numbers import LARGEST_NUMBER
from certify.checker.fast_step import Differences, chance_differences, differences, ordered_pairs, upper_bounds
from certify.checker.process import Process

Betas = tuple[Fraction, ...]


class FastEngine:
    """An engine of `certify.checker.cover`; boxes are tuples (per depth) of tuples (per agent) of `BlockBox`.

    Two levers, every alpha >= 1: two steps from the whole policy space the form is definite.

    >>> from certify.checker.game import read_game
    >>> from certify.checker.process import build_process
    >>> from certify.games.canonical import game_to_json
    >>> from certify.games.load import load
    >>> engine = FastEngine()
    >>> engine.begin(build_process(read_game(game_to_json(load("lever:2")))))
    >>> betas = (Fraction(0), Fraction(1))
    >>> engine.definite(engine.initial_box(), betas)
    (False, 'agent 0 at depth 0 has a lower bound 0: the form is not bounded')
    >>> box = engine.initial_box()
    >>> for step in (Step(0, 0, ((5, 5),)), Step(1, 0, ((3, 3),))):  # in quarters
    ...     ok, why, box = engine.apply_step(box, step, betas, -2)
    >>> ok, engine.definite(box, betas)
    (True, (True, None))
    """

    name = "fast"

    def begin(self, process: Process) -> None:
        """Reads the process; forgets everything about another one."""
        self._process = process
        self._layout = Layout(process)
        self._lines: dict[tuple[int, int], list[Lines]] = {}
        self._chances: dict[tuple[int, int], list] = {}
        self._sharing_first: dict[tuple[int, int], bool] = {}
        self._models: dict[tuple[str, int], tuple[tuple, Model]] = {}

    def initial_box(self) -> Boxes:
        """The whole policy space."""
        return tuple(tuple(BlockBox.whole(count, actions) for count, actions in zip(d.class_counts, d.actions))
                     for d in self._layout.depths)

    def is_empty(self, box: Boxes) -> bool:
        """True only if some block's box holds no distribution."""
        return any(block.empty_class is not None for depth in box for block in depth)

    def split(self, box: Boxes, block: tuple[int, int, int], action: int, at: Fraction, upper: bool) -> Boxes:
        """The part of the box with pi(action) <= at, or >= at if `upper`; `block` is (agent, depth, class)."""
        agent, depth, k = block
        old = box[depth][agent]
        low, high = old.lower.copy(), old.upper.copy()
        if upper:
            low[k, action] = max(low[k, action], grid_down(at))
        else:
            high[k, action] = min(high[k, action], grid_up(at))
        return _replaced(box, depth, agent, BlockBox(low, high))

    def apply_step(self, box: Boxes, step: Step, betas: Betas, unit: int) -> tuple[bool, str | None, Boxes]:
        """Verifies every claimed log ratio at every beta; (True, None, contracted box) or (False, why, box)."""
        i, t = step.agent, step.depth
        actions, w = self._process.actions[t][i], self._process.weights[i]
        scale = Fraction(2) ** unit
        claimed = np.array([[m is not None for m in row] for row in step.log_ratio], dtype=bool)
        if claimed.any():
            ratio = np.array([[0.0 if m is None else _below(w * m * scale) for m in row] for row in step.log_ratio])
            try:
                failure = self._first_failure(box, i, t, betas, ratio, claimed)
            except Failed as failed:
                failure = failed.why
            if failure is not None:
                return False, failure, box
        bounds = np.full((len(step.log_ratio), actions, actions), np.inf)
        a, b = ordered_pairs(actions)
        bounds[:, a, b] = [[np.inf if m is None else _above(m * scale) for m in row] for row in step.log_ratio]
        return True, None, _replaced(box, t, i, box[t][i].intersected(*box_of_log_ratios(bounds)))

    def definite(self, box: Boxes, betas: Betas, modulus: Fraction | None = None,
                 own: bool = False) -> tuple[bool, str | None]:
        """Whether the form of 4.5 is positive definite on the box at every beta (section 6: modulus, own)."""
        try:
            models = [self.action_model(t, box, betas) for t in range(self._layout.horizon)]
            return positive_definite(self._layout, models, box, betas, modulus or Fraction(0), own)
        except Failed as failed:
            return False, failed.why

    def _first_failure(self, box: Boxes, agent: int, depth: int, betas: Betas, ratio: np.ndarray,
                       claimed: np.ndarray) -> str | None:
        """None if F <= 0 for every claimed log ratio and beta, each by either form of the rule."""
        key = (agent, depth)
        found = self._differences(box, agent, depth, betas)
        open_ = np.broadcast_to(claimed[:, :, None], (*claimed.shape, len(betas))).copy()
        first = self._sharing_first.get(key, True)
        for sharing in (first, not first):
            open_ &= ~(self._bounds(found, box, key, ratio, sharing) <= 0)
            if not open_.any():
                self._sharing_first[key] = sharing
                return None
            if depth == self._layout.horizon - 1 or (depth == 0 and all(x.single for x in self._chunks(agent, depth))):
                break  # no slopes, or the top alone: the two forms are one
        k, pair, number = np.argwhere(open_)[0]
        a, b = (x[pair] for x in ordered_pairs(self._process.actions[depth][agent]))
        return (f"agent {agent}, depth {depth}, class {k}: log pi({a}) - log pi({b}) is not certainly within its bound "
                f"at beta = {betas[number]}")

    def bounds(self, box: Boxes, agent: int, depth: int, betas: Betas, ratio: np.ndarray, sharing: bool) -> np.ndarray:
        """Upper bounds of F, (classes, ordered pairs, betas), for w_i M_ab = `ratio` (classes, ordered pairs);
        `sharing` chooses between the two forms of the rule (6)."""
        return self._bounds(self._differences(box, agent, depth, betas), box, (agent, depth), ratio, sharing)

    def _bounds(self, found: Differences, box: Boxes, key: tuple[int, int], ratio: np.ndarray,
                sharing: bool) -> np.ndarray:
        result = np.empty((*ratio.shape, found.above.shape[3]))
        for lines in self._chunks(*key):
            result[lines.classes] = upper_bounds(self._layout, lines, found, box, ratio[lines.classes], sharing)
        return result

    def action_model(self, t: int, box: Boxes, betas: Betas) -> Model:
        """U at depth t over the boxes of the depths below it."""
        layout = self._layout
        if max(betas) > LARGEST_NUMBER:
            raise Failed(f"beta beyond {LARGEST_NUMBER}, too large for the fast engine")
        if t == layout.horizon - 1:
            return self._remembered("U", t, (betas,), lambda: last_model(layout, betas))
        return self._remembered("U", t, (betas, *box[t + 1:]),
                                lambda: action_model(layout, t, self.value_model(t + 1, box, betas), betas))

    def value_model(self, t: int, box: Boxes, betas: Betas) -> Model:
        """V at depth t over the boxes of depth t and below."""
        return self._remembered("V", t, (betas, *box[t:]), lambda: value_model(
            self._layout, t, self.action_model(t, box, betas), box))

    def _remembered(self, kind: str, t: int, key: tuple, build) -> Model:
        """Steps change one block list at a time: models whose boxes are the very same objects are kept."""
        if (kind, t) in self._models:
            known, model = self._models[kind, t]
            if known[0] == key[0] and all(x is y for old, new in zip(known[1:], key[1:]) for x, y in zip(old, new)):
                return model
        model = build()
        self._models[kind, t] = (key, model)
        return model

    def _differences(self, box: Boxes, agent: int, depth: int, betas: Betas) -> Differences:
        value, chances = None, []
        action = self.action_model(depth, box, betas)
        if depth < self._layout.horizon - 1:
            value = self.value_model(depth + 1, box, betas)
            if (agent, depth) not in self._chances:
                self._chances[agent, depth] = chance_differences(self._layout, agent, depth)
            chances = self._chances[agent, depth]
        return differences(self._layout, agent, depth, action, value, chances)

    def _chunks(self, agent: int, depth: int) -> list[Lines]:
        if (agent, depth) not in self._lines:
            one = meets_one(self._layout, agent, depth)
            count = self._chunk_count(agent, depth)
            self._lines[agent, depth] = [
                build_lines(self._layout, agent, depth, part)
                for alike in (np.flatnonzero(one), np.flatnonzero(~one)) if len(alike)
                for part in np.array_split(alike, min(count, len(alike)))]
        return self._lines[agent, depth]

    def _chunk_count(self, agent: int, depth: int) -> int:
        """How many parts keep the largest temporary array of a step near `CHUNK_BYTES`."""
        d = self._layout.depths[depth]
        products = math.prod(_most_vertices(A) for j, A in enumerate(d.actions) if j != agent)
        ordered = d.actions[agent] * (d.actions[agent] - 1)
        later = {(j, u): self._layout.depths[u].actions[j] for j, u in self._layout.pairs[depth]}
        slopes = max((len(pairs) * (_most_vertices(later[key]) + later[key])
                      for key, pairs in self._layout.pairs[depth].items()), default=0)
        return 1 + 16 * slopes * products * ordered // CHUNK_BYTES


def _most_vertices(actions: int) -> int:
    """The largest number of vertices of a box in the simplex."""
    return actions * math.comb(actions - 1, (actions - 1) // 2)


def _replaced(box: Boxes, depth: int, agent: int, block: BlockBox) -> Boxes:
    at_depth = box[depth][:agent] + (block,) + box[depth][agent + 1:]
    return box[:depth] + (at_depth,) + box[depth + 1:]


def _below(x: Fraction) -> float:
    """A float <= x."""
    return math.nextafter(float(x), -math.inf)


def _above(x: Fraction) -> float:
    """A float >= x."""
    return math.nextafter(float(x), math.inf)
