"""Numbers with parameters: exact arithmetic expressions such as `(1 - eps)/2`, and constraints
such as `0 < eps`, read without `eval`.

The same text evaluates to a `Fraction` (parameters given numbers) or to a sympy expression
(parameters left as symbols).
"""

from __future__ import annotations

import ast
import itertools
import operator
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

from certify.errors import InputError
from certify.exact import parse_rational

if TYPE_CHECKING:
    import sympy

LONGEST = 400
LARGEST_EXPONENT = 20
Number = TypeVar("Number", Fraction, "sympy.Expr")
_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_RELATIONS = {ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge}


def evaluate(text: str, parameters: Mapping[str, Number], where: str, divisors: list[Number] | None = None) -> Number:
    """The value of an expression in `+ - * /`, whole powers and parentheses over exact numbers.

    Everything that the text divides by and that holds a symbol is added to `divisors`: sympy may cancel it.
    Raises `InputError` for anything else, unknown names and divisions by zero included.

    >>> evaluate("(1 - eps)/2", {"eps": Fraction(1, 10)}, "p")
    Fraction(9, 20)
    >>> import sympy
    >>> evaluate("(1 - eps)/2", {"eps": sympy.Symbol("eps")}, "p")
    1/2 - eps/2
    """
    evaluator = _Evaluator(text, parameters, where)
    value = evaluator.value(_tree(text, where).body)
    if divisors is not None:
        divisors += evaluator.divisors
    return value


def constraint(text: str, parameters: Mapping[str, Number], where: str) -> list:
    """The relations of a constraint like `0 < eps < 1/2`, one per comparison sign.

    With numbers as parameters each is a bool, with symbols a sympy relation.

    >>> constraint("0 < eps < 1/2", {"eps": Fraction(1, 10)}, "parameters")
    [True, True]
    """
    body = _tree(text, where).body
    if not isinstance(body, ast.Compare) or any(type(sign) not in _RELATIONS for sign in body.ops):
        raise InputError(where, f"{text!r} is not a constraint", "compare expressions by <, <=, > or >=")
    evaluator = _Evaluator(text, parameters, where)
    sides = [evaluator.value(node) for node in (body.left, *body.comparators)]
    pairs = itertools.pairwise(sides)
    return [_RELATIONS[type(sign)](*pair) for sign, pair in zip(body.ops, pairs, strict=True)]


def _tree(text: str, where: str) -> ast.Expression:
    text = text.strip()
    if len(text) > LONGEST:
        raise InputError(where, f"an expression of {len(text)} characters", f"use at most {LONGEST}")
    try:
        return ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise InputError(
            where,
            f"{text!r} is not an expression",
            "write it like (1 - eps)/2; Python's reserved words name no parameter",
        ) from None


class _Evaluator:
    def __init__(self, text: str, parameters: Mapping[str, Number], where: str) -> None:
        self.text, self.parameters, self.where = text.strip(), parameters, where
        self.divisors: list[Number] = []
        self.symbolic = any(not isinstance(value, Fraction) for value in parameters.values())

    def value(self, node: ast.expr) -> Number:
        if isinstance(node, ast.Constant):
            return self.exact(parse_rational(ast.get_source_segment(self.text, node) or "", self.where))
        if isinstance(node, ast.Name):
            if node.id not in self.parameters:
                raise InputError(self.where, f"unknown parameter {node.id!r}", 'declare it in "parameters"')
            return self.parameters[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
            operand = self.value(node.operand)
            return -operand if isinstance(node.op, ast.USub) else operand
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            left, right = self.value(node.left), self.value(node.right)
            if isinstance(node.op, ast.Div):
                self.divides(right)
            return _OPERATORS[type(node.op)](left, right)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            return self.power(node)
        raise InputError(self.where, f"{self.text!r} is not an expression", "use + - * /, whole powers and parentheses")

    def power(self, node: ast.BinOp) -> Number:
        exponent, sign = node.right, 1
        if isinstance(exponent, ast.UnaryOp) and isinstance(exponent.op, ast.USub):
            exponent, sign = exponent.operand, -1
        nested = any(isinstance(part, ast.BinOp) and isinstance(part.op, ast.Pow) for part in ast.walk(node.left))
        if (
            nested
            or not isinstance(exponent, ast.Constant)
            or type(exponent.value) is not int
            or exponent.value > LARGEST_EXPONENT
        ):
            raise InputError(
                self.where, f"a power in {self.text!r}", f"use whole exponents up to {LARGEST_EXPONENT}, not nested"
            )
        base = self.value(node.left)
        if sign < 0:
            self.divides(base)
        return base ** (sign * exponent.value)

    def divides(self, value: Number) -> None:
        """Notes a divisor; refuses one that is 0."""
        if value == 0:
            raise InputError(self.where, f"{self.text!r} divides by zero", "give a nonzero denominator")
        if self.symbolic and not value.is_number:
            self.divisors.append(value)

    def exact(self, value: Fraction) -> Number:
        if not self.symbolic:
            return value
        import sympy  # half a second, and needed for symbols only

        return sympy.Rational(value.numerator, value.denominator)
