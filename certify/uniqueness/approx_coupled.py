"""The coupled form of a step for two agents, in floats: what the next depth adds to a difference of
values, with its bilinear remainder chosen together with the linear terms (theory, section 7;
docs/certificate-format.md, "The coupled form").

Bounding linear part and remainder apart lets one block of the other agent play two policies at once.
Here it is chosen once per class, and the own blocks against it, each with its share of its own slope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from certify.uniqueness.approx_support import ein, last_max, support

if TYPE_CHECKING:
    from certify.uniqueness.approx_step import Step

_LARGEST_TABLE = 2**22   # numbers per box beyond which the coupled form is left out
_TINY = 2.0**-40         # added to the width of every remainder: shares where none has any


def coupled_extra(step: Step, agent: int, t: int, pairs: np.ndarray, q: np.ndarray,
                  slopes: dict[tuple[int, int], np.ndarray]) -> np.ndarray | None:
    """(B, K, M, P, Q): bound on sum_a q(a) [U(x, a, .) - U(x, b, .)] less its centred values, for the
    classes x of (agent, t), every ordered pair (a, b) and every vertex q (B, K, M, Q, AM) of the other
    agent's policy; `slopes` as `_Ascent` makes them.  None where the form does not apply.
    """
    plan, other = step.plan, 1 - agent
    if plan.agents != 2 or t + 1 >= plan.horizon:
        return None
    change, joint = plan.successor_pairs(agent, t)              # (K, M, P, AM, X, Y), (K, M, X, Y)
    own, theirs = step.box[agent][t + 1], step.box[other][t + 1]
    size = change[:, :, :, 0].size * q.shape[3] * theirs.points.shape[2] * own.points.shape[2] * own.points.shape[3]
    if size > _LARGEST_TABLE:
        return None
    rows = plan.path(agent, t)[t].rows
    mine = plan.descendants[agent][t][t + 1]                     # (K, X)
    yours = plan.below(other, t, t + 1)[rows]                    # (K, M, Y)
    moved = {key: ein("bkmqa,bkmpadx->bkmpqdx", q, g) for key, g in slopes.items()}
    weight = ein("bkmqa,kmpaxy->bkmpqxy", q, change)
    after, model = step.collapsed(t + 1), step.model(t + 1)
    k = plan.levels[t + 1].joint[:, other]
    shift = theirs.shift[:, k]                                   # (B, E', V, A)
    against = ein("beim,bevm->bevi", plan.split_actions(model.value, agent, t + 1, 2), shift)[:, joint]
    share = _shares(weight, (after.high - after.low)[:, joint][:, :, :, None, None])
    mine_slope = moved.pop((agent, t + 1))
    slope = np.moveaxis(share, -1, 5)[..., None, :, None] * mine_slope[:, :, :, :, :, None, None]   # (..., Y, 1, X, A + 1)
    bilinear = weight[..., None, None] * against[:, :, :, None, None]                    # (..., X, Y, V, A)
    slope = np.broadcast_to(slope, (*slope.shape[:6], bilinear.shape[-2], *slope.shape[7:])).copy()
    slope[..., :-1] += np.moveaxis(bilinear, 5, 7)
    total = support(own, mine[:, None, None, None, None, None, :], slope, entropic=True).sum(-1)   # (..., Y, V)
    if after.beyond is not None:
        high, low = (part[:, joint][:, :, :, None, None] for part in after.beyond[other])
        total += (np.maximum(weight, 0)[..., None] * high - np.maximum(-weight, 0)[..., None] * low).sum(5)
    their_slope = moved.pop((other, t + 1))
    index = np.maximum(yours, 0)[:, :, None, None, :]
    total += ein("...va,...a->...v", theirs.shift[:, index], their_slope[..., :-1])
    total += np.maximum(-their_slope[..., -1], 0)[..., None] * theirs.divergence[:, index]
    result = last_max(total).sum(-1)
    for (j, u), g in moved.items():
        listing = plan.descendants[agent][t][u][:, None, :] if j == agent else plan.below(j, t, u)[rows]
        listing = np.broadcast_to(listing, (*rows.shape, listing.shape[-1]))
        result += support(step.box[j][u], listing[:, :, None, None, :], g, entropic=True).sum(-1)
    return result


def _shares(weight: np.ndarray, width: np.ndarray) -> np.ndarray:
    """(..., X, Y): how much of an own class's slope meets each of the other's classes, sum 1 over Y:
    in proportion to the remainder that they share."""
    strength = np.abs(weight) * (width + _TINY)
    return strength / np.maximum(strength.sum(-1, keepdims=True), 1e-300)
