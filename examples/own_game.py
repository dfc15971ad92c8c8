"""Certify a game of your own: write down its payoffs, get a certified temperature, have it checked.

Usage: python examples/own_game.py [OUTPUT FOLDER]
"""

import sys
import tempfile
from pathlib import Path

import certify
from certify.games.readers.native import read_native

# Two couriers choose one of three routes.  They save fuel when they ride together; the valley road
# saves most, but a courier who is alone there gets stuck.
GAME = {
    "kind": "one-shot",
    "name": "couriers",
    "agents": ["ada", "ben"],
    "actions": [["valley", "ridge", "coast"], ["valley", "ridge", "coast"]],
    "payoff": [["3", "-1", "-1"], ["-1", "2", "1/2"], ["-1", "1/2", "2"]],
}


def main(folder: Path) -> None:
    """Certify a game written down here, check the file, tell what it says."""
    game = read_native(GAME, "couriers")
    found = certify.threshold(game, rtol="1/50", time_limit=30)
    print(f"alpha*         {found.alpha_star} (about {float(found.alpha_star):.4f}), by {found.method}")
    print("  means: for EVERY entropy coefficient from alpha* on there is exactly one stationary policy,")
    print("  so every softmax policy-gradient flow ends there, whatever its initialisation")
    if found.alpha_multiple is not None:
        print(f"alpha_multiple {found.alpha_multiple} (about {float(found.alpha_multiple):.4f})")
        print(
            "  means: there two runs can end in different policies; the bracket is tight within "
            f"{100 * (found.ratio - 1):.2g} %"
        )

    path = found.save(folder / "couriers.cert.json")
    verdict = certify.check(path)
    print(
        f"certificate    {path.name}, {path.stat().st_size} bytes: "
        f"{'valid' if verdict.valid else 'INVALID'} ({verdict.steps} steps checked by {verdict.engine})"
    )
    print(f"  claim: {verdict.claim}")

    group = certify.symmetries(game)
    print(f"symmetries     {group.order}: the unique policy is fixed by all of them")
    best = certify.optimum(game, found.alpha_star, threshold=found)
    print(
        f"at alpha*      the unique policy has return in [{float(best.return_.lower):.6f}, "
        f"{float(best.return_.upper):.6f}]; "
        "most probable:"
    )
    for infoset, actions in best.greedy.items():
        print(f"  {infoset} {' = '.join(actions)}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
