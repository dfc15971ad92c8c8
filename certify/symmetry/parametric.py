"""Symmetries for all parameter values at once (docs/theory/symmetry.md#deciding-a-candidate).

Rewards and probabilities are sympy expressions under constraints.  A map is a symmetry for all
values exactly if z3 finds none at which some entry and its image differ; the group is found on the
classes of expressions that z3 proves equal, and each generator is proved again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import fields, replace
from fractions import Fraction
from functools import reduce
from operator import add, mul

import sympy
import z3

from certify.errors import InputError, Undecided
from certify.games.model import Game, GameTables, restrict_to_reachable
from certify.games.parametric import ParametricGame
from certify.symmetry.compare import Difference, Key, agent_differences, flat_tables, image_of
from certify.symmetry.group import SymmetryGroup, symmetries
from certify.symmetry.maps import GameMap
from certify.symmetry.smt import Verdict

_RELATIONS = {
    sympy.StrictLessThan: lambda x, y: x < y,
    sympy.LessThan: lambda x, y: x <= y,
    sympy.StrictGreaterThan: lambda x, y: x > y,
    sympy.GreaterThan: lambda x, y: x >= y,
    sympy.Equality: lambda x, y: x == y,
    sympy.Unequality: lambda x, y: x != y,
}


class _Translation:
    """sympy expressions as z3 terms; `denominators` collects what must not vanish."""

    def __init__(self, game: ParametricGame) -> None:
        self.symbols = {symbol: z3.Real(symbol.name) for symbol in game.parameters}
        self.denominators: list[z3.ArithRef] = []
        self.constraints = [self.relation(r) for r in game.constraints]

    def relation(self, relation: sympy.core.relational.Relational) -> z3.BoolRef:
        return _RELATIONS[type(relation)](self.term(relation.lhs), self.term(relation.rhs))

    def term(self, value: object) -> z3.ArithRef:
        if isinstance(value, Fraction):
            return z3.RealVal(f"{value.numerator}/{value.denominator}")
        expression = sympy.sympify(value)
        if expression.is_Rational:
            return z3.RealVal(f"{expression.p}/{expression.q}")
        if expression.is_Symbol and expression in self.symbols:
            return self.symbols[expression]
        if expression.is_Add or expression.is_Mul:
            return reduce(add if expression.is_Add else mul, map(self.term, expression.args))
        if expression.is_Pow and expression.exp.is_Integer:
            base, exponent = self.term(expression.base), int(expression.exp)
            power = reduce(mul, [base] * abs(exponent))
            if exponent > 0:
                return power
            self.denominators.append(base)
            return 1 / power
        raise Undecided(f"z3 is not told about {expression}: only sums, products and whole powers are")

    def solver(self, seconds: float) -> z3.Solver:
        solver = z3.Solver()
        solver.set("timeout", max(1, int(1000 * seconds)))
        solver.add(*self.constraints, *(d != 0 for d in self.denominators))
        return solver


def refuse_divisions_by_zero(game: ParametricGame, *, timeout: float = 60.0) -> None:
    """Raises `InputError` where parameter values within the constraints make a divisor of the game 0, and
    `Undecided` where z3 cannot tell.

    >>> from certify.games.readers.native import read_parametric
    >>> refuse_divisions_by_zero(read_parametric({"kind": "one-shot", "payoff": [["1/eps"]],
    ...                                           "parameters": {"eps": ["0 <= eps"]}}, "here"))
    Traceback (most recent call last):
    certify.errors.InputError: here: division by eps, which is 0 at eps = 0; add a constraint that excludes it
    """
    for divisor in game.divisors:
        translation = _Translation(game)
        zero = translation.term(divisor) == 0
        solver = translation.solver(timeout)
        solver.add(zero)
        answer = solver.check()
        if answer == z3.unknown:
            raise Undecided(f"z3 cannot tell whether {divisor} may be 0: {solver.reason_unknown()}")
        if answer == z3.sat:
            model = solver.model()
            values = ", ".join(
                f"{symbol} = {model.eval(term, model_completion=True)}" for symbol, term in translation.symbols.items()
            )
            raise InputError(
                game.source or game.name,
                f"division by {divisor}, which is 0 at {values}",
                "add a constraint that excludes it",
            )


def decide_parametric(game: ParametricGame, mapping: GameMap, *, timeout: float = 60.0) -> Verdict:
    """Whether `mapping` is a symmetry for all parameter values; refuted with values, re-checked exactly.

    >>> from certify.games.readers.native import read_parametric
    >>> from certify.symmetry.maps import read_map
    >>> game = read_parametric({"kind": "one-shot", "payoff": [[1, 0], [0, "1 - eps"]],
    ...                         "parameters": {"eps": ["0 < eps", "eps < 1"]}}, "here")
    >>> decide_parametric(game, read_map(game, {"agents": {"0": 1, "1": 0}})).status
    'proved'
    >>> decide_parametric(game, read_map(game, {"actions": [[1, 0], [1, 0]]})).status
    'refuted'
    """
    if (difference := next(agent_differences(game, mapping), None)) is not None:
        return Verdict("refuted", difference)
    try:
        refuse_divisions_by_zero(game, timeout=timeout)
    except Undecided as reason:
        return Verdict("undecided", reason=str(reason))
    pairs: dict[tuple, tuple[str, Key, Key]] = {}
    for table, key, image, value, image_value in _pairs(game, mapping):
        pairs.setdefault((value, image_value), (table, key, image))
    numbered = [(values, where) for values, where in pairs.items() if values[0] != values[1]]
    try:
        translation = _Translation(game)
        which = z3.Int("which")
        options = [
            z3.And(which == k, translation.term(x) != translation.term(y)) for k, ((x, y), _) in enumerate(numbered)
        ]
        solver = translation.solver(timeout)
    except Undecided as reason:
        return Verdict("undecided", reason=str(reason))
    solver.add(z3.Or(options))
    answer = solver.check()
    if answer == z3.unsat:
        return Verdict("proved", queries=1)
    if answer == z3.unknown:
        return Verdict("undecided", reason=f"z3: {solver.reason_unknown()}", queries=1)
    model = solver.model()
    (value, image_value), (table, key, image) = numbered[model.eval(which).as_long()]
    values = {symbol: model.eval(term, model_completion=True) for symbol, term in translation.symbols.items()}
    if not all(z3.is_rational_value(v) for v in values.values()):
        return Verdict("undecided", reason="z3's counterexample is irrational", queries=1)
    exact = {symbol: sympy.Rational(v.numerator_as_long(), v.denominator_as_long()) for symbol, v in values.items()}
    if (
        any(r.subs(exact) != sympy.true for r in game.constraints)
        or not sympy.cancel(sympy.sympify(value - image_value).subs(exact)).is_nonzero
    ):
        return Verdict("undecided", reason="z3's counterexample did not survive exact evaluation", queries=1)
    return Verdict(
        "refuted",
        Difference(table, key, image, value, image_value),
        parameters={symbol.name: str(v) for symbol, v in exact.items()},
        queries=1,
    )


def _pairs(game: GameTables, mapping: GameMap) -> Iterator[tuple]:
    inverse = mapping.inverse()
    for table, entries in flat_tables(game).items():
        for key in dict.fromkeys([*entries, *(image_of(inverse, key) for key in entries)]):
            image = image_of(mapping, key)
            yield table, key, image, entries.get(key, sympy.Integer(0)), entries.get(image, sympy.Integer(0))


def parametric_symmetries(game: ParametricGame, *, states: str = "reachable", timeout: float = 60.0) -> SymmetryGroup:
    """The maps that are symmetries for all parameter values; each generator is proved by z3.

    Completeness holds for maps that are symmetries at *all* values: another map may be one at some.
    Raises `Undecided` where z3 cannot compare two expressions in `timeout` seconds, and
    `InputError` where no parameter value meets the constraints.

    >>> from certify.games.readers.native import read_parametric
    >>> payoff = [[1, 0, 0], [0, 1, 0], [0, 0, "1 - eps"]]
    >>> game = read_parametric({"kind": "one-shot", "payoff": payoff,
    ...                         "parameters": {"eps": ["0 < eps", "eps < 1"]}}, "here")
    >>> parametric_symmetries(game).order
    4
    """
    deadline = time.monotonic() + timeout
    refuse_divisions_by_zero(game, timeout=timeout)
    representative = _classes(game, deadline)

    def number(value: object) -> Fraction:
        return representative[value]

    kept = {f.name: getattr(game, f.name) for f in fields(GameTables)}
    coloured = Game(
        **kept
        | {
            "start": tuple((s, o, number(p)) for s, o, p in game.start),
            "transition": {k: tuple((t, number(p)) for t, p in row) for k, row in game.transition.items()},
            "emission": {k: tuple((o, number(p)) for o, p in row) for k, row in game.emission.items()},
            "reward": {k: number(r) for k, r in game.reward.items()},
        }
    )
    group = symmetries(coloured, states=states)
    part = restrict_to_reachable(game) if states == "reachable" else game
    for mapping in group.generators:
        verdict = decide_parametric(part, mapping, timeout=max(0.001, deadline - time.monotonic()))
        if verdict.status != "proved":
            raise Undecided(f"a generator was not proved by z3: {verdict.reason}")
    return replace(group, game=part)


def _classes(game: ParametricGame, deadline: float) -> dict[object, Fraction]:
    """A number for each expression, the same for those that z3 proves equal at all values; 0 for 0."""
    translation = _Translation(game)
    representative: dict[object, Fraction] = {}
    members: list[tuple[object, Fraction]] = [(sympy.Integer(0), Fraction(0))]
    solver = translation.solver(max(0.001, deadline - time.monotonic()))
    if solver.check() == z3.unsat:
        raise InputError(game.source or game.name, "no parameter value meets the constraints", "correct them")
    for value in dict.fromkeys(v for entries in flat_tables(game).values() for v in entries.values()):
        for other, number in members:
            solver = translation.solver(max(0.001, deadline - time.monotonic()))
            solver.add(translation.term(value) != translation.term(other), *(d != 0 for d in translation.denominators))
            answer = solver.check()
            if answer == z3.unknown:
                raise Undecided(f"z3 cannot compare {value} with {other}: {solver.reason_unknown()}")
            if answer == z3.unsat:
                representative[value] = number
                break
        else:
            representative[value] = Fraction(len(members))
            members.append((value, representative[value]))
    for row in game.reward.values():
        representative.setdefault(row, Fraction(0))
    return representative
