"""Reads games of OpenSpiel and JaxMARL and certifies them: seconds, sizes, symmetries, alpha* and a bracket.

`python benchmarks/games_in.py [--time-limit SECONDS] [--only TEXT] [--table FILE.md]` prints one JSON object; `--table`
writes the rows as a table. Each game is a process of its own with that limit for its threshold (60 s) and three times
as long for everything. What is not installed, or not done in time, is a row that says so; exit 1 if a threshold
exceeds what is asked for.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import sys
import time
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import certify
from certify.errors import InputError
from certify.exact import significant_text
from certify.games.adapters.openspiel import openspiel_sizes
from certify.games.adapters.steps import sizes
from certify.games.signalling import TINY_HANABI
from certify.games.tree import unroll

HANABI = "hanabi(players=2,colors={},ranks={},hand_size=1,max_information_tokens=1,max_life_tokens=1)"
BRIDGE = "tiny_bridge_2p(abstracted=true)"

# name of the row, game, horizon, alpha* that is asked for (None: measured only)
ROWS: tuple[tuple[str, str, int | None, float | None], ...] = (
    ("matrix_coordination", "openspiel:matrix_coordination", None, 0.5),
    *((f"tiny_hanabi {variant}", f"suite:{variant}", None, None) for variant in sorted(TINY_HANABI)),
    ("lewis_signaling", "openspiel:lewis_signaling", None, None),
    ("trade_comm(2)", "openspiel:trade_comm(num_items=2)", None, None),
    *((f"coop_box_pushing, h = {h}", "openspiel:coop_box_pushing", h, None) for h in (1, 2, 3, 4)),
    ("hanabi, 1 colour, 2 ranks", "openspiel:" + HANABI.format(1, 2), None, None),
    ("hanabi, 2 colours, 1 rank", "openspiel:" + HANABI.format(2, 1), None, None),
    ("tiny_bridge_2p, abstracted", "openspiel:" + BRIDGE, None, None),
    *((f"SwitchRiddle, n = 3, h = {h}", "jaxmarl:switch_riddle", h, 0.21 if h == 2 else None) for h in (2, 3, 4)),
    ("Overcooked, cramped_room, shaped, h = 4", "jaxmarl:overcooked", 4, None),
)


def read(source: str, horizon: int | None) -> certify.Game:
    """The game of a row."""
    if source.startswith("suite:"):
        import pyspiel

        payoff = TINY_HANABI[source.removeprefix("suite:")]
        flat = ";".join(str(r) for c in payoff for d in c for a in d for r in a)
        given = {"num_chance": len(payoff), "num_actions": len(payoff[0][0]), "payoff": flat}
        return certify.from_openspiel(pyspiel.load_game("tiny_hanabi", given))
    if source.startswith("jaxmarl:"):
        assert horizon is not None
        return certify.from_jaxmarl(source.removeprefix("jaxmarl:"), horizon, shaped="overcooked" in source)
    return certify.load(source, horizon=horizon)


def stated(source: str, horizon: int | None) -> str:
    """What is estimated before anything is enumerated."""
    if source.startswith("suite:"):
        return "-"
    if source.startswith("jaxmarl:"):
        from certify.games.adapters.jaxmarl import JaxMarlModel

        model = JaxMarlModel(source.removeprefix("jaxmarl:"), shaped="overcooked" in source)
        return str(sizes(model, horizon or 1))
    return str(openspiel_sizes(source.removeprefix("openspiel:"), horizon))


def legal_sets(game: certify.Game) -> str:
    """How legal actions are said: not at all, by step, or by observations."""
    if game.reference:
        return f"{len(game.reference)} observations"
    return "all" if game.available is None else "by step"


def measured(row: tuple[str, str, int | None, float | None], limit: float, out: Connection) -> None:
    """One row, sent in parts as they are known."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libraries murmur while they are loaded
    name, source, horizon, _ = row
    found: dict[str, Any] = {"game": name, "estimated": stated(source, horizon)}
    out.send(found)
    began, clock = time.process_time(), time.monotonic()
    game = read(source, horizon)
    found |= {
        "load_seconds": round(time.process_time() - began, 2),
        "load_wall": round(time.monotonic() - clock, 2),
        "name": game.name,
        "objective": game.objective,
        "horizon": game.horizon,
        "states": len(game.states),
        "legal_sets": legal_sets(game),
        "sha256": certify.games.game_sha256(game),
    }
    out.send(found)
    quick = threshold_of(game, "structural", None)
    out.send(found | quick)
    group = certify.symmetries(game)
    found |= {"order": group.order, "complete": group.complete}
    out.send(found | quick)
    with contextlib.suppress(InputError):
        found["logits"] = unroll(game).policy_parameters
        out.send(found | quick)
    sharp = threshold_of(game, "auto", limit)
    out.send(found | (sharp if sharp["alpha_star"] is not None else quick))


