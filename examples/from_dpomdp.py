"""Certify a benchmark from its .dpomdp file: what the cheap and what the sharp method give.

Usage: python examples/from_dpomdp.py [FILE.dpomdp [HORIZON]]      (default: tiger.dpomdp, 2)
"""

import sys
from fractions import Fraction
from pathlib import Path

import certify
from certify.games.tree import unroll


def main(path: Path, horizon: int) -> None:
    """Read a file, unroll it, print its threshold."""
    game = certify.load(path, horizon=horizon)
    tree = unroll(game)
    print(
        f"{path.name}: {game.number_of_agents} agents, {len(game.states)} states, horizon {horizon}, "
        f"{tree.policy_parameters} policy parameters"
    )

    # no enumeration at all: works at any size, and is conservative
    structural = certify.threshold(game, method="structural")
    print(f"structural:   unique for every alpha >= {float(structural.alpha_star):8.3f}   {structural.seconds:5.1f} s")

    # interval bounds on every stationary policy, contracted until only one can be left
    sharp = certify.threshold(game, method="localisation", rtol="1/2", time_limit=40)
    if sharp.status != "proved":
        print(f"localisation: undecided ({sharp.reason})")
        return
    print(f"localisation: unique for every alpha >= {float(sharp.alpha_star):8.3f}   {sharp.seconds:5.1f} s")
    print(
        f"              {float(structural.alpha_star / sharp.alpha_star):.1f} times lower; "
        f"the certificate was accepted by the independent checker ({sharp.engine})"
    )

    rewards = [Fraction(0), *game.reward.values()]
    spread = max(rewards) - min(rewards)
    print(
        f"scale:        rewards spread over {spread}, so an entropy coefficient of 0.01 is "
        f"{float(sharp.alpha_star) * 100:.0f} times below what is certified here"
    )
    print("below it, nothing is promised: two runs may learn policies that do not fit together (certify crossplay)")


if __name__ == "__main__":
    default = Path(__file__).with_name("tiger.dpomdp")
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else default, int(sys.argv[2]) if len(sys.argv) > 2 else 2)
