"""Reads proofs of type "endless-windows" and walks through them (docs/certificate-windows.md, "Every horizon").

Only the fast engine verifies them: the plain one says so.
"""

from fractions import Fraction
from functools import partial
from typing import Any

from certify.checker.kinds.endless import every_state
from certify.checker.kinds.windows import _read_constants, _read_step, read_intervals
from certify.checker.reading.endless import EndlessProcess
from certify.checker.reading.envelope import Failed, Malformed, array, integer, rational, record
from certify.checker.reading.game import Game
from certify.checker.reading.windows import MAX_LENGTH, read_symbols
from certify.checker.verdict import Run, Unable

MAX_STAGES = 200  # levels


def check_endless_windows(proof: Any, alpha_star: Fraction, game: Game, run: Run) -> int:
    """Verify the proof; returns the number of steps.  Raises `Failed` or `Malformed`."""
    if run.wanted == "stdlib":
        raise Unable("proof.type", "windows for every horizon are verified by the fast engine only; take --engine fast")
    from certify.checker.fast.endless import FastEndless

    record(proof, "proof", ("type", "k", "unit", "symbols", "last", "before", "intervals"))
    every_state(game)
    k = integer(proof["k"], "proof.k", 0, MAX_LENGTH)
    unit = integer(proof["unit"], "proof.unit", -40, -1)
    last, before = (
        integer(proof[name], f"proof.{name}", low, MAX_STAGES) for name, low in (("last", 1), ("before", k + 1))
    )
    process = EndlessProcess(game, k, read_symbols(proof["symbols"], game, k), last, before)
    intervals = read_intervals(proof["intervals"], alpha_star, partial(_read_interval, process=process, unit=unit))
    engine = FastEndless(process, unit)
    run.engine = engine.name
    for n, (low, high, steps, claim, constants, price) in enumerate(intervals):
        try:
            engine.begin(low, high)
            engine.suppose(claim)
            for step in steps:
                engine.step(*step)
            engine.close()
            engine.verify(constants, price)
        except Failed as failure:
            raise Failed(failure.why, interval=n, **failure.where) from None
        run.tell(f"interval {n + 1} of {len(intervals)}")
    return sum(len(steps) + 1 for _, _, steps, *_ in intervals)


def _read_interval(entry: Any, where: str, process: EndlessProcess, unit: int) -> tuple[Any, ...]:
    record(entry, where, ("beta", "claim", "steps", "constants", "price"))
    level, one = process.levels[1], 1 << -unit
    claim = []
    for i, ends in enumerate(array(entry["claim"], f"{where}.claim", process.n)):
        rows = [
            [[integer(x, f"{where}.claim", 0, one) for x in array(row, where, level.shape[i])] for row in
             array(end, f"{where}.claim", level.used[i])]
            for end in array(ends, f"{where}.claim", 2)
        ]  # fmt: skip
        claim.append((rows[0], rows[1]))
    constants = {}
    for n, part in enumerate(array(entry["constants"], f"{where}.constants")):
        key, values = _read_constants(part, f"{where}.constants[{n}]", process, unit)
        if key in constants or key[1] < process.common - 1:
            raise Malformed(f"{where}.constants[{n}]", "an agent and depth twice, or before the common ones")
        if len(values["groups"]) != 1:
            raise Malformed(f"{where}.constants[{n}]", "more than one group")
        constants[key] = values
    wanted = {
        (i, u - 1)
        for u in range(process.common, process.game.horizon + 1)
        for i in range(process.n)
        if level.shape[i] > 1
    }
    if set(constants) != wanted:
        raise Malformed(f"{where}.constants", "not every agent with a choice at every depth")
    low, high = (rational(x, f"{where}.beta") for x in array(entry["beta"], f"{where}.beta", 2))
    steps = [
        _read_step(step, f"{where}.steps[{n}]", process)
        for n, step in enumerate(array(entry["steps"], f"{where}.steps"))
    ]
    prices = array(entry["price"], f"{where}.price", process.n)
    return low, high, steps, claim, constants, [integer(x, f"{where}.price", 0, one) * 2.0**unit for x in prices]
