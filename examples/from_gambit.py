"""Certify a game from Gambit's file: for which lambda it has exactly one logit equilibrium.

Usage: python examples/from_gambit.py [FILE.nfg | FILE.efg]      (default: stag-hunt.nfg)
"""

import sys
import tempfile
from pathlib import Path

import certify
from certify.games.export import efg_text


def main(path: Path) -> None:
    """Read a file, print what is proved of its game and what is not, and write the game as a tree."""
    game = certify.load(path)
    print(f"{path.name}: {', '.join(game.agents)}; {game.remark or 'a team game'}")

    result = certify.threshold(game, rtol="1/20", time_limit=30)
    about = result.potential_of
    print(f"one stationary policy for every alpha >= {float(result.alpha_star):.4f}")
    if about is not None:  # the players are paid differently, and the certificate carries their payoffs
        print(f"the game in the file has exactly one logit QRE for every lambda <= {float(about.lambda_star):.4f}")
    if result.alpha_multiple is not None:
        print(f"and several at lambda = {float(1 / result.alpha_multiple):.4f}")

    optimum = certify.optimum(game, 2 * result.alpha_star, threshold=result)
    for infoset, row in optimum.policy.items():
        plays = ", ".join(f"{action} {float(p.lower):.6f}" for action, p in row.items())
        print(f"  at lambda = {float(1 / optimum.alpha.lower):.4f} {infoset} {plays}")

    with tempfile.TemporaryDirectory() as folder:
        certificate = result.save(Path(folder) / "game.cert.json")
        print(f"checked again: {'valid' if certify.check(certificate).valid else 'INVALID'}")
        tree = Path(folder) / "game.efg"
        tree.write_text(efg_text(game), encoding="utf-8")
        print(f"as a tree: {len(tree.read_text(encoding='utf-8').splitlines())} lines, read again as the same game: "
              f"{certify.load(tree).original == game.original}")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("stag-hunt.nfg"))
