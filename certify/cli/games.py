"""`certify games`: the built-in games, and the rows of a policy table for one game."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from certify.certificates.writing import save_text
from certify.cli.options import SET, OutputFile, collected, named_values
from certify.cli.output import DONE, print_json, print_table
from certify.errors import InputError
from certify.games import Game, list_builtins, load
from certify.games.export import efg_text, json_text, nfg_text
from certify.games.histories import histories
from certify.games.tree import DEFAULT_MAX_ENTRIES, unroll

FORMS: dict[str, Callable[[Game], str]] = {"json": json_text, "nfg": nfg_text, "efg": efg_text}


@dataclass(frozen=True)
class GamesOptions:
    """The options of `certify games`, as click names them."""

    game: str | None
    form: str | None
    exported: str | None
    horizon: int | None
    discount: str | None
    rows: str
    values: tuple[str, ...]
    output: Path | None
    as_json: bool


def _export(given: GamesOptions) -> int:
    """Print a game in a format of others, or write it to a file."""
    if given.form is None or given.exported is None:
        raise InputError("certify games", "a format and a game belong together", "write --export json|nfg|efg GAME")
    if given.form not in FORMS:
        raise InputError("--export", f"{given.form!r}", f"choose from {', '.join(FORMS)}")
    if given.game is not None:
        raise InputError("--aohs", "beside --export", "ask for one of them")
    if given.as_json:
        raise InputError("--json", "beside --export", "write --export json for JSON")
    game = load(given.exported, given.horizon, given.discount, given.rows, named_values(given.values, "--set"))
    text = FORMS[given.form](game)
    if given.output is None:
        click.echo(text, nl=False)
    else:
        save_text(text, given.output)
    return DONE


@click.command()
@click.option("--aohs", "game", metavar="GAME", help="Print the AOH keys of GAME, in the order of policy tables.")
@click.option("--export", "form", metavar="FORM", help="json | nfg | efg: print GAME, given beside it, in that form.")
@click.argument("exported", metavar="[GAME]", required=False)
@click.option("--horizon", type=int, help="Number of steps (with --aohs and --export).")
@click.option("--discount", help="Overrides the game's discount (with --export).")
@click.option("--rows", default="exact", help="exact | renormalise (with --aohs and --export).")
@SET
@click.option("-o", "--output", type=OutputFile(), help="Write the exported game here.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@collected(GamesOptions)
def games(given: GamesOptions) -> int:
    """List the built-in games with sizes and sources, or write a game in a format of others."""
    if given.form is not None or given.exported is not None or given.output is not None:
        return _export(given)
    game, horizon, rows, values, as_json = given.game, given.horizon, given.rows, given.values, given.as_json
    if given.discount is not None:
        raise InputError("--discount", "it belongs to --export", "add --export FORM GAME, or leave it out")
    if game is not None:
        tree = unroll(
            load(game, horizon, None, rows, named_values(values, "--set")),
            cluster=False,
            max_entries=DEFAULT_MAX_ENTRIES,
        )
        keys = {tree.game.agents[i]: [x.key for x in histories(tree, i)] for i in range(tree.number_of_agents)}
        if as_json:
            print_json({"aohs": keys})
        else:
            for row in keys.values():
                print("\n".join(row))
        return DONE
    if horizon is not None or values or rows != "exact":
        raise InputError(
            "certify games", "--horizon, --rows and --set belong to --aohs GAME", "add it, or leave them out"
        )
    entries = list_builtins()
    if as_json:
        print_json({"games": [entry.__dict__ for entry in entries]})
    else:
        table = [(e.name, e.description, f"{e.example}: {e.sizes}", e.source) for e in entries]
        print_table(("game", "what is played", "an example and its sizes", "source"), table)
    return DONE
