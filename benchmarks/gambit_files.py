"""What becomes of a folder of Gambit's `.nfg` and `.efg` files: one line each, with the reason of every refusal.

`python benchmarks/gambit_files.py FOLDER [--gambit] [--json]` reads every file below the folder (a checkout of
github.com/gambitproject/gambit has some 230); exit 1 if anything but an `InputError` was raised, or if an accepted
game did not come back from its own export.  `--gambit` has pygambit (if installed) read them, too: the payoffs of every
player under uniform play and, in trees, perfect recall must be the same.
"""

from __future__ import annotations

import argparse
import collections
import json
import sys
import tempfile
import time
import traceback
from fractions import Fraction
from pathlib import Path
from typing import Any

import certify
from certify.games import Game
from certify.games.export import efg_text, nfg_text
from certify.games.extensive import paths
from certify.games.readers.efg import tree_of
from certify.games.readers.nfg import strategic_of

REASONS = {
    "imperfect recall": "imperfect recall",
    "no team game": "payoffs differ, not one shot",
    "neither a team game": "one shot, no potential",
    "no order of steps": "information sets in no order",
}


def kind_of(game: Game) -> str:
    """What an accepted game is."""
    if game.original is None:
        return "team"
    return "exact potential" if all(w == 1 for w in game.weights) else "weighted potential"


def comes_back(game: Game) -> bool:
    """Whether the exported file is read as a game of the same kind, steps and numbers of information sets."""
    one_shot = game.horizon == 1 and all(not o for _, o, _ in game.start)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("game.nfg" if one_shot else "game.efg")
        path.write_text(nfg_text(game) if one_shot else efg_text(game), encoding="utf-8")
        again = certify.load(path)
    if one_shot:
        return (again.reward, again.weights, again.original) == (game.reward, game.weights, game.original)
    return (again.horizon, again.agents, kind_of(again)) == (game.horizon, game.agents, kind_of(game))


def look_at(path: Path) -> dict[str, Any]:
    """What becomes of one file."""
    began = time.process_time()
    found: dict[str, Any] = {"file": path.name}
    try:
        game = certify.load(path)
    except certify.InputError as error:
        reason = next((short for text, short in REASONS.items() if text in str(error)), "other")
        found |= {"verdict": "refused", "reason": reason, "message": str(error).removeprefix(str(path)).lstrip(", :")}
    except Exception:  # what must not happen is what is counted
        found |= {"verdict": "failed", "reason": "traceback", "message": traceback.format_exc()}
    else:
        found |= {
            "verdict": kind_of(game),
            "agents": len(game.agents),
            "actions": [len(names) for names in game.actions],
            "states": len(game.states),
            "horizon": game.horizon,
            "remark": game.remark,
            "comes_back": comes_back(game),
        }
    found["seconds"] = round(time.process_time() - began, 3)
    return found


def differs(path: Path) -> str:
    """Where pygambit reads another game than we do, before we take anything out or together; "" where it does not."""
    import pygambit

    text = path.read_text(encoding="utf-8")
    try:
        theirs = (pygambit.read_nfg if path.suffix == ".nfg" else pygambit.read_efg)(str(path))
    except ValueError as error:
        return f"not read by pygambit: {error}"
    if path.suffix == ".nfg":
        rows = strategic_of(text, path.name).payoffs
        ours = [sum(column, Fraction(0)) / len(rows) for column in zip(*rows, strict=True)]
        profile = theirs.mixed_strategy_profile(rational=True)
    else:
        tree = tree_of(text, path.name)
        try:
            paths(tree)
            recalls = True
        except certify.InputError:
            recalls = False
        if recalls != theirs.is_perfect_recall:
            return f"perfect recall: {recalls} here"
        chance = [Fraction(1)] * len(tree.nodes)
        ours = [Fraction(0)] * len(tree.players)
        for k, node in enumerate(tree.nodes):
            for i, u in enumerate(node.pay):
                ours[i] += chance[k] * u
            for j, child in enumerate(node.children):
                chance[child] = chance[k] * (node.chances[j] if node.chances else Fraction(1, len(node.children)))
        profile = theirs.mixed_behavior_profile(rational=True)
    paid = [Fraction(str(profile.payoffs[player])) for player in theirs.players]
    return "" if paid == ours else f"payoffs under uniform play: {paid} there, {ours} here"


def main() -> int:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gambit", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    paths_found = sorted(p for p in given.folder.rglob("*") if p.suffix in (".nfg", ".efg"))
    rows = [look_at(path) for path in paths_found]
    other: list[str] = []
    if given.gambit:
        said = {path.name: differs(path) for path in paths_found}
        other = [f"{name}: {what}" for name, what in said.items() if what]
    counts = collections.Counter((Path(row["file"]).suffix[1:], row["verdict"], row.get("reason", "")) for row in rows)
    if given.json:
        print(json.dumps({"files": rows, "counts": {" ".join(key).strip(): n for key, n in sorted(counts.items())}}))
    else:
        for row in rows:
            about = row.get("message") or (
                f"{row['actions']} actions, {row['states']} states, horizon {row['horizon']}"
                f"{'; ' * bool(row['remark'])}{row['remark']}"
            )
            print(f"{row['file']}: {row['verdict']}; {about}")
        print(f"\n{len(rows)} files")
        for key, n in sorted(counts.items()):
            print(f"{n:4}  {' '.join(key)}")
        if given.gambit:
            print(f"{len(rows) - len(other)} files are the same games for pygambit; the others:", *other, sep="\n  ")
    wrong = [row for row in rows if row["verdict"] == "failed" or row.get("comes_back") is False]
    return 1 if wrong or any("not read by pygambit" not in what for what in other) else 0


if __name__ == "__main__":
    sys.exit(main())
