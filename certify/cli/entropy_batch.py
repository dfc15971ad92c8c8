"""`certify entropy batch`: what one update certainly does to the entropy of a training batch
(docs/recipes.md; interface).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from certify.answers.entropy_batch import entropy_batch
from certify.answers.entropy_batch_result import BatchReport
from certify.certificates.writing import save_document
from certify.cli.options import OutputFile, named_values, spare_inputs
from certify.cli.output import print_json
from certify.entropy.recipe import RECIPES
from certify.errors import InputError

_EXIT = {"proved": 0, "partial": 3}


@click.command("batch")
@click.argument("dump", type=click.Path(path_type=Path))
@click.option("--recipe", default="verl", show_default=True, metavar="NAME", help="One of: " + ", ".join(RECIPES) + ".")
@click.option("--param", "params", multiple=True, metavar="K=V", help="Change a field of the recipe.")
@click.option(
    "--logp-error", default="0", metavar="BOUND", help="Absolute error of the log-probabilities besides rounding."
)
@click.option("--eps", multiple=True, metavar="E", help="Count clip decisions for [1 - E, 1 + E] too (repeatable).")
@click.option("--eta-passes", type=int, help="Passes over the rows for eta_max [default: about a second's worth].")
@click.option("--worst", default=5, show_default=True, help="How many of the tokens that lose most to list.")
@click.option("--processes", default=1, show_default=True, help="Share the rows of logits among processes.")
@click.option("--gram", type=click.Path(path_type=Path), help="<phi_s, phi_t> of all tokens (.npy): shared parameters.")
@click.option("--features", type=click.Path(path_type=Path), help="The phi_s of all tokens (.npy): shared parameters.")
@click.option("-o", "--output", type=OutputFile(), help="Write the certificate: totals, digest, a sample.")
@click.option("--plot", type=OutputFile(), help="Draw changes, clip decisions by epsilon, and rounding by binade.")
@click.option("--sample", default=16, show_default=True, help="How many leaves the certificate holds.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def batch_command(dump: Path, recipe: str, params: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Entropy, first-order changes, signs and clip decisions of a batch (.npz, .safetensors, .parquet)."""
    spare_inputs()
    if options["processes"] < 1:
        raise InputError("--processes", f"{options['processes']}", "use at least 1")
    if options["gram"] is not None and options["features"] is not None:
        raise InputError("--gram", "beside --features", "give one of them")
    output, sample, plot = (options.pop(name) for name in ("output", "sample", "plot"))
    report = entropy_batch(dump, recipe, named_values(params, "--param"), **options)
    data = {**report.to_json(), "certificate": None if output is None else str(output)}
    if output is not None:
        save_document(report.certificate(sample), output)
    if plot is not None:
        from certify.answers.entropy_batch_plot import plot_batch
        from certify.reports.style import styled as in_style

        in_style(plot_batch)(report, plot)
    if as_json:
        print_json(data)
    else:
        print("\n".join(lines(report)))
    raise click.exceptions.Exit(_EXIT[report.status])


def _span(pair: tuple[Fraction, Fraction]) -> str:
    """Two ends with ten significant digits, rounded outward."""
    return f"[{_digits(pair[0], False)}, {_digits(pair[1], True)}]"


def _digits(value: Fraction, up: bool) -> str:
    if value == 0:
        return "0"
    text = f"{float(value):.9e}"
    step = Fraction(10) ** (int(text.partition("e")[2]) - 9)
    while Fraction(text) < value if up else Fraction(text) > value:
        text = f"{float(Fraction(text) + (step if up else -step)):.9e}"
    exponent = text.partition("e")[2]
    return (
        f"{float(text):.10g}" if -4 <= int(exponent) < 9 and Fraction(f"{float(text):.10g}") == Fraction(text) else text
    )


def lines(report: BatchReport) -> list[str]:
    """The report as a person reads it: each line is proved, or says why there is nothing."""
    why = report.why
    found = [
        f"{report.tokens} tokens under {report.recipe.name} ({report.recipe.source})",
        f"entropy         {_span(report.entropy) if report.entropy else why['entropy']}",
        f"dH/d(step)      {_span(report.first_order) if report.first_order else why['first_order']}",
        f"tokens          {report.up} up, {report.down} down, {report.undecided} undecided, "
        f"{report.still} without a step",
    ]
    if report.eta_safe is not None and report.eta_max is not None:
        ends = f"; the other sign is proved at {_digits(report.reversed_at, True)}" if report.reversed_at else ""
        found.append(f"eta_safe        {_digits(report.eta_safe, False)} (closed formula)")
        found.append(
            f"eta_max         the total entropy {report.eta_max_sign} for every step up to "
            f"{_digits(report.eta_max, False)}{ends}"
        )
    else:
        found.append(f"eta_max         {why['eta_max']}")
    if report.clip is not None:
        n = max(1, report.tokens)
        shares = ", ".join(f"{k} {v} ({100 * v / n:.4g} %)" for k, v in report.clip.items())
        found.append(f"clip decisions  {shares}")
        for eps, counts in report.by_eps.items():
            found.append(f"  at eps {eps:7} " + ", ".join(f"{k} {v} ({100 * v / n:.4g} %)" for k, v in counts.items()))
        mean = _span(report.ratio_mean) if report.ratio_mean else why["ratio_mean"]
        found.append(f"mean ratio      {mean}")
        if report.ratio_bias is not None:
            found.append(f"bias of ratios  {_span(report.ratio_bias)} for errors uniform on the rounding cells")
    else:
        found.append(f"clip decisions  {why['clip']}")
    found += [
        f"worst           token {w['token']} (id {w['token_id']}): {w['sign']}, {_pair(w['change'])}"
        for w in report.worst
    ]
    if report.shared is not None:
        shared = report.to_json()["shared"]
        turned = {True: "the other sign", False: "the same sign", None: "a sign that is open"}[
            shared["total_sign_wrong"]
        ]
        found.append(f"shared          dH/d(step) {_pair(shared['first_order'])}; orthogonal features would say ")
        found[-1] += f"{_pair(shared['diagonal'])}: {turned}, and wrong for {shared['wrong_sign']} tokens"
    found += [f"warning         {w}" for w in report.warnings]
    return [*found, f"digest          {report.digest}"]


def _pair(texts: Any) -> str:
    return _span((Fraction(texts[0]), Fraction(texts[1])))
