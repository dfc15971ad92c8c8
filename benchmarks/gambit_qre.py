"""Our stationary policies against Gambit's logit equilibria (needs pygambit; an oracle, never a dependency).

`python benchmarks/gambit_qre.py [FOLDER] [--games N] [--seconds S] [--json]` takes the one-shot games below FOLDER that
have a potential, named ones and random potentials, exports each (payoffs rescaled to range 1) for Gambit, and compares
at four temperatures from alpha* on: the enclosure of the one stationary policy at alpha against the logit QRE of the
*original* game at lambda = range/alpha, as Gambit returns it and refined by Newton's method in 200 digits.  Exit 1 if
an enclosure misses a refined point, or if they differ by more than 1e-6 where the equations are not flat (at and
next to a bifurcation a small residual is a large error: those are listed with both).
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pygambit

import certify
from certify.games import Game, from_array
from certify.games.export import nfg_text
from certify.games.original import Original
from certify.games.potential import potential_game

FACTORS = (Fraction(1), Fraction(5, 4), Fraction(2), Fraction(10))
AGREE = 1e-6
LARGEST = 500  # lambda: certificates carry log-ratios of up to 1,000
NEAR, SOLVED = 1e-2, 1e-6  # so flat are the equations, and so well are they solved, where a difference is explained
NAMED = {
    "two levers": [[1, 0], [0, 1]],
    "odd lever": [[1, 0, 0], [0, 1, 0], [0, 0, "9/10"]],
    "climbing": [[11, -30, 0], [-30, 7, 6], [0, 0, 5]],
    "penalty": [[10, 0, -10], [0, 2, 0], [-10, 0, 10]],
    "QTRAN": [[8, -12, -12], [-12, 0, 0], [-12, 0, 0]],
    "not monotone": [["1.378", "-.574", "1.77"], ["1.695", "-.247", ".491"], ["-2.442", "1.233", "1.716"]],
    "roles": [[-10, -2, 9], [-2, -4, 5], [9, 5, 8]],
}
SHAPES = ((2, 2), (2, 3), (3, 3), (2, 4), (4, 4), (2, 2, 2), (2, 2, 3), (2, 3, 3))


def games(folder: Path | None, count: int) -> Iterator[tuple[str, Game]]:
    """Those below the folder, named ones, and random ones with and without weights, as many as are asked for."""
    found = 0
    for path in [] if folder is None else sorted(p for p in folder.rglob("*") if p.suffix in (".nfg", ".efg")):
        try:
            game = certify.load(path)
        except certify.InputError:
            continue
        one_shot = game.horizon == 1 and all(not o for _, o, _ in game.start)
        plays = sum(len(names) > 1 for names in game.actions) > 1
        if (
            one_shot
            and plays
            and any(min(column) < max(column) for column in zip(*original_of(game).payoffs, strict=True))
        ):
            yield path.name, game
            found += 1
    for name, payoffs in NAMED.items():
        yield name, from_array(payoffs)
        found += 1
    draw = random.Random(13)
    for k in range(max(0, count - found)):
        sizes = SHAPES[k % len(SHAPES)]
        yield f"random {k} {'x'.join(map(str, sizes))}", random_potential(draw, sizes, weighted=k % 2 == 1)


def random_potential(draw: random.Random, sizes: tuple[int, ...], *, weighted: bool) -> Game:
    """A team game, or the original of a potential with weights and parts that a player cannot change."""
    profiles = list(itertools.product(*map(range, sizes)))
    payoff = {a: Fraction(draw.randint(-9, 9)) for a in profiles}
    if not weighted:
        rows = tuple((payoff[a],) * len(sizes) for a in profiles)
    else:
        weights = [Fraction(draw.randint(1, 6), draw.randint(1, 6)) for _ in sizes]
        free = [{a[:i] + a[i + 1 :]: draw.randint(-5, 5) for a in profiles} for i in range(len(sizes))]
        rows = tuple(
            tuple(payoff[a] / w + free[i][a[:i] + a[i + 1 :]] for i, w in enumerate(weights)) for a in profiles
        )
    names = tuple(tuple(str(k) for k in range(size)) for size in sizes)
    return potential_game(Original(tuple(f"p{i}" for i in range(len(sizes))), names, rows), "random", "random")


def original_of(game: Game) -> Original:
    """The game of payoffs that Gambit gets."""
    if game.original is not None:
        return game.original
    profiles = itertools.product(*(range(len(names)) for names in game.actions))
    rows = tuple((Fraction(game.reward.get((0, a), 0)),) * len(game.agents) for a in profiles)
    return Original(game.agents, game.actions, rows)


def for_gambit(game: Game, scale: Fraction) -> Any:
    """Gambit's game of the original, every payoff divided by `scale`, through an exported file."""
    original = original_of(game)
    rows = tuple(tuple(u / scale for u in row) for row in original.payoffs)
    scaled = replace(game, original=replace(original, payoffs=rows))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "game.nfg"
        path.write_text(nfg_text(scaled), encoding="utf-8")
        return pygambit.read_nfg(str(path))


