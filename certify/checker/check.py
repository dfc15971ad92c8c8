"""Checks a certificate of any kind: finds the function that knows the kind, and says what is proved.
The claim of the verdict is written by the checker, never copied from the file.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from certify.checker.reading.envelope import FORMAT, VERSION, Malformed, read_file, read_object
from certify.checker.verdict import BUDGET, Run, Verdict, verdict_of

ENGINES = ("auto", "stdlib", "fast")
KINDS = {  # kind: module and function that makes a `Proof` of a certificate; a kind reads nothing of the others
    "threshold": ("kinds.threshold", "check_threshold"),
    "structural-parameters": ("kinds.threshold", "check_parameters"),
    "multiplicity": ("kinds.multiplicity", "check_multiplicity"),
    "optimum": ("kinds.optimum", "check_optimum"),
    "anneal": ("kinds.anneal", "check_anneal"),
    "crossplay": ("kinds.crossplay", "check_crossplay"),
    "symmetry": ("kinds.symmetry", "check_symmetry"),
    "entropy-sign": ("entropy.sign", "check_sign"),
    "entropy-table": ("entropy.table", "check_table"),
    "entropy-batch": ("entropy.batch", "check_batch"),
    "entropy-flow": ("entropy.flow", "check_flow"),
    "entropy-run": ("entropy.run", "check_run"),
    "entropy-clipping": ("entropy.clipping", "check_clipping"),
    "entropy-controller": ("entropy.controller", "check_controller"),
}
Progress = Callable[[str], object] | None


def check_file(
    path: Any, engine: str = "auto", progress: Progress = None, workers: int = 1, budget: float = BUDGET
) -> Verdict:
    """The `Verdict` on a certificate file; raises `Malformed` where it is not a certificate.

    `engine` is "stdlib", "fast" or "auto"; `progress` is called with a line now and then; `workers` processes
    share the verification of a cover.
    """
    return _check(read_file(path), Run(engine, workers, progress, budget=budget))


def check_certificate(
    certificate: Any, engine: str = "auto", progress: Progress = None, workers: int = 1, budget: float = BUDGET
) -> Verdict:
    """The `Verdict` on a certificate that was read from JSON."""
    return _check(read_object(certificate), Run(engine, workers, progress, budget=budget))


def _check(certificate: dict[str, Any], run: Run) -> Verdict:
    if run.wanted not in ENGINES:
        raise ValueError(f"engine {run.wanted!r} is none of {', '.join(ENGINES)}")
    if run.workers < 1:
        raise ValueError(f"{run.workers} workers")
    version = certificate.get("version")
    if certificate.get("format") != FORMAT or version != VERSION or isinstance(version, bool):
        raise Malformed("certificate", f'not of "format": "{FORMAT}", "version": {VERSION}')
    kind = certificate.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise Malformed("certificate.kind", f"{str(kind)[:40]!r} is not a kind that this checker knows")
    module, function = KINDS[kind]
    check = getattr(import_module(f"certify.checker.{module}"), function)
    return verdict_of(kind, check, certificate, run)
