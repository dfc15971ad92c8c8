"""Writes the files `kl_*` and `local_*` of tests/certificates/windows: proofs by windows under KL to a reference, with
legal sets, and under the local bonus, and attacks on them (`python tests/helpers/windows_objective_certificates.py`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from certificate_files import write_sorted
from legal_games import MIRROR, with_legal_sets
from random_games import random_game
from windows_certificates import FOLDER, Document

from certify.certificates.threshold import windows_certificate
from certify.claims.legal_games import tiger_that_ends
from certify.games import as_game
from certify.games.builtin import builtin
from certify.games.canonical import sha256_of
from certify.games.model import Game
from certify.games.objective import for_objective
from certify.thresholds.structural import structural_thresholds
from certify.thresholds.windows.approx_sweeps import UNIT
from certify.thresholds.windows.search import Search


def certificate(game: Game, k: int) -> Document:
    """A threshold by windows of length k a little below the structural one: few intervals."""
    search, start = Search(game, k), float(structural_thresholds(game)[0].alpha_star)
    search.climb(start, 0.5, start * 0.7)
    found = search.result()
    assert found is not None
    return windows_certificate(game, found)


def games() -> Iterator[tuple[str, Game, int]]:
    """(name, game, k)."""
    rng = np.random.default_rng(19)
    drawn = random_game(rng, horizon=3, observations=2, actions=(3, 2), weights=True, discount=Fraction(9, 10))
    begins = random_game(rng, horizon=2, observations=2, initial_observations=True)
    three = random_game(rng, agents=3, horizon=2, observations=1)
    yield "kl_tiger_that_ends", for_objective(tiger_that_ends(3), "kl"), 1
    yield "kl_mirror_k0", for_objective(as_game(MIRROR), "kl"), 0
    yield "kl_legal_sets", for_objective(with_legal_sets(drawn, 14), "kl"), 1
    yield "kl_initial_observations", for_objective(with_legal_sets(begins, 18), "kl"), 1
    yield "local_tiger", for_objective(builtin("dectiger", horizon=3), "local"), 1
    yield "local_legal_sets", for_objective(with_legal_sets(drawn, 16), "local"), 1
    yield "local_three_agents", for_objective(three, "local"), 1


def renewed(document: Document) -> None:
    """The hash of a changed game."""
    document["game_sha256"] = sha256_of(document["game"])


def parts(document: Document, what: str = "constants") -> list[Document]:
    found: list[Document] = document["proof"]["intervals"][-1][what]
    return found


def later(document: Document) -> list[Document]:
    """Constants of lags."""
    return [part for part in parts(document) if part["depth"]]


def reference_dropped(document: Document) -> None:
    """All that is available is legal after the last row's observation."""
    document["game"]["reference"].pop()
    renewed(document)


def reference_uniform(document: Document) -> None:
    document["game"]["reference"] = [
        [i, o, [[a, str(Fraction(1, len(row)))] for a, _ in row]] for i, o, row in document["game"]["reference"]
    ]
    renewed(document)


def weight_moved(document: Document) -> None:
    """From the first to the second action of the first row with two."""
    row = next(row for _, _, row in document["game"]["reference"] if len(row) > 1)
    moved = Fraction(row[0][1]) * Fraction(9, 10)
    row[0][1], row[1][1] = str(Fraction(row[0][1]) - moved), str(Fraction(row[1][1]) + moved)
    renewed(document)


def symbols_of_other_rows_merged(document: Document) -> None:
    for rows in document["proof"]["symbols"]:
        for row in rows:
            row[:] = [0] * len(row)


def lowered(field: str, part: float) -> Callable[[Document], None]:
    """Numbers of a field of the latest constants brought to a part of them, where they are positive."""

    def less(x: Any) -> Any:
        return [less(y) for y in x] if isinstance(x, list) else int(x * part) if x > 0 else x

    def change(document: Document) -> None:
        last = [part for part in parts(document) if part.get(field)][-1]
        last[field] = less(last[field])

    return change


def bounds_lowered(document: Document) -> None:
    step = parts(document, "steps")[0]
    step["log_ratio"] = [[None if m is None else int(m * 0.7) - 1 for m in row] for row in step["log_ratio"]]


def mimicking(document: Document) -> None:
    step = next(step for step in parts(document, "steps") if step["depth"] < 2)
    step["mimic"] = [[1] * len(row) for row in step["mimic"]]


def own_share_tiny(document: Document) -> None:
    for part in later(document):
        part["own"] = [1] * len(part["own"])


def own_share_too_much(document: Document) -> None:
    part = later(document)[0]
    part["own"] = [2**UNIT] * len(part["own"])


