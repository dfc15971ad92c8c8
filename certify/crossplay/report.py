"""Cross-play results as JSON objects and as text (interface, `crossplay`); ends rounded outward."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.bounds.enclosure import Enclosure
from certify.crossplay.pairs import PairEstimate
from certify.crossplay.study import CrossPlayStudy
from certify.exact import rational_text, significant_text

_GRID = 10**15  # ends are rounded outward to this grid: the enclosures stay enclosures
_EVERYDAY = 6  # digits: numbers of another scale have a grid of their own
_SHOWN = 8


def _ends(enclosure: Enclosure) -> list[str]:
    size = max(abs(enclosure.lower), abs(enclosure.upper))
    digits = len(str(size.denominator)) - len(str(size.numerator)) if size else 0
    grid = _GRID * (Fraction(10) ** digits if abs(digits) > _EVERYDAY else 1)
    low, high = (enclosure.lower * grid).__floor__(), (enclosure.upper * grid).__ceil__()
    return [rational_text(low / Fraction(grid)), rational_text(high / Fraction(grid))]


def study_json(study: CrossPlayStudy, alpha: Fraction) -> dict[str, Any]:
    """`certify crossplay --json`: bounds are [lower, upper] as exact strings."""
    table = study.table
    document: dict[str, Any] = {
        "status": study.status,
        "alpha": rational_text(alpha),
        "relation": study.relation,
        "sp": [] if table is None else [_ends(e) for e in table.sp_reward],
        "xp": [] if table is None else [[_ends(e) for e in row] for row in table.xp_reward[0]],
        "gap": None if study.gap is None else _ends(study.gap),
        "gap_of": study.gap_of,
        "gaps": {of: _ends(gap) for of, gap in study.gaps.items()},
        "sp_J": [] if table is None else [_ends(e) for e in table.sp_value],
        "xp_J": [] if table is None else [[_ends(e) for e in row] for row in table.xp_value[0]],
        "alpha_star": None if study.alpha_star is None else rational_text(study.alpha_star),
        "group_order": study.group_order,
        "stabiliser": None if study.orbit is None else study.orbit.stabiliser,
        "reason": study.reason,
    }
    if table is not None and len(table.xp_reward) > 2:
        document["xp_roles"] = [[[_ends(e) for e in row] for row in role] for role in table.xp_reward]
    return document


def _shown(enclosure: Enclosure) -> str:
    return f"[{significant_text(enclosure.lower, 8, up=False)}, {significant_text(enclosure.upper, 8, up=True)}]"


def study_text(study: CrossPlayStudy, alpha: Fraction) -> str:
    """The same for people."""
    lines = []
    if study.relation == "equal":
        lines.append(
            f"cross-play equals self-play: the stationary policy is unique for every alpha >= "
            f"{significant_text(study.alpha_star, up=True)}, and {significant_text(alpha, up=True)} is one of them"
        )
    elif study.relation == "gap" and study.orbit is not None:
        lines.append(
            f"a stationary policy is proved to exist whose images under the group of order {study.group_order} "
            f"are {len(study.orbit.policies)} different stationary policies"
        )
    elif study.relation == "gap":
        lines.append(f"{len(study.table.sp_reward)} different stationary policies are proved to exist")
    if study.table is not None:
        rewards = study.table.sp_reward
        lines += [f"self-play return of policy {k}: {_shown(e)}" for k, e in enumerate(rewards[:_SHOWN])]
        if len(rewards) > 1:
            lines.append("cross-play returns (row: whose agent 1, column: whose other agents):")
            lines += ["  " + "  ".join(_shown(e) for e in row[:_SHOWN]) for row in study.table.xp_reward[0][:_SHOWN]]
        if len(rewards) > _SHOWN:
            lines.append(f"  (the first {_SHOWN} of {len(rewards)}; --json has them all)")
    for of, gap in study.gaps.items():
        lines.append(f"self-play minus cross-play, mean of {of}: {_shown(gap)}")
    if study.status == "undecided":
        lines.append(f"undecided: {study.reason}")
    return "\n".join(lines)


def pairs_json(estimate: PairEstimate, self_play: Fraction) -> dict[str, Any]:
    """`certify crossplay --runs --json`."""
    return {
        "status": "estimate",
        "pairs": estimate.pairs,
        "xp_mean": rational_text(estimate.mean),
        "xp_variance_of_mean": None if estimate.variance_of_mean is None else rational_text(estimate.variance_of_mean),
        "approx_xp_standard_error": estimate.approx_standard_error,
        "sp_mean": rational_text(self_play),
    }


def pairs_text(estimate: PairEstimate, self_play: Fraction) -> str:
    """The same for people."""
    error = (
        "no standard error from one pair"
        if estimate.approx_standard_error is None
        else (f"standard error {estimate.approx_standard_error:.6g} (ddof = 1)")
    )
    return (
        f"cross-play from {estimate.pairs} disjoint pairs of runs: mean {float(estimate.mean):.6g}, {error}\n"
        f"self-play of all runs: mean {float(self_play):.6g}"
    )
