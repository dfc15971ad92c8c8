"""`certify anneal`: how far down all runs stay together as the temperature falls (docs/annealing.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import click

from certify.answers.anneal import anneal as cool
from certify.answers.anneal_result import AnnealResult, Station
from certify.cli.optimum import OfPolicies, ends_json, limit, of_policies, policy_json, shown
from certify.cli.options import collected, loaded_game, reading
from certify.cli.output import DONE, UNDECIDED, Progress, heading, print_json
from certify.exact import rational_text, significant_text
from certify.games import Game
from certify.games.objective import BONUS


@dataclass(frozen=True)
class AnnealOptions(OfPolicies):
    """The options of `certify anneal`, as click names them."""

    alpha: str | None
    rtol: str
    stations: str | None


@click.command()
@of_policies
@click.option("--alpha", help="HI:LO, from the hottest temperature down to the coldest (else chosen).")
@click.option("--rtol", default="1/100", show_default=True, help="Of the bracket of the critical temperature.")
@click.option("--stations", help="Temperatures to report, with commas between (else nine).")
@collected(AnnealOptions)
def anneal(given: AnnealOptions) -> int:
    """Follow the unique policy of GAME as the temperature falls, to where it ceases to be a maximum."""
    loaded, left = reading(limit(given.time_limit), lambda: loaded_game(given, given.rows))
    with Progress() as progress:
        result = cool(
            loaded,
            alpha=given.alpha,
            rtol=given.rtol,
            stations=None if given.stations is None else given.stations.split(","),
            objective=given.objective,
            threshold=given.threshold,
            time_limit=left,
            max_entries=given.max_entries,
            memory=given.memory,
            progress=progress,
        )
    path = None if given.output is None or result.document is None else str(result.save(given.output))
    if given.as_json:
        print_json(_as_json(result, path))
    else:
        _print(result, loaded, path)
    return DONE if result.status == "proved" else UNDECIDED


def _as_json(result: AnnealResult, path: str | None) -> dict[str, Any]:
    """The JSON object of the interface."""
    critical = None
    if result.critical is not None:
        critical = {"alpha": ends_json(result.critical), "kind": result.kind, "broken": list(result.broken)}
    return {
        "status": result.status,
        "critical": critical,
        "ratio": result.ratio,
        "stations": [_station_json(s) for s in result.stations],
        "generators": list(result.generators),
        "start": result.start,
        "alpha_star": result.alpha_star,
        "step_size": result.step_size,
        "objective": result.objective,
        "game_sha256": result.game_sha256,
        "horizon": result.horizon,
        "pieces": result.pieces,
        "seconds": round(result.seconds, 3),
        "engine": result.engine,
        "certificate": path,
        "reason": result.reason,
    }


def _station_json(station: Station) -> dict[str, Any]:
    return {
        "alpha": rational_text(station.alpha),
        "value": ends_json(station.value),
        "return": ends_json(station.return_),
        "entropy": ends_json(station.entropy),
        "policy": policy_json(station.policy),
        "greedy": {key: list(row) for key, row in station.greedy.items()},
        "greedy_return": station.greedy_return,
    }


def _print(result: AnnealResult, game: Game, path: str | None) -> None:
    """The answer for a person: every sentence follows from the certificate."""
    print(heading(game))
    if result.critical is None or result.alpha_star is None or result.start is None:
        print(f"undecided: {result.reason}")
        return
    low, high = result.critical.lower, result.critical.upper
    ends = significant_text(low, 8, up=False), significant_text(high, 8, up=True)
    star, start = (significant_text(a, 8, up=True) for a in (result.alpha_star, result.start))
    if result.kind == "none-down-to":
        print(f"a nondegenerate maximum down to alpha = {ends[1]}")
    else:
        print(f"critical temperature in [{ends[0]}, {ends[1]}]   (ratio {math.ceil(high / low * 10**6) / 1e6:.6f})")
        moved = ", ".join(str(g) for g in result.broken)
        print(f"  symmetry breaking: below, J rises along directions that generators {moved} (of "
              f"{len(result.generators)}, from 0) move")  # fmt: skip
    print(
        f"  the policy that is unique from alpha* = {star} on, followed from {start} down, is a nondegenerate maximum"
    )
    print(f"  of J at every temperature down to {ends[1]}: runs that are cooled slowly stay together so far")
    if result.step_size is not None:
        step = significant_text(result.step_size, 8, up=False)
        print(f"  to bring all runs together: at alpha* gradient ascent with step {step}, from every initialisation")
    if result.reason:
        print(f"  {result.status}: {result.reason}")
    rows = [("alpha", "J", "return", BONUS[result.objective], "greedy return")]
    for s in result.stations:
        exact = "" if s.greedy_return is None else significant_text(s.greedy_return, 8, up=False)
        alpha = significant_text(s.alpha, 8, up=True)
        rows.append((alpha, shown(s.value, 6), shown(s.return_, 6), shown(s.entropy, 6), exact))
    widths = [max(len(row[k]) for row in rows) for k in range(5)]
    for row in rows:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    print(f"  {result.pieces} boxes; checked by the {result.engine} engine; {result.seconds:.1f} s (policies: --json)")
    if path is not None:
        print(f"  certificate: {path}")
