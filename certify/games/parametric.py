"""Games whose probabilities and rewards are expressions in parameters under constraints, for
proofs that hold for all parameter values (docs/theory/symmetry.md#deciding-a-candidate).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

import sympy

from certify.errors import InputError
from certify.exact import parse_rational
from certify.games.model import Game, GameTables, check_game, check_tables


@dataclass(frozen=True, eq=False, repr=False)
class ParametricGame(GameTables):
    """`GameTables` whose probabilities and rewards are sympy expressions.

    Discount and weights stay rational.  `parameters` are real symbols, `constraints` relations
    between expressions in them, `divisors` what the numbers divide by as they are written (a quotient
    may have been cancelled since).  That the constraints keep every probability in [0, 1] is the
    author's statement; `at` checks it for the values it is given.
    """

    parameters: tuple[sympy.Symbol, ...] = ()
    constraints: tuple[sympy.core.relational.Relational, ...] = ()
    divisors: tuple[sympy.Expr, ...] = ()

    def at(self, values: Mapping[str, Fraction | int | str]) -> Game:
        """The exact game at given parameter values.

        Raises `InputError` for missing, unknown and forbidden values.

        >>> eps = sympy.Symbol("eps", real=True)
        >>> game = ParametricGame("g", ("a",), ("s",), (("x",),), (("o",),), ((0, (), sympy.Integer(1)),),
        ...                       {}, {}, {(0, (0,)): 1 - eps}, 1, parameters=(eps,), constraints=(eps > 0,))
        >>> game.at({"eps": "1/4"}).reward[0, (0,)]
        Fraction(3, 4)
        """
        given = parameter_values([symbol.name for symbol in self.parameters], values, self.source or self.name)
        exact = {
            symbol: sympy.Rational(given[symbol.name].numerator, given[symbol.name].denominator)
            for symbol in self.parameters
        }
        for relation in self.constraints:
            if relation.subs(exact) != sympy.true:
                raise InputError(self.source or self.name, f"the values break the constraint {relation}", "give others")

        for divisor in self.divisors:
            if divisor.subs(exact) == 0:
                raise InputError(self.source or self.name, f"the values make the divisor {divisor} zero", "give others")

        def number(expression: sympy.Expr) -> Fraction:
            value = sympy.sympify(expression).subs(exact)
            if not value.is_Rational:
                raise InputError(self.source or self.name, f"{expression} has no value there", "give other values")
            return Fraction(int(value.p), int(value.q))

        def rows(table: Mapping) -> dict:
            return {key: tuple((to, p) for to, e in row if (p := number(e))) for key, row in table.items()}

        kept = {f.name: getattr(self, f.name) for f in fields(GameTables)}
        return check_game(
            Game(
                **kept
                | {
                    "start": tuple((s, o, p) for s, o, e in self.start if (p := number(e))),
                    "transition": rows(self.transition),
                    "emission": rows(self.emission),
                    "reward": {key: r for key, e in self.reward.items() if (r := number(e))},
                }
            )
        )


def parameter_values(names: list[str], values: Mapping[str, Fraction | int | str], where: str) -> dict[str, Fraction]:
    """Exact values for exactly the parameters in `names`.

    >>> parameter_values(["eps"], {"eps": "0.1"}, "game")
    {'eps': Fraction(1, 10)}
    """
    if missing := [name for name in names if name not in values]:
        raise InputError(where, f"no value for parameter {missing[0]!r}", f"give one, like --set {missing[0]}=1/10")
    if unknown := [name for name in values if name not in names]:
        raise InputError(
            where,
            f"unknown parameter {unknown[0]!r}",
            f"the game has {', '.join(names)}" if names else "the game has none",
        )
    return {name: parse_rational(values[name], f"{where}, value of {name}") for name in names}


def check_parametric(game: ParametricGame) -> ParametricGame:
    """The game itself if the model's invariants hold, sums of probabilities identically 1.

    Raises `InputError` otherwise; numbers without parameters must be positive probabilities.

    >>> p = sympy.Symbol("p", real=True)
    >>> check_parametric(ParametricGame("g", ("a",), ("s", "t"), (("x",),), (("o",),), ((0, (), p), (1, (), 1 - p**2)),
    ...                                 {}, {}, {}, 1, parameters=(p,)))
    Traceback (most recent call last):
    certify.errors.InputError: g: start: probabilities sum to -p**2 + p + 1, not 1; make the row sum to exactly 1
    """

    def check_row(where: str, what: str, probabilities: list[Any]) -> None:
        if any(p.is_number and not p > 0 for p in probabilities):
            raise InputError(where, f"{what}: a probability that is not positive", "leave out zero entries")
        if (total := sympy.cancel(sum(probabilities, sympy.Integer(0)))) != 1:
            raise InputError(where, f"{what}: probabilities sum to {total}, not 1", "make the row sum to exactly 1")

    return check_tables(game, check_row)
