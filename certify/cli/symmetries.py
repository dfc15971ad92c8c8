"""The command `certify symmetries` (interface; docs/theory/symmetry.md).

z3, sympy and what needs them are imported where they are used: the common case starts fast.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import click

from certify.answers.symmetries import SymmetriesResult
from certify.cli.completion import complete_game
from certify.cli.options import SET, OutputFile, collected, named_values, reading
from certify.cli.output import DONE, REFUTED, UNDECIDED, print_json
from certify.errors import InputError, Undecided
from certify.exact import positive_number
from certify.games.load import load
from certify.games.model import Game, GameTables
from certify.games.readers.textfile import parse_json, read_text
from certify.run import OutOfTime, Run
from certify.symmetry.group import SymmetryGroup
from certify.symmetry.group import symmetries as find_symmetries
from certify.symmetry.maps import read_map
from certify.symmetry.report import group_json, group_text


@dataclass(frozen=True)
class SymmetriesOptions:
    """The options of `certify symmetries`, as click names them."""

    game: str
    horizon: int | None
    discount: str | None
    values: tuple[str, ...]
    rows: str
    states: str
    candidate: str | None
    policy: str | None
    near: bool
    max_entries: int
    residual: bool
    max_nodes: int
    timeout: float
    time_limit: str | None
    accelerate: bool
    graphml: Path | None
    output: Path | None
    as_json: bool


def _load(given: SymmetriesOptions) -> GameTables:
    """The game, parameters left as symbols.  Symmetries do not depend on the horizon, so a file
    needs none, unless a certificate is to restate it."""
    path, values = Path(given.game), named_values(given.values, "--set")
    if not values and path.suffix.lower() == ".json" and path.is_file():
        document = parse_json(read_text(path), given.game)
        if isinstance(document, dict) and document.get("parameters"):
            from certify.games.readers.native import load_parametric

            if given.discount is not None:
                raise InputError("--discount", "a game with parameters left open", "give them values by --set")
            return load_parametric(path, given.horizon)
    horizon = given.horizon
    if path.suffix.lower() == ".dpomdp" and horizon is None and given.output is None and given.policy is None:
        horizon = 1
    return load(given.game, horizon, given.discount, given.rows, values)


@click.command("symmetries")
@click.argument("game", shell_complete=complete_game)
@click.option("--horizon", type=int, help="Number of steps (a certificate restates it).")
@click.option("--discount", help="Overrides the game's own discount; exact, like 9/10.")
@SET
@click.option(
    "--rows",
    type=click.Choice(["exact", "renormalise"]),
    default="exact",
    show_default=True,
    help="What to do with rows of probabilities that miss 1.",
)
@click.option("--states", type=click.Choice(["reachable", "all"]), default="reachable", show_default=True)
@click.option("--candidate", type=click.Path(), help="Check the one map in this MAP.json.")
@click.option("--policy", type=click.Path(), help="Is the policy in this table (.json or .npz) equivariant?")
@click.option("--near", is_flag=True, help="List maps that fail in few entries, with the entries.")
@click.option(
    "--max-entries",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="Failing entries that a near-symmetry may have.",
)
@click.option(
    "--residual", is_flag=True, help="Completeness a second way: z3 looks for an automorphism outside (small games)."
)
@click.option("--max-nodes", type=click.IntRange(1), default=200_000, show_default=True, help="Bounds the search.")
@click.option("--timeout", type=float, default=60.0, show_default=True, help="Seconds that z3 may take.")
@click.option("--time-limit", help="Seconds for everything; what is found by then is printed.")
@click.option("--igraph", "accelerate", is_flag=True, help="Let igraph propose generators (re-checked exactly).")
@click.option("--graphml", type=OutputFile(), help="Write the coloured graph of the game here.")
@click.option("-o", "--output", type=OutputFile(), help="Write the certificate here.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@collected(SymmetriesOptions)
def symmetries(given: SymmetriesOptions) -> None:
    """The automorphism group of GAME: generators, order, orbits, completeness."""
    limit = given.time_limit
    seconds = None if limit is None else float(positive_number(limit, "--time-limit", "number of seconds"))
    loaded, left = reading(seconds, lambda: _load(given))
    run = Run.lasting(left)
    with run.stage("comparing the tables of the game"):
        _symmetries(given, loaded, run)


def _symmetries(given: SymmetriesOptions, loaded: GameTables, run: Run) -> NoReturn:
    """Everything within the limit."""
    if given.candidate is not None:
        _check_candidate(loaded, given.candidate, given.states, given.timeout, given.as_json)
    if given.policy is not None:
        _check_policy(loaded, given.policy, given.max_nodes, given.as_json)
    began = time.monotonic()
    try:
        with run.stage("looking for symmetries"):
            group = _group(loaded, given.states, given.timeout, given.max_nodes, given.accelerate)
    except Undecided as reason:
        finish_undecided(given.as_json, reason)
    document, text = group_json(group), group_text(group)
    if given.near:
        from certify.symmetry.near import near_symmetries
        from certify.symmetry.near_report import near_json, near_text

        try:
            with run.stage("looking for near-symmetries"):
                report = near_symmetries(group, max_entries=given.max_entries)
            document["near"], text = near_json(group, report), f"{text}\n{near_text(group, report)}"
        except OutOfTime as over:
            document["near"], text = None, f"{text}\nnear-symmetries: {over}"
    if given.residual:
        from certify.symmetry.smt_complete import residual_question

        answer = residual_question(group, timeout=given.timeout)
        document["residual"] = answer.status
        text += f"\nz3 on automorphisms outside the group: {answer.status}"
        text += f" ({answer.reason})" if answer.reason else ""
    if given.graphml is not None:
        from certify.symmetry.graph import write_graphml

        write_graphml(group.game, given.graphml)
        document["graphml"], text = str(given.graphml), f"{text}\ncoloured graph: {given.graphml}"
    if given.output is not None:
        SymmetriesResult.of(group).save(given.output)
        document["certificate"], text = str(given.output), f"{text}\ncertificate: {given.output}"
    document["seconds"] = round(time.monotonic() - began, 3)
    finish(given.as_json, document, f"{text}\n{document['seconds']} s", group.status)


def _group(game: GameTables, states: str, timeout: float, max_nodes: int, accelerate: bool) -> SymmetryGroup:
    if isinstance(game, Game):
        return find_symmetries(game, states=states, max_nodes=max_nodes, accelerate=accelerate)
    from certify.symmetry.parametric import parametric_symmetries

    return parametric_symmetries(game, states=states, timeout=timeout)


def _check_candidate(game: GameTables, path: str, states: str, timeout: float, as_json: bool) -> NoReturn:
    from certify.symmetry.candidate import check_candidate
    from certify.symmetry.candidate_report import candidate_json, candidate_text

    mapping = read_map(game, parse_json(read_text(Path(path)), path), path)
    verdict = check_candidate(game, mapping, states=states, timeout=timeout)
    finish(as_json, candidate_json(verdict), candidate_text(verdict), verdict.status)


def _check_policy(game: GameTables, path: str, max_nodes: int, as_json: bool) -> NoReturn:
    from certify.bounds.policy_table import load_policy
    from certify.games.tree import unroll
    from certify.symmetry.histories import fixed_subspace, is_equivariant
    from certify.symmetry.policy_report import policy_json, policy_text

    if not isinstance(game, Game):
        raise InputError(game.name, "a game with parameters", "give them values to test a policy")
    tree = unroll(game, cluster=False)
    generators = find_symmetries(tree.game, max_nodes=max_nodes).generators
    verdict, space = is_equivariant(tree, generators, load_policy(tree, path)), fixed_subspace(tree, generators)
    finish(as_json, policy_json(verdict, space), policy_text(verdict, space), verdict.status)


def finish(as_json: bool, document: dict, text: str, status: str) -> NoReturn:
    """Print the one result of a command and exit with its code."""
    if as_json:
        print_json(document)
    else:
        print(text)
    sys.exit({"proved": DONE, "refuted": REFUTED, "undecided": UNDECIDED}[status])


def finish_undecided(as_json: bool, reason: Undecided) -> NoReturn:
    """Print why a command has no verdict and exit with the code for that."""
    finish(as_json, {"status": "undecided", "reason": str(reason)}, f"undecided: {reason}", "undecided")
