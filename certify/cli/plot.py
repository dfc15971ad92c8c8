"""`certify plot`: the picture of a certificate."""

from __future__ import annotations

import click

from certify.cli.completion import complete_file
from certify.cli.options import OutputFile, read_certificate, spare_inputs
from certify.cli.output import DONE, REFUTED, Progress
from certify.exact import positive_number


@click.command()
@click.argument("certificate", shell_complete=complete_file)
@click.option(
    "-o",
    "--output",
    type=OutputFile(),
    default="certificate.png",
    show_default=True,
    help="PNG, PDF or SVG file to write.",
)
@click.option("--cover", is_flag=True, help="The boxes of a threshold's proof instead of the policies.")
@click.option("--check/--no-check", "checked", default=True, help="Ask the checker first (else the title says so).")
@click.option(
    "--budget", default="60", show_default=True, help="Seconds of checking, estimated from the file, at most."
)
@click.option("--time-limit", help="Seconds for the certified tube of a threshold.  [default: a few for small games]")
def plot(certificate, output, cover, checked, budget, time_limit) -> int:
    """Draw CERTIFICATE, whatever its kind: what is proved where, policies with their enclosures, teams, symmetries."""
    spare_inputs()
    seconds = None if time_limit is None else float(positive_number(time_limit, "--time-limit", "number of seconds"))
    allowed = float(positive_number(budget, "--budget", "number of seconds"))
    document = read_certificate(certificate)
    from certify.reports.judgement import UNCHECKED, judge
    from certify.reports.pictures import draw
    from certify.reports.style import library, save

    library()
    with Progress() as progress:
        progress("checking")
        judged = judge(document, budget=allowed, progress=progress) if checked else UNCHECKED
        progress("drawing")
        save(draw(document, cover=cover, judged=judged, seconds=seconds).figure, output)
    print(output)
    if judged.state == "invalid":
        print(f"REFUSED by the independent checker. {judged.sentences[-1].text}")
    return REFUTED if judged.state == "invalid" else DONE
