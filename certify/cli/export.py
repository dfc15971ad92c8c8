"""`certify export --coq`: a threshold certificate as a theorem for Coq."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from certify.answers.symmetries import symmetries
from certify.certificates.writing import checked_target, save_text
from certify.cli.completion import complete_file
from certify.cli.options import OutputFile, collected, read_certificate
from certify.cli.output import DONE, UNDECIDED, Progress, print_json, shown
from certify.coq.approx_search import Cover, Search, approx_cover
from certify.coq.model import TooLargeError, Tree, equations, unroll
from certify.coq.writing import CARRIERS, coq_file
from certify.errors import InputError
from certify.exact import parse_rational, rational_text
from certify.games.canonical import game_from_json

_CLOSE = 1000  # the alpha that is stated is at most 1/1000 above the one that was reached


@dataclass(frozen=True)
class _Options:
    certificate: str
    coq: bool
    output: Path | None
    alpha: str | None
    carrier: str
    symmetries: bool
    as_json: bool


@click.command()
@click.argument("certificate", shell_complete=complete_file)
@click.option("--coq", is_flag=True, required=True, help="Write a file for Coq (the only form there is).")
@click.option(
    "-o", "--output", type=OutputFile(), metavar="FILE.v", help="The file; its name without .v must be a name in Coq."
)
@click.option(
    "--alpha",
    metavar="A",
    help="The alpha to be proved; default: as low as this calculus gets, at best the certificate's.",
)
@click.option(
    "--carrier",
    type=click.Choice(sorted(CARRIERS)),
    default="bignums",
    show_default=True,
    help="Numbers: bignums (fast; machine integers are trusted) or z (pure Z).",
)
@click.option("--symmetries", is_flag=True, help="Prove also that the policy is fixed by the game's symmetries.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@collected(_Options)
def export(options: _Options) -> int:
    """State and prove the claim of CERTIFICATE for Coq: exactly one stationary policy for every alpha >= alpha_star.

    The inequalities of Coq's checker are others than those of the certificate, so their data are searched anew, and
    the alpha that is reached may lie above the certificate's.  Exit 3 if none, or not the one asked for, is in reach.
    """
    target = options.output or checked_target(Path(options.certificate).name.split(".")[0] + ".v")
    document = _read(options.certificate)
    claimed = parse_rational(document["claim"]["alpha_star"], "alpha_star")
    wanted = claimed if options.alpha is None else parse_rational(options.alpha, "--alpha")
    if wanted <= 0:
        raise InputError("--alpha", f"{options.alpha}", "give a positive number")
    game = game_from_json(document["game"], options.certificate)
    try:
        with Progress() as progress:
            progress("unrolling the game")
            tree = unroll(game)
            search = Search(tree, equations(tree))
            cover = approx_cover(search, 1 / wanted, lambda beta: progress(f"alpha down to {float(1 / beta):.6g}"))
    except OverflowError:
        return _out_of_reach(options, claimed, None, f"numbers beyond the range of floats in {game.name}")
    except TooLargeError as error:
        return _out_of_reach(options, claimed, None, str(error))
    if cover.reached == 0:
        return _out_of_reach(options, claimed, None, f"no alpha in reach for {game.name}")
    reached = wanted if cover.reached >= 1 / wanted else _short_above(1 / cover.reached)
    if options.alpha is not None and reached > wanted:
        why = f"alpha {shown(wanted, up=False)} is out of reach; reached {shown(reached, up=True)}"
        return _out_of_reach(options, claimed, reached, why)
    return _write(options, target, tree, cover, reached, claimed)


def _write(options: _Options, target: Path, tree: Tree, cover: Cover, reached: Fraction, claimed: Fraction) -> int:
    maps = symmetries(tree.game).generators if options.symmetries else ()
    save_text(coq_file(tree, cover, reached, options.carrier, maps), target)
    if options.as_json:
        _print_json("written", reached, claimed, str(target))
    else:
        ratio = float(reached / claimed)
        print(
            f"{target}: every alpha >= {shown(reached, up=True)}, {ratio:.4g} times the certificate's "
            f"{shown(claimed, up=True)} ({len(cover.pieces)} pieces); check it: certify check --engine coq {target}"
        )
    return DONE


def _out_of_reach(options: _Options, claimed: Fraction, reached: Fraction | None, why: str) -> int:
    if options.as_json:
        _print_json("out of reach", reached, claimed, None)
    else:
        print(f"nothing written: {why}")
    return UNDECIDED


def _print_json(status: str, reached: Fraction | None, claimed: Fraction, target: str | None) -> None:
    print_json(
        {
            "status": status,
            "alpha": None if reached is None else rational_text(reached),
            "alpha_star": rational_text(claimed),
            "ratio": None if reached is None else float(reached / claimed),
            "file": target,
        }
    )


def _short_above(value: Fraction) -> Fraction:
    """A fraction with a small denominator, not below `value` and at most 1/1000 above it.

    >>> _short_above(Fraction(100000, 30001))
    Fraction(10, 3)
    """
    denominator = 1
    while True:
        candidate = Fraction(math.ceil(value * denominator), denominator)
        if candidate <= value * (1 + Fraction(1, _CLOSE)):
            return candidate
        denominator += 1


def _read(name: str) -> dict[str, Any]:
    document = read_certificate(name)
    if document.get("format") != "certify-certificate":
        raise InputError(name, "not a certificate", "give a file that `certify threshold -o` wrote")
    if document.get("kind") != "threshold" or document.get("objective", "visitation") != "visitation":
        raise InputError(
            name,
            f"kind {document.get('kind')!r}, objective {document.get('objective')!r}",
            "export takes threshold certificates of one game with the entropy objective",
        )
    claim = document.get("claim")
    if not isinstance(claim, dict) or not isinstance(claim.get("alpha_star"), str) or "game" not in document:
        raise InputError(name, "a damaged certificate", "run `certify check` on it")
    return document
