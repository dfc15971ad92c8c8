"""Reader of the native JSON form: one-shot payoff tensors, Bayesian team games and Dec-POMDPs by
names, with exact numbers or expressions in parameters (docs/theory/objective.md#the-model,
docs/theory/symmetry.md#deciding-a-candidate).

Documents are validated by the published schema, `game.schema.json`; docs/game-format.md shows one
of each kind.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import sympy

from certify.errors import InputError
from certify.exact import parse_rational
from certify.games.model import Game, check_game
from certify.games.parametric import ParametricGame, check_parametric, parameter_values
from certify.games.readers.expressions import constraint, evaluate
from certify.games.readers.native_tables import NativeTables
from certify.games.readers.schema import validate
from certify.games.readers.textfile import parse_json, read_text


def read_native(
    document: Mapping[str, Any],
    where: str,
    horizon: int | None = None,
    values: Mapping[str, Fraction | int | str] | None = None,
) -> Game:
    """The checked game of a native document; `values` gives numbers to its parameters.

    `horizon` is for Dec-POMDPs; without it the document's own is taken.  Raises `InputError`
    naming the JSON path.

    >>> read_native({"kind": "one-shot", "payoff": [[1, 0], [0, "9/10"]]}, "here").reward[0, (1, 1)]
    Fraction(9, 10)
    """
    validate(document, where)
    constraints = document.get("parameters", {})
    if constraints and not values:
        names = ", ".join(constraints)
        raise InputError(
            where, f"a game with parameters ({names})", "give their values by --set NAME=VALUE (in Python: values=)"
        )
    given = parameter_values(list(constraints), values or {}, where)
    for name, texts in constraints.items():
        for k, text in enumerate(texts):
            if not all(constraint(text, given, f"{where}, $.parameters.{name}[{k}]")):
                raise InputError(
                    f"{where}, $.parameters.{name}[{k}]", f"the values break the constraint {text!r}", "give others"
                )

    def number(text: int | str, at: str) -> Fraction:
        return evaluate(str(text), given, at) if given else parse_rational(text, at)

    return check_game(Game(**NativeTables(document, where, number).tables(horizon)))


def load_parametric(path: str | os.PathLike[str], horizon: int | None = None) -> ParametricGame:
    """The game of a native file with its parameters left as sympy symbols, checked.

    Raises `InputError` as `certify.load` does; a file without parameters gives constants.

    >>> load_parametric("no-such-file.json")
    Traceback (most recent call last):
    certify.errors.InputError: no-such-file.json: no such file; check the path
    """
    path = Path(path)
    return read_parametric(parse_json(read_text(path), str(path)), str(path), horizon)


def read_parametric(document: Mapping[str, Any], where: str, horizon: int | None = None) -> ParametricGame:
    """The game of a native document with its parameters left as sympy symbols, checked.

    >>> game = read_parametric({"kind": "one-shot", "payoff": [[1, 0], [0, "1 - eps"]],
    ...                         "parameters": {"eps": ["0 < eps", "eps < 1"]}}, "here")
    >>> game.reward[0, (1, 1)], game.constraints
    (1 - eps, (0 < eps, eps < 1))
    """
    validate(document, where)
    declared = document.get("parameters", {})
    symbols = {name: sympy.Symbol(name, real=True) for name in declared}
    relations = [
        relation
        for name, texts in declared.items()
        for k, text in enumerate(texts)
        for relation in constraint(text, symbols, f"{where}, $.parameters.{name}[{k}]")
    ]
    if any(relation == sympy.false for relation in relations):
        raise InputError(f"{where}, $.parameters", "a constraint that no value meets", "correct it")

    divisors: list[sympy.Expr] = []

    def number(text: int | str, at: str) -> sympy.Expr:
        value = evaluate(str(text), symbols, at, divisors)
        if isinstance(value, Fraction):
            return sympy.Rational(value.numerator, value.denominator)
        return sympy.cancel(value)

    tables = NativeTables(document, where, number).tables(horizon)
    return check_parametric(
        ParametricGame(
            **tables,
            parameters=tuple(symbols.values()),
            constraints=tuple(r for r in relations if r != sympy.true),
            divisors=tuple(dict.fromkeys(divisors)),
        )
    )
