"""`certify show`: a certificate as a person reads it, in a terminal, in a browser, in a paper."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import click

from certify.certificates.reading import statement
from certify.certificates.statement import NOT_CHECKED, as_text
from certify.certificates.writing import save_text
from certify.cli.completion import complete_file
from certify.cli.options import OutputFile, read_certificate, spare_inputs
from certify.cli.output import DONE, REFUTED, Progress
from certify.errors import InputError
from certify.exact import positive_number


@click.command()
@click.argument("certificate", shell_complete=complete_file)
@click.option("--html", "page", type=OutputFile(), help="Write a self-contained page to this file.")
@click.option("--latex", is_flag=True, help="Print a theorem for a paper's appendix.")
@click.option(
    "--check/--no-check",
    "checked",
    default=None,
    help="Ask the checker first; without it nothing is called proved.  [default: for --html and --latex]",
)
@click.option(
    "--budget", default="60", show_default=True, help="Seconds of checking, estimated from the file, at most."
)
@click.option("--no-picture", is_flag=True, help="A page without a picture.")
def show(certificate, page, latex, checked, budget, no_picture) -> int:
    """Tell a person what CERTIFICATE proves, under which assumptions, and what it does not say.

    For a terminal nothing is checked unless --check is given, and the page says so.
    """
    spare_inputs()
    seconds = float(positive_number(budget, "--budget", "number of seconds"))
    document = read_certificate(certificate)
    told = statement(document, certificate)
    if page is None and not latex and not checked:
        print(as_text(told, [NOT_CHECKED.text]))
        return DONE
    from certify.reports.judgement import UNCHECKED, judge

    with Progress() as progress:
        progress("checking")
        judged = judge(document, budget=seconds, progress=progress) if checked is not False else UNCHECKED
        if page is not None:
            progress("drawing")
            from certify.reports.write import report

            text = report(
                document,
                judgement=judged,
                file=(certificate, _sha256(certificate)),
                signature=_signature(document, certificate),
                picture=not no_picture,
            )
            save_text(text, page)
    if latex:
        from certify.reports.latex import theorem

        print(theorem(told, judged, file_sha256=_sha256(certificate)), end="")
    elif page is None:
        print(as_text(told, [s.text for s in judged.sentences], proved=judged.proved))
    else:
        print(page)
        if judged.state == "invalid":
            print(f"REFUSED by the independent checker. {judged.sentences[-1].text}")
    return REFUTED if judged.state == "invalid" else DONE


def _sha256(certificate: str) -> str:
    return hashlib.sha256(Path(certificate).read_bytes()).hexdigest()


def _signature(document: dict[str, Any], certificate: str) -> str:
    """What is known of a signature that lies beside the certificate, as `certify sign` writes it."""
    beside = Path(f"{certificate}.sig")
    if not beside.is_file():
        return ""
    from certify.certificates.signing import verify
    from certify.games.readers.textfile import parse_json, read_text

    try:
        found = parse_json(read_text(beside), str(beside))
        if verify(document, found):
            return f"valid, by the public key {found['public_key']}, which the signature itself names"
        return "NOT a signature of this certificate"
    except InputError as error:
        return f"not read ({error})"
