"""`certify compile`: make the compiled loops of the search, once."""

from __future__ import annotations

import click

from certify.answers.compilation import compile_loops
from certify.cli.output import DONE, Progress, print_json


@click.command("compile")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def compilation(as_json: bool) -> int:
    """Make the compiled loops of the search, once for this version: about a minute.

    Needs the extra: pip install 'certify[compiled]'.  Searches that have the time make them by themselves, those with
    a limit of five minutes or less run in numpy until they are there.
    """
    with Progress() as progress:
        found = compile_loops(progress)
    if as_json:
        print_json({"seconds": round(found.seconds, 3), "folder": str(found.folder)})
    elif found.seconds:
        print(f"compiled the loops of the search in {found.seconds:.1f} s; kept in {found.folder}")
    else:
        print(f"the loops of the search are compiled already; kept in {found.folder}")
    return DONE