def threshold_of(game: certify.Game, method: str, limit: float | None) -> dict[str, Any]:
    """alpha* and the lower end of the bracket, with seconds of the processor."""
    began = time.process_time()
    result = certify.threshold(game, objective=game.objective, method=method, time_limit=limit)
    return {
        "alpha_star": None if result.alpha_star is None else float(result.alpha_star),
        "alpha_multiple": None if result.alpha_multiple is None else float(result.alpha_multiple),
        "method": result.method,
        "threshold_seconds": round(time.process_time() - began, 1),
        "reason": result.reason,
    }


def in_time(row: tuple[str, str, int | None, float | None], limit: float) -> dict[str, Any]:
    """`measured` in a process of its own, ended when its time is over."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=measured, args=(row, limit, sender))
    process.start()
    sender.close()
    found: dict[str, Any] = {"game": row[0]}
    until = time.monotonic() + 3 * limit
    try:
        while receiver.poll(max(0.0, until - time.monotonic())):
            found = receiver.recv()
        found["stopped"] = f"after {3 * limit:g} s"
        process.terminate()
    except EOFError:
        pass
    process.join()
    if process.exitcode and "stopped" not in found:
        found["stopped"] = "an error"
    return found


def line(row: dict[str, Any]) -> str:
    """A row of the table."""

    def say(key: str, form: str = "{}") -> str:
        return "-" if row.get(key) is None else form.format(row[key])

    star, multiple = row.get("alpha_star"), row.get("alpha_multiple")
    ratio = f"{star / multiple:.4g}" if star and multiple else "-"
    order = say("order", "{:,}") + ("" if row.get("complete", True) else " or more")
    done = say("method") + (f"; stopped {row['stopped']}" if "stopped" in row else "")
    above = "-" if star is None else significant_text(Fraction(star), 6, up=True)
    below = "-" if multiple is None else significant_text(Fraction(multiple), 6, up=False)
    cells = (
        row["game"], say("objective"), say("horizon"), say("load_seconds", "{:.2f}"), say("states", "{:,}"),
        say("logits", "{:,}"), say("legal_sets"), order, above, below, ratio, done,
        say("threshold_seconds"),
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


HEAD = (
    "| game | objective | h | load, CPU s | states | logits | legal sets | group | α\\* ≤ | several at | ratio "
    "| method | CPU s |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-limit", type=float, default=60.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--table", type=Path)
    given = parser.parse_args()
    wanted = [row for row in ROWS if given.only in row[0]]
    rows = []
    for row in wanted:
        try:
            __import__("jaxmarl" if row[1].startswith("jaxmarl") else "pyspiel")
        except ImportError:
            rows.append({"game": row[0], "stopped": "not installed"})
            continue
        rows.append(in_time(row, given.time_limit))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(json.dumps({"rows": rows}))
    if given.table is not None:
        given.table.write_text("\n".join([HEAD, *map(line, rows)]) + "\n", encoding="utf-8")
    asked = {name: most for name, _, _, most in wanted if most is not None}
    missed = [row["game"] for row in rows if row["game"] in asked and (row.get("alpha_star") or 0) > asked[row["game"]]]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
