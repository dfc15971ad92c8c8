"""Boxes without a stationary policy, in floats: a direction along which J increases everywhere in
the box (theory, section 7; docs/certificate-format.md, "The ascent rule").

At a stationary policy every directional derivative of J vanishes, so one fixed tangent direction v
with D(beta J)[v] > 0 on the whole box shows that the box holds none.  The derivative is bounded by
the mean value theorem with the form of section 5, own blocks kept; v is found by projecting 0 onto the
linearised gradients over the box, which separates best where the form is nearly singular: there
bounds on single log-ratios stall.  The checker computes the bound rigorously and on its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from certify.uniqueness.approx_definite import Hessian, _gather

_ROUNDS = 120
_TINY = 1e-300


@dataclass
class Linearisation:
    """The gradient over a batch of boxes, g + (matrix +- radius) delta with delta = pi - centre.

    gradient : (B, N); matrix, radius : (B, N, N); low, high : (B, N) ends of delta; block : (N,).
    """

    gradient: np.ndarray
    matrix: np.ndarray
    radius: np.ndarray
    low: np.ndarray
    high: np.ndarray
    block: np.ndarray


def linearise(hessian: Hessian) -> Linearisation:
    """Coefficients of D(beta J) over the boxes of a `Step`, coordinates in the order of `tree.blocks`."""
    step, plan = hessian.step, hessian.plan
    form = hessian.form(own=True)
    centre_reach = hessian.reach_at("centre")
    gradient, low, high, slope_low, slope_high = [], [], [], [], []
    for i, t, _, _ in hessian.sizes:
        level, block = plan.levels[t], step.box[i][t]
        visits = {end: _gather(reach[t], level.joint[:, i], level.classes[i])[..., None]
                  for end, reach in (("centre", centre_reach), *hessian.reach.items())}
        rows = np.arange(len(level.joint))
        others = step._joint(t, plan.others(i), rows, "centre")
        value = np.einsum("beam,bem->bea", plan.split_actions(step.model(t).value, i, t, 2), others)
        weighed = _gather(np.moveaxis(centre_reach[t][..., None] * value, 2, 1), level.joint[:, i], level.classes[i])
        weight = plan.weights[i]
        gradient.append(np.moveaxis(weighed, 1, 2) - weight * visits["centre"] * block.log_centre)
        low.append(block.lower - block.centre)
        high.append(block.upper - block.centre)
        slope_low.append(weight * visits["lower"] * _log_slope(block.centre, block.upper))
        slope_high.append(weight * visits["upper"] * _log_slope(block.centre, block.lower))
    flat = [np.concatenate([x.reshape(len(x), -1) for x in part], 1) for part in (gradient, low, high, slope_low, slope_high)]
    index = np.arange(hessian.total)
    matrix, radius = form.middle, form.radius
    matrix[:, index, index] -= (flat[3] + flat[4]) / 2
    radius[:, index, index] += (flat[4] - flat[3]) / 2
    return Linearisation(flat[0], matrix, radius, flat[1], flat[2], form.block)


def _log_slope(centre: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(log end - log centre) / (end - centre), 1 / centre where they meet."""
    gap = end - centre
    near = np.abs(gap) < 1e-9 * centre
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.log(np.maximum(end, _TINY) / np.maximum(centre, _TINY)) / gap
    return np.where(near, 1 / np.maximum(centre, _TINY), slope)


def centred(vector: np.ndarray, block: np.ndarray) -> np.ndarray:
    """(..., N) less the mean of each block."""
    count = np.bincount(block)
    totals = np.stack([np.bincount(block, row, minlength=len(count)) for row in vector.reshape(-1, vector.shape[-1])])
    return vector - (totals / count)[:, block].reshape(vector.shape)


def ascent_margin(model: Linearisation, direction: np.ndarray) -> np.ndarray:
    """(B,) lower bounds of D(beta J)[v] over the boxes for v = `direction` (B, N), tangent."""
    value = (model.gradient * direction).sum(1)
    slope = np.einsum("bij,bj->bi", model.matrix, direction)
    # along delta every block sums to 0: a constant of the block may be taken off its slopes
    spread = np.einsum("bij,bj->bi", model.radius, np.abs(direction))
    return value - _largest(model, -slope) - (spread * np.maximum(-model.low, model.high)).sum(1)


def _largest(model: Linearisation, slope: np.ndarray) -> np.ndarray:
    """max over the box (blocks summing to 0) of slope . delta, by filling up block by block."""
    result = np.zeros(len(slope))
    for b in range(model.block[-1] + 1):
        at = np.flatnonzero(model.block == b)
        s, low, high = slope[:, at], model.low[:, at], model.high[:, at]
        order = np.argsort(-s, 1)
        s, low, high = (np.take_along_axis(x, order, 1) for x in (s, low, high))
        room = high - low
        take = np.clip(-low.sum(1, keepdims=True) - (np.cumsum(room, 1) - room), 0, room)
        result += ((low + take) * s).sum(1)
    return result


def directions(model: Linearisation, scale: np.ndarray) -> np.ndarray:
    """(B, N): residuals of the projection of 0 onto {gradient + matrix delta}, blocks centred, in the
    metric diag(scale**2) (B, N): accelerated projected gradient descent."""
    matrix = scale[:, :, None] * centred(np.moveaxis(model.matrix, 1, 2), model.block).swapaxes(1, 2)
    target = scale * centred(model.gradient, model.block)
    # substitute delta = widths * s, to condition the problem
    width = np.maximum((model.high - model.low) / 2, 1e-12)
    matrix = matrix * width[:, None, :]
    low, high = model.low / width, model.high / width
    lipschitz = np.linalg.norm(matrix, 2, axis=(1, 2))[:, None] ** 2 + 1e-30
    point, momentum, t = np.zeros_like(low), np.zeros_like(low), 1.0
    for _ in range(_ROUNDS):
        residual = target + np.einsum("bij,bj->bi", matrix, momentum)
        after = np.clip(momentum - np.einsum("bij,bi->bj", matrix, residual) / lipschitz, low, high)
        t_after = (1 + np.sqrt(1 + 4 * t * t)) / 2
        momentum = after + (t - 1) / t_after * (after - point)
        point, t = after, t_after
    residual = target + np.einsum("bij,bj->bi", matrix, point)
    return centred(scale * residual, model.block)
