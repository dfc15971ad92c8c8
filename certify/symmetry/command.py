"""The commands `certify symmetries` and `certify crossplay` (interface; theory, section 8)."""

from __future__ import annotations

import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import click

from certify.api import check, threshold
from certify.cli.output import DONE, REFUTED, UNDECIDED, Progress, print_json
from certify.errors import InputError, Undecided
from certify.exact import parse_rational
from certify.games.canonical import game_sha256
from certify.games.load import load
from certify.games.model import Game, GameTables
from certify.games.native import load_parametric
from certify.games.parametric import ParametricGame
from certify.games.textfile import parse_json, read_text
from certify.games.tree import unroll
from certify.symmetry.candidate import check_candidate
from certify.symmetry.crossplay_report import pairs_json, pairs_text, study_json, study_text
from certify.symmetry.crossplay_study import study, study_policies
from certify.symmetry.group import symmetries as find_symmetries
from certify.symmetry.histories import fixed_subspace, is_equivariant
from certify.symmetry.maps import read_map
from certify.symmetry.near import near_symmetries
from certify.symmetry.pairs import disjoint_pairs
from certify.symmetry.parametric import parametric_symmetries
from certify.symmetry.policy_table import load_policy
from certify.symmetry.report import (
    candidate_json,
    candidate_text,
    group_json,
    group_text,
    near_json,
    near_text,
    policy_json,
    policy_text,
)
from certify.symmetry.smt_complete import residual_question


def _load(name: str, horizon: int | None, discount: str | None, rows: str, needs_horizon: bool) -> GameTables:
    """The game, parameters left as symbols.  Symmetries do not depend on the horizon, so a file
    needs none, unless a certificate is to restate it."""
    path = Path(name)
    if path.suffix.lower() == ".json" and path.is_file():
        document = parse_json(read_text(path), name)
        if isinstance(document, dict) and document.get("parameters"):
            return load_parametric(path, horizon)
    if path.suffix.lower() == ".dpomdp" and horizon is None and not needs_horizon:
        horizon = 1
    return load(name, horizon, discount, rows)


@click.command("symmetries")
@click.argument("game")
@click.option("--horizon", type=int, help="Number of steps (a certificate restates it).")
@click.option("--discount", help="Overrides the game's own discount; exact, like 9/10.")
@click.option("--rows", type=click.Choice(["exact", "renormalise"]), default="exact", show_default=True,
              help="What to do with rows of probabilities that miss 1.")
@click.option("--states", type=click.Choice(["reachable", "all"]), default="reachable", show_default=True)
@click.option("--candidate", type=click.Path(), help="Check the one map in this MAP.json.")
@click.option("--policy", type=click.Path(), help="Is the policy in this table (.json or .npz) equivariant?")
@click.option("--near", is_flag=True, help="List maps that fail in few entries, with the entries.")
@click.option("--max-entries", type=click.IntRange(1), default=4, show_default=True,
              help="Failing entries that a near-symmetry may have.")
@click.option("--residual", is_flag=True,
              help="Completeness a second way: z3 looks for an automorphism outside (small games).")
@click.option("--max-nodes", type=click.IntRange(1), default=200_000, show_default=True, help="Bounds the search.")
@click.option("--timeout", type=float, default=60.0, show_default=True, help="Seconds that z3 may take.")
@click.option("--igraph", "accelerate", is_flag=True, help="Let igraph propose generators (re-checked exactly).")
@click.option("-o", "--output", type=click.Path(), help="Write the certificate here.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def symmetries(game: str, horizon: int | None, discount: str | None, rows: str, states: str,
               candidate: str | None, policy: str | None, near: bool, max_entries: int, residual: bool, max_nodes: int, timeout: float,
               accelerate: bool, output: str | None, as_json: bool) -> None:
    """The automorphism group of GAME: generators, order, orbits, completeness."""
    loaded = _load(game, horizon, discount, rows, output is not None or policy is not None)
    if candidate is not None:
        mapping = read_map(loaded, parse_json(read_text(Path(candidate)), candidate), candidate)
        verdict = check_candidate(loaded, mapping, states=states, timeout=timeout)
        _finish(as_json, candidate_json(verdict), candidate_text(verdict), verdict.status)
    if policy is not None:
        if isinstance(loaded, ParametricGame):
            raise InputError(game, "a game with parameters", "give them values to test a policy")
        tree = unroll(loaded, cluster=False)
        generators = find_symmetries(tree.game, max_nodes=max_nodes).generators
        found = is_equivariant(tree, generators, load_policy(tree, policy)), fixed_subspace(tree, generators)
        _finish(as_json, policy_json(*found), policy_text(*found), found[0].status)
    began = time.monotonic()
    try:
        if isinstance(loaded, ParametricGame):
            group = parametric_symmetries(loaded, states=states, timeout=timeout)
        else:
            group = find_symmetries(loaded, states=states, max_nodes=max_nodes, accelerate=accelerate)
    except Undecided as reason:
        _finish_undecided(as_json, reason)
    document, text = group_json(group), group_text(group)
    if near:
        report = near_symmetries(group, max_entries=max_entries)
        document["near"], text = near_json(group, report), f"{text}\n{near_text(group, report)}"
    if residual:
        answer = residual_question(group, timeout=timeout)
        document["residual"] = answer.status
        text += f"\nz3 on automorphisms outside the group: {answer.status}"
        text += f" ({answer.reason})" if answer.reason else ""
    if output is not None:
        group.save(output)
        document["certificate"], text = output, f"{text}\ncertificate: {output}"
    document["seconds"] = round(time.monotonic() - began, 3)
    _finish(as_json, document, f"{text}\n{document['seconds']} s", group.status)


