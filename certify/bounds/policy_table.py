"""Policy tables from files, as exact boxes (interface: POLICY.json and .npz).

A row whose numbers miss a sum of 1 by rounding stands for every policy between the numbers as
written and the numbers divided by their sum; so does what is proved about it.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile

from certify.bounds.other_names import other_names
from certify.bounds.policy import PolicyBox, layout_of
from certify.errors import InputError
from certify.games.histories import histories
from certify.games.names import numbers_by_name
from certify.games.readers.textfile import parse_json, read_text
from certify.games.tabulate import TOLERANCE
from certify.games.tree import Tree


def as_policy(tree: Tree, policy: Any) -> PolicyBox:
    """The policy of whatever holds one: a path, a document or `PolicyTable`, or one array of rows per agent.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> as_policy(unroll(builtin("lever:2"), cluster=False), [[[0.5, 0.5]], [[0.25, 0.75]]]).upper[1][0].tolist()
    [[Fraction(1, 4), Fraction(3, 4)]]
    """
    if isinstance(policy, (str, os.PathLike)):
        return load_policy(tree, str(policy))
    if isinstance(policy, Mapping):
        return policy_from_document(tree, policy)
    try:
        arrays = [np.asarray(array) for array in policy]
    except (TypeError, ValueError) as error:
        raise InputError("policy", f"{error}", "give a path, a document, or one array of rows per agent") from None
    return policy_from_arrays(tree, arrays)


def load_policy(tree: Tree, path: str) -> PolicyBox:
    """The policy in a .json or .npz file, for an unclustered tree.

    A .npz holds one array per agent, named like the agent, or `arr_0`, `arr_1`, … in the agents' order
    (as `numpy.savez(path, first, second)` writes them), with one row for each AOH in the order of
    `certify games --aohs`; columns beyond the actions of a step are left out of account.
    Raises `InputError` for anything else, and for illegal actions.
    """
    if Path(path).suffix.lower() == ".npz":
        return policy_from_arrays(tree, _arrays(tree, path), path)
    return policy_from_document(tree, parse_json(read_text(Path(path)), path), path)


def _arrays(tree: Tree, path: str) -> list[np.ndarray]:
    """The arrays of a .npz file in the agents' order."""
    try:
        loaded = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(path, "no such file", "check the path") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        loaded = None
    if not isinstance(loaded, NpzFile):
        raise InputError(path, "cannot be read as .npz", "write it by numpy.savez, one array per agent") from None
    agents = tree.game.agents
    by_position = [f"arr_{i}" for i in range(len(agents))]
    with loaded as arrays:
        names = next((wanted for wanted in (list(agents), by_position) if set(wanted) == set(arrays.files)), None)
        if names is None:
            raise InputError(
                path,
                f"arrays named {', '.join(arrays.files) or 'nothing'}",
                f"name them {', '.join(agents)}, or {', '.join(by_position)} in that order",
            )
        try:
            return [arrays[name] for name in names]
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(path, f"an array cannot be read: {error}", "write plain numbers by numpy.savez") from None


def policy_from_document(tree: Tree, document: object, where: str = "policy") -> PolicyBox:
    """The policy of a POLICY.json document `{AOH key: {action: number}}`.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"), cluster=False)
    >>> box = policy_from_document(tree, {"agent1:": {"0": "1/3", "1": "2/3"}, "agent2:": {"0": "0.5", "1": "0.5"}})
    >>> box.lower[0][0].tolist()
    [[Fraction(1, 3), Fraction(2, 3)]]
    """
    if not isinstance(document, Mapping):
        raise InputError(where, "not an object", 'write {"agent1:": {"action": number, ...}, ...}')
    rows: dict[tuple[int, int, int], list[Fraction]] = {}
    known = set()
    for i in range(tree.number_of_agents):
        for history in histories(tree, i):
            known.add(history.key)
            if history.key not in document:
                raise InputError(where, f"no row for {history.key!r}", "give every reachable AOH a row")
            names = [tree.game.actions[i][a] for a in tree.game.actions_at(i, history.depth)]
            rows[i, history.depth, history.class_index] = _row(document[history.key], names, f"{where}, {history.key}")
    if unknown := sorted(set(map(str, document)) - known):
        raise InputError(where, f"{unknown[0]!r} is no reachable AOH", "`certify games --aohs GAME` lists them")
    return _box(tree, rows, where)


