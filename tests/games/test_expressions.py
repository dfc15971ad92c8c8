"""Expressions with parameters: exact values, symbols, and nothing that runs code."""

from fractions import Fraction as F

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from certify.errors import InputError
from certify.games.readers.expressions import constraint, evaluate


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("17/20", F(17, 20)),
        ("0.85", F(17, 20)),
        ("1e-3", F(1, 1000)),
        ("-eps", F(-1, 3)),
        ("+eps", F(1, 3)),
        ("(1 - eps)/2", F(1, 3)),
        ("1 - eps/2", F(5, 6)),
        ("2*eps**2", F(2, 9)),
        (" eps ", F(1, 3)),
        ("0.1 + 0.2", F(3, 10)),
        ("-" * 399 + "1", F(-1)),
        ("(" * 150 + "eps" + ")" * 150, F(1, 3)),
    ],
)
def test_values(text, value):
    assert evaluate(text, {"eps": F(1, 3)}, "here") == value
    symbol = sympy.Symbol("eps", real=True)
    assert evaluate(text, {"eps": symbol}, "here").subs(symbol, sympy.Rational(1, 3)) == sympy.Rational(
        value.numerator, value.denominator
    )


@given(
    st.recursive(
        st.sampled_from(["eps", "2", "0.5", "1/3"]),
        lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
            lambda parts: f"({parts[0]}) {parts[1]} ({parts[2]})"
        ),
        max_leaves=8,
    )
)
def test_symbols_and_values_agree(text):
    symbol = sympy.Symbol("eps", real=True)
    at = evaluate(text, {"eps": F(2, 7)}, "here")
    assert evaluate(text, {"eps": symbol}, "here").subs(symbol, sympy.Rational(2, 7)) == sympy.Rational(
        at.numerator, at.denominator
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 +",
        "delta",
        "__import__('os')",
        "eps.real",
        "eps[0]",
        "lambda: 1",
        "eps if eps else 1",
        "[eps]",
        "'1'",
        "True",
        "1j",
        "1_000",
        "eps ** eps",
        "eps ** 21",
        "eps ** 0.5",
        "(eps ** 20) ** 20",
        "eps ** -21",
        "(eps - eps) ** -1",
        "eps ** --1",
        "1/0",
        "1/(eps - eps)",
        "eps % 2",
        "eps // 2",
        "eps < 1",
        "0x10",
        "1e999",
        "(" * 180 + ")" * 180,
        "-" * 390 + "1x",
        "1" * 401,
        "f(eps)",
        "eps\n+1)",
    ],
)
def test_refusals(text):
    for parameter in (F(1, 3), sympy.Symbol("eps", real=True)):
        with pytest.raises(InputError) as caught:
            evaluate(text, {"eps": parameter}, "here")
        assert str(caught.value).startswith("here")


def test_constraints():
    assert constraint("0 < eps < 1/2", {"eps": F(1, 2)}, "here") == [True, False]
    assert constraint("eps >= 2*eps", {"eps": F(-1)}, "here") == [True]
    for text in ("eps", "eps == 1", "eps in (1, 2)", "0 < delta", "eps <"):
        with pytest.raises(InputError):
            constraint(text, {"eps": F(1)}, "here")
