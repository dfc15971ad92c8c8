"""The command `certify claims`: runs the proofs of the papers' claims and of our own (interface)."""

from __future__ import annotations

import shutil
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

import click

from certify.certificates.writing import save_text
from certify.claims.report import explanation, line, markdown, result_json
from certify.claims.runner import Result, find_proofs, run_proofs, select
from certify.cli.options import OutputFile, collected
from certify.cli.output import DONE, REFUTED, UNDECIDED, Progress, print_json, styled
from certify.errors import InputError


@dataclass(frozen=True)
class ClaimsOptions:
    """The options of `certify claims`, as click names them."""

    ids: tuple[str, ...]
    quick: bool
    strict: bool
    report: Path | None
    keep: Path | None
    folder: Path | None
    update: bool
    workers: int
    as_json: bool


@click.command()
@click.argument("ids", metavar="[ID ...]", nargs=-1)
@click.option("--quick", is_flag=True, help="Fewer games and wider brackets: under a minute.")
@click.option("--strict", is_flag=True, help="Exit 3 if any claim stays undecided.")
@click.option("--report", type=OutputFile(), help="Write all proofs with their figures as one Markdown file.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the evidence here (default: a new temporary folder, named below the table).",
)
@click.option(
    "--proofs", "folder", type=click.Path(path_type=Path), help="The folder of proofs (default: the package's own)."
)
@click.option("--update", is_flag=True, help="Write the figures of this run into the written proofs themselves.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list on stdout.")
@collected(ClaimsOptions)
def claims(given: ClaimsOptions) -> int:
    """Run the proofs of all claims, or of the claims ID: claim, verdict, evidence, seconds.

    One ID explains that claim.  Exit 1 where a certificate does not check or a claim is refuted against expectation.
    """
    proofs = select(find_proofs(given.folder), given.ids)
    try:
        out = Path(tempfile.mkdtemp(prefix="certify-claims-")) if given.keep is None else given.keep
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            str(given.keep), f"cannot be made ({error.strerror})", "name a folder that can be written"
        ) from None
    results = []
    with Progress() as progress:
        progress(f"running claim {proofs[0].claim.id}")
        for k, result in enumerate(run_proofs(proofs, out, quick=given.quick, workers=given.workers)):
            results.append(result)
            if not given.as_json and len(given.ids) != 1:
                progress.print(_line(result))
            if k + 1 < len(proofs):
                progress(f"running claim {proofs[k + 1].claim.id}")
    if given.as_json:
        print_json([result_json(result) for result in results])
    elif len(given.ids) == 1:
        print("\n\n".join(explanation(result) for result in results))
    else:
        print(f"evidence in {out}")
    if given.report is not None:
        _write(given.report, markdown(results, quick=given.quick))
    if given.update:
        for proof, result in zip(proofs, results, strict=True):
            if not result.failure:
                _write(proof.text, result.text)
    if any(result.failure for result in results):
        return REFUTED
    return UNDECIDED if given.strict and not all(result.decided for result in results) else DONE


def _line(result: Result) -> str:
    """A result; on a terminal the statement fits its width and the verdict has a colour."""
    head, _, statement = line(result).partition("\n")
    if not sys.stdout.isatty():
        return f"{head}\n{statement}"
    width = max(40, shutil.get_terminal_size().columns - 1)
    colour = "red" if result.failure else "green" if result.decided else "yellow"
    wrapped = textwrap.fill(statement.strip(), width, initial_indent=" " * 5, subsequent_indent=" " * 5)
    return f"{styled(head, colour)}\n{wrapped}"


def _write(path: Path, text: str) -> None:
    save_text(text, path)
