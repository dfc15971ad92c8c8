"""Numbers inserted into written proofs at marked places, and the tables that hold many of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from certify.errors import InputError
from certify.exact import decimal_text, rational_text

_MARK = re.compile(r"<!--=(?P<name>[\w-]+)-->.*?<!--/-->", re.DOTALL)
_LONGEST_EXACT = 7


def marks(text: str) -> list[str]:
    """The names of the marked places of a written proof.

    >>> marks("the threshold is <!--=alpha-->1/2<!--/-->")
    ['alpha']
    """
    return [match["name"] for match in _MARK.finditer(text)]


def filled(text: str, figures: Mapping[str, str], where: str) -> str:
    """The written proof with the figures of a run in its marked places, the marks kept.

    Raises `InputError` where a mark has no figure or a figure no mark.

    >>> filled("from <!--=alpha--><!--/--> on", {"alpha": "1/2"}, "proof")
    'from <!--=alpha-->1/2<!--/--> on'
    """
    names = set(marks(text))
    if names != set(figures):
        odd = sorted(names ^ set(figures))[0]
        raise InputError(
            where,
            f"the figure {odd!r} is "
            + ("marked, but the script gives none" if odd in names else "given by the script, but marked nowhere"),
            "make the marks of the text and the figures of the script agree",
        )
    return _MARK.sub(lambda match: f"<!--={match['name']}-->{figures[match['name']]}<!--/-->", text)


def unmarked(text: str) -> str:
    """The text without its marks, for reports.

    >>> unmarked("from <!--=alpha-->1/2<!--/--> on")
    'from 1/2 on'
    """
    return re.sub(r"<!--=[\w-]+-->|<!--/-->", "", text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table on lines of its own.

    >>> print(table(["game", "alpha*"], [["lever:2", "1/2"]]).strip())
    | game | alpha* |
    | --- | --- |
    | lever:2 | 1/2 |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n" + "".join("| " + " | ".join(line) + " |\n" for line in lines)


def number(value: Fraction | int, digits: int = 6, *, up: bool) -> str:
    """A number for a person: exact where that is short, else a decimal on the safe side.

    >>> number(Fraction(1, 2), up=True), number(Fraction(22222222, 66666667), up=True)
    ('1/2', '0.333334')
    """
    exact = rational_text(value)
    return exact if len(exact) <= _LONGEST_EXACT else decimal_text(Fraction(value), digits, up=up)


def between(lower: Fraction | float, upper: Fraction | float, digits: int = 6) -> str:
    """An enclosure as `[low, high]`, ends rounded outwards.

    >>> between(Fraction(1, 3), Fraction(2, 3), 2)
    '[0.33, 0.67]'
    """
    return f"[{decimal_text(Fraction(lower), digits, up=False)}, {decimal_text(Fraction(upper), digits, up=True)}]"
