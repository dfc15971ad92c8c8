"""`certify plot`: the cover of a threshold certificate as a picture."""

from __future__ import annotations

from fractions import Fraction

import click

from certify.cli.completion import complete_file
from certify.cli.options import OutputFile, read_certificate, spare_inputs
from certify.cli.output import DONE
from certify.errors import InputError


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
def plot(certificate, output) -> int:
    """Draw the cover of beta = 1/alpha in CERTIFICATE: one bar per interval, by depth of the search.

    Of a batch of tokens: the changes and clip decisions of its sample.
    """
    spare_inputs()
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        raise InputError(
            "certify plot", "matplotlib is not installed", "install the extra: pip install 'certify[plot]'"
        ) from None
    document = read_certificate(certificate)
    if document.get("kind") == "entropy-batch":
        from certify.answers.entropy_batch_plot import plot_certificate

        plot_certificate(document, output)
        print(output)
        return DONE
    try:
        nodes = document["proof"]["nodes"]
        intervals = [tuple(float(Fraction(b)) for b in node["beta"]) for node in nodes]
        depth: list[int] = []
        for node in nodes:
            depth.append(0 if node["parent"] is None else depth[node["parent"]] + 1)
    except (ValueError, KeyError, TypeError, IndexError, ArithmeticError):
        raise InputError(
            certificate, "not a certificate with a cover", "plot one made by --method localisation"
        ) from None
    figure, axes = pyplot.subplots(figsize=(9, 0.4 * (max(depth) + 1) + 1.6))
    for node, (low, high), level in zip(nodes, intervals, depth, strict=True):
        colour = {"nondegenerate": "#2b8a3e", "empty": "#868e96"}.get(node.get("close"), "#d0ebff")
        axes.barh(-level, high - low, left=low, height=0.8, color=colour, edgecolor="white", linewidth=0.6)
        if high - low > 0.04 * intervals[0][1]:
            axes.text((low + high) / 2, -level, str(len(node["steps"])), ha="center", va="center", fontsize=7)
    axes.set_yticks([])
    axes.set_xlabel(
        "beta = 1/alpha   (numbers: contraction steps; green: every stationary policy is a nondegenerate maximum)"
    )
    axes.set_title(f"{document['game']['name']}: unique for alpha >= {document['claim']['alpha_star']}", fontsize=10)
    figure.tight_layout()
    try:
        figure.savefig(output, dpi=150)
    except (OSError, ValueError) as error:
        raise InputError(
            str(output), f"cannot be written ({error})", "name a .png, .pdf or .svg file in a folder that exists"
        ) from None
    print(output)
    return DONE
