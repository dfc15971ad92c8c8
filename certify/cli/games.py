"""`certify games`: the built-in games, and the rows of a policy table for one game."""

from __future__ import annotations

import click

from certify.cli.options import SET, named_values
from certify.cli.output import DONE, print_json, print_table
from certify.errors import InputError
from certify.games import list_builtins, load
from certify.games.histories import histories
from certify.games.tree import DEFAULT_MAX_ENTRIES, unroll


@click.command()
@click.option("--aohs", "game", metavar="GAME", help="Print the AOH keys of GAME, in the order of policy tables.")
@click.option("--horizon", type=int, help="Number of steps (with --aohs).")
@click.option("--rows", default="exact", help="exact | renormalise (with --aohs).")
@SET
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def games(game, horizon, rows, values, as_json) -> int:
    """List the built-in games with sizes and sources."""
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
        rows = [(e.name, e.description, f"{e.example}: {e.sizes}", e.source) for e in entries]
        print_table(("game", "what is played", "an example and its sizes", "source"), rows)
    return DONE
