"""Convex programs over a box with the stationarity equations of a game of two agents and one step, log x anything
between its secant and itself: a barrier method in floats, many programs side by side
(docs/theory/localisation.md#programs).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from certify.thresholds.approx_weighed import Ends, Weighed

LEAST = 1e-9  # an end below it counts as it where secants are drawn
_THIN = 1e-9  # narrower sides are points
_ROOM = 1e-7  # by which all constraints are relaxed: thin boxes keep an interior
_STEPS = 60  # of Newton's method
_HALVINGS = 12  # of one of them
_CENTRED = 0.5  # Newton decrement, squared, below which multipliers are read off and the barrier is weakened
_GROWTH = 4.0, 12.0  # by how much: towards a point, towards an end
_FIRST = 20.0, 10.0  # how much the aim weighs at first, towards a point and (times the width) an end
_LAST = 1e6, 1e3  # and at most
_MOST = 2**22  # numbers in all matrices together


@dataclass(frozen=True)
class Programs:
    """P of them.  slopes : (N, N) what the logarithms take of the policies, per beta; member : (N, classes) which entry
    is in which class; products : (N, (N + classes)^2) of the slopes and memberships of each entry; beta : (P,);
    lower, upper, steep, start, known : (P, N) ends, slope and constant of the secant, and whether there is one."""

    slopes: np.ndarray
    member: np.ndarray
    products: np.ndarray
    beta: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    steep: np.ndarray
    start: np.ndarray
    known: np.ndarray

    @classmethod
    def over(cls, weighed: Weighed, ends: Ends, beta: np.ndarray) -> Programs:
        """Of boxes (P, N), at one beta each."""
        lower, upper = ends
        low, width = np.maximum(lower, LEAST), upper - lower
        with np.errstate(divide="ignore", invalid="ignore"):
            steep = np.where(width > _THIN, np.log(upper / low) / width, 1 / upper)
        member = (weighed.block[:, None] == np.arange(weighed.block[-1] + 1)).astype(float)
        slopes = weighed.table / weighed.scale[:, None]
        both = np.concatenate([slopes, member], 1)
        products = (both[:, :, None] * both[:, None]).reshape(len(both), -1)
        start = np.log(low) - steep * lower
        return cls(slopes, member, products, beta, lower - _ROOM, upper + _ROOM, steep, start, lower > 0)

    def __len__(self) -> int:
        return len(self.beta)

    def some(self, rows: np.ndarray) -> Programs:
        """These of the programs, as often as they are listed."""
        shared = ("slopes", "member", "products")
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name not in shared})

    def logs(self, x: np.ndarray, constants: np.ndarray) -> np.ndarray:
        """(P, N) log x, by the equations."""
        return np.asarray(self.beta[:, None] * (x @ self.slopes.T) + constants @ self.member.T)

    def room(self, point: Point, logs: np.ndarray) -> tuple[np.ndarray, ...]:
        """How far a point is from violating each kind of constraint, (P, N) each."""
        x, missing = point.x, point.missing[:, None] + _ROOM
        above = np.where(self.known, logs - self.steep * x - self.start + missing, 1.0)
        return np.log(np.maximum(x, 1e-300)) - logs + missing, above, x - self.lower, self.upper - x

    def weights(self, point: Point) -> np.ndarray:
        """(P, N) the multipliers of the equations that the barrier gives."""
        below, above, _, _ = self.room(point, self.logs(point.x, point.constants))
        return 1 / below - np.where(self.known, 1 / above, 0.0)


class Point(NamedTuple):
    """x : (P, N) policies; constants : (P, classes) of the equations; missing : (P,) how much the hull of the logarithm
    is widened by."""

    x: np.ndarray
    constants: np.ndarray
    missing: np.ndarray

    def some(self, rows: np.ndarray) -> Point:
        """These rows."""
        return Point(*(part[rows] for part in self))

    def put(self, rows: np.ndarray, other: Point) -> None:
        """Other points in these rows."""
        for mine, part in zip(self, other, strict=True):
            mine[rows] = part


class Aim(NamedTuple):
    """What is minimised: x : (P, N) its coefficients of the policies, missing : (P,) that of what is missing; 0 keeps
    it as it is."""

    x: np.ndarray
    missing: np.ndarray

    def some(self, rows: np.ndarray, share: np.ndarray) -> Aim:
        """`share` times these rows."""
        return Aim(self.x[rows] * share[:, None], self.missing[rows] * share)


def centred(programs: Programs) -> tuple[Point, np.ndarray]:
    """A point of every program where nothing is missing, if there is one, else one that misses little; and (P, N) the
    multipliers of the equations there: where there is none, they tell."""
    point, count = _first(programs), len(programs)
    aim = Aim(np.zeros_like(point.x), np.ones(count))
    share, weights, alive = np.full(count, _FIRST[0]), np.zeros_like(point.x), np.arange(count)
    constraints = 4.0 * point.x.shape[1]
    for _ in range(_STEPS):
        here = programs.some(alive)
        new, decrement = _newton(here, point.some(alive), aim.some(alive, share[alive]))
        point.put(alive, new)
        near = decrement < _CENTRED
        weights[alive] = np.where(near[:, None], here.weights(new), weights[alive])
        done = (new.missing < 0) | near & ((new.missing > constraints / share[alive]) | (share[alive] > _LAST[0]))
        share[alive] *= np.where(near, _GROWTH[0], 1.0)
        alive = alive[~done]
        if not len(alive):
            break
    return point, weights


def furthest(programs: Programs, point: Point, entries: np.ndarray, signs: np.ndarray, least: float) -> Ends:
    """From points where nothing is missing, how large sign times the entry gets, (P,) about; and (P, N) multipliers of
    the equations that bound it, 0 where it comes nearer to the end of the box than that part `least` of its width."""
    count, at = len(programs), np.arange(len(programs))
    width = (programs.upper - programs.lower)[at, entries]
    x = np.zeros_like(point.x)
    x[at, entries] = -signs / width
    aim, point = Aim(x, np.zeros(count)), Point(point.x.copy(), point.constants.copy(), np.zeros(count))
    share, weights, alive = np.full(count, _FIRST[1]), np.zeros_like(x), at
    for _ in range(_STEPS):
        here, c = programs.some(alive), (np.arange(len(alive)), entries[alive])
        new, decrement = _newton(here, point.some(alive), aim.some(alive, share[alive]))
        point.put(alive, new)
        near = decrement < _CENTRED
        found = here.weights(new) * (width / share)[alive, None]
        weights[alive] = np.where(near[:, None], found, weights[alive])
        left = np.where(signs[alive] > 0, here.upper[c] - new.x[c], new.x[c] - here.lower[c])
        hopeless = left < least * width[alive]
        weights[alive[hopeless]] = 0.0
        done = hopeless | near & (share[alive] >= _LAST[1])
        share[alive] *= np.where(near, _GROWTH[1], 1.0)
        alive = alive[~done]
        if not len(alive):
            break
    return signs * point.x[at, entries], weights


def _first(programs: Programs) -> Point:
    """In the middle of the box and the simplices, with as much missing as that takes."""
    lower, upper, member = programs.lower, programs.upper, programs.member
    short, width = 1 - lower @ member, (upper - lower) @ member
    part = np.clip(short / np.maximum(width, 1e-300), 1e-6, 1 - 1e-6)
    x = np.maximum(lower + part @ member.T * (upper - lower), LEAST)
    logs = np.log(x)
    middle = (logs + np.where(programs.known, programs.steep * x + programs.start, logs - 1)) / 2
    constants = ((middle - programs.logs(x, np.zeros((len(x), member.shape[1])))) @ member) / member.sum(0)
    point = Point(x, constants, np.zeros(len(x)))
    below, above, _, _ = programs.room(point, programs.logs(x, constants))
    return point._replace(missing=np.maximum(0.0, -np.minimum(below, above).min(1)) + 0.5)


def _newton(programs: Programs, point: Point, aim: Aim) -> tuple[Point, np.ndarray]:
    """One step of Newton's method on the aim plus the barrier, shortened until it descends; (P,) its decrement squared
    before."""
    most = max(1, _MOST // point.x.shape[1] ** 2)
    if len(programs) > most:
        parts = [slice(k, k + most) for k in range(0, len(programs), most)]
        at = np.arange(len(programs))
        found = [_newton(programs.some(at[p]), point.some(at[p]), Aim(aim.x[p], aim.missing[p])) for p in parts]
        points = Point(*(np.concatenate(part) for part in zip(*(new for new, _ in found), strict=True)))
        return points, np.concatenate([decrement for _, decrement in found])
    logs = programs.logs(point.x, point.constants)
    step, decrement = _direction(programs, point, logs, aim)
    along = programs.logs(step.x, step.constants)
    lower, upper = point.x - programs.lower, programs.upper - point.x
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.where(step.x < 0, -lower / step.x, np.where(step.x > 0, upper / step.x, np.inf)).min(1)
    size, before = np.minimum(1.0, 0.98 * far), _merit(programs, point, logs, aim)
    for _ in range(_HALVINGS):
        new = Point(*(_plus(old, size, move) for old, move in zip(point, step, strict=True)))
        after = _merit(programs, new, _plus(logs, size, along), aim)
        good = after <= before - 0.01 * size * np.maximum(decrement, 0.0) + 1e-9 * np.abs(before)
        if good.all():
            break
        size = np.where(good, size, size / 2)
    size = np.where(good, size, 0.0)
    return Point(*(_plus(old, size, move) for old, move in zip(point, step, strict=True))), decrement


def _plus(start: np.ndarray, size: np.ndarray, move: np.ndarray) -> np.ndarray:
    return np.asarray(start + (size if start.ndim == 1 else size[:, None]) * move)


def _merit(programs: Programs, point: Point, logs: np.ndarray, aim: Aim) -> np.ndarray:
    """(P,) the aim plus the barrier, inf outside."""
    room = programs.room(point, logs)
    inside = (np.minimum.reduce([*room, point.x]) > 0).all(1)
    value = (aim.x * point.x).sum(1) + aim.missing * point.missing
    barrier = np.log(np.where(inside[:, None], room[0] * room[1] * room[2] * room[3], 1.0)).sum(1)
    return np.where(inside, value - barrier, np.inf)


def _direction(programs: Programs, point: Point, logs: np.ndarray, aim: Aim) -> tuple[Point, np.ndarray]:
    """Newton's step, sum pi = 1 kept or restored, and its decrement squared."""
    count, N = point.x.shape
    classes, at = programs.member.shape[1], np.arange(N)
    size = N + classes + 1  # policies, constants, what is missing; then the multipliers of the sums
    below, above, left, right = (1 / part for part in programs.room(point, logs))
    above = np.where(programs.known, above, 0.0)
    curve_z = below**2 + above**2
    cross = -(below**2) / point.x - above**2 * programs.steep
    curve_x = below**2 / point.x**2 + below / point.x**2 + above**2 * programs.steep**2 + left**2 + right**2
    equations = np.empty((count, N, size - 1))  # the derivative of logs
    equations[:, :, :N] = programs.beta[:, None, None] * programs.slopes
    equations[:, :, N:] = programs.member
    matrix = np.zeros((count, size + classes, size + classes))
    share = np.ones((count, size - 1))
    share[:, :N] = programs.beta[:, None]
    curved = (curve_z @ programs.products).reshape(count, size - 1, size - 1)
    matrix[:, : size - 1, : size - 1] = curved * share[:, :, None] * share[:, None]
    mixed = cross[:, :, None] * equations
    matrix[:, :N, : size - 1] += mixed
    matrix[:, : size - 1, :N] += np.swapaxes(mixed, 1, 2)
    matrix[:, at, at] += curve_x
    missing = ((above**2 - below**2)[:, None] @ equations)[:, 0]
    missing[:, :N] += below**2 / point.x - above**2 * programs.steep
    free = aim.missing != 0
    matrix[:, size - 1, : size - 1] = matrix[:, : size - 1, size - 1] = np.where(free[:, None], missing, 0.0)
    matrix[:, size - 1, size - 1] = np.where(free, curve_z.sum(1), 1.0)
    matrix[:, :N, size:] = programs.member
    matrix[:, size:, :N] = programs.member.T
    slope = np.zeros((count, size + classes))
    slope[:, : size - 1] = ((below - above)[:, None] @ equations)[:, 0]
    slope[:, :N] += aim.x - below / point.x + above * programs.steep - left + right
    slope[:, size - 1] = np.where(free, aim.missing - (below + above).sum(1), 0.0)
    slope[:, size:] = point.x @ programs.member - 1
    try:
        step = -np.linalg.solve(matrix, slope[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        step = np.zeros_like(slope)
    step = np.where(np.isfinite(step).all(1, keepdims=True), step, 0.0)
    decrement = -(slope[:, :size] * step[:, :size]).sum(1)
    return Point(step[:, :N], step[:, N : size - 1], step[:, size - 1]), decrement
