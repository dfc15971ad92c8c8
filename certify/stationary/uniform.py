"""Whether the uniform policy is stationary, exactly: then nothing needs searching, at any temperature
(docs/theory/objective.md#stationary-policies).

Where everybody is uniform from some step on, every entropy that follows is the largest and does not depend on an
action.  So the uniform policy is stationary exactly if in every row all actions have the same reward-to-go.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from certify.bounds.objects import ObjectRecursion
from certify.bounds.policy import layout_of
from certify.games.tree import Tree

MOST = 2_000_000  # probabilities times rewards, for which checkers take it (docs/certificate-policies.md)


def uniform_is_stationary(tree: Tree) -> bool:
    """Whether it certainly is; False for games that are too large, and where it is not the reference.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> [uniform_is_stationary(unroll(builtin(name))) for name in ("lever:2", "lever:3:1/2", "climbing")]
    [True, False, False]
    """
    layout = layout_of(tree)
    if tree.tilted or layout.size * sum(level.reward.size for level in tree.levels) > MOST:
        return False
    counts = np.diff([*layout.row_start, layout.size])[layout.row_of_entry]
    policy, zero = (np.empty(layout.size, dtype=object) for _ in range(2))
    policy[:], zero[:] = [Fraction(1, int(count)) for count in counts], Fraction(0)
    run = ObjectRecursion(tree, policy, zero, layout.row_sums(zero), Fraction, lambda _: Fraction(0))
    weighted = run.weighted(run.U_reward)
    first = weighted[layout.row_start][layout.row_of_entry]
    return bool((weighted == first).all())
