"""The formats against numpy's own float16 and float32 and against exact rationals."""

from fractions import Fraction

import numpy as np
import pytest

from certify.entropy.formats import BFLOAT16, FLOAT16, FLOAT32, find_format, nonpositive_cells
from certify.errors import InputError


def samples(seed=0):
    g = np.random.default_rng(seed)
    return np.concatenate(
        [
            g.normal(size=20_000),
            10.0 ** g.uniform(-50, 45, 40_000) * g.choice((-1, 1), 40_000),
            10.0 ** g.uniform(-9, 6, 40_000),
            [0.0, -0.0, np.inf, -np.inf],
        ]
    )


@pytest.mark.parametrize(("form", "dtype"), [(FLOAT16, np.float16), (FLOAT32, np.float32)])
def test_rounding_agrees_with_numpy(form, dtype):
    x = samples()
    with np.errstate(over="ignore"):
        assert np.array_equal(form.round(x), x.astype(dtype).astype(np.float64))


def test_bfloat16_rounding_agrees_with_integer_rounding_of_float32():
    """The usual trick: add half of the last kept bit (to even) to the float32 code."""
    with np.errstate(over="ignore"):
        x = samples(1).astype(np.float32)
    codes = x.view(np.uint32).astype(np.uint64)
    rounded = ((codes + 0x7FFF + ((codes >> 16) & 1)) >> 16).astype(np.int64) & 0xFFFF
    finite = np.isfinite(x)
    assert np.array_equal(BFLOAT16.round(x.astype(np.float64))[finite], BFLOAT16.decode(rounded)[finite])


@pytest.mark.parametrize("form", [BFLOAT16, FLOAT16])
def test_every_code_decodes_to_itself_and_ties_go_to_even(form):
    values = form.decode(form.codes())
    finite = np.sort(np.unique(values[np.isfinite(values)]))
    assert np.array_equal(form.round(finite), finite)
    middles = (finite[1:] + finite[:-1]) / 2
    rounded = form.round(middles)
    unit = np.array([float(form.spacing(int(e) - 1)) for e in np.frexp(rounded)[1]])
    assert np.all(np.isin(rounded, finite)) and np.all((rounded / unit) % 2 == 0)


def test_exact_and_vectorised_rounding_agree():
    for form in (BFLOAT16, FLOAT16, FLOAT32):
        for x in samples(2)[::400]:
            if np.isfinite(x):
                exact = form.round_exact(Fraction(float(x)))
                assert (np.inf if exact is None else abs(float(exact))) == abs(form.round(np.array([x]))[0])


def test_counts_of_nonpositive_bfloat16():
    values, _, _ = nonpositive_cells(BFLOAT16)
    assert len(values) == 32_641 and ((values > -64) & (values < 0)).sum() == 17_023


@pytest.mark.parametrize("form", [BFLOAT16, FLOAT16])
def test_cells_are_what_rounds_to_the_value(form):
    values, outer, inner = nonpositive_cells(form)
    inside, beyond = 1 - 2.0**-30, 1 + 2.0**-30
    for factor, same in ((inside, True), (beyond, False)):
        low, high = form.round(values - outer * factor), form.round(values + inner * factor)
        some = values < 0  # 0's cell is cut at 0
        assert np.all((low == values)[1:] == same) and np.all((high == values)[some] == same)
    some = slice(1, None, 97)
    for v, o, i in zip(values[some], outer[some], inner[some], strict=True):
        assert form.cell(Fraction(float(v))) == (Fraction(float(o)), Fraction(float(i)))


def test_unknown_format():
    with pytest.raises(InputError, match="float8"):
        find_format("float8")
