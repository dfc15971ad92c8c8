"""`certify.report` and `certify.theorem`: the page and the LaTeX of a certificate or of a result."""

from __future__ import annotations

import os
from typing import Any

from certify.certificates.markup import say
from certify.certificates.reading import statement
from certify.certificates.statement import Item, Statement, items
from certify.certificates.symmetry import certificate as symmetry_certificate
from certify.errors import InputError
from certify.notebook import Shown
from certify.reports.html import Markup, Page, page
from certify.reports.judgement import COMPUTED, Judgement, judge, read_certificate
from certify.reports.latex import theorem as latex
from certify.reports.pictures import draw
from certify.reports.pictures import drawn as drawn_of
from certify.reports.style import as_svg
from certify.symmetry.group import SymmetryGroup

_LARGEST_PICTURE = 900_000  # characters of SVG; the page stays below 2 MB


def report(
    document: Any,
    *,
    judgement: Judgement | None = None,
    file: tuple[str, str] | None = None,
    signature: str = "",
    picture: bool = True,
) -> str:
    """A self-contained HTML page about a certificate; the checker is asked unless a `judgement` is given.

    Parameters
    ----------
    document : a certificate (the object in its file, or its path), or a result with one.
    file : its name and SHA-256, for the part that says how to check it.
    signature : a sentence about a signature.  picture : False leaves it out.

    Raises `InputError` for what is no certificate.

    >>> import certify
    >>> text = report(certify.threshold("lever:2", method="structural"), picture=False)
    >>> "What is proved" in text, "<script" in text
    (True, False)
    """
    found = certificate_of(document)
    if found is None:
        drawn, caption, missing = _picture_of(document) if picture else (None, "", "")
        return page(Page(_without(document), COMPUTED, drawn, caption, missing))
    told = statement(found)
    judged = judge(found) if judgement is None else judgement
    drawn, caption, missing = _picture(found, judged) if picture else (None, "", "")
    return page(Page(told, judged, drawn, caption, missing, file, signature))


def theorem(document: Any, *, judgement: Judgement | None = None, file_sha256: str = "") -> str:
    """LaTeX of a certificate, or of a result, for an appendix; the checker is asked unless a `judgement` is given.

    Raises `InputError` for what is no certificate.

    >>> import certify
    >>> r"\\begin{theorem}" in theorem(certify.threshold("lever:2", method="structural"))
    True
    """
    found = certificate_of(document)
    if found is None:
        return latex(_without(document), COMPUTED)
    return latex(statement(found), judge(found) if judgement is None else judgement, file_sha256=file_sha256)


def certificate_of(given: Any) -> dict[str, Any] | None:
    """The certificate in a document, a file or a result, None for a result without one.

    Raises `InputError` for anything else.
    """
    if isinstance(given, (str, os.PathLike)):
        given = read_certificate(given)
    if isinstance(given, dict):
        return given
    if not isinstance(given, Shown):
        raise InputError("report", f"a {type(given).__name__}", "give a certificate or a result of certify")
    if isinstance(given, SymmetryGroup):
        return symmetry_certificate(given)
    make = getattr(given, "certificate", None)  # reports of entropy make theirs when asked
    found = make() if callable(make) else getattr(given, "document", None)
    return found if isinstance(found, dict) else None


def _without(result: Shown) -> Statement:
    """What a result without a certificate says of itself."""
    facts = result.facts()
    claims = [Item(say("{=} {=}.", label.rstrip(":="), value)) for label, value in facts.rows]
    return Statement(
        "result",
        say("Result: {=}", facts.title),
        say("Consider what was asked: {=}", facts.title),
        (),
        tuple(claims),
        limits=items(say("{=}", facts.note)) if facts.note else (),
    )


def _picture_of(result: Any) -> tuple[Markup | None, str, str]:
    """The same for a result."""
    try:
        found = drawn_of(result)
    except InputError as error:
        return None, "", f"No picture: {error}"
    return Markup(as_svg(found.figure)), found.caption, ""


def _picture(document: dict[str, Any], judged: Judgement) -> tuple[Markup | None, str, str]:
    """(the picture, its caption, why there is none)."""
    try:
        drawn = draw(document, judged=judged)
    except InputError as error:
        return None, "", f"No picture: {error}"
    text = as_svg(drawn.figure)
    if len(text) > _LARGEST_PICTURE:
        return None, "", "No picture: it is too large for a page; `certify plot` draws it into a file"
    return Markup(text), drawn.caption, ""
