"""Reads proofs of type "windows" and walks through them (docs/certificate-windows.md); engines do the arithmetic."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from itertools import pairwise, permutations
from typing import Any

from certify.checker.plain.windows import PlainWindows
from certify.checker.reading.envelope import MAX_NODES, MAX_STEPS, Failed, Malformed, array, integer, rational, record
from certify.checker.reading.game import Game
from certify.checker.reading.windows import MAX_LENGTH, WindowProcess, read_symbols
from certify.checker.verdict import Run

MAX_MANTISSA = 1 << 50  # of a bound or a constant; converts to a float exactly
AUTO_WORK = 2_000  # steps times nodes of a level up to which "auto" takes the plain engine

Interval = tuple[Fraction, Fraction, list[Any], dict[tuple[int, int], Any]]


def check_windows(proof: Any, alpha_star: Fraction, game: Game, run: Run) -> int:
    """Verify a proof of type "windows"; returns the number of steps.  Raises `Failed` or `Malformed`."""
    record(proof, "proof", ("type", "k", "unit", "symbols", "intervals"))
    k = integer(proof["k"], "proof.k", 0, MAX_LENGTH)
    unit = integer(proof["unit"], "proof.unit", -48, -1)
    process = WindowProcess(game, k, read_symbols(proof["symbols"], game, k))
    intervals = read_intervals(proof["intervals"], alpha_star, partial(_read_interval, process=process, unit=unit))
    failure = None
    for engine in _engines(run.wanted, process, intervals, unit):
        try:
            count = _walk(engine, intervals, run)
        except Failed as failed:  # what one engine verifies is proved
            if failure is None:
                failure, run.engine = failed, engine.name
        else:
            run.engine = engine.name
            return count
    assert failure is not None
    raise failure


def read_intervals(data: Any, alpha_star: Fraction, read: Callable[[Any, str], Any]) -> list[Any]:
    """The intervals of a proof, (low, high, steps, ...) by `read`; together they leave nothing out of 0 to 1/alpha*."""
    entries = array(data, "proof.intervals")
    if not 1 <= len(entries) <= MAX_NODES:
        raise Malformed("proof.intervals", f"not between 1 and {MAX_NODES}")
    intervals = [read(entry, f"proof.intervals[{n}]") for n, entry in enumerate(entries)]
    if sum(len(steps) for _, _, steps, *_ in intervals) > MAX_STEPS:
        raise Malformed("proof.intervals", f"more than {MAX_STEPS} steps")
    reached = Fraction(0)
    for n, (low, high, *_) in enumerate(intervals):
        if low != reached or high <= low:
            raise Failed("the intervals do not follow each other from 0 on", interval=n)
        reached = high
    if reached < 1 / alpha_star:
        raise Failed("the intervals end before 1/alpha_star", step="intervals")
    return intervals


def _walk(engine: Any, intervals: list[Interval], run: Run) -> int:
    count = 0
    for n, (low, high, steps, constants) in enumerate(intervals):
        try:
            engine.begin(low, high)
            for step in steps:
                engine.step(*step)
            engine.finish(constants)
        except Failed as failure:
            raise Failed(failure.why, interval=n, **failure.where) from None
        count += len(steps) + 1
        run.tell(f"interval {n + 1} of {len(intervals)}")
    return count


def _engines(wanted: str, process: WindowProcess, intervals: list[Interval], unit: int) -> list[Any]:
    """The engines to try, in order: "auto" takes the plain one for small proofs."""
    plain = PlainWindows(process, unit)
    if wanted == "stdlib":
        return [plain]
    steps = sum(len(steps) for _, _, steps, _ in intervals)
    small = wanted == "auto" and steps * max(len(level.nodes) for level in process.levels) <= AUTO_WORK
    try:
        from certify.checker.fast.windows import FastWindows
    except ImportError:
        if wanted == "auto":
            return [plain]  # slower, and needs nothing
        raise
    return [plain, FastWindows(process, unit)] if small else [FastWindows(process, unit)]


def _read_interval(entry: Any, where: str, process: WindowProcess, unit: int) -> Interval:
    record(entry, where, ("beta", "steps", "constants"))
    low, high = (rational(x, f"{where}.beta") for x in array(entry["beta"], f"{where}.beta", 2))
    steps = [
        _read_step(step, f"{where}.steps[{n}]", process)
        for n, step in enumerate(array(entry["steps"], f"{where}.steps"))
    ]
    constants = {}
    for n, part in enumerate(array(entry["constants"], f"{where}.constants")):
        key, values = _read_constants(part, f"{where}.constants[{n}]", process, unit)
        if key in constants:
            raise Malformed(f"{where}.constants[{n}]", "an agent and depth twice")
        constants[key] = values
    for depth in range(process.game.horizon):
        for i in range(process.n):
            if len(process.own_actions(depth + 1, i)) > 1 and (i, depth) not in constants:
                raise Malformed(f"{where}.constants", f"none for agent {i} at depth {depth}")
    return low, high, steps, constants


def _choice(part: Any, where: str, process: WindowProcess) -> tuple[int, int, int, int]:
    """(agent, depth, number of windows, number of ordered pairs) where the agent has a choice."""
    i = integer(part["agent"], f"{where}.agent", 0, process.n - 1)
    depth = integer(part["depth"], f"{where}.depth", 0, process.game.horizon - 1)
    level = process.levels[depth + 1]
    if level.shape[i] == 1:
        raise Malformed(where, "an agent without a choice")
    return i, depth, level.used[i], level.shape[i] * (level.shape[i] - 1)


def _mantissa(x: Any, where: str) -> int:
    return integer(x, where, -MAX_MANTISSA, MAX_MANTISSA)


def _read_step(part: Any, where: str, process: WindowProcess) -> tuple[Any, ...]:
    record(part, where, ("agent", "depth", "log_ratio", "mimic"))
    i, depth, windows, pairs = _choice(part, where, process)
    bounds = [
        [None if m is None else _mantissa(m, where) for m in array(row, where, pairs)]
        for row in array(part["log_ratio"], f"{where}.log_ratio", windows)
    ]
    mimic = [
        [bool(integer(x, f"{where}.mimic", 0, 1)) for x in array(row, f"{where}.mimic", pairs)]
        for row in array(part["mimic"], f"{where}.mimic", windows)
    ]
    if not process.game.flows_back and any(map(any, mimic)):
        raise Failed("mimicking is not proved for the local bonus", agent=i, depth=depth)
    for row, chances in zip(bounds, process.levels[depth + 1].rows[i], strict=False):
        if any(m is not None and not all(pair) for m, pair in zip(row, permutations(chances, 2), strict=True)):
            raise Malformed(f"{where}.log_ratio", "a number for an illegal action")
    return i, depth, bounds, mimic


def _table(data: Any, where: str, rows: int, columns: int) -> list[list[int]]:
    return [[_mantissa(x, where) for x in array(row, where, columns)] for row in array(data, where, rows)]


def _read_constants(part: Any, where: str, process: WindowProcess, unit: int) -> tuple[tuple[int, int], Any]:
    own = () if process.game.flows_back else ("own",)
    record(part, where, ("agent", "depth", "same"), ("ranges", "reference", "variance", "groups", *own))
    i, depth, windows, pairs = _choice(part, where, process)
    same = {}
    for entry in array(part["same"], f"{where}.same"):
        record(entry, f"{where}.same", ("agent", "share"))
        j = integer(entry["agent"], f"{where}.same", 0, process.n - 1)
        shares = [_mantissa(x, f"{where}.same") for x in array(entry["share"], f"{where}.same", windows)]
        if min(shares) < 0 or j in same:
            raise Malformed(f"{where}.same", "a negative share, or an agent twice")
        same[j] = shares
    wanted = {j for j in range(process.n) if j != i and process.levels[depth + 1].shape[j] > 1}
    if set(same) != wanted:
        raise Malformed(f"{where}.same", "not one entry for every other agent with a choice")
    found: dict[str, Any] = {"same": same, "ranges": [], "reference": None, "variance": None, "groups": [], "own": None}
    if depth == 0:
        if len(part) > 3:
            raise Malformed(where, "constants of lags at the first step")
        return (i, depth), found
    for field in ("ranges", "reference", "variance", "groups", *own):
        if field not in part:
            raise Malformed(where, f"no field {field!r}")
    ranges = array(part["ranges"], f"{where}.ranges")
    if not 1 <= len(ranges) <= min(process.k, depth - 1) + 1:
        raise Malformed(f"{where}.ranges", "a lookback that is longer than the windows or than the past")
    found["ranges"] = [_table(rows, f"{where}.ranges", windows, pairs) for rows in ranges]
    if part["variance"] is not None:
        if process.lookback(depth + 1) < 1:
            raise Malformed(f"{where}.variance", "windows without a symbol")
        found["variance"] = [_mantissa(x, f"{where}.variance") for x in array(part["variance"], where, windows)]
        if min(found["variance"]) < 0:
            raise Malformed(f"{where}.variance", "negative")
        ends = array(part["reference"], f"{where}.reference", 2)
        found["reference"] = [_table(rows, f"{where}.reference", windows, pairs) for rows in ends]
    elif part["reference"] is not None:
        raise Malformed(f"{where}.reference", "without a variance")
    found["groups"] = _read_groups(part["groups"], f"{where}.groups", depth, windows, unit)
    if "own" in part:
        found["own"] = [integer(x, f"{where}.own", 1, 1 << -unit) for x in array(part["own"], where, windows)]
    shares = [shares for _, shares in found["groups"]] + [found["own"] or [0] * windows]
    if any(sum(column) > 1 << -unit for column in zip(*shares, strict=True)):
        raise Failed("shares of more than 1", step=where)
    return (i, depth), found


def _read_groups(data: Any, where: str, depth: int, windows: int, unit: int) -> list[tuple[int, list[int]]]:
    groups = []
    for entry in array(data, where):
        record(entry, where, ("lag", "share"))
        lag = integer(entry["lag"], where, 1, depth)
        groups.append((lag, [integer(x, where, 1, 1 << -unit) for x in array(entry["share"], where, windows)]))
    lags = [lag for lag, _ in groups]
    if not lags or lags[0] != 1 or any(a >= b for a, b in pairwise(lags)):
        raise Malformed(where, "the first lags do not ascend from 1")
    return groups
