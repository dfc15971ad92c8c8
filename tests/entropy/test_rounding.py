"""Rounding bias and clip crossings: the figures of docs/theory/entropy.md#rounding, the model against exhaustive
counts, exp correctly rounded, and the sign of the bias where it depends on the distribution."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from entropy_instances import as_fraction, row
from flint import arb

from certify.entropy import exhaustive
from certify.entropy.enclosure import enclosure, working_precision
from certify.entropy.exhaustive import clip_decisions, count_binade, rounded_exponentials
from certify.entropy.formats import BFLOAT16, FLOAT16
from certify.entropy.policy import StatePolicy, policy_from_json
from certify.entropy.rounded_update import kept_factor, rounded_update, stored_ratios
from certify.entropy.rounding import (
    binade_row,
    cell_table,
    crossing_probability,
    density_direction,
    density_log_bias,
    log_bias,
    log_sinhc,
)
from certify.errors import InputError

TENTH, FIFTH, DAPO = Fraction(1, 10), Fraction(1, 5), Fraction(7, 25)
BINADES = range(-126, 6)  # all normal binades of bfloat16 in (−64, 0)


@pytest.fixture(autouse=True)
def precision():
    with working_precision():
        yield


def test_crossing_probabilities_of_the_theory():
    expected = {  # spacing: ε: (above, below)
        Fraction(1, 4): {TENTH: (0.191, 0.167), FIFTH: (0.0366, 0.0058), DAPO: (8e-5, 0)},
        Fraction(1, 8): {TENTH: (0.028, 0.012), FIFTH: (0, 0), DAPO: (0, 0)},
        Fraction(1, 16): {TENTH: (0, 0), FIFTH: (0, 0), DAPO: (0, 0)},
    }
    for width, table in expected.items():
        for eps, pair in table.items():
            for above, value in zip((True, False), pair, strict=True):
                found = enclosure(crossing_probability(width, eps, above))
                assert abs(found.lower - Fraction(value)) < Fraction(5, 10**4) and found.width < Fraction(1, 10**20)
                assert (found.lower == found.upper == 0) == (value == 0)


def test_one_and_two_sided_factors_for_every_cell():
    table = cell_table(BFLOAT16)
    assert len(table.values) == 32_641
    with mpmath.workprec(400):
        for k in range(0, len(table.values), 331):
            outer, inner = mpmath.mpf(table.outer[k]), mpmath.mpf(table.inner[k])
            width = outer + inner
            if not 1e-12 < width < 500:
                continue
            new = (mpmath.exp(outer) - mpmath.exp(-inner)) / width  # mean of e^δ, δ on (−inner, outer)
            old = (mpmath.exp(inner) - mpmath.exp(-outer)) / width
            for side, value in (("new", new), ("old", old), ("both", new * old)):
                found = table.log_bias[side][table.cell[k]]
                assert found.lower <= as_fraction(mpmath.log(value)) <= found.upper


def test_every_cell_has_an_upward_bias_with_both_sides_rounded():
    table = cell_table(BFLOAT16)
    positive = np.array([e.lower > 0 for e in table.log_bias["both"]])
    assert positive[table.cell[1:]].all() and not positive[table.cell[0]]  # only +0 is stored exactly


def test_powers_of_two_are_biased_by_their_asymmetric_cell():
    outer, inner = BFLOAT16.cell(Fraction(-32))
    assert inner * 2 == outer
    assert log_bias(outer, inner, "new") > 0 and log_bias(outer, inner, "old") < 0


@pytest.mark.parametrize("exponent", [5, 4, 3, -10])
def test_uniform_model_against_all_float32_numbers(exponent):
    count, model = count_binade(BFLOAT16, exponent), binade_row(BFLOAT16, exponent, (TENTH, FIFTH, DAPO))
    assert count.total == 2**23 and count.mean_error() == 0
    u = model.spacing
    # rounding errors of float32 numbers are uniform on a grid of 2^16 points per cell
    mean = count.mean_factor()
    assert abs(mean.lower - model.one_side.lower) < u * u / 2**30
    # half of the two end cells (log-probabilities at powers of two) lies in the binade
    for eps, (above, below) in model.crossing.items():
        for side, found in ((True, above), (False, below)):
            assert abs(count.crossing(eps, side) - found.lower) < Fraction(1, 10**4)


def test_counts_do_not_depend_on_the_binade():
    first, second = count_binade(BFLOAT16, 5), count_binade(BFLOAT16, -20)
    assert first.first == second.first and np.array_equal(first.counts, second.counts)


def test_crossings_are_counted_right_by_brute_force():
    """A coarse instance counted pair by pair."""
    counts = exhaustive.BinadeCount(0, Fraction(1, 32), -3, np.array([1, 2, 0, 3, 1, 2, 1]))
    errors = np.repeat(np.arange(-3, 4), counts.counts)
    d = (errors[:, None] - errors[None, :]) / 32
    for eps in (TENTH, FIFTH):
        assert counts.crossing(eps, True) == Fraction(int((np.exp(d) > 1 + float(eps)).sum()), 100)
        assert counts.crossing(eps, False) == Fraction(int((np.exp(d) < 1 - float(eps)).sum()), 100)


@pytest.mark.parametrize("form", [BFLOAT16, FLOAT16])
def test_rounded_exponentials_are_correctly_rounded(form):
    d, found = rounded_exponentials(form)
    for k in np.flatnonzero(np.isfinite(d) & (np.abs(d) < 90))[::29]:
        with mpmath.workprec(300):
            value = as_fraction(mpmath.exp(mpmath.mpf(d[k])))
        exact = form.round_exact(value)
        assert found[k] == (np.inf if exact is None else float(exact))
    assert found[np.isposinf(d)] == np.inf and found[np.isneginf(d)] == 0
    assert np.array_equal(np.isnan(found), np.isnan(d))


def test_clip_decisions_that_rounding_changes():
    d, rounded = table = rounded_exponentials(BFLOAT16)
    for eps in (TENTH, FIFTH, DAPO):
        found = clip_decisions(table, eps, eps)
        finite = np.isfinite(d)
        stored = {
            Fraction(float(x))
            for x in d[finite][
                (rounded[finite] > float(1 + eps)) != (np.exp(np.minimum(d[finite], 600.0)) > float(1 + eps))
            ]
        }
        assert stored == {x for x in found.changed if x > 0}
        assert found.lost_above + found.gained_above + found.lost_below + found.gained_below == len(found.changed)
    assert clip_decisions(table, TENTH, TENTH).gained_above == 5


def test_a_rounding_that_truncates_is_caught(monkeypatch):
    """Falsification: truncation instead of round to nearest is biased and the count says so."""

    def truncate(self, values):
        _, exponent = np.frexp(values)
        quantum = exponent - self.precision
        return np.ldexp(np.trunc(np.ldexp(values, -quantum)), quantum)

    monkeypatch.setattr(type(BFLOAT16), "round", truncate)
    count = count_binade(BFLOAT16, 5)
    assert count.mean_error() > 0
    assert count.mean_factor().lower > binade_row(BFLOAT16, 5, ()).one_side.upper * Fraction(101, 100)


def test_log_sinhc_is_sharp_and_continuous_across_its_branches():
    with mpmath.workprec(600):
        for t in (
            Fraction(1, 2**130),
            Fraction(1, 2**21),
            Fraction(1, 2**19),
            Fraction(3, 4),
            Fraction(1),
            Fraction(40),
            Fraction(10**30),
        ):
            x = mpmath.mpf(t.numerator) / t.denominator
            value = mpmath.log(mpmath.sinh(x) / x) if t < 10**6 else x - mpmath.log(2 * x)
            found = enclosure(log_sinhc(arb(t.numerator) / t.denominator))
            assert (
                found.lower * (1 - Fraction(1, 10**20)) <= as_fraction(value) <= found.upper * (1 + Fraction(1, 10**20))
            )
            assert found.width <= abs(found.upper) / 2**30


@pytest.mark.parametrize(
    ("c", "side", "direction"),
    [
        (Fraction(0), "new", "upward"),
        (Fraction(1), "new", "downward"),
        (Fraction(1, 2), "new", "none"),
        (Fraction(-1), "old", "downward"),
        (Fraction(0), "old", "upward"),
        (Fraction(5), "both", "upward"),
        (Fraction(501, 1000), "new", "downward"),
        (Fraction(499, 1000), "new", "upward"),
    ],
)
def test_sign_of_the_bias_depends_on_the_density(c, side, direction):
    """Under density ∝ e^{cℓ}; c = 1 are probabilities uniform on [0, 1]: biased downward."""
    assert density_direction(c, side) == direction
    for width in (Fraction(1, 4), Fraction(1, 128), Fraction(8)):
        found = density_log_bias(width, c, side)
        with mpmath.workprec(200):
            half = mpmath.mpf(width.numerator) / width.denominator / 2
            rate = mpmath.mpf(c.numerator) / c.denominator
            mass = mpmath.quad(lambda x: mpmath.exp(rate * x), [-half, half])
            new = mpmath.quad(lambda x: mpmath.exp((rate - 1) * x), [-half, half]) / mass
            old = mpmath.quad(lambda x: mpmath.exp((rate + 1) * x), [-half, half]) / mass
            value = {"new": new, "old": old, "both": new * old}[side]
            assert abs(float(found.mid()) - float(mpmath.log(value))) < 1e-12
        if direction == "upward":
            assert found > 0
        if direction == "downward":
            assert found < 0


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("width", [Fraction(1, 4), Fraction(1, 16), Fraction(2)])
def test_kept_factor_against_quadrature(sign, width):
    w = float(width)
    grid = (np.arange(400_000) + 0.5) / 200_000 * w - w
    density = (w - np.abs(grid)) / w**2
    kept = grid <= np.log(1.2) if sign > 0 else grid >= np.log(0.8)
    approx = (np.exp(grid) * density * kept).mean() * 2 * w
    found = kept_factor(width, sign, FIFTH, FIFTH)
    assert abs(float(found.mid()) - approx) < 1e-5 and found.rad() < arb(1e-25)


def test_kept_factor_of_tiny_cells_is_sharp():
    """No clipping is left: the factor is sinhc(w/2)², which is 1 + w²/12 + O(w⁴)."""
    square = Fraction(1, 2**240)
    found = enclosure(kept_factor(Fraction(1, 2**120), 1, FIFTH, FIFTH))
    assert 1 < found.lower <= 1 + square / 11 and found.upper >= 1 + square / 12
    assert found.width < square / 2**40


def test_entropy_bias_of_a_clipped_update():
    """Rare actions are stored most coarsely: with A > 0 clipping cuts their push, with A < 0 too."""
    state = policy_from_json([f"1/{2**60}", f"{2**60 - 1}/{2**60}"])[0]
    up = rounded_update(state, row(1, 0), BFLOAT16, FIFTH, FIFTH)
    down = rounded_update(state, row(-1, 0), BFLOAT16, FIFTH, FIFTH)
    assert up.stored[0] == Fraction(-83, 2)  # log 2^-60 = −41.589 stored as −41.5
    assert up.sign == "downward" and down.sign == "downward"
    assert up.factors[0].upper < 1 < down.factors[0].lower
    total = up.rounded.lower - up.exact.lower
    assert abs(total - up.bias.lower) < Fraction(1, 10**25) * abs(up.exact.lower)


def test_no_bias_to_speak_of_in_fine_binades():
    state = policy_from_json(["1/2", "1/4", "1/4"])[0]
    coarse = rounded_update(state, row(1, 0, -1), BFLOAT16, FIFTH, FIFTH)
    fine = rounded_update(state, row(1, 0, -1), FLOAT16, FIFTH, FIFTH)
    assert coarse.sign != "undecided" and abs(fine.bias.upper) < abs(coarse.bias.upper) / 30


def test_stored_ratios():
    old, new = StatePolicy(row("1/1000", "999/1000")), StatePolicy(row("11/10000", "9989/10000"))
    found = stored_ratios(new, old, BFLOAT16)
    # log 0.0011 = −6.81245 → −6.8125, log 0.001 = −6.90776 → −6.90625: difference 3/32, not log 1.1
    assert found[0] == Fraction(*np.float64(BFLOAT16.round(np.exp(np.array([3 / 32])))[0]).as_integer_ratio())
    assert stored_ratios(old, old, BFLOAT16) == (1, 1)


def test_bad_input():
    with pytest.raises(InputError):
        count_binade(FLOAT16, 40)
    with pytest.raises(InputError):
        clip_decisions(rounded_exponentials(BFLOAT16), Fraction(-1), FIFTH)
    with pytest.raises(InputError):
        crossing_probability(Fraction(1, 4), Fraction(-1, 5), True)
    with pytest.raises(InputError):
        rounded_update(policy_from_json(["1/2", "1/2"])[0], row(1, 0), BFLOAT16, Fraction(-1), FIFTH)
