"""Temperatures at which several stationary policies are proved to exist (docs/theory/continuation.md#from-below, "From
below"): a search in floats from above, then proofs as close below what it found as they succeed.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from certify.errors import InputError
from certify.exact import simplest_between
from certify.games.tree import Tree
from certify.memory import NO_BOUND, Memory
from certify.run import OutOfTime, Run
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.approx_limits import Limit
from certify.stationary.approx_policies import approx_policies
from certify.stationary.approx_search import ApproxSearch
from certify.stationary.existence import LARGEST
from certify.stationary.two_maxima import find_two_maxima
from certify.stationary.witness_proofs import WitnessProofs
from certify.stationary.witnesses import Multiplicity, Witness
from certify.thresholds.structural import structural_thresholds

DEFAULT_RTOL = Fraction(1, 2000)
_SEED = 0
_LEVELS = tuple(Fraction(k, 1000) for k in (999, 998, 995, 990, 980, 950, 900, 800, 650, 500, 350, 200))
_HALVINGS = 3  # of the step between the level that succeeded and the one above
_SLACK = Fraction(1, 10**5)  # of a temperature, for a short fraction


def find_multiplicity(
    tree: Tree,
    *,
    rtol: Fraction | float = DEFAULT_RTOL,
    time_limit: float | None = 60.0,
    alpha_min: Fraction | None = None,
    first: Fraction | None = None,
    run: Run | None = None,
    memory: Memory = NO_BOUND,
) -> Multiplicity | None:
    """The largest temperature at which two stationary policies could be found and proved.

    Parameters
    ----------
    tree : a game unrolled, clustered or not.
    rtol : how far below the limit of a branch, relatively, the proof may be made.
    time_limit : seconds for the float search; proofs come on top.  None: until it is complete.
    run : bounds the whole.  memory : of this process at most.
    alpha_min : nothing is looked for below (default: payoff range / 1000).
    first : where the float search begins, a temperature above which it expects one policy (default: the structural
        threshold).

    None means that nothing was found and proved, not that the policy is unique.  Runs that end
    before their limit are deterministic.  Raises `InputError` unless 0 < rtol < 1, and `OutOfTime`
    where the run is over before anything is proved.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> found = find_multiplicity(unroll(builtin("lever:2")))
    >>> Fraction(4998, 10000) < found.alpha_multiple < Fraction(1, 2), found.witness.argument
    (True, 'two boxes')
    """
    rtol = Fraction(rtol)
    if not 0 < rtol < 1:
        raise InputError("rtol", f"{float(rtol)}", "use a number between 0 and 1")
    run = run or Run()
    eq = ApproxEquations(tree, memory)
    top = structural_thresholds(tree.game)[0].alpha_star
    floor = reward_range(tree) / 1000 if alpha_min is None else alpha_min
    if eq.size > LARGEST:
        run.progress(f"from below: {eq.size} log-ratios, proofs are made for at most {LARGEST}")
    if not 0 < eq.size <= LARGEST or top <= 0:
        return None
    part = run if time_limit is None else run.within(time_limit)
    begin = None if first is None else float(first)
    search = ApproxSearch(eq, float(top), max(float(floor), 1e-300), first=begin, seed=_SEED, run=part)
    with run.stage("looking for several stationary policies"):
        search.search()  # ends by itself when its part is over, with the limits that it has found
    proofs = WitnessProofs(tree, eq, rtol, run)
    for limit in _distinct(search.limits):
        run.progress(f"from below: proving two stationary policies below {limit.alpha:.8g}")
        witness = proofs.below(limit)
        if witness is not None:
            return _with_maxima(proofs, search, witness, limit.alpha)
    with run.stage("looking for several stationary policies at lower temperatures"):
        witness = _moderately_lower(proofs, search)
    return None if witness is None else _with_maxima(proofs, search, witness, search.best or float(witness.alpha))


def _with_maxima(proofs: WitnessProofs, search: ApproxSearch, witness: Witness, limit: float) -> Multiplicity:
    """The evidence, whose two maxima may be the sharper witness."""
    two = _two_maxima(proofs, search, witness) if proofs.tree.game.flows_back else None
    if two is not None and two.alpha > witness.alpha:
        witness = two
    proofs.run.found(below=float(witness.alpha))
    proofs.run.progress(f"from below: alpha_multiple = {float(witness.alpha):.8g}")
    return Multiplicity(proofs.tree, witness, two, limit)


def _moderately_lower(proofs: WitnessProofs, search: ApproxSearch) -> Witness | None:
    """Where the limit itself is out of reach (the branches of an almost degenerate game nearly meet): two policies
    at the first level below it at which they can be told apart, then as far up again as that goes."""
    eq, rng = proofs.eq, np.random.default_rng(_SEED)
    top = search.best or search.top

    def at(alpha: Fraction) -> Witness | None:
        found = approx_policies(
            eq, float(alpha), rng, starts=48, newton_starts=16, warm=search.known(float(alpha)), limit=6
        )
        return proofs.at(alpha, found.z) if len(found.z) > 1 else None

    high = Fraction(1)
    for level in _LEVELS:
        if level * Fraction(top) < Fraction(search.floor):
            return None
        witness = at(simplest_between(level * Fraction(top) * (1 - _SLACK), level * Fraction(top)))
        if witness is None:
            high = level
            continue
        low = level
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            better = at(simplest_between(middle * Fraction(top) * (1 - _SLACK), middle * Fraction(top)))
            low, high, witness = (low, middle, witness) if better is None else (middle, high, better)
        return witness
    return None


def _two_maxima(proofs: WitnessProofs, search: ApproxSearch, witness: Witness) -> Witness | None:
    """As far as the time goes: the witness stands without them."""
    try:
        with proofs.run.stage("looking for two local maxima"):
            return find_two_maxima(proofs, search, witness)
    except OutOfTime:
        return None


def reward_range(tree: Tree) -> Fraction:
    """Largest less smallest expected return of a joint history, at most: the sum over the steps."""
    return sum(
        (tree.game.discount**t * (level.reward.max() - level.reward.min()) for t, level in enumerate(tree.levels)),
        Fraction(0),
    )


def _distinct(found: list[Limit]) -> Iterator[Limit]:
    """Limits from the highest, one of those that agree to 1e-7 and are of one kind."""
    seen: list[tuple[float, str]] = []
    for limit in found:
        if all(kind != limit.kind or abs(alpha / limit.alpha - 1) > 1e-7 for alpha, kind in seen):
            seen.append((limit.alpha, limit.kind))
            yield limit
