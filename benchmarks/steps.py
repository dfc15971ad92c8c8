"""Certified step sizes of gradient ascent against what floats do:

- beside eta* at alpha*, the largest multiple of it with which ascent from 200 random starts still settles: at the end
  J falls in no start for 200 steps, and is within 1/20 of the payoff range of the J of the unique policy.  (Logits of
  AOHs that are hardly ever reached move too slowly to ask for more.)  Multiples beyond 64 are not tried;
- Lambda against the largest curvature that a search finds, in random games;
- ascent with eta* in random games at a certified threshold: J must never fall, and all starts end in one J.

    python benchmarks/steps.py [random games]
"""

from __future__ import annotations

import json
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

import certify
from certify.games.tree import unroll
from certify.stationary.approx_ascent import ApproxAscent
from certify.stationary.multiplicity import reward_range
from certify.thresholds.shapes import shape_of
from certify.thresholds.step_size import sizes_of, step_size

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "helpers"))
from random_games import random_small_game

GAMES = (("lever:2", None), ("climbing", None), ("dectiger", 2))
STARTS, STEPS, LAST = 200, 4_000, 200
_FACTOR, _MOST = 2 ** (1 / 4), 64


def settles(ascent: ApproxAscent, start: np.ndarray, step: float, goal: float, width: float) -> bool:
    """Whether every start settles near the goal with this step."""
    theta = ascent.run(start, step, STEPS)
    before = ascent.value(theta)
    for _ in range(LAST):
        theta = ascent.run(theta, step, 1)
        after = ascent.value(theta)
        if (after < before - 1e-10 * width).any():
            return False
        before = after
    return bool((before > goal - width / 20).all())


def largest_step(name: str, horizon: int | None) -> dict[str, object]:
    """One game at its certified threshold."""
    game = certify.load(name, horizon=horizon)
    found = certify.threshold(game, rtol="1/100", time_limit=120)
    alpha, eta = float(found.alpha_star), float(found.step_size)
    began, tree = time.process_time(), unroll(game, cluster=False)
    ascent, width = ApproxAscent(tree, alpha), float(reward_range(tree))
    goal = certify.optimum(game, found.alpha_star, threshold=found)
    top = float(goal.value.lower) if goal.value is not None else -np.inf
    rng = np.random.default_rng(0)
    start = rng.normal(size=(ascent.size, STARTS)) * rng.choice([0.3, 1.0, 2.0], size=STARTS)
    multiple = 1.0
    while multiple < _MOST and settles(ascent, start, eta * multiple * _FACTOR, top, width):
        multiple *= _FACTOR
    return {
        "game": name,
        "alpha_star": alpha,
        "step_size": eta,
        "largest_float_step": eta * multiple,
        "ratio": multiple,
        "cpu_seconds": time.process_time() - began,
    }


def random_instances(count: int) -> dict[str, object]:
    """Curvatures and runs in random games."""
    rng, shares, fell, second, done = np.random.default_rng(1), [], 0, 0, 0
    while done < count:
        game = random_small_game(rng)
        tree = unroll(game, cluster=False)
        if tree.policy_parameters > 60:
            continue
        done += 1
        any_alpha = Fraction(10) ** int(rng.integers(-2, 2))
        bound = step_size(shape_of(game), sizes_of(game), any_alpha)
        shares.append(ApproxAscent(tree, float(any_alpha)).curvature(rng, 30, 30) * float(bound.step))
        found = certify.threshold(game, method="structural")
        ascent = ApproxAscent(tree, float(found.alpha_star))
        theta = rng.normal(size=(ascent.size, 8)) * rng.choice([0.3, 1.0, 2.0], size=8)
        before = ascent.value(theta)
        for _ in range(100):
            theta = theta + float(found.step_size) * ascent.gradient(theta)
            after = ascent.value(theta)
            fell += int((after < before - 1e-10 * (1 + np.abs(before))).any())
            before = after
        theta = ascent.run(theta, float(found.step_size), 1500)
        settled = np.abs(ascent.gradient(theta)).max(axis=0) < 1e-7 * float(found.alpha_star)
        ends = ascent.value(theta)[settled]
        second += int(len(ends) > 1 and np.ptp(ends) > 1e-6 * (1 + np.abs(ends).max()))
    return {
        "games": count,
        "largest share of Lambda": max(shares),
        "smallest ratio": 1 / max(shares),
        "median ratio": float(1 / np.median(shares)),
        "games in which a bound cut by a third is exceeded": sum(share > 2 / 3 for share in shares),
        "steps in which J fell": fell,
        "games with a second limit": second,
    }


def main() -> None:
    """Prints one JSON object."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(json.dumps({"games": [largest_step(*game) for game in GAMES], "random": random_instances(count)}, indent=1))


if __name__ == "__main__":
    main()
