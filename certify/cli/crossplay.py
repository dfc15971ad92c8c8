"""The command `certify crossplay` (interface; docs/theory/symmetry.md#cross-play)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import click

from certify.answers.crossplay import cross_play
from certify.cli.completion import complete_game
from certify.cli.options import MEMORY, OBJECTIVE, REFERENCE, SET, OfAGame, collected, loaded_game, reading
from certify.cli.output import Progress, heading
from certify.cli.symmetries import finish, finish_undecided
from certify.crossplay.pairs import disjoint_pairs
from certify.crossplay.report import pairs_json, pairs_text, study_json, study_text
from certify.errors import InputError, Undecided
from certify.exact import parse_rational, positive_number
from certify.games.readers.textfile import parse_json, read_text


@dataclass(frozen=True)
class CrossplayOptions(OfAGame):
    """The options of `certify crossplay`, as click names them."""

    alpha: str | None
    rows: str
    policies: tuple[str, ...]
    runs: str | None
    certificate: str | None
    starts: int
    seed: int
    time_limit: str
    memory: str | None
    as_json: bool


@click.command("crossplay")
@click.argument("game", shell_complete=complete_game, required=False)
@click.option("--alpha", help="Temperature; exact, like 13/2.")
@click.option("--horizon", type=int, help="Number of steps.")
@click.option("--discount", help="Overrides the game's own discount.")
@SET
@click.option(
    "--rows",
    type=click.Choice(["exact", "renormalise"]),
    default="exact",
    show_default=True,
    help="What to do with rows of probabilities that miss 1.",
)
@OBJECTIVE
@REFERENCE
@click.option(
    "--policy",
    "policies",
    type=click.Path(),
    multiple=True,
    help="A policy table (.json or .npz); repeat it for cross-play of several.",
)
@click.option("--runs", type=click.Path(), help="A JSON matrix of returns of your runs: estimate cross-play from it.")
@click.option("--certificate", type=click.Path(), help="A threshold certificate to use; it is checked first.")
@click.option(
    "--starts",
    type=click.IntRange(1),
    default=24,
    show_default=True,
    help="Float runs that look for stationary policies.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of the float runs.")
@click.option("--time-limit", default="60", show_default=True, help="Seconds.")
@MEMORY
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@collected(CrossplayOptions)
def crossplay(given: CrossplayOptions) -> None:
    """Certified self-play and cross-play returns in GAME: equal above alpha*, a gap below."""
    if given.runs is not None:
        if given.game is not None or given.policies:
            raise InputError("--runs", "beside a game", "give a matrix of returns, or a game")
        matrix = _read_matrix(given.runs)
        estimate = disjoint_pairs(matrix)
        self_play = sum((matrix[k][k] for k in range(len(matrix))), Fraction(0)) / len(matrix)
        finish(given.as_json, pairs_json(estimate, self_play), pairs_text(estimate, self_play), "proved")
    if given.game is None or given.alpha is None:
        raise InputError("crossplay", "no game or no --alpha", "write: certify crossplay GAME --alpha A")
    temperature = positive_number(given.alpha, "--alpha", "temperature")
    limit = float(positive_number(given.time_limit, "--time-limit", "number of seconds"))
    loaded, left = reading(limit, lambda: loaded_game(given, given.rows))
    try:
        with Progress() as progress:
            result = cross_play(
                loaded,
                temperature,
                objective=given.objective,
                policies=given.policies,
                certificate=given.certificate,
                starts=given.starts,
                seed=given.seed,
                time_limit=left or limit,
                memory=given.memory,
                progress=progress,
            )
    except Undecided as reason:
        finish_undecided(given.as_json, reason)
    text = f"{heading(loaded)}\n{study_text(result, temperature)}"
    finish(given.as_json, study_json(result, temperature) | {"objective": given.objective}, text, result.status)


def _read_matrix(path: str) -> list[list[Fraction]]:
    document = parse_json(read_text(Path(path)), path)
    if not isinstance(document, list) or not all(isinstance(row, list) for row in document):
        raise InputError(path, "not a list of rows", "write [[r00, r01, ...], [r10, r11, ...], ...]")
    return [
        [parse_rational(v, f"{path}, row {j}, column {k}") for k, v in enumerate(row)] for j, row in enumerate(document)
    ]
