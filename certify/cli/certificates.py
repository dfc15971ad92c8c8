"""`certify check`: a certificate verified by the independent checker, or a theorem by Coq."""

from __future__ import annotations

from pathlib import Path

import click

from certify import checker
from certify.checker.verdict import Costly, Unable
from certify.cli.completion import complete_file
from certify.cli.options import existing_file
from certify.cli.output import DONE, REFUTED, UNDECIDED, Progress, print_json, styled
from certify.coq import building
from certify.errors import InputError
from certify.exact import positive_number


@click.command()
@click.argument("certificate", shell_complete=complete_file)
@click.option(
    "--engine",
    type=click.Choice(["auto", "stdlib", "fast", "coq"]),
    default="auto",
    show_default=True,
    help="auto: the standard library up to a size, then fast. coq: CERTIFICATE is a .v file of certify export.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes that share a cover.")
@click.option("--budget", default="300", show_default=True, help="Seconds of work at most.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def check(certificate, engine, workers, budget, as_json) -> int:
    """Verify CERTIFICATE with the independent checker, or a file of `certify export --coq` with Coq."""
    if engine == "coq":
        return _check_with_coq(Path(certificate), as_json)
    existing_file(certificate)
    seconds = float(positive_number(budget, "--budget", "number of seconds"))
    with Progress() as progress:
        progress("checking")
        try:
            verdict = checker.check_file(certificate, engine=engine, workers=workers, budget=seconds)
        except Unable as error:
            return _undecided(str(error).removeprefix(f"{certificate}: "), engine, as_json)
        except Costly as error:
            raise InputError(certificate, f"no verdict: {error}", "raise --budget") from None
        except ValueError as error:
            why = f"malformed certificate: {str(error).removeprefix(f'{certificate}: ')}"
            raise InputError(certificate, why, "give a certificate that `certify` wrote, unaltered") from None
    if as_json:
        print_json(
            {
                "valid": verdict.valid,
                "claim": verdict.claim,
                "steps": verdict.steps,
                "failed_step": verdict.failed_step,
                "engine": verdict.engine,
            }
        )
    elif verdict.valid:
        print(
            f"{styled('valid', 'green', bold=True)} ({verdict.engine} engine, {verdict.steps} steps): {verdict.claim}"
        )
    else:
        failed = dict(verdict.failed_step or {})
        why = failed.pop("why", "")
        place = ", ".join(f"{k} {v}" for k, v in failed.items())
        print(f"{styled('INVALID', 'red', bold=True)} ({verdict.engine} engine) at {place or 'the claim'}: {why}")
    return DONE if verdict.valid else REFUTED


def _undecided(why: str, engine: str, as_json: bool) -> int:
    """No verdict, and why."""
    if as_json:
        nothing = {"valid": False, "claim": "", "steps": 0, "failed_step": None, "engine": engine}
        print_json({**nothing, "undecided": why})
    else:
        print(f"{styled('undecided', 'yellow')} ({engine} engine): {why}")
    return UNDECIDED


def _check_with_coq(path: Path, as_json: bool) -> int:
    if why := building.missing():
        raise InputError("--engine coq", why, "or check the JSON certificate with another engine")
    with Progress() as progress:
        answer = building.check_file(path, report=progress)
    claim = f"for every alpha >= {answer.alpha_star} the game in the file has exactly one stationary policy"
    if answer.equivariant:
        claim += ", and every generator in the file fixes it"
    if as_json:
        failed = None if answer.valid else {"why": answer.why}
        print_json(
            {
                "valid": answer.valid,
                "claim": claim if answer.valid else "",
                "steps": 1,
                "failed_step": failed,
                "engine": "coq",
                "assumptions": list(answer.assumptions),
            }
        )
    elif answer.valid:
        numbers = "the axioms of the reals" + ("" if answer.carrier == "CertifyZ" else " and machine integers")
        print(f"valid (Coq; assumes {numbers}): {claim}")
    else:
        print(f"INVALID (Coq): {answer.why}")
    return DONE if answer.valid else REFUTED
