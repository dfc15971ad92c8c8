"""The symmetries of a benchmark, and its defects: maps that would be symmetries but for a few numbers.

Such a number is often a slip in the file.  The default file has one, planted.

Usage: python examples/symmetries_and_defects.py [GAME [HORIZON]]      (default: cart.dpomdp, 3)
"""

import sys
from pathlib import Path

import certify
from certify.symmetry.near import near_symmetries
from certify.symmetry.near_report import near_text


def main(name: str, horizon: int) -> None:
    """Print a game's symmetries and the entries that spoil others."""
    game = certify.load(name, horizon=horizon)
    group = certify.symmetries(game)
    print(
        f"{Path(name).name}: {group.order} symmetries"
        + (", proved to be all of them" if group.complete else " at least")
    )
    for number, generator in enumerate(group.generators, 1):
        moved = [f"{game.agents[i]} -> {game.agents[j]}" for i, j in enumerate(generator.agents) if i != j]
        print(
            f"  generator {number}: {', '.join(moved) or 'agents stay'}; "
            f"actions {generator.actions}, observations {generator.observations}"
        )
    near = near_symmetries(group, max_entries=4, time_limit=20.0)
    print(near_text(group, near))
    if near.found:
        print("mend one of the numbers and run this again: the group becomes larger")


if __name__ == "__main__":
    default = str(Path(__file__).with_name("cart.dpomdp"))
    main(sys.argv[1] if len(sys.argv) > 1 else default, int(sys.argv[2]) if len(sys.argv) > 2 else 3)
