"""`certify entropy flow`: the entropy of every AOH's policy, and in total, along a game's softmax
gradient flow (docs/theory/objective.md#the-gradient, docs/theory/entropy.md#first-order).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from certify.bounds.other_names import other_names
from certify.bounds.policy_table import load_policy
from certify.certificates.entropy import flow_certificate
from certify.certificates.writing import save_document
from certify.cli.completion import complete_game
from certify.cli.options import OBJECTIVE, REFERENCE, SET, OfAGame, OutputFile, collected, idle, loaded_game
from certify.cli.output import heading, print_json
from certify.entropy.enclosure import RationalEnclosure
from certify.entropy.flow import exact_history_rows, flow_piece, flow_report, history_tree
from certify.errors import InputError
from certify.exact import parse_rational, rational_text, significant_text
from certify.games.objective import BONUS

_DIGITS = 12


@dataclass(frozen=True)
class FlowOptions(OfAGame):
    """The options of `certify entropy flow`, as click names them."""

    alpha: str
    policy: str | None
    duration: str | None
    flow_steps: int
    output: Path | None
    as_json: bool


@click.command("flow")
@click.argument("game", shell_complete=complete_game)
@click.option("--alpha", required=True, help="The temperature.")
@click.option("--horizon", type=int, help="Number of steps, for games that do not bring one.")
@click.option("--discount", help="Overrides the game's discount.")
@SET
@OBJECTIVE
@REFERENCE
@click.option("--policy", help="POLICY.json or .npz; default: uniform on what is legal.")
@click.option("--duration", help="Also enclose the flow itself for this long ...")
@click.option("--flow-steps", default=20, show_default=True, help="... in this many steps.")
@click.option("-o", "--output", type=OutputFile(), help="Write the certificate of entropies and rates.")
@click.option("--json", "as_json", is_flag=True)
@collected(FlowOptions)
def flow_command(given: FlowOptions) -> None:
    """Entropy of each AOH's policy and in total, and its rate along the gradient flow of J_alpha."""
    tree = history_tree(loaded_game(given), given.objective)
    game = tree.game
    at = other_names(tree).uniform() if given.policy is None else load_policy(tree, given.policy)
    temperature = parse_rational(given.alpha, "--alpha")
    if temperature <= 0:
        raise InputError("--alpha", given.alpha, "use a positive temperature")
    report = flow_report(tree, at, temperature)
    if given.output is not None:
        rows = exact_history_rows(tree, at)
        if rows is None:
            raise InputError("-o", "a policy of enclosures has no certificate", "give exact probabilities")
        save_document(flow_certificate(game, rows, temperature, report), given.output)
    data: dict[str, Any] = {
        "status": "proved",
        "certificate": None if given.output is None else str(given.output),
        "alpha": rational_text(temperature),
        "objective": given.objective,
        "histories": {
            x.key: {"reach": _texts(x.reach), "entropy": _texts(x.entropy), "rate": _texts(x.rate)}
            for x in report.histories
        },
        "total": _texts(report.total),
        "total_rate": _texts(report.total_rate),
        "value_rate": _texts(report.value_rate),
    }
    lines = [heading(game)]
    lines += [f"{x.key:40} H {_decimals(x.entropy)}  dH/dτ {_decimals(x.rate)}" for x in report.histories]
    lines += [
        f"total {BONUS[given.objective]} {_decimals(report.total)}  rate {_decimals(report.total_rate)}",
        f"dJ/dτ {_decimals(report.value_rate)}",
    ]
    if given.duration is None:
        data["notes"] = idle(["flow_steps"], "without --duration")
        lines += [f"note: {note}" for note in data["notes"]]
    else:
        piece = flow_piece(tree, at, temperature, parse_rational(given.duration, "--duration"), given.flow_steps)
        ends = [[Fraction(e.lower), Fraction(e.upper)] for e in piece.entropy]
        data["piece"] = {
            "times": [rational_text(t) for t in piece.times],
            "entropy": [[rational_text(x) for x in pair] for pair in ends],
        }
        data["piece"]["informative_until"] = (
            None if piece.informative_until is None else rational_text(piece.informative_until)
        )
        lines += [
            f"τ = {rational_text(t):12} total {BONUS[given.objective]} {_decimals(RationalEnclosure(*pair))}"
            for t, pair in zip(piece.times, ends, strict=True)
        ]
        if piece.informative_until is not None:
            lines.append(
                f"after τ = {rational_text(piece.informative_until)} the enclosures are too wide to say anything: "
                "take more --flow-steps, or a shorter --duration"
            )
    if given.as_json:
        print_json(data)
    else:
        print("\n".join(lines))


def _texts(value: RationalEnclosure) -> list[str]:
    return value.outward(80).texts()


def _decimals(value: RationalEnclosure) -> str:
    return f"[{significant_text(value.lower, _DIGITS, up=False)}, {significant_text(value.upper, _DIGITS, up=True)}]"