def refined(
    original: Original, scale: Fraction, lam: Fraction, start: list[list[float]]
) -> tuple[list[list[Any]], float, float]:
    """Newton's method for p = softmax(lambda u(p)) in many digits, from a point near the solution; the residual at
    the start, and the smallest singular value of the Jacobian at the end: 0 at a bifurcation."""
    sizes = original.sizes
    offsets = [sum(sizes[:i]) for i in range(len(sizes))]
    n = sum(sizes)
    factor = mpmath.mpf(lam.numerator) / lam.denominator
    rows = [[mpmath.mpf((u / scale).numerator) / (u / scale).denominator for u in row] for row in original.payoffs]
    profiles = list(itertools.product(*map(range, sizes)))
    p = [[mpmath.mpf(x) for x in row] for row in start]
    first: float | None = None
    for _ in range(400):  # at a bifurcation it is slow
        gains = [[mpmath.mpf(0)] * size for size in sizes]
        slopes = mpmath.zeros(n, n)  # of the gain of (i, a_i) along p of (j, a_j)
        for a, row in zip(profiles, rows, strict=True):
            for i in range(len(sizes)):
                others = [j for j in range(len(sizes)) if j != i]
                gains[i][a[i]] += row[i] * mpmath.fprod(p[j][a[j]] for j in others)
                for j in others:
                    rest = mpmath.fprod(p[k][a[k]] for k in others if k != j)
                    slopes[offsets[i] + a[i], offsets[j] + a[j]] += row[i] * rest
        answer = []
        for own in gains:
            top = max(own)
            weights = [mpmath.exp(factor * (g - top)) for g in own]
            answer.append([w / mpmath.fsum(weights) for w in weights])
        residual = mpmath.matrix([p[i][a] - answer[i][a] for i, size in enumerate(sizes) for a in range(size)])
        jacobian = mpmath.eye(n)
        for i, size in enumerate(sizes):
            for a in range(size):
                for b in range(size):
                    spread = answer[i][a] * ((1 if a == b else 0) - answer[i][b])
                    for column in range(n):
                        jacobian[offsets[i] + a, column] -= factor * spread * slopes[offsets[i] + b, column]
        first = float(mpmath.norm(residual)) if first is None else first
        smallest = float(np.linalg.svd(np.array(jacobian.tolist(), dtype=float), compute_uv=False)[-1])
        if mpmath.norm(residual) < mpmath.mpf(10) ** -180:
            return p, first, smallest
        step = mpmath.lu_solve(jacobian, residual)
        p = [[p[i][a] - step[offsets[i] + a] for a in range(size)] for i, size in enumerate(sizes)]
    raise ArithmeticError("Newton's method does not settle")


