"""Finds the proofs, runs them, and has every certificate that they write checked independently.

A result stands only if every certificate verifies, every mark of the written proof has its figure, and no
verdict is stronger than its evidence.
"""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from certify import checker
from certify.claims.model import CERTIFIED, REFUTED, Claim, Outcome, is_undecided, undecided
from certify.claims.text import filled, marks, table
from certify.errors import InputError, Undecided

CERTIFICATE = ".cert.json"
_CERTIFICATES = "certificates"  # the mark that the runner fills: what the checker says of every certificate


@dataclass(frozen=True)
class Proof:
    """One claim with its script and its written proof."""

    claim: Claim
    script: Path
    text: Path
    run: Callable[[Path, bool], Outcome]


@dataclass(frozen=True)
class Evidence:
    """A file that a script wrote; for a certificate the checker's verdict (`valid` None: not one)."""

    path: Path
    valid: bool | None = None
    says: str = ""


@dataclass(frozen=True)
class Result:
    """A claim that was run.  `text`: the written proof with its figures.  `failure`: why the result does not
    stand, "" where it does."""

    claim: Claim
    verdict: str
    evidence: tuple[Evidence, ...]
    seconds: float
    text: str
    failure: str = ""

    @property
    def decided(self) -> bool:
        """Whether the verdict is one way or the other, not `undecided`."""
        return not is_undecided(self.verdict)


def own_proofs() -> Path:
    """The folder of the project's own proofs: inside the installed package, or beside it in a checkout.

    >>> (own_proofs() / "README.md").is_file()
    True
    """
    package = Path(__file__).resolve().parents[1]
    installed = package / "_proofs"
    return installed if installed.is_dir() else package.parent / "proofs"


def find_proofs(folder: Path | None = None) -> list[Proof]:
    """The proofs of `folder` (None: the package's own), in the order of their file names.

    Raises `InputError` where there are none, or where one declares no claim or has no text.
    """
    home = own_proofs() if folder is None else folder
    scripts = sorted(home.glob("[0-9]*.py"))
    if not scripts:
        raise InputError(
            "proofs" if folder is None else str(folder),
            "no proof scripts are here",
            "install the package anew, or name the folder by --proofs DIR",
        )
    proofs = [_load(script) for script in scripts]
    ids = [proof.claim.id for proof in proofs]
    for k, proof in enumerate(proofs):
        if proof.claim.id in ids[:k]:
            raise InputError(proof.script.name, f"the id {proof.claim.id!r} is taken", "give every claim its own")
    return proofs


def _load(script: Path) -> Proof:
    specification = importlib.util.spec_from_file_location(f"certify_proof_{script.stem}", script)
    if specification is None or specification.loader is None:
        raise InputError(str(script), "no Python script", "name a script that ends in .py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    claim, run, text = getattr(module, "CLAIM", None), getattr(module, "run", None), script.with_suffix(".md")
    if not isinstance(claim, Claim) or not callable(run):
        raise InputError(script.name, "no CLAIM or no run(out, quick)", "declare both; proofs/README.md shows how")
    if not text.is_file():
        raise InputError(script.name, f"{text.name} is missing", "write the proof beside the script")
    return Proof(claim, script, text, run)


def select(proofs: Sequence[Proof], ids: Sequence[str]) -> list[Proof]:
    """The proofs of the given ids, "4" meaning 4a, 4b, … as well; all where none is given."""
    if not ids:
        return list(proofs)
    chosen = []
    for wanted in ids:
        found = [p for p in proofs if wanted in (p.claim.id, p.claim.id.rstrip("abcdefgh"))]
        if not found:
            raise InputError(wanted, "no claim has this id", f"choose from {', '.join(p.claim.id for p in proofs)}")
        chosen += [p for p in found if p not in chosen]
    return chosen


def run_proofs(proofs: Sequence[Proof], out: Path, *, quick: bool = False, workers: int = 1) -> Iterator[Result]:
    """Run the proofs, each in a folder of `out` called after its script, results in order."""
    if workers == 1 or len(proofs) == 1:
        for proof in proofs:
            yield run_proof(proof, out, quick=quick)
        return
    with ProcessPoolExecutor(workers) as pool:
        pending = [pool.submit(_run_script, proof.script, out, quick) for proof in proofs]
        for future in pending:
            yield future.result()


def _run_script(script: Path, out: Path, quick: bool) -> Result:
    return run_proof(_load(script), out, quick=quick)  # functions of scripts do not pickle: load them again


def run_proof(proof: Proof, out: Path, *, quick: bool = False) -> Result:
    """One proof run, its certificates checked, its figures inserted."""
    began = time.monotonic()
    folder = out / proof.script.stem
    folder.mkdir(parents=True, exist_ok=True)
    written = proof.text.read_text(encoding="utf-8")
    try:
        outcome = proof.run(folder, quick)
    except Undecided as reason:
        return Result(proof.claim, undecided(str(reason)), (), time.monotonic() - began, written)
    except Exception as error:  # one broken script must not hide the others' results
        failure = f"{proof.script.name} stopped: {type(error).__name__}: {error}"
        return Result(proof.claim, undecided("its script stopped"), (), time.monotonic() - began, written, failure)
    evidence = tuple(_checked(path) for path in outcome.evidence)
    figures = dict(outcome.figures)
    if _CERTIFICATES in marks(written):
        figures[_CERTIFICATES] = table(
            ("certificate", "what the checker verified"),
            [(e.path.name, e.says) for e in evidence if e.valid is not None],
        )
    failure = _failure(proof.claim, outcome, evidence)
    try:
        written = filled(written, figures, proof.text.name)
    except InputError as error:
        failure = failure or str(error)
    return Result(proof.claim, outcome.verdict, evidence, time.monotonic() - began, written, failure)


def _checked(path: Path) -> Evidence:
    if not path.name.endswith(CERTIFICATE):
        return Evidence(path)
    try:
        verdict = checker.check_file(path, budget=math.inf)
    except ValueError as error:
        return Evidence(path, False, f"malformed: {error}")
    return Evidence(path, verdict.valid, verdict.claim if verdict.valid else f"invalid: {verdict.failed_step}")


def _failure(claim: Claim, outcome: Outcome, evidence: tuple[Evidence, ...]) -> str:
    for item in evidence:
        if item.valid is False:
            return f"{item.path.name}: {item.says}"
    if outcome.verdict == REFUTED and claim.expected != REFUTED:
        return "refuted against expectation"
    if outcome.verdict == REFUTED and not any(item.valid for item in evidence):
        return "refuted without a certificate"
    if outcome.verdict == CERTIFIED and not evidence:
        return "certified without evidence"
    return ""
