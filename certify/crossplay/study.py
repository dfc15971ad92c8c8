"""Cross-play at one temperature, decided: equal above the threshold, a certified gap below it.

docs/theory/symmetry.md#cross-play.  Equality is a consequence of uniqueness; a gap is shown on a stationary policy
that is proved to exist and on its images under the group, or on several proved policies.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from certify.bounds.enclosure import Enclosure, multiplied
from certify.bounds.policy import PolicyBox
from certify.crossplay.approx_runs import proved_runs
from certify.crossplay.matrix import CrossPlay, Orbit, cross_play, images_of_box, orbit_of_policy
from certify.errors import InputError, Undecided
from certify.games.model import Game
from certify.games.tree import unroll
from certify.notebook import Facts, Shown, between, decimal
from certify.run import OutOfTime, Run
from certify.stationary.existence import StationaryProof
from certify.symmetry.group import symmetries

_LARGEST_TREE = 2_000_000  # numbers; float runs on more take minutes
_SEARCH_PART = 0.5  # of the time, for policies that are different
_ORBIT_PART = 0.5  # of the rest, for their images under the symmetries


@dataclass(frozen=True, repr=False)
class CrossPlayStudy(Shown):
    """`status` "proved" or "undecided" (with `reason`); `relation` "equal", "gap" or "given".

    `table` : self-play and cross-play of the policies, None where none was enclosed.
    `gap` : mean self-play minus mean cross-play, of the return where that is proved positive, else
    of J_alpha (`gap_of`); exactly [0, 0] where equal.  `gaps` : both.
    `alpha_star` : the certified threshold that was used.  `orbit`, `group_order` : where the
    policies are the images of one policy.
    """

    status: str
    relation: str | None
    table: CrossPlay | None
    gap: Enclosure | None
    gap_of: str | None
    gaps: dict[str, Enclosure]
    alpha_star: Fraction | None = None
    orbit: Orbit | None = None
    group_order: int | None = None
    reason: str | None = None

    def facts(self) -> Facts:
        """What a prompt and a notebook show of it."""
        rows = [("self-play and cross-play:", self.relation)] if self.relation else []
        if self.gap is not None:
            rows.append((f"mean gap in {self.gap_of}", between(self.gap)))
        if self.table is not None:
            rows.append(("policies", str(len(self.table.sp_reward))))
            own = ", ".join(between(ends) for ends in self.table.sp_reward[:6])
            rows.append(("self-play returns", own))
        if self.alpha_star is not None:
            rows.append(("alpha* =", decimal(self.alpha_star, up=True)))
        return Facts("cross-play", self.status, tuple(rows), self.reason or "")


def in_original_units(found: CrossPlayStudy, unit: Fraction) -> CrossPlayStudy:
    """A study of payoffs that were divided by `unit`, for the payoffs themselves."""
    if unit == 1:
        return found

    t = found.table
    return replace(
        found,
        table=t and CrossPlay(*(multiplied(part, unit) for part in (t.sp_value, t.sp_reward, t.xp_value, t.xp_reward))),
        gap=multiplied(found.gap, unit),
        gaps={of: multiplied(gap, unit) for of, gap in found.gaps.items()},
        alpha_star=multiplied(found.alpha_star, unit),
    )


def study_policies(game: Game, alpha: Fraction, policies: Sequence[PolicyBox]) -> CrossPlayStudy:
    """Certified self-play and cross-play of given policies (on the unclustered tree of `game`); of
    a single one, with its images under the automorphism group.

    Raises `Undecided` where a single policy has too many images.
    """
    tree = unroll(game, cluster=False)
    group = None
    if len(policies) == 1:
        group = symmetries(tree.game)
        policies = images_of_box(tree, policies[0], group)
    table = cross_play(tree, alpha, policies)
    order = None if group is None else group.order
    if len(policies) < 2:
        zero = Enclosure(Fraction(0), Fraction(0))  # the policy is its own only image
        return CrossPlayStudy("proved", "given", table, zero, "return", {"return": zero, "J": zero}, group_order=order)
    gaps = {of: table.gap(of) for of in ("return", "J")}
    return CrossPlayStudy("proved", "given", table, gaps["return"], "return", gaps, group_order=order)


def study(
    game: Game,
    alpha: Fraction,
    *,
    starts: int = 24,
    seed: int = 0,
    run: Run | None = None,
    threshold: Callable[[Game], Fraction | None] = lambda game: None,
) -> CrossPlayStudy:
    """Look for stationary policies that are incompatible; where there seems to be one policy only,
    ask `threshold` for a certified alpha_star.  `run` bounds everything but that.

    Raises `OutOfTime` where the run is over before anything is proved.

    >>> from certify.games import builtin
    >>> result = study(builtin("lever:2"), Fraction(1, 4))
    >>> result.relation, result.gap_of, result.gap.lower > Fraction(4, 5)
    ('gap', 'return', True)
    """
    run = run or Run()
    try:
        with run.stage("unrolling the game"):
            tree = unroll(game, cluster=False, max_entries=_LARGEST_TREE)
        part = run.part(_SEARCH_PART)
        proofs = proved_runs(tree, alpha, starts=starts, seed=seed, run=part)
        best = _best_orbit(proofs, alpha, run.part(_ORBIT_PART)) if proofs else None
        if best is not None:
            return best
        if len(proofs) > 1:
            with run.stage("comparing the policies found"):
                return _gap_study(proofs[:8], None, None, alpha)
        over = "out of time while looking for stationary policies"
        failure = None if proofs else over if part.left() <= 0 else "no stationary policy was proved to exist"
    except InputError as large:  # too large to enclose policies; equality may be proved all the same
        proofs, failure = [], str(large)
    alpha_star = threshold(game)
    if alpha_star is None or alpha < alpha_star:
        bound = "none was proved" if alpha_star is None else f"it is proved from {alpha_star} on"
        return CrossPlayStudy(
            "undecided",
            None,
            None,
            None,
            None,
            {},
            alpha_star,
            reason=f"{failure or 'one stationary policy was found'}, and uniqueness is not "
            f"proved at this temperature ({bound})",
        )
    zero = Enclosure(Fraction(0), Fraction(0))
    table = None
    with contextlib.suppress(OutOfTime):  # equal it is all the same
        if proofs:
            with run.stage("enclosing the return"):
                table = cross_play(tree, alpha, [proofs[0].policy])
    return CrossPlayStudy("proved", "equal", table, zero, "return", {"return": zero, "J": zero}, alpha_star)


def _best_orbit(proofs: Sequence[StationaryProof], alpha: Fraction, run: Run) -> CrossPlayStudy | None:
    """The study of the proved policy of largest J among those that have several images, as far as the run goes."""
    best: CrossPlayStudy | None = None
    try:
        with run.stage("comparing the policies found with their images"):
            group = symmetries(proofs[0].tree.game)
            for proof in proofs:
                try:
                    orbit = orbit_of_policy(proof, group)
                except Undecided:
                    continue
                if len(orbit.policies) > 1:
                    found = _gap_study([proof], orbit, group.order, alpha)
                    if best is None or found.table.sp_value[0].lower > best.table.sp_value[0].lower:
                        best = found
    except OutOfTime as over:
        run.progress(str(over))
    return best


def _gap_study(
    proofs: Sequence[StationaryProof], orbit: Orbit | None, order: int | None, alpha: Fraction
) -> CrossPlayStudy:
    policies = orbit.policies if orbit else [proof.policy for proof in proofs]
    table = cross_play(proofs[0].tree, alpha, policies)
    gaps = {of: table.gap(of) for of in ("return", "J")}
    of = "return" if gaps["return"].lower > 0 else "J"
    status = "proved" if gaps[of].lower > 0 else "undecided"
    return CrossPlayStudy(
        status,
        "gap",
        table,
        gaps[of],
        of,
        gaps,
        orbit=orbit,
        group_order=order,
        reason=None if status == "proved" else "the enclosures of the gap contain 0",
    )
