"""One contraction step in floats: from a box that holds every stationary policy to bounds on the
log-ratios of one agent's policies at one depth (docs/theory/localisation.md#boxes-from-log-ratios,
docs/theory/continuation.md#covers; the rule itself is stated and proved in docs/certificate-format.md, "The step
rule").

Everything here is approximate.  The bounds become theorems when the checker, which shares no code
with this module, re-derives them with rigorous arithmetic; a step leaves it room to round.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from certify.memory import pieces
from certify.thresholds.approx_coupled import Coupled
from certify.thresholds.approx_models import Models
from certify.thresholds.approx_support import FEW, TINY, ein, greedy_maximum, support
from certify.thresholds.index_tables import ordered_pairs
from certify.thresholds.room import class_bytes, room_of

_LARGEST = 2.0**24  # beyond this a bound on a difference of values says nothing
_ROUNDING = 1e-12  # of a bound, per unit of weight: what a step's slack makes up for


class Step(Models):
    """The rule for a batch of boxes at fixed beta: models backwards, then bounds forwards.

    ends : 2 where the second half of the batch holds the first one's boxes at the upper ends of intervals of beta.
    """

    ends = 1

    def log_ratio_bounds(self, agent: int, t: int, guess: np.ndarray | None = None) -> np.ndarray:
        """(B, K, A, A): upper bounds on log pi(a|x) - log pi(b|x) at every stationary policy in
        the box, for the classes x of (agent, t); 0 on the diagonal.

        `guess` : bounds known before, where the search for the smallest valid ones starts.
        """
        count = self.plan.levels[t].action_counts[agent]
        pairs = ordered_pairs(count)
        k = self.plan.levels[t].classes[agent]
        result = np.zeros((len(self.beta), k, count, count))
        if len(pairs):
            tilt = self._tilt(agent, t)
            start = guess
            if guess is not None:
                start = (guess - tilt)[:, :, pairs[:, 0], pairs[:, 1]] * self.plan.weights[agent]
            best = np.empty((len(self.beta), k, len(pairs)))
            for part in pieces(k, len(self.beta) * class_bytes(self.plan, agent, t), room_of(self.plan).temporary):
                begin = None if start is None else start[:, part]
                best[:, part] = self._bounds(agent, t, part, begin)
            result[:, :, pairs[:, 0], pairs[:, 1]] = best / self.plan.weights[agent]
            result += tilt
        return result

    def _bounds(self, agent: int, t: int, part: slice, start: np.ndarray | None) -> np.ndarray:
        """(B, K', P): the best of several ways, at some classes."""
        ways = [Way()]
        if self._has_later(agent, t):
            ways += [Way(share=True)] * (t > 0) + [Way(reply=True)] * self.plan.flows_back
        found = [self._over_interval(_Ascent(self, agent, t, part, way).smallest(start), way) for way in ways]
        return np.minimum.reduce(found)

    def _over_interval(self, bound: np.ndarray, way: Way) -> np.ndarray:
        """Bounds with replies, the larger one of both ends of an interval of beta: they bound another function than the
        other ways, so that one end by them and the other end by others say nothing of what is between."""
        if not way.reply or self.ends == 1:
            return bound
        larger = bound.reshape(self.ends, -1, *bound.shape[1:]).max(0)
        return np.concatenate([larger] * self.ends)

    def _tilt(self, agent: int, t: int) -> np.ndarray:
        """(K, A, A): the log-ratios of the reference, where U is without what it pays (docs/theory/local-bonus.md)."""
        logs = np.log(self.plan.levels[t].odds[agent].astype(np.float64))
        return (logs[:, :, None] - logs[:, None, :]) * (0.0 if self.plan.flows_back else 1.0)

    def _has_later(self, agent: int, t: int) -> bool:
        return bool(self.model(t).slope)


class Way(NamedTuple):
    """One of the ways in which a difference of values is bounded.

    share : carry the later blocks' slopes to the root at the centre's weights, so that one block
        met by several of the others' histories is chosen once; otherwise choose it at each node.
    reply : after the second action the agent's later policies are its centres, which earn no more than its replies
        (docs/theory/localisation.md#replies).
    """

    share: bool = False
    reply: bool = False


class _Ascent:
    """sup over the box of sum_m N(m) [sum_a pi(a|m) (U(x, a, .) - U(x, b, .)) - lambda], from the
    classes x of (agent, t), those in `part`, up to the root; lambda bounds Q(x, a) - Q(x, b) iff this is <= 0.
    """

    def __init__(self, step: Step, agent: int, t: int, part: slice, way: Way) -> None:
        share, self.reply = way
        self.step, self.plan, self.agent, self.t, self.part = step, step.plan, agent, t, part
        self.path = [way.of(part) for way in self.plan.path(agent, t)]
        self.others = self.plan.others(agent)
        self.top_is_single = bool((self.plan.path(agent, t)[0].mask.sum(1) == 1).all())  # of all classes
        plan, model, rows = self.plan, step.model(t), self.path[t].rows
        pairs = ordered_pairs(plan.levels[t].action_counts[agent])

        def of(x, which):
            return plan.split_actions(x, agent, t, 2)[:, rows][:, :, :, pairs[:, which]]

        def differences(x):
            return of(x, 0) - of(x, 1)

        self.gain = differences(model.value)  # (B, K, M, P, AM)
        if self.reply:  # what follows b is worth at least what it is worth where the agent plays its centres
            self.held = of(model.high, 0)
            # centres are the same, and so are values and the others' slopes
            self.gain = self.gain + self.held - of(step.pinned(agent).model(t).low, 1)
            slopes = {key: of(g, 0) if key[0] == agent else differences(g) for key, g in model.slope.items()}
        else:
            self.held = 0.0 if t == plan.horizon - 1 else step.remainder_of_difference(agent, t, rows)
            self.gain = self.gain + self.held
            slopes = {key: differences(g) for key, g in model.slope.items()}  # (B, K, M, P, AM, D, A + 1)
        self.extra, self.weights = [None] * (t + 1), [None] * (t + 1)
        for u in range(t, -1, -1):
            slopes = self._node(u, slopes, share)
            if u:
                slopes = {key: self._lift(u - 1, key, g) for key, g in slopes.items()}

    def _index(self, u: int, key: tuple[int, int]) -> np.ndarray:
        """(K, M, D) classes of block `key` met below the nodes of depth u."""
        j, depth = key
        if j == self.agent:
            own = self.plan.descendants[j][self.t][depth][self.part]
            return np.broadcast_to(own[:, None, :], (*self.path[u].rows.shape, own.shape[1]))
        return self.plan.below(j, u, depth)[self.path[u].rows]

    def _node(self, u: int, slopes: dict, share: bool) -> dict:
        """Fix what later blocks add at every vertex of the others' current blocks; pass on the rest."""
        rows = self.path[u].rows
        if not slopes and len(self.others) == 1 and self.plan.levels[u].action_counts[self.others[0]] > FEW:
            j = self.others[0]
            block, k = self.step.box[j][u], self.plan.levels[u].joint[rows, j]
            self.weights[u], self.extra[u] = (block.lower[:, k][:, :, :, None], block.upper[:, k][:, :, :, None]), 0.0
            if u == 0 and not self.top_is_single:
                self.residue = 0.0
            return {}
        q = self.step._joint(u, self.others, rows, "points")  # (B, K, M, Q, AM)
        c = self.step._joint(u, self.others, rows, "centre")
        self.weights[u] = q
        top = u == 0 and self.top_is_single
        extra, passed = 0.0, {}
        for key, g in slopes.items():
            index = self._index(u, key)[:, :, None, None, :]
            moved = ein("bkmqa,bkmpadx->bkmpqdx", q, g)
            if share and not top:
                passed[key] = ein("bkma,bkmpadx->bkmpdx", c, g)
                moved = moved - passed[key][:, :, :, :, None]
            extra = extra + support(self.step.box[key[0]][key[1]], index, moved, entropic=top or not share).sum(-1)
        if u == self.t and (top or not share):
            extra = self._improved(
                Coupled(self.step, (self.agent, u, self.part.start, self.reply), q, slopes), q, extra
            )
        self.extra[u] = extra
        if u == 0 and not top:
            self.residue = self._shared_at_root(passed)
        return passed

    def _improved(self, coupled: Coupled, q: np.ndarray, extra: np.ndarray) -> np.ndarray:
        """`extra` (B, K, M, P, Q) where the coupled form is smaller, at those vertices where the maximum over them
        can be: which one that is does not depend on lambda, which counts once at all of them."""
        if not coupled.applies:
            return extra
        # `gain` holds the remainder, which the coupled form takes in itself
        plain, held = ein("bkmqa,bkmpa->bkmpq", q, self.gain) + extra, ein("bkmqa,bkmpa->bkmpq", q, self.held)
        change = np.zeros(plain.shape)
        wanted = plain == plain.max(-1, keepdims=True)
        for _ in range(2):
            cases = np.nonzero(wanted)
            if len(cases[0]):
                with np.errstate(invalid="ignore"):  # where nothing is bounded yet
                    change[cases] = np.fmin(0.0, coupled.extra(cases) - extra[cases] - held[cases])
            # what still exceeds the best of those that have been improved
            best = np.where(wanted, plain + change, -np.inf).max(-1, keepdims=True)
            wanted = ~wanted & (plain > best)
        return extra + change

    def _start_weights(self) -> np.ndarray:
        """(K, M): initial probability of each joint class at depth 0."""
        return np.where(self.path[0].mask, self.plan.initial[self.path[0].rows], 0.0)

    def _shared_at_root(self, slopes: dict) -> np.ndarray | float:
        start, total = self._start_weights(), 0.0
        for key, g in slopes.items():
            block, index = self.step.box[key[0]][key[1]], self._index(0, key)
            g = start[:, :, None, None, None] * g
            if key[0] == self.agent:
                total = total + support(block, index[:, 0][:, None, :], g.sum(2), entropic=True).sum(-1)
            else:
                total = total + support(block, index[:, :, None, :], g, entropic=True).sum((-1, 2))
        return total

    def _lift(self, u: int, key: tuple[int, int], slope: np.ndarray) -> np.ndarray:
        """Slopes at depth u + 1 seen from depth u: (B, K, M, P, AM, D, A + 1)."""
        step = self.path[u]
        k = np.arange(len(step.rows))[:, None, None]
        own = key[0] == self.agent
        if not own:
            link = self.plan.split_actions(self.plan.link(key[0], u, key[1]), self.agent, u, 1)
            link = link[step.rows, step.taken[:, None]]  # (K, M, AM, S, D)
        result = 0.0
        for s in range(step.target.shape[-1]):
            picked = slope[:, k, step.target[..., s]]  # (B, K, M, AM, P, D', A + 1)
            if not own:
                index = np.maximum(link[..., s, :], 0)
                present = link[..., s, :] >= 0
                picked = np.take_along_axis(picked, index[None, :, :, :, None, :, None], 5)
                picked = picked * present[None, :, :, :, None, :, None]
            result = result + step.chance[..., s][None, ..., None, None, None] * picked
        return np.moveaxis(result, 4, 3)

    def excess(self, bound: np.ndarray, *, with_mass: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        """The supremum above at lambda = bound, and the weight sum_m N(m) of a policy that attains
        it (minus a subgradient in lambda), both (B, K, P)."""
        inner, mass = self.gain - bound[:, :, None, :, None], None
        for u in range(self.t, -1, -1):
            if isinstance(self.weights[u], tuple):
                best, q = greedy_maximum(*self.weights[u], inner)
                if mass is not None:
                    mass = (q * mass).sum(-1)
            else:
                values = ein("bkmqa,bkmpa->bkmpq", self.weights[u], inner) + self.extra[u]
                at = values.argmax(-1)[..., None]
                best = np.take_along_axis(values, at, -1)[..., 0]
                if mass is not None:
                    mass = np.take_along_axis(ein("bkmqa,bkmpa->bkmpq", self.weights[u], mass), at, -1)[..., 0]
            here = self.path[u].mask[None, :, :, None]
            best = np.where(here, best, 0.0)
            if with_mass:
                mass = np.broadcast_to(here, best.shape).astype(float) if mass is None else np.where(here, mass, 0.0)
            if u == 0:
                start = self._start_weights()
                if self.top_is_single:
                    start = (start > 0).astype(float)
                total = (start[None, :, :, None] * best).sum(2)
                if with_mass:
                    mass = (start[None, :, :, None] * mass).sum(2)
                return (total if self.top_is_single else total + self.residue), mass
            step = self.path[u - 1]
            k = np.arange(len(step.rows))[:, None, None, None]
            chance = step.chance[None, ..., None]
            inner = np.moveaxis((chance * best[:, k, step.target]).sum(4), 4, 3)
            if with_mass:
                mass = np.moveaxis((chance * mass[:, k, step.target]).sum(4), 4, 3)
        raise AssertionError("unreachable")

    def smallest(self, start: np.ndarray | None, rounds: int = 12) -> np.ndarray:
        """(B, K, P): the smallest lambda with excess <= 0, up to rounding; inf where none was found.

        `excess` is convex and decreasing in lambda, so Newton steps climb to its zero from the left
        (Dinkelbach); it is the largest of finitely many affine functions, so a few of them do.
        """
        shape = self.gain[:, :, 0, :, 0].shape
        if self.t == 0:
            total, _ = self.excess(np.zeros(shape), with_mass=False)
            return total if self.top_is_single else total / self._start_weights().sum(1)[None, :, None]
        here = self.path[self.t].mask[None, :, :, None, None]
        top = np.where(here, self.gain, -np.inf).max((2, 4))
        least = np.where(here, self.gain, np.inf).min((2, 4)) - 1.0
        at = top if start is None else np.where(np.isfinite(start), np.minimum(start, top), top)
        value, mass = self.excess(at)
        settled = np.abs(at) * 1e-13 + 1e-13
        going = np.ones(shape, dtype=bool)  # each number stops by itself: nothing depends on what else is in the batch
        for _ in range(rounds):
            with np.errstate(all="ignore"):
                after = at + value / mass
            # a weight of zero: the supremum does not depend on lambda there
            after = np.where(np.isfinite(after), np.clip(after, least, _LARGEST), np.where(value > 0, _LARGEST, at))
            going &= np.abs(after - at) > settled
            at = np.where(going, after, at)
            value, mass = self.excess(at)
            going &= value > _ROUNDING * mass
            if not going.any():
                break
        return np.where(value <= _ROUNDING * np.maximum(mass, TINY), at, np.inf)
