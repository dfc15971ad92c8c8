"""Mutated certificates of every kind: nothing that is claimed may become stronger, no check dearer than its budget.

`python tests/mutated_certificates.py --count 100000` changes the valid files under tests/certificates, one or two
values at a time, and checks each copy by the plain engine.  An accepted copy is sorted by what became of its claim:

    same      the same sentence about the same subject (the game, or the policy, batch, parameters it is about)
    weaker    wider enclosures, a larger threshold, a smaller modulus, fewer generators, counts or steps
    subject   about something else, which the checker has read from the file like any other
    other     none of these: printed, to be looked at by a person

Cheap files get more copies than dear ones.  A copy whose check took more CPU time than the budget (and a second for
reading) is printed too, and so is anything but a verdict or `Malformed`.  Exit 1 if anything was printed.
"""

from __future__ import annotations

import argparse
import copy
import json
import multiprocessing
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify.checker import Malformed, check_certificate

ROOT = Path(__file__).resolve().parent / "certificates"
ODD = (None, True, [], {}, "", "x", "0", "-1", "1/3", "1e9", "9" * 400, 0, -1, 1, 2, 7, 10**30, -(10**30), 0.5)
EVIDENCE = (
    "claim", "proof", "pieces", "consequences", "search", "multiplicity", "symmetry", "root", "sample", "game_sha256",
    "parameters_sha256", "format", "version", "decisions", "limits", "cells",
)  # fmt: skip
UP = ("alpha_star", "saturation", "low_weight", "after", "growth")  # a larger value claims less
DOWN = ("modulus", "order", "eta_max", "steps_verified", "step_size")  # a smaller value claims less
DEAREST = 30.0  # CPU seconds after which a check is given up


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values inside one."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def mutated(original: Any, paths: list[tuple[Any, ...]], rng: random.Random) -> tuple[Any, list[str]]:
    """A copy with one or two values changed, and what was changed."""
    copied, done = copy.deepcopy(original), []
    for _ in range(rng.choice((1, 1, 2))):
        path = rng.choice(paths)
        try:
            parent = copied
            for key in path[:-1]:
                parent = parent[key]
            old = parent[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # the first change took it away
        if not isinstance(parent, (dict, list)):
            continue
        parent[path[-1]] = _changed(old, parent, rng)
        if parent[path[-1]] is ...:
            del parent[path[-1]]
        done.append("/".join(map(str, path)))
    return copied, done


def _changed(old: Any, parent: Any, rng: random.Random) -> Any:
    """Another value in the place of one; `...` to take it away."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(ODD)
    if kind == 1:
        return ...
    if kind == 2:
        siblings = list(parent.values()) if isinstance(parent, dict) else parent
        return copy.deepcopy(rng.choice(siblings))
    if isinstance(old, bool) or old is None:
        return not old
    if isinstance(old, int):
        return old + rng.choice((-1, 1, -(abs(old) // 100) - 1, abs(old) // 100 + 1))
    if isinstance(old, str):
        try:
            number = Fraction(old)
        except (ValueError, ZeroDivisionError):
            return old + "x"
        return str(number * rng.choice((Fraction(99, 100), Fraction(101, 100), Fraction(1, 2), 2, -1)))
    return rng.choice(ODD)


def number(value: Any) -> Fraction | None:
    """The rational that a value of a certificate stands for, if one."""
    if isinstance(value, bool):
        return None
    try:
        return Fraction(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None


def no_stronger(old: Any, new: Any, key: str = "") -> bool:
    """Whether a changed claim, or part of one under `key`, certainly says no more than the old one."""
    if old == new:
        return True
    if isinstance(old, dict) and isinstance(new, dict):
        return all(name in old and no_stronger(old[name], value, name) for name, value in new.items())
    a, b = number(old), number(new)
    if a is not None and b is not None:
        low, high = key.endswith("_low"), key.endswith("_high")
        return b >= a if key in UP or high else b <= a if key in DOWN or low else a == b
    if isinstance(old, list) and isinstance(new, list):
        ends = [number(v) for v in (*old, *new)]
        if len(old) == len(new) == 2 and None not in ends and key not in ("alpha", "steps", "beta"):
            lo, hi, lo2, hi2 = [v for v in ends if v is not None]
            return lo2 <= lo and hi <= hi2
        if key in ("strong_concavity", "differences", "teams", "generators") and len(new) < len(old):
            return all(entry in old for entry in new)
        return len(old) == len(new) and all(no_stronger(a, b, key) for a, b in zip(old, new, strict=True))
    return False


def sort_of(original: Any, sentence: str, changed: Any, new: str) -> str:
    """What became of the claim of an accepted copy."""
    subject = {key: value for key, value in original.items() if key not in EVIDENCE}
    if {key: value for key, value in changed.items() if key in subject or key not in EVIDENCE} != subject:
        return "subject"
    if new == sentence:
        return "same"
    return "weaker" if no_stronger(original["claim"], changed["claim"]) else "other"


class _TooDear(BaseException):
    pass


def _alarm(*_: object) -> None:
    raise _TooDear


def attack(task: tuple[Path, int, int, float]) -> tuple[str, Counter[str], list[str], float]:
    """Check `copies` mutants of one file; the outcomes, what a person must see, and the dearest check."""
    path, copies, seed, budget = task
    signal.signal(signal.SIGPROF, _alarm)
    original = json.loads(path.read_text(encoding="utf-8"))
    paths, sentence = list(places(original)), check_certificate(original, "stdlib").claim
    name = str(path.relative_to(ROOT))
    counts, seen, dearest = Counter[str](), [], 0.0
    for index in range(copies):
        changed, what = mutated(original, paths, random.Random(f"{seed} {name} {index}"))
        about, began = f"{name} #{index} {what}", time.process_time()
        try:
            signal.setitimer(signal.ITIMER_PROF, DEAREST)
            verdict = check_certificate(changed, "stdlib", budget=budget)
            signal.setitimer(signal.ITIMER_PROF, 0)
            outcome = sort_of(original, sentence, changed, verdict.claim) if verdict.valid else "invalid"
            if outcome == "other":
                seen.append(f"{about}: {verdict.claim[:300]}")
        except Malformed as error:
            outcome = "malformed" if "budget" not in str(error) else "too dear"
        except _TooDear:
            outcome = "never"
        except Exception as error:  # whatever it is: that is the finding
            outcome = "crash"
            seen.append(f"{about}: {type(error).__name__}: {error}")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        took = time.process_time() - began
        dearest = max(dearest, took)
        if took > budget + 1:
            seen.append(f"{about}: {took:.1f} s of CPU time, with a budget of {budget:g} s")
        counts[outcome] += 1
    return name, counts, seen, dearest


def shares(files: list[Path], count: int) -> dict[Path, int]:
    """How many copies of each file: at least a hundredth of an even share, the cheaper the more."""
    weights = {}
    for path in files:
        began = time.process_time()
        check_certificate(json.loads(path.read_text(encoding="utf-8")), "stdlib")
        weights[path] = 1 / (time.process_time() - began + 0.01)
    total = sum(weights.values())
    least = count // (100 * len(files)) + 1
    return {path: max(least, round(count * weight / total)) for path, weight in weights.items()}


def main() -> int:
    """Run, and print a table of outcomes by kind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--count", type=int, default=10_000, help="mutated certificates in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=float, default=10.0, help="seconds that a check may take")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    files = sorted(p for p in ROOT.rglob("*.json") if p.parent.name == "valid")
    tasks = []
    for path, copies in shares(files, options.count).items():
        tasks += [
            (path, min(500, copies - first), options.seed + first, options.budget) for first in range(0, copies, 500)
        ]
    kinds: dict[str, Counter[str]] = {}
    everything: list[str] = []
    slowest = 0.0
    with multiprocessing.get_context("fork").Pool(options.workers, maxtasksperchild=4) as pool:
        for name, counts, seen, dearest in pool.imap_unordered(attack, tasks):
            kinds.setdefault(name.rpartition("/valid/")[0] or "threshold", Counter()).update(counts)
            slowest = max(slowest, dearest)
            everything += seen
            for line in seen:
                print(line, flush=True)
    columns = ("malformed", "invalid", "too dear", "same", "weaker", "subject", "other", "never", "crash")
    print("kind".ljust(14), *(column.rjust(10) for column in columns))
    for kind, counts in sorted(kinds.items()):
        print(kind.ljust(14), *(str(counts[column]).rjust(10) for column in columns))
    print(
        sum(c.total() for c in kinds.values()), f"mutated certificates; the dearest check took {slowest:.2f} s of CPU"
    )
    return 1 if everything else 0


if __name__ == "__main__":
    raise SystemExit(main())