def renamed(objective: str, without_own: bool = False) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        document["objective"] = objective
        document.pop("flows", None)
        for interval in document["proof"]["intervals"] if without_own else ():
            for part in interval["constants"]:
                part.pop("own", None)

    return change


def a_little_colder(document: Document) -> None:
    """The claim and the last interval, where the multipliers are nearly used up."""
    star = Fraction(document["claim"]["alpha_star"]) * Fraction(4, 5)
    document["claim"]["alpha_star"] = str(star)
    document["proof"]["intervals"][-1]["beta"][1] = str(1 / star)


INVALID: dict[str, tuple[str, Callable[[Document], None]]] = {
    "kl_legal_set_widened": ("kl_tiger_that_ends", reference_dropped),
    "kl_reference_made_uniform": ("kl_legal_sets", reference_uniform),
    "kl_reference_moved": ("kl_legal_sets", weight_moved),
    "kl_called_local": ("kl_legal_sets", lambda d: (renamed("local")(d), reference_uniform(d))[0]),
    "kl_symbols_of_other_rows_merged": ("kl_mirror_k0", symbols_of_other_rows_merged),
    "kl_symbols_of_other_kernels_merged": ("kl_tiger_that_ends", lambda d: d["proof"]["symbols"][0].reverse()),
    "kl_range_lowered": ("kl_tiger_that_ends", lowered("ranges", 0.6)),
    "kl_variance_lowered": ("kl_legal_sets", lowered("variance", 0.3)),
    "kl_bound_lowered": ("kl_tiger_that_ends", bounds_lowered),
    "kl_bound_lowered_k0": ("kl_mirror_k0", bounds_lowered),
    "kl_colder": ("kl_legal_sets", a_little_colder),
    "local_mimicking": ("local_tiger", mimicking),
    "local_called_entropy": ("local_tiger", renamed("visitation", without_own=True)),
    "local_called_kl": ("local_legal_sets", renamed("kl", without_own=True)),
    "local_own_share_tiny": ("local_tiger", own_share_tiny),
    "local_own_share_too_much": ("local_tiger", own_share_too_much),
    "local_range_lowered": ("local_tiger", lowered("ranges", 0.6)),
    "local_variance_lowered": ("local_tiger", lowered("variance", 0.3)),
    "local_bound_lowered": ("local_legal_sets", bounds_lowered),
    "local_bound_lowered_three_agents": ("local_three_agents", bounds_lowered),
    "local_colder": ("local_tiger", a_little_colder),
}


def number_for_an_illegal_action(document: Document) -> None:
    for step in parts(document, "steps"):
        for row in step["log_ratio"]:
            if all(m is None for m in row):
                row[:] = [0] * len(row)
                return
    raise AssertionError("no window with one legal action")


def negative_chance_that_nobody_uses(document: Document) -> None:
    """Of an illegal joint action at the first step."""
    game = document["game"]
    used = {a for i, o, row in game["reference"] if i == 0 and o is None for a, _ in row}
    first = next(a for a in range(3) if a not in used)
    game["transition"] = [
        [s, move, [[0, "-1"], [1, "2"]] if s == 0 and move[0] == first else row] for s, move, row in game["transition"]
    ]
    game["transition"] += (
        [] if any(m[0] == first for _, m, _ in game["transition"]) else [[0, [first, first], [[0, "-1"], [1, "2"]]]]
    )
    renewed(document)


def own_missing(document: Document) -> None:
    later(document)[0].pop("own")


def own_elsewhere(document: Document) -> None:
    part = later(document)[0]
    part["own"] = [1] * len(part["groups"][0]["share"])


MALFORMED: dict[str, tuple[str, Callable[[Document], None]]] = {
    "kl_number_for_an_illegal_action": ("kl_tiger_that_ends", number_for_an_illegal_action),
    "kl_called_entropy": ("kl_tiger_that_ends", renamed("visitation")),
    "kl_own_past": ("kl_legal_sets", own_elsewhere),
    "kl_negative_chance_that_nobody_uses": ("kl_mirror_k0", negative_chance_that_nobody_uses),
    "local_own_past_missing": ("local_tiger", own_missing),
}


def write() -> None:
    """All files."""
    valid = {name: certificate(game, k) for name, game, k in games()}
    made = {("valid", name): document for name, document in valid.items()}
    for folder, changes in (("invalid", INVALID), ("malformed", MALFORMED)):
        for name, (of, change) in changes.items():
            document = copy.deepcopy(valid[of])
            change(document)
            assert document != valid[of], name
            made[folder, name] = document
    for (folder, name), document in made.items():
        write_sorted(FOLDER / folder, [(name, document)])


if __name__ == "__main__":
    write()
