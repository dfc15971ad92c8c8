"""Mutation testing of the checker: every small change of its code must change a verdict on some certificate file.

`make mutate` makes one change at a time (`_replacements`).  For each, a forked process imports the checker afresh with
the changed module and checks, by the plain engine, the quick files under tests/certificates that run the changed lines.
Another verdict than the unchanged checker's (valid with which sentence, refused at which place, malformed) kills the
mutant, and so does another exception or the time limit; the words of a refusal are not compared.  Survivors are tests
that are missing, or changes that change nothing: tests/mutants.md lists those.
"""

import argparse
import ast
import json
import os
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("reading", "kinds", "cover", "plain")
QUICK = 0.2  # CPU seconds that a file may take unchanged
LIMIT = 10  # CPU seconds for a mutant
_SWAPS = "Lt LtE, Lt GtE, LtE Lt, LtE Gt, Gt GtE, Gt LtE, GtE Gt, GtE Lt, Eq NotEq, NotEq Eq, In NotIn, NotIn In, "
_SWAPS += "Is IsNot, IsNot Is, Add Sub, Sub Add, Mult Add, And Or, Or And"
SWAPS = [swap.split() for swap in _SWAPS.split(", ")]
Change = Callable[[], None]
Outcome = tuple[Any, ...]


def changes(parent: ast.AST) -> Iterator[tuple[Any, str, Change]]:
    """The node, what becomes of it in words, and the call that changes the tree, for every single change."""
    for field, value in ast.iter_fields(parent):
        inside: list[tuple[Any, Any]] = [(parent, field)]
        if isinstance(value, list):
            inside = [(value, k) for k in range(len(value))]
        for holder, key in inside if field not in ("annotation", "returns") else ():
            node = holder[key] if isinstance(key, int) else value
            for what, new in _replacements(node, parent):
                yield (node if hasattr(node, "lineno") else parent), what, _setter(holder, key, new)
            if isinstance(node, ast.AST) and not isinstance(node, ast.JoinedStr):  # a message: only words
                yield from changes(node)


def _setter(holder: Any, key: int | str, new: Any) -> Change:
    return lambda: holder.__setitem__(key, new) if isinstance(key, int) else setattr(holder, key, new)


def _lines(node: Any) -> range:
    return range(node.lineno, node.end_lineno + 1)


def _replacements(node: Any, parent: ast.AST) -> Iterator[tuple[str, Any]]:
    """What can stand in place of the node: in words and as a node."""
    for old, new in SWAPS:
        if type(node).__name__ == old:
            yield f"{old} -> {new}", getattr(ast, new)()
    if isinstance(node, ast.Constant) and type(node.value) is int:
        for step in (1, -1):
            yield f"{node.value} -> {node.value + step}", ast.Constant(node.value + step)
    elif isinstance(node, ast.Constant) and type(node.value) is bool and isinstance(parent, ast.Return):
        yield f"{node.value} -> {not node.value}", ast.Constant(not node.value)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield f"{type(node.op).__name__} dropped", node.operand
    elif isinstance(node, ast.Name) and node.id in ("min", "max"):
        yield f"{node.id} swapped", ast.Name("max" if node.id == "min" else "min", ast.Load())
    elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        yield "refusal deleted", ast.Pass()
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "call deleted", ast.Pass()


def outcome(checker: Any, path: Path) -> Outcome:
    """What a checker says of a file, without the words of a refusal."""
    try:
        verdict = checker.check_file(path, engine="stdlib")
    except checker.Malformed:
        return ("malformed",)
    failed = {key: value for key, value in (verdict.failed_step or {}).items() if key != "why"}
    return verdict.valid, verdict.claim, verdict.steps, sorted(failed.items())


def survives(module: str, tree: ast.Module, change: Change, files: dict[Path, Outcome]) -> str:
    """In a process of its own: "survived", "killed" or "timed out"."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
        resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
        try:
            change()
            code = compile(ast.fix_missing_locations(tree), module, "exec")
            original = SourceFileLoader.get_code
            changed = lambda loader, name: code if name == module else original(loader, name)
            SourceFileLoader.get_code = changed  # type: ignore[method-assign]
            for name in [name for name in sys.modules if name.startswith("certify.checker")]:
                del sys.modules[name]
            checker = import_module("certify.checker")
            os._exit(1 if any(outcome(checker, path) != expected for path, expected in files.items()) else 0)
        except BaseException:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    return "timed out" if os.WIFSIGNALED(status) else ("killed" if status else "survived")


def baseline(watched: set[str]) -> tuple[dict[Path, Outcome], dict[Path, set[tuple[str, int]]]]:
    """What the unchanged checker says of every quick file, fastest first, and the watched lines it runs."""
    checker = import_module("certify.checker")
    taken: dict[Path, float] = {}
    for path in sorted((ROOT / "tests" / "certificates").rglob("*.json")):
        if "windows" in path.parts and not any("window" in name for name in watched):
            continue  # they take most of the time, and run little of what the other kinds do not
        start = time.process_time()
        outcome(checker, path)
        taken[path] = time.process_time() - start
    expected, lines = {}, {}
    for path in sorted((path for path in taken if taken[path] <= QUICK), key=taken.__getitem__):
        seen = lines[path] = set[tuple[str, int]]()

        def trace(frame: FrameType, event: str, _: Any, seen: set[tuple[str, int]] = seen) -> Any:
            if frame.f_code.co_filename not in watched:
                return None
            seen.add((frame.f_code.co_filename, frame.f_lineno))
            return trace

        sys.settrace(trace)
        expected[path] = outcome(checker, path)
        sys.settrace(None)
    return expected, lines


def main() -> None:
    """Tries the mutants of the modules named, prints a line a module and writes the survivors."""
    parser = argparse.ArgumentParser(description="Mutation testing of the checker.")
    parser.add_argument("modules", nargs="*", help="such as kinds.threshold; default: all of " + ", ".join(ROOMS))
    parser.add_argument("--sample", type=int, default=0, help="so many mutants of each module (0: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--survivors", type=Path, default=Path("mutants.json"))
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    house = ROOT / "certify" / "checker"
    default = [f"{room}.{p.stem}" for room in ROOMS for p in sorted((house / room).glob("[!_]*.py"))]
    default = [name for name in default if not name.rpartition(".")[2].startswith("window")]  # named, they run too
    paths = {name: house / f"{name.replace('.', '/')}.py" for name in options.modules or default}
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in paths.items()}
    expected, lines = baseline({str(path) for path in paths.values()})
    print(f"{len(expected)} files of certificates")
    survivors = []
    for name, path in paths.items():
        tree, found = trees[name], list(changes(trees[name]))
        chosen = random.Random(options.seed).sample(found, min(options.sample or len(found), len(found)))
        inner = {k for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in f.body for k in _lines(n)}
        tally: Counter[str] = Counter()
        for node, what, change in chosen:
            run = {(str(path), k) for k in _lines(node)}
            files = {p: known for p, known in expected.items() if node.lineno not in inner or run & lines[p]}
            entry = {"module": name, "line": node.lineno, "code": ast.unparse(node).splitlines()[0][:100]}
            result = survives(f"certify.checker.{name}", tree, change, files)
            tally[result] += 1
            if result == "survived":
                survivors.append({**entry, "change": what, "files": len(files)})
        counts = ", ".join(f"{count} {result}" for result, count in sorted(tally.items()))
        print(f"{name}: {len(chosen)} of {len(found)} mutants, {counts}", flush=True)
        options.survivors.write_text(json.dumps(survivors, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
