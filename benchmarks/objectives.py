"""KL to a reference on games with legal actions that depend on the history, turns and early ends: thresholds with both
ends, CPU seconds, and what the checker says.

    python benchmarks/objectives.py [--seconds 300] [--only NAME]

Rows: small Hanabi of one colour and two ranks (218 ways to go) and of two colours and one rank (13,936), from the
exact model of `hanabi.py`; Dec-Tiger where opening a door ends it, under `kl`, and padded under `entropy`; the games of
claim 8; levers with a reference that prefers one of them.  Brackets in brackets are what the search reached within
the limit; a second policy "in floats" is what multistart finds, which proves nothing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from fractions import Fraction

from hanabi import Hanabi, terminal_histories

import certify
from certify.claims.legal_games import match, tiger_that_ends
from certify.crossplay.approx_runs import approx_runs
from certify.games import Game, as_game, builtin
from certify.games.objective import for_objective, with_reference
from certify.games.tree import unroll

LEVELS = 12  # of the search in floats, each 4/5 of the one before
LARGEST = 100_000  # entries of a tree on which runs in floats are made


def small_hanabi(colours: int, ranks: int) -> Game:
    """The exact model, with its number of ways to go as a check."""
    rules = Hanabi(colours, ranks)
    print(f"hanabi {colours}x{ranks}: {terminal_histories(rules):,} terminal histories")
    return as_game(rules.document())


def preferred(levers: int) -> Game:
    """Levers of which the reference prefers the first, twice as heavy as the others."""
    row = {str(a): Fraction(1 + (a == 0), levers + 1) for a in range(levers)}
    return with_reference(builtin(f"lever:{levers}"), {f"agent{i}": {"": row} for i in (1, 2)}, "benchmark")


ROWS: dict[str, tuple[Callable[[], Game], str, str]] = {
    "hanabi 1x2": (lambda: small_hanabi(1, 2), "kl", "1/20"),
    "hanabi 2x1": (lambda: small_hanabi(2, 1), "kl", "structural"),
    "tiger that ends, 2 steps": (lambda: tiger_that_ends(2), "kl", "1/20"),
    "tiger that ends, 2 steps, padded": (lambda: tiger_that_ends(2, legal=False), "entropy", "1/20"),
    "tiger that ends, 3 steps": (lambda: tiger_that_ends(3), "kl", "1/5"),
    "tiger that ends, 3 steps, padded": (lambda: tiger_that_ends(3, legal=False), "entropy", "1/5"),
    "tiger that ends, 4 steps": (lambda: tiger_that_ends(4), "kl", "1/2"),
    "match-3, reward 0": (lambda: match(3), "kl", "1/100"),
    "match-3, reward 1": (lambda: match(3, 1), "kl", "1/100"),
    "lever:10, uniform reference": (lambda: builtin("lever:10"), "kl", "1/100"),
    "lever:10, one preferred": (lambda: preferred(10), "kl", "1/100"),
}


def several_in_floats(game: Game, objective: str, start: float) -> str:
    """The largest of a few temperatures below `start` at which runs in floats end in different policies."""
    tree = unroll(for_objective(game, objective))
    if max(level.reward.size for level in tree.levels) > LARGEST:
        return "not looked for"
    for k in range(LEVELS):
        alpha = start * 0.8**k
        if len(approx_runs(tree, Fraction(alpha), starts=12, seed=1)) > 1:
            return f"{alpha:.4g}"
    return "none"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0, help="for each bracket")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    given = parser.parse_args()
    print(
        "game | objective | logits | group | structural | alpha* | several proved | ratio | in floats | CPU s | engine"
    )
    for name, (make, objective, aim) in ROWS.items():
        if given.only not in name:
            continue
        game = make()
        began = time.process_time()
        structural = certify.threshold(game, objective=objective, method="structural")
        found = structural
        if aim != "structural":
            found = certify.threshold(game, objective=objective, rtol=aim, time_limit=given.seconds)
        spent = time.process_time() - began
        if found.alpha_star is None or structural.alpha_star is None or found.document is None:
            print(f"{name} | {objective} | undecided: {found.reason}")
            continue
        multiple = "none" if found.alpha_multiple is None else f"{float(found.alpha_multiple):.6g}"
        ratio = "none" if found.ratio is None else f"{found.ratio:.4f}"
        floats = several_in_floats(game, objective, float(found.alpha_star))
        order = found.document.get("symmetry", {}).get("order", "not looked for")
        print(
            f"{name} | {objective} | {found.policy_parameters} | {order} | {float(structural.alpha_star):.6g} | "
            f"{float(found.alpha_star):.6g} | {multiple} | {ratio} | {floats} | {spent:.0f} | {found.engine}",
            flush=True,
        )


if __name__ == "__main__":
    main()
