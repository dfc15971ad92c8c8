"""Results at a prompt and in a notebook: short, decimals first, escaped; pictures into axes that are given."""

from __future__ import annotations

import dataclasses
import inspect
from fractions import Fraction
from pathlib import Path

import pytest
from kinds import FOLDER

import certify
from certify.answers.anneal_result import AnnealResult
from certify.bounds.enclosure import Enclosure
from certify.errors import InputError
from certify.notebook import Facts, Shown
from certify.reports.pictures import draw, plot

HALF = {"0": "1/2", "1": "1/2"}
POLICY = {"agent1:": HALF, "agent2:": {"0": "3/4", "1": "1/4"}}
RESULTS = {
    "threshold": lambda: certify.threshold("lever:2", method="structural"),
    "parameters": lambda: certify.structural_threshold("n=2,h=1,actions=2,return=0:1"),
    "optimum": lambda: certify.optimum("lever:3:1/2", 1),
    "distance": lambda: certify.policy_distance("lever:2", 1, POLICY),
    "cross-play": lambda: certify.cross_play("lever:2", "1/4"),
    "symmetries": lambda: certify.symmetries("lever:3"),
    "anneal": lambda: AnnealResult("proved", "none-down-to", Enclosure(Fraction(1), Fraction(1))),
    "step": lambda: certify.step_report(["1/2", "1/4", "1/4"], ["1", "0", "0"], "natural", {}, 0, 1),
    "check": lambda: certify.check(FOLDER / "valid" / "lever_rho.json"),
    "refused": lambda: certify.check(FOLDER / "invalid" / "missing_child.json"),
    "game": lambda: certify.load("dectiger"),
}
ARGUMENTS = (certify.PlayedHistory,)  # classes of what users' functions are given
DRAWN = ("threshold", "parameters", "optimum", "distance", "cross-play", "symmetries")


def test_every_result_of_the_package_shows_itself() -> None:
    classes = [getattr(certify, name) for name in certify.__all__]
    results = [c for c in classes if inspect.isclass(c) and dataclasses.is_dataclass(c) and c not in ARGUMENTS]
    assert len(results) >= 6
    for found in results:
        assert issubclass(found, Shown), found


@pytest.mark.parametrize("name", RESULTS)
def test_a_line_and_a_table(name: str) -> None:
    result = RESULTS[name]()
    line, table = repr(result), result._repr_html_()
    assert line.startswith(f"<{type(result).__name__} ") and line.endswith(">") and len(line) < 600 and "\n" not in line
    assert "Fraction(" not in line + table and table.startswith("<div>") and "<table>" in table
    expected = {"threshold": "alpha* = 0.5", "refused": "INVALID", "step": "decreases", "distance": "at most 0.25"}
    assert expected.get(name, "") in line
    if name in DRAWN:
        pytest.importorskip("matplotlib", reason="pip install 'certify[plot]'")
        from matplotlib.figure import Figure

        figure = Figure()
        axes = figure.subplots()
        assert plot(result, ax=axes) is figure


def test_what_others_wrote_is_escaped() -> None:
    class Named(Shown):
        def facts(self) -> Facts:
            return Facts("<script>x</script>", "<b>", (("a\u202eb", "c\n" * 500),), "&")

    assert "<script" not in Named()._repr_html_() and "<b>" not in Named()._repr_html_()
    assert (
        "\u202e" not in repr(Named()) + Named()._repr_html_() and "\n" not in repr(Named()) and len(repr(Named())) < 400
    )


def test_an_enclosure_is_shown_in_decimals_rounded_outwards() -> None:
    assert repr(Enclosure(Fraction(1, 3), Fraction(2, 3))) == "Enclosure[0.3333333333, 0.6666666667]"


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    for given in ({}, {"kind": "none"}, 7, None, [], tmp_path / "none.json", FOLDER / "malformed" / "nan.json"):
        with pytest.raises(InputError):
            plot(given)
    with pytest.raises(InputError, match="--cover"):
        draw({"kind": "symmetry"}, cover=True)


@pytest.mark.parametrize("name", ("threshold", "distance", "cross-play", "symmetries", "step", "optimum"))
def test_a_page_and_a_theorem_of_every_result(name: str) -> None:
    result = RESULTS[name]()
    page, latex = certify.report(result, picture=False), certify.theorem(result)
    computed = name in ("distance", "cross-play")  # they have no certificate of their own
    assert ("without a certificate" in page) == computed == ("What is proved" not in page)
    assert (r"\begin{theorem}" not in latex) == computed and latex.isascii()


def test_pages_of_what_is_no_result_are_refused() -> None:
    for given in (7, None, object()):
        with pytest.raises(InputError):
            certify.report(given)
