"""Steps without a limit: a proof that the entropy stays below its start for every step beyond some
η (docs/theory/entropy.md#finite-steps).

Statement.  Let T be a set of k < n actions with min_T u > max_{outside} u, P_η = π_η(T).  P_η does
not decrease in η, as dP/dη = Cov_η(1_T, u) = P(1 − P)(E_η[u | T] − E_η[u | outside]) >= 0.  Splitting
on T, H(π_η) <= g(P_η), g(P) = h(P) + P log k + (1 − P) log(n − k), h the binary entropy; and
g' = log((1 − P)/P · k/(n − k)) < 0 for P > k/n.  So if P_η > k/n and g(P_η) < H(π), the entropy is
below H(π) at every η' >= η.
"""

from __future__ import annotations

from fractions import Fraction

from flint import arb

from certify.entropy.dynamics import EntropyPath
from certify.entropy.enclosure import ball


def falls_beyond(path: EntropyPath, eta: Fraction) -> bool:
    """True: H(softmax(θ + η'u)) < H(softmax θ) is proved for every η' >= eta.  False: not proved.

    With several states the weighted sum of the bounds is compared.

    >>> from certify.entropy.dynamics import Direction
    >>> from certify.entropy.policy import policy_from_json
    >>> path = EntropyPath(policy_from_json(["1/2", "1/2"]), Direction(((arb(1), arb(0)),)))
    >>> falls_beyond(path, Fraction(1)), falls_beyond(path, Fraction(0))
    (True, False)
    """
    total = arb(0)
    rows = zip(path.policy, path.direction.rows, path.probabilities_at(eta), strict=True)
    for state, direction, moved in rows:
        bound = _largest_entropy(direction, moved)
        total += ball(state.weight) * (bound - state.balls().entropy)
    return bool(total < 0)


def _largest_entropy(direction: tuple[arb, ...], moved: tuple[arb, ...]) -> arb:
    """g(P_η) for the smallest T that is separated from the rest and heavy enough; else log n."""
    n = len(direction)
    order = sorted(range(n), key=lambda a: -direction[a].mid())
    for k in range(1, n):
        inside, outside = order[:k], order[k:]
        if not all(direction[a] > direction[b] for a in inside for b in outside):
            continue
        rest = sum((moved[b] for b in outside), arb(0))
        share = sum((moved[a] for a in inside), arb(0))
        if share * n > k and rest > 0:
            return -share * (share / k).log() - rest * (rest / (n - k)).log()
    return arb(n).log()
