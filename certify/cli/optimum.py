"""`certify optimum` and `certify policy`: the certified stationary policy, and how far a table is from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

import click

from certify.answers.optimum import OptimumResult
from certify.answers.optimum import optimum as find_optimum
from certify.answers.policy import PolicyDistance, policy_distance
from certify.bounds.enclosure import Enclosure
from certify.cli.completion import complete_game
from certify.cli.options import (
    MEMORY,
    OBJECTIVE,
    REFERENCE,
    SET,
    OfAGame,
    OutputFile,
    collected,
    idle,
    loaded_game,
    reading,
)
from certify.cli.output import DONE, UNDECIDED, Progress, heading, print_json
from certify.errors import InputError
from certify.exact import decimal_text, parse_rational, rational_text, significant_text
from certify.games import Game
from certify.games.objective import BONUS
from certify.games.tree import DEFAULT_MAX_ENTRIES

_SHOWN_ROWS = 40


def of_policies(command):
    """What commands about the stationary policy take."""
    for option in reversed(
        (
            click.argument("game", shell_complete=complete_game),
            click.option("--horizon", type=int, help="Number of steps (sequential games)."),
            click.option("--discount", help="Overrides the game's discount."),
            SET,
            click.option(
                "--rows", default="exact", help="exact | renormalise: rows of a file that miss 1 by rounding."
            ),
            OBJECTIVE,
            REFERENCE,
            click.option("--threshold", help="A threshold certificate of this game (else one is computed)."),
            click.option("--time-limit", default="300", show_default=True, help="Seconds."),
            click.option(
                "--max-entries",
                default=DEFAULT_MAX_ENTRIES,
                show_default=True,
                help="Largest depth of the tree, in numbers.",
            ),
            MEMORY,
            click.option(
                "-o", "--output", type=OutputFile(), help="Write the certificate of the stationary policy here."
            ),
            click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout."),
        )
    ):
        command = option(command)
    return command


def limit(text: str) -> float:
    """The seconds that `--time-limit` gives."""
    seconds = parse_rational(text, "--time-limit")
    if seconds <= 0:
        raise InputError("--time-limit", text, "use a positive number of seconds")
    return float(seconds)


@dataclass(frozen=True)
class OfPolicies(OfAGame):
    """What commands about the stationary policy take."""

    rows: str
    threshold: str | None
    time_limit: str
    max_entries: int
    memory: str | None
    output: Path | None
    as_json: bool


@dataclass(frozen=True)
class OptimumOptions(OfPolicies):
    """The options of `certify optimum`, as click names them."""

    alpha: str
    width: str


@click.command()
@of_policies
@click.option("--alpha", required=True, help="Temperature, or LO:HI for the path between two.")
@click.option("--width", default="1/20", show_default=True, help="Of a probability's enclosure along a path, at most.")
@collected(OptimumOptions)
def optimum(given: OptimumOptions) -> int:
    """Enclose the stationary policy of GAME at a temperature, certified."""
    loaded, left = reading(limit(given.time_limit), lambda: loaded_game(given, given.rows))
    with Progress() as progress:
        result = find_optimum(
            loaded,
            given.alpha,
            objective=given.objective,
            threshold=given.threshold,
            time_limit=left,
            width=given.width,
            max_entries=given.max_entries,
            memory=given.memory,
            progress=progress,
        )
    if _is_point(result) and (notes := idle(["width"], "at one temperature")):
        result = replace(result, reason="; ".join(filter(None, [result.reason, *notes])))
    path = None if given.output is None or result.document is None else str(result.save(given.output))
    if given.as_json:
        print_json(optimum_json(result, path))
    else:
        _print_optimum(result, loaded, path)
    return DONE if result.status == "proved" else UNDECIDED


def ends_json(value: Enclosure | None) -> list[str] | None:
    """The two ends of an enclosure."""
    return None if value is None else [rational_text(value.lower), rational_text(value.upper)]


def policy_json(policy) -> dict:
    """A table of enclosures by infoset and action."""
    return {key: {action: ends_json(p) for action, p in row.items()} for key, row in policy.items()}


def optimum_json(result: OptimumResult, path: str | None) -> dict:
    """The JSON object of the interface."""
    point = _is_point(result)
    found = {
        "status": result.status,
        "asked": None
        if result.asked is None
        else rational_text(result.asked.lower)
        if point
        else ends_json(result.asked),
        "alpha": rational_text(result.alpha.lower) if point else ends_json(result.alpha),
        "kind": result.kind,
        "value": ends_json(result.value),
        "return": ends_json(result.return_),
        "entropy": ends_json(result.entropy),
        "policy": policy_json(result.policy),
        "greedy": {key: list(row) for key, row in result.greedy.items()},
        "greedy_gap": result.greedy_gap,
        "greedy_return": result.greedy_return,
        "rate": result.rate,
        "step_size": result.step_size,
        "step_factor": result.step_factor,
        "ties": [
            {
                "infoset": t.infoset,
                "actions": list(t.actions),
                "status": "proved" if t.proved else "undecided",
                "orbit": [list(member) for member in t.orbit],
            }
            for t in result.ties
        ],
        "objective": result.objective,
        "alpha_star": result.alpha_star,
        "reached": result.reached,
        "game_sha256": result.game_sha256,
        "horizon": result.horizon,
        "seconds": round(result.seconds, 3),
        "engine": result.engine,
        "certificate": path,
        "reason": result.reason,
        **({} if result.potential_of is None else {"potential_of": asdict(result.potential_of)}),
    }
    if not point:
        found["pieces"] = [
            {
                "alpha": ends_json(p.alpha),
                "value": ends_json(p.value),
                "return": ends_json(p.return_),
                "entropy": ends_json(p.entropy),
                "policy": policy_json(p.policy),
            }
            for p in result.pieces
        ]
    return found


def shown(value: Enclosure, digits: int = 12) -> str:
    """An enclosure for a person: one number where both ends are within 1e-12 of it, else both, rounded outwards.

    >>> shown(Enclosure(Fraction(1, 3), Fraction(1, 3))), shown(Enclosure(Fraction(0), Fraction(1)), 2)
    ('0.333333333333 ± 1e-12', '[0.00, 1.00]')
    """
    size = max(abs(value.lower), abs(value.upper))
    if size and not Fraction(1, 10**6) <= size <= 10**9:  # decimal places say too little, or too much
        return f"[{significant_text(value.lower, digits, up=False)}, {significant_text(value.upper, digits, up=True)}]"
    unit = Fraction(1, 10**digits)
    near = round((value.lower + value.upper) / 2 / unit) * unit
    if near - unit <= value.lower and value.upper <= near + unit:
        return f"{decimal_text(near, digits, up=True)} ± 1e-{digits}"
    return f"[{decimal_text(value.lower, digits, up=False)}, {decimal_text(value.upper, digits, up=True)}]"


def _decimal(value: Fraction, *, up: bool = False) -> str:
    """A bound with six significant digits, rounded to the side that is asked for."""
    return significant_text(value, 6, up=up)


def _is_point(result: OptimumResult) -> bool:
    """Whether one temperature was asked about."""
    asked = result.asked or result.alpha
    return asked.lower == asked.upper


def _span(alpha: Enclosure) -> str:
    """Temperatures for a person, as an interval within the one that is meant."""
    if alpha.lower == alpha.upper:
        return significant_text(alpha.lower, 8, up=True)
    return f"[{significant_text(alpha.lower, 8, up=True)}, {significant_text(alpha.upper, 8, up=False)}]"


def _print_optimum(result: OptimumResult, game: Game, path: str | None) -> None:
    """The answer for a person; of an interval a table, since one hull over all of it would say little."""
    print(heading(game))
    if result.status not in ("proved", "partial"):
        print(f"undecided: {result.reason}")
        return
    point = _is_point(result)
    at = f"at alpha = {_span(result.alpha)}" if point else f"for every alpha in {_span(result.alpha)}"
    if result.status == "partial" and result.asked is not None:
        print(f"partial: proved {at}, asked for {_span(result.asked)}")
        print(f"  {result.reason}")
    known = significant_text(result.alpha_star, 8, up=True)
    bonus = BONUS[result.objective]
    if result.kind == "unique":
        print(f"{at}: the unique stationary policy (the threshold certificate inside proves this from {known} on)")
        if result.potential_of is not None:
            print("  it is the one logit QRE of the original game at lambda = 1/alpha")
    else:
        print(f"{at}: the principal branch, followed from large temperatures without degenerating")
        print(f"  (not claimed to be the only stationary policy: that is proved from {known} on)")
    if point:
        print(
            f"  J        {shown(result.value)}\n  return   {shown(result.return_)}\n"
            f"  {bonus:<8} {shown(result.entropy)}"
        )
        if result.rate is not None:
            flow = "plain" if result.objective == "local" else "softmax"
            print(f"  exponential rate of the {flow} flow near it: at least {_decimal(result.rate)}")
        if result.step_factor is not None:
            step, factor = (significant_text(result.step_size, 8, up=False), _decimal(result.step_factor, up=True))
            print(f"  gradient ascent with step {step} comes nearer, near it, by {factor} or any larger factor")
        if result.reason:
            print(f"  note: {result.reason}")
        _print_policy(result)
    else:
        _print_tube(result)
    if result.greedy_return is not None:
        even = " (tied actions played equally often)" if result.ties else ""
        print(f"  greedy policy{even}: return exactly {rational_text(result.greedy_return)}")
    print(f"  checked by the {result.engine} engine; {result.seconds:.1f} s")
    if path is not None:
        print(f"  certificate: {path}")


def _print_tube(result: OptimumResult) -> None:
    """One row for each piece of the path: what holds at all its temperatures."""
    print(f"  a tube of {len(result.pieces)} pieces, each for all its temperatures:")
    rows = [("alpha", "J", "return", BONUS[result.objective])]
    for p in result.pieces[:_SHOWN_ROWS]:
        rows.append((_span(p.alpha), shown(p.value, 6), shown(p.return_, 6), shown(p.entropy, 6)))
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    for row in rows:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    if len(result.pieces) > _SHOWN_ROWS:
        print(f"  … and {len(result.pieces) - _SHOWN_ROWS} more rows")
    print("  (the policies of every piece: --json)")


def _print_policy(result: OptimumResult) -> None:
    for key, row in list(result.policy.items())[:_SHOWN_ROWS]:
        best = result.greedy.get(key, ())
        print(f"  {key}")
        for action, p in row.items():
            print(f"    {'*' if action in best else ' '} {action:<16} {shown(p)}")
    if len(result.policy) > _SHOWN_ROWS:
        print(f"  … and {len(result.policy) - _SHOWN_ROWS} more infosets (--json has them all)")
    for tie in result.ties[:_SHOWN_ROWS]:
        why = (
            f"exactly, by symmetry: an orbit of {len(tie.orbit)} entries"
            if tie.proved
            else "undecided at this precision"
        )
        print(f"  tie at {tie.infoset} between {', '.join(tie.actions)}: {why}")


@dataclass(frozen=True)
class PolicyOptions(OfPolicies):
    """The options of `certify policy`, as click names them."""

    table: str
    alpha: str
    plot: Path | None


@click.command()
@of_policies
@click.argument("table")
@click.option("--alpha", required=True, help="Temperature.")
@click.option("--plot", type=OutputFile(), help="Draw the distance history by history: .png, .svg or .pdf.")
@collected(PolicyOptions)
def policy(given: PolicyOptions) -> int:
    """Bound the distance of the policy in TABLE (.json or .npz) from the unique stationary policy of GAME."""
    loaded, left = reading(limit(given.time_limit), lambda: loaded_game(given, given.rows))
    with Progress() as progress:
        result = policy_distance(
            loaded,
            given.alpha,
            given.table,
            objective=given.objective,
            threshold=given.threshold,
            time_limit=left,
            max_entries=given.max_entries,
            memory=given.memory,
            progress=progress,
        )
    path = None if given.output is None or result.optimum is None else str(result.save(given.output))
    if given.plot is not None and result.distance is not None:
        from certify.reports.draw_policy import plot_distance
        from certify.reports.style import save

        save(plot_distance(result).figure, given.plot)
    if given.as_json:
        print_json(
            {
                "status": result.status,
                "objective": given.objective,
                "distance": result.distance,
                "norm": result.norm,
                "return_gap": ends_json(result.return_gap),
                "distance_lower": result.distance_lower,
                "at": None if result.at is None else list(result.at),
                "seconds": round(result.seconds, 3),
                "certificate": path,
                "reason": result.reason,
            }
        )
    else:
        _print_distance(result, loaded, path)
    return DONE if result.status == "proved" else UNDECIDED


def _print_distance(result: PolicyDistance, game: Game, path: str | None) -> None:
    print(heading(game))
    if result.status != "proved":
        print(f"undecided: {result.reason}")
        return
    infoset, action = result.at
    print(
        f"{result.norm} is at most {significant_text(result.distance, 12, up=True)} and at least "
        f"{significant_text(result.distance_lower, 12, up=False)}, met at {infoset} {action}"
    )
    print(f"return of the stationary policy minus its own: {shown(result.return_gap)}")
    if path is not None:
        print(f"certificate of the stationary policy: {path}")