def policy_from_arrays(tree: Tree, arrays: list[np.ndarray], where: str = "policy") -> PolicyBox:
    """The policy of one array (AOHs, actions) per agent; rows may miss 1 by what their type rounds off.

    Raises `InputError` for other shapes, types and sums.
    """
    tolerance = TOLERANCE
    if len(arrays) != tree.number_of_agents:
        raise InputError(where, f"{len(arrays)} arrays", f"give {tree.number_of_agents}, one per agent")
    rows: dict[tuple[int, int, int], list[Fraction]] = {}
    for i, array in enumerate(arrays):
        listed = histories(tree, i)
        widest = max(len(tree.game.actions_at(i, t)) for t in range(tree.horizon))
        name = f"{where}, agent {tree.game.agents[i]}"
        if array.dtype.kind not in "fiu":
            raise InputError(name, f"an array of type {array.dtype}", "give real numbers")
        if array.shape != (len(listed), widest):
            raise InputError(name, f"an array of shape {array.shape}", f"give the shape ({len(listed)}, {widest})")
        if not np.isfinite(array).all():
            raise InputError(name, "an entry that is not finite", "give probabilities")
        if array.dtype.kind == "f":  # what rounding each entry to the array's own type can do to a sum
            tolerance = max(tolerance, widest * Fraction(float(np.finfo(array.dtype).eps)))
        for row, history in zip(array.tolist(), listed, strict=True):
            width = len(tree.game.actions_at(i, history.depth))
            rows[i, history.depth, history.class_index] = [Fraction(v) for v in row[:width]]
    return _box(tree, rows, where, tolerance)


def _row(row: object, names: list[str], where: str) -> list[Fraction]:
    if not isinstance(row, Mapping):
        raise InputError(where, "not an object", "write {action: number}")
    return numbers_by_name(row, names, where)


def _box(
    tree: Tree, rows: dict[tuple[int, int, int], list[Fraction]], where: str, tolerance: Fraction = TOLERANCE
) -> PolicyBox:
    """The rows, each over the actions available at its step, as a policy of the tree."""
    layout = layout_of(tree)
    lower, upper = (np.full(layout.size, Fraction(0), dtype=object) for _ in range(2))
    for (i, t, k), row in rows.items():
        total = sum(row)
        if min(row) < 0 or abs(total - 1) > tolerance:
            raise InputError(
                f"{where}, agent {tree.game.agents[i]}, step {t}, row {k}",
                f"numbers that sum to {float(total):.9g}" if min(row) >= 0 else "a negative number",
                f"give probabilities that sum to 1 within {float(tolerance):.2g}",
            )
        given = dict(zip(tree.game.actions_at(i, t), row, strict=True))
        legal = [given.pop(a) for a in tree.levels[t].legal_actions(i, k)]
        if illegal := [a for a, p in given.items() if p]:
            name = tree.game.actions[i][illegal[0]]
            where = f"{where}, agent {tree.game.agents[i]}, step {t}, row {k}"
            raise InputError(where, f"{name!r} is illegal there", "give legal actions only")
        start = layout.entries[i, t].start + k * layout.shape[i, t][1]
        lower[start : start + len(legal)] = [min(p, p / total) for p in legal]
        upper[start : start + len(legal)] = [max(p, p / total) for p in legal]
    names = other_names(tree)
    return PolicyBox(*(layout.nested(end if names.trivial else names.spread(end)) for end in (lower, upper)))