@click.command("crossplay")
@click.argument("game", required=False)
@click.option("--alpha", help="Temperature; exact, like 13/2.")
@click.option("--horizon", type=int, help="Number of steps.")
@click.option("--discount", help="Overrides the game's own discount.")
@click.option("--rows", type=click.Choice(["exact", "renormalise"]), default="exact", show_default=True,
              help="What to do with rows of probabilities that miss 1.")
@click.option("--policy", "policies", type=click.Path(), multiple=True,
              help="A policy table (.json or .npz); repeat it for cross-play of several.")
@click.option("--runs", type=click.Path(), help="A JSON matrix of returns of your runs: estimate cross-play from it.")
@click.option("--certificate", type=click.Path(), help="A threshold certificate to use; it is checked first.")
@click.option("--starts", type=click.IntRange(1), default=24, show_default=True,
              help="Float runs that look for stationary policies.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the float runs.")
@click.option("--time-limit", type=float, default=60.0, show_default=True,
              help="Seconds for the search, and again for the proof of uniqueness.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def crossplay(game: str | None, alpha: str | None, horizon: int | None, discount: str | None, rows: str,
              policies: tuple[str, ...], runs: str | None, certificate: str | None, starts: int, seed: int,
              time_limit: float, as_json: bool) -> None:
    """Certified self-play and cross-play returns in GAME: equal above alpha*, a gap below."""
    if runs is not None:
        matrix = _read_matrix(runs)
        estimate = disjoint_pairs(matrix)
        self_play = sum((matrix[k][k] for k in range(len(matrix))), Fraction(0)) / len(matrix)
        _finish(as_json, pairs_json(estimate, self_play), pairs_text(estimate, self_play), "proved")
    if game is None or alpha is None:
        raise InputError("crossplay", "no game or no --alpha", "write: certify crossplay GAME --alpha A")
    temperature = parse_rational(alpha, "--alpha")
    if temperature <= 0:
        raise InputError("--alpha", f"a temperature of {temperature}", "use a positive number")
    loaded = load(game, horizon, discount, rows)
    if policies:
        tree = unroll(loaded, cluster=False)
        try:
            result = study_policies(loaded, temperature, [load_policy(tree, path) for path in policies])
        except Undecided as reason:
            _finish_undecided(as_json, reason)
    else:
        known = None if certificate is None else _alpha_star(certificate, loaded)
        with Progress() as progress:
            progress("looking for stationary policies")
            result = study(loaded, temperature, starts=starts, seed=seed, time_limit=time_limit, threshold=lambda g: known or
                           threshold(g, time_limit=time_limit, progress=progress).alpha_star)
    _finish(as_json, study_json(result, temperature), study_text(result, temperature), result.status)


def _alpha_star(path: str, game: Game) -> Fraction:
    """The threshold that a certificate about `game` proves."""
    verdict = check(path)
    document = parse_json(read_text(Path(path)), path)
    if not verdict.valid or document.get("kind") != "threshold":
        raise InputError(path, "not a valid threshold certificate", "make one by `certify threshold GAME -o CERT.json`")
    if document["game_sha256"] != game_sha256(game):
        raise InputError(path, "a certificate about another game", "give the one of this game, horizon and discount")
    return parse_rational(document["claim"]["alpha_star"], path)


def _finish(as_json: bool, document: dict, text: str, status: str) -> NoReturn:
    """Print the one result of a command and exit with its code."""
    if as_json:
        print_json(document)
    else:
        print(text)
    sys.exit({"proved": DONE, "refuted": REFUTED, "undecided": UNDECIDED}[status])


def _finish_undecided(as_json: bool, reason: Undecided) -> NoReturn:
    _finish(as_json, {"status": "undecided", "reason": str(reason)}, f"undecided: {reason}", "undecided")


def _read_matrix(path: str) -> list[list[Fraction]]:
    document = parse_json(read_text(Path(path)), path, keep_decimals=True)
    if not isinstance(document, list) or not all(isinstance(row, list) for row in document):
        raise InputError(path, "not a list of rows", "write [[r00, r01, ...], [r10, r11, ...], ...]")
    return [[parse_rational(v, f"{path}, row {j}, column {k}") for k, v in enumerate(row)]
            for j, row in enumerate(document)]
