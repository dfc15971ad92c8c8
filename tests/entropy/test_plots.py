"""What the pictures show: bands that hold the change, and nothing outside the certified rows."""

from fractions import Fraction

import pytest
from entropy_instances import reference_change, row, to_mpf

from certify.entropy.algorithms import direction
from certify.entropy.dynamics import EntropyPath
from certify.entropy.enclosure import working_precision
from certify.entropy.formats import FLOAT16
from certify.entropy.plots import change_band, plot_bias, plot_change
from certify.entropy.policy import policy_from_json
from certify.errors import InputError


def rare():
    policy = policy_from_json(["1/100", "49/100", "1/2"])
    return policy, EntropyPath(policy, direction("natural", policy, (row(1, 0, 0),), {}))


@working_precision()
def test_band_holds_the_change_at_random_steps():
    policy, path = rare()
    rows = change_band(path, Fraction(0), Fraction(8), 40)
    assert rows[0][0] == 0 and rows[-1][1] == 8
    u = [to_mpf(x) for x in (Fraction(99, 100), Fraction(-1, 100), Fraction(-1, 100))]
    for low, high, bottom, top in rows:
        for share in (0.1, 0.5, 0.9):
            assert bottom <= reference_change(policy[0], u, low + share * (high - low)) <= top


@working_precision()
def test_files_are_written_and_bad_paths_refused(tmp_path):
    _, path = rare()
    for name in ("a.png", "a.svg", "a.pdf"):
        plot_change(path, Fraction(0), Fraction(8), tmp_path / name, "natural", pieces=20)
        assert (tmp_path / name).stat().st_size > 3000
    plot_bias(FLOAT16, range(-3, 4), (3,), tmp_path / "b.svg")
    drawn = (tmp_path / "b.svg").read_text()
    assert drawn.startswith("<?xml") and drawn.count("<use ") >= 14  # two series of seven markers
    for bad in (tmp_path / "no" / "folder.png", tmp_path / "a.unknown"):
        with pytest.raises(InputError):
            plot_change(path, Fraction(0), Fraction(8), bad, "natural", pieces=4)
