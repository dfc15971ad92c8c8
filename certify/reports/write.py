"""`certify.report`: the page of a certificate or of a result that carries one."""

from __future__ import annotations

import os
from typing import Any

from certify.certificates.reading import statement
from certify.errors import InputError
from certify.reports.html import Markup, Page, page
from certify.reports.judgement import Judgement, judge, read_certificate
from certify.reports.pictures import draw
from certify.reports.style import as_svg

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
    document = certificate_of(document)
    told = statement(document)
    judged = judge(document) if judgement is None else judgement
    drawn, caption, missing = _picture(document, proved=judged.proved) if picture else (None, "", "")
    return page(Page(told, judged, drawn, caption, missing, file, signature))


def certificate_of(given: Any) -> dict[str, Any]:
    """The certificate in a document or a result; raises `InputError` where there is none."""
    if isinstance(given, (str, os.PathLike)):
        given = read_certificate(given)
    found = given if isinstance(given, dict) else getattr(given, "document", None)
    if callable(getattr(given, "certificate", None)):
        found = given.certificate()
    if not isinstance(found, dict):
        raise InputError("report", "nothing with a certificate", "give a certificate or a result that proved something")
    return found


def _picture(document: dict[str, Any], *, proved: bool) -> tuple[Markup | None, str, str]:
    """(the picture, its caption, why there is none)."""
    try:
        drawn = draw(document, proved=proved)
    except InputError as error:
        return None, "", f"No picture: {error}"
    text = as_svg(drawn.figure)
    if len(text) > _LARGEST_PICTURE:
        return None, "", "No picture: it is too large for a page; `certify plot` draws it into a file"
    return Markup(text), drawn.caption, ""
