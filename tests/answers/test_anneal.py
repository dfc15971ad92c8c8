"""`certify.anneal`: brackets of known critical temperatures, both kinds, limits, bad input, the command."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

import certify
from certify.cli.main import main
from certify.errors import InputError
from certify.games import builtin
from certify.games.tree import unroll
from certify.run import Run
from certify.stationary.approx_critical import approx_critical
from certify.stationary.symmetric_pieces import SymmetricPath
from certify.symmetry.group import symmetries
from certify.symmetry.histories import fixed_subspace


def cooled(name, **options):
    return certify.anneal(name, threshold=certify.threshold(name, method="structural"), **options)


@pytest.mark.parametrize(
    ("name", "at", "alpha"),
    [("lever:2", 0.5, ("3/4", "1/4")), ("matching-pennies", 1.0, ("3/2", "1/2")), ("lever:3", 1 / 3, ("1/2", "1/10"))],
)
def test_pitchforks_whose_temperature_is_known(name: str, at: float, alpha: tuple[str, str]) -> None:
    """Uniform play of n levers is a maximum exactly above 1/n (a Hessian test at the uniform policy)."""
    found = cooled(name, alpha=alpha, stations=[], time_limit=1000)
    assert found.status == "proved" and found.kind == "symmetry-breaking"
    assert found.critical.lower <= at <= found.critical.upper and found.ratio <= 1.01
    assert found.broken


def test_a_branch_without_a_critical_temperature() -> None:
    found = cooled([["3", "0"], ["0", "2"]], alpha=("2", "1/2"), stations=["2", "1", "1/2"], time_limit=1000)
    assert (found.status, found.kind, found.critical.upper) == ("proved", "none-down-to", Fraction(1, 2))
    assert [s.alpha for s in found.stations] == [2, 1, Fraction(1, 2)]
    for station in found.stations:
        same = certify.optimum([["3", "0"], ["0", "2"]], station.alpha)
        assert same.return_.lower <= station.return_.upper and station.return_.lower <= same.return_.upper
        assert same.greedy_return == station.greedy_return


def test_the_bracket_holds_what_floats_find_another_way() -> None:
    """The critical temperature of penalty:-2 by bisection on the Hessian of J in the logits."""
    game = builtin("penalty:-2")
    tree = unroll(game)
    orbit = np.asarray(fixed_subspace(tree, symmetries(game).generators).entry_orbit)
    path = SymmetricPath(tree, orbit)
    z = path.newton(path.symmetrised(path.start(Fraction(1, 8))), Fraction(1, 8))
    near = approx_critical(path, z, 1 / 8, 1.0, Run())
    found = cooled("penalty:-2", alpha=("8", "1"), stations=[], time_limit=1000)
    assert near.kind == "symmetry-breaking"
    assert found.critical.lower <= near.alpha <= found.critical.upper


def test_out_of_time_keeps_what_is_proved() -> None:
    found = certify.anneal("climbing", time_limit="1/1000")
    assert found.status in ("partial", "undecided") and found.reason


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": "1"},
        {"alpha": "1/4:2"},
        {"alpha": ("1", "1")},
        {"rtol": 0},
        {"stations": ["-1"]},
        {"objective": "local"},
    ],
)
def test_bad_input_is_one_line(options: dict) -> None:
    with pytest.raises(InputError) as caught:
        certify.anneal("lever:2", **options)
    assert "\n" not in str(caught.value)


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    path = tmp_path / "cold.json"
    with pytest.raises(SystemExit) as ended:
        main(["anneal", "lever:2", "--alpha", "3/4:1/4", "--time-limit", "1000", "--json", "-o", str(path)])
    assert ended.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "proved" and found["critical"]["kind"] == "symmetry-breaking"
    low, high = map(Fraction, found["critical"]["alpha"])
    assert low < Fraction(1, 2) < high <= low * Fraction(101, 100)
    assert {"alpha", "value", "return", "entropy", "policy", "greedy", "greedy_return"} <= set(found["stations"][0])
    assert certify.check(path).valid
    with pytest.raises(SystemExit):
        main(["anneal", "lever:2", "--alpha", "3/4:1/4", "--time-limit", "1000"])
    out = capsys.readouterr().out
    assert "critical temperature in [0.49875311, 0.50124689]" in out and "symmetry breaking" in out