def exact(number: Any) -> Fraction:
    """The number that an mpmath number is."""
    sign, mantissa, exponent, _ = number._mpf_
    return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def compare(name: str, game: Game, seconds: float) -> dict[str, Any]:
    """One game at four temperatures."""
    began = time.process_time()
    threshold = certify.threshold(game, rtol="1/50", time_limit=seconds)
    if threshold.alpha_star is None:
        return {"game": name, "trouble": [threshold.reason]}
    original = original_of(game)
    values = [u for row in original.payoffs for u in row]
    scale = max(values) - min(values)
    theirs = for_gambit(game, scale)
    found: dict[str, Any] = {
        "game": name, "sizes": original.sizes, "weights": [str(w) for w in game.weights],
        "alpha_star": float(threshold.alpha_star), "ratio": threshold.ratio, "difference": 0.0, "lambda_error": 0.0,
        "radius": 0.0, "contained": 0, "asked": 0, "trouble": [], "near a bifurcation": [],
    }  # fmt: skip
    for factor in FACTORS:
        alpha = max(threshold.alpha_star, scale / LARGEST) * factor
        lam = scale / alpha
        found["asked"] += 1
        optimum = certify.optimum(game, alpha, threshold=threshold, time_limit=60)
        if optimum.status != "proved":
            found["trouble"].append(f"alpha {float(alpha):.6g}: {optimum.reason}")
            continue
        ours = [list(optimum.policy[f"{agent}:"].values()) for agent in game.agents]
        point = pygambit.qre.logit_solve_lambda(theirs, [float(lam)])[0]
        given = [[float(point.profile[player][s]) for s in strategies_of(theirs, player)] for player in theirs.players]
        difference = max(
            abs(float((own.lower + own.upper) / 2) - other)
            for mine, row in zip(ours, given, strict=True)
            for own, other in zip(mine, row, strict=True)
        )
        found["difference"] = max(found["difference"], difference)
        found["lambda_error"] = max(found["lambda_error"], abs(point.lam / float(lam) - 1))
        found["radius"] = max(found["radius"], *(float(own.upper - own.lower) / 2 for mine in ours for own in mine))
        with mpmath.workdps(200):
            sharp, residual, smallest = refined(original, scale, lam, given)
        inside = all(
            own.lower <= exact(other) <= own.upper
            for mine, row in zip(ours, sharp, strict=True)
            for own, other in zip(mine, row, strict=True)
        )
        found["contained"] += inside
        if difference > AGREE or not inside:
            explained = inside and smallest < NEAR and residual < SOLVED
            found["near a bifurcation" if explained else "trouble"].append(
                f"alpha {float(alpha):.6g}: differs by {difference:.1e}; refined, the point is "
                f"{'inside' if inside else 'outside'} our enclosure; Gambit's residual {residual:.0e}, lambda off by "
                f"{abs(point.lam / float(lam) - 1):.0e}, smallest singular value of the Jacobian {smallest:.0e}"
            )
    found["seconds"] = round(time.process_time() - began, 2)
    return found


def strategies_of(game: Any, player: Any) -> Any:
    """The strategies of a player, whichever of pygambit's interfaces is there."""
    return player.strategies if hasattr(player, "strategies") else game.get_strategies(player)


def main() -> int:
    """Print a line per game and the worst figures, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--games", type=int, default=44)
    parser.add_argument("--seconds", type=float, default=8, help="for the threshold of a game")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = []
    for name, game in games(given.folder, given.games):
        row = compare(name, game, given.seconds)
        rows.append(row)
        if not given.json:
            print({key: value for key, value in row.items() if value != []}, flush=True)
    compared = [row for row in rows if "asked" in row]
    near = sum(len(row["near a bifurcation"]) for row in compared)
    away = max(row["difference"] for row in compared if not row["near a bifurcation"])
    worst = {key: max(row[key] for row in compared) for key in ("difference", "lambda_error", "radius")}
    points = {key: sum(row[key] for row in compared) for key in ("asked", "contained")}
    trouble = sum(bool(row["trouble"]) for row in rows)
    about = {"pygambit": pygambit.__version__, "games": len(rows), **points, **worst, "near a bifurcation": near}
    about |= {"difference elsewhere": away, "trouble": trouble} | ({"rows": rows} if given.json else {})
    print(json.dumps(about))
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())
