"""Expressions in the policies, as `proofs/coq/theories/Normal.v` normalises them (same names, same order).

An expression is a tuple: ("c", q) a payoff, ("e", q, x) q times the entropy of decision point x, ("+", e, f), or
("a", x, (e_0, e_1, ...)) the average over the actions of x.  Exact: every number is a `Fraction`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

Expression = tuple[Any, ...]
ZERO: Expression = ("c", Fraction(0))


def items(e: Expression) -> list[Expression]:
    """The terms of a sum.

    >>> len(items(("+", ZERO, ("+", ZERO, ZERO))))
    3
    """
    found, todo = [], [e]
    while todo:
        e = todo.pop()
        if e[0] == "+":
            todo += (e[2], e[1])
        else:
            found.append(e)
    return found


def of_list(terms: Sequence[Expression]) -> Expression:
    """The sum of terms, nested to the right.

    >>> of_list([])
    ('c', Fraction(0, 1))
    """
    if not terms:
        return ZERO
    total = terms[-1]
    for e in reversed(terms[:-1]):
        total = ("+", e, total)
    return total


def is_zero(e: Expression) -> bool:
    """A leaf with coefficient 0.

    >>> is_zero(ZERO)
    True
    """
    return e[0] in "ce" and e[1] == 0


def _insert(e: Expression, terms: list[Expression]) -> list[Expression]:
    for i, f in enumerate(terms):
        if e[0] == f[0] == "c":
            return [*terms[:i], ("c", e[1] + f[1]), *terms[i + 1 :]]
        if e[0] == f[0] == "e" and e[2] == f[2]:
            return [*terms[:i], ("e", e[1] + f[1], e[2]), *terms[i + 1 :]]
    return [*terms, e]


def collect(terms: Sequence[Expression]) -> Expression:
    """Payoffs, and entropies of one decision point, added up; zeros dropped.

    >>> collect([("c", Fraction(1)), ("e", Fraction(1), 0), ("c", Fraction(-1))])
    ('e', Fraction(1, 1), 0)
    """
    found: list[Expression] = []
    for e in reversed(terms):
        found = _insert(e, found)
    return of_list([e for e in found if not is_zero(e)])


def average(x: int, parts: Sequence[Expression]) -> Expression:
    """The average over the actions of `x`; a leaf if all parts are that leaf.

    >>> average(3, (ZERO, ZERO))
    ('c', Fraction(0, 1))
    """
    if len(parts) == 1 or (parts[0][0] in "ce" and all(e == parts[0] for e in parts)):
        return parts[0]
    return ("a", x, tuple(parts))


def simplify(e: Expression, sizes: Sequence[int]) -> Expression:
    """Equal terms collected, constant averages and entropies of single actions replaced.

    >>> simplify(("+", ("c", Fraction(1)), ("a", 0, (ZERO, ZERO))), [2])
    ('c', Fraction(1, 1))
    """
    if e[0] == "+":
        return collect(items(simplify(e[1], sizes)) + items(simplify(e[2], sizes)))
    if e[0] == "a":
        return average(e[1], [simplify(f, sizes) for f in e[2]])
    return ZERO if e[0] == "e" and sizes[e[2]] == 1 else e


def occurs(x: int, e: Expression) -> bool:
    """Whether the policy at `x` matters to `e`.

    >>> occurs(0, ("e", Fraction(1), 0))
    True
    """
    if e[0] == "c":
        return False
    if e[0] == "e":
        return bool(e[2] == x)
    if e[0] == "+":
        return occurs(x, e[1]) or occurs(x, e[2])
    return bool(e[1] == x) or any(occurs(x, f) for f in e[2])


def deviation(x: int, a: int, e: Expression) -> Expression:
    """`e` with `x` playing `a`, its entropy left out.

    >>> deviation(0, 1, ("a", 0, (ZERO, ("c", Fraction(5)))))
    ('c', Fraction(5, 1))
    """
    if e[0] == "c":
        return e
    if e[0] == "e":
        return ZERO if e[2] == x else e
    if e[0] == "+":
        return ("+", deviation(x, a, e[1]), deviation(x, a, e[2]))
    if e[1] == x:
        chosen: Expression = e[2][a]
        return chosen
    return ("a", e[1], tuple(deviation(x, a, f) for f in e[2]))


def entropy_coefficient(x: int, e: Expression) -> Expression:
    """The factor of the entropy of `x` in `e`.

    >>> entropy_coefficient(2, ("e", Fraction(7), 2))
    ('c', Fraction(7, 1))
    """
    if e[0] == "c":
        return ZERO
    if e[0] == "e":
        return ("c", e[1]) if e[2] == x else ZERO
    if e[0] == "+":
        return ("+", entropy_coefficient(x, e[1]), entropy_coefficient(x, e[2]))
    return ZERO if e[1] == x else ("a", e[1], tuple(entropy_coefficient(x, f) for f in e[2]))


def _entropy_part(x: int, e: Expression) -> Expression:
    if e[0] == "c":
        return ZERO
    if e[0] == "e":
        return e if e[2] == x else ZERO
    if e[0] == "+":
        return ("+", _entropy_part(x, e[1]), _entropy_part(x, e[2]))
    return ZERO if e[1] == x else ("a", e[1], tuple(_entropy_part(x, f) for f in e[2]))


def expand(order: Sequence[int], e: Expression, sizes: Sequence[int]) -> Expression:
    """The decisions of `order` pulled to the front, one after the other.

    >>> q = Fraction(1)
    >>> expand([1], ("a", 0, (("a", 1, (("c", q), ZERO)), ("a", 1, (ZERO, ("c", q))))), [2, 2])[:2]
    ('a', 1)
    """
    for i, x in enumerate(order):
        with_x = [f for f in items(e) if occurs(x, f)]
        if not with_x:
            continue
        rest, s = [f for f in items(e) if not occurs(x, f)], of_list(with_x)
        later = order[i + 1 :]
        front = average(x, [expand(later, deviation(x, k, s), sizes) for k in range(sizes[x])])
        return collect(
            items(front) + items(expand(later, _entropy_part(x, s), sizes)) + items(expand(later, of_list(rest), sizes))
        )
    return simplify(e, sizes)


def negative(e: Expression) -> Expression:
    """-e.

    >>> negative(("c", Fraction(1)))
    ('c', Fraction(-1, 1))
    """
    if e[0] == "c":
        return ("c", -e[1])
    if e[0] == "e":
        return ("e", -e[1], e[2])
    if e[0] == "+":
        return ("+", negative(e[1]), negative(e[2]))
    return ("a", e[1], tuple(negative(f) for f in e[2]))


def difference(x: int, a: int, b: int, e: Expression) -> Expression:
    """What `e` gains if `x` plays `a` instead of `b`.

    >>> simplify(difference(0, 1, 0, ("a", 0, (ZERO, ("c", Fraction(5))))), [2])
    ('c', Fraction(5, 1))
    """
    if e[0] in "ce":
        return ZERO
    if e[0] == "+":
        return ("+", difference(x, a, b, e[1]), difference(x, a, b, e[2]))
    if e[1] == x:
        return ("+", e[2][a], negative(e[2][b]))
    return ("a", e[1], tuple(difference(x, a, b, f) for f in e[2]))


def strip(own: Sequence[tuple[int, int]], e: Expression, sizes: Sequence[int]) -> Expression:
    """The own earlier moves divided out.

    >>> strip([(0, 1)], ("a", 0, (ZERO, ("c", Fraction(3)))), [2])
    ('c', Fraction(3, 1))
    """
    for x, k in own:
        e = simplify(deviation(x, k, e), sizes)
    return e


def through(x: int, k: int, e: Expression) -> bool:
    """Whether every payoff in `e` lies behind `x` playing `k`, so that the probability of that divides out.

    >>> through(0, 1, ("a", 0, (ZERO, ("c", Fraction(3)))))
    True
    """
    if is_zero(e):
        return True
    if e[0] in "ce":
        return False
    if e[0] == "+":
        return through(x, k, e[1]) and through(x, k, e[2])
    if e[1] == x:
        return all(j == k or is_zero(f) for j, f in enumerate(e[2]))
    return all(through(x, k, f) for f in e[2])
