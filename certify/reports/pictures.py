"""`certify.plot`: the picture of a certificate or of a result, whatever its kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from certify.answers.policy import PolicyDistance
from certify.answers.threshold_result import ThresholdResult
from certify.crossplay.study import CrossPlayStudy
from certify.errors import InputError
from certify.reports import draw_entropy as entropy
from certify.reports.draw_anneal import plot_anneal
from certify.reports.draw_cover import plot_cover
from certify.reports.draw_crossplay import plot_crossplay, plot_study
from certify.reports.draw_policy import plot_distance, plot_multiplicity, plot_optimum
from certify.reports.draw_symmetry import plot_group, plot_symmetry
from certify.reports.draw_threshold import plot_ladder, plot_threshold
from certify.reports.judgement import ACCEPTED, Judgement, judge, read_certificate
from certify.reports.style import Drawn, stamp
from certify.symmetry.group import SymmetryGroup

KINDS: dict[str, Callable[..., Drawn]] = {
    "threshold": plot_threshold,
    "structural-parameters": plot_ladder,
    "optimum": plot_optimum,
    "anneal": plot_anneal,
    "multiplicity": plot_multiplicity,
    "crossplay": plot_crossplay,
    "symmetry": plot_symmetry,
    "entropy-sign": entropy.plot_sign,
    "entropy-clipping": entropy.plot_clipping,
    "entropy-controller": entropy.plot_controller,
    "entropy-run": entropy.plot_run,
    "entropy-table": entropy.plot_table,
    "entropy-flow": entropy.plot_flow,
    "entropy-batch": entropy.plot_batch,
}


def plot(given: Any, ax: Any = None, *, cover: bool = False, **options: Any) -> Any:
    """A matplotlib figure of a certificate or of a result.

    Parameters
    ----------
    given : a result (of `threshold`, `optimum`, `policy_distance`, `cross_play`, `symmetries`), a certificate as an
        object, or the path of one.  Objects and files are checked first: what the checker does not accept is drawn
        as "claimed, not proved".
    ax : axes to draw into; a new figure by default.  cover : the boxes of a threshold's proof instead.
    options : `seconds` and `tube` for thresholds (see `plot_threshold`).

    Raises `InputError` for what cannot be drawn, and where matplotlib is missing.

    >>> import certify
    >>> figure = plot(certify.threshold("lever:2", method="structural"))
    >>> type(figure).__name__
    'Figure'
    """
    return drawn(given, ax, cover=cover, **options).figure


def drawn(given: Any, ax: Any = None, *, cover: bool = False, **options: Any) -> Drawn:
    """The same with the caption that says what is to be seen."""
    if isinstance(given, PolicyDistance):
        if given.distance is None:
            raise InputError("plot", "nothing was proved", given.reason or "raise the limits")
        return plot_distance(given, ax)
    if isinstance(given, CrossPlayStudy):
        return plot_study(given, ax)
    if isinstance(given, SymmetryGroup):
        return plot_group(given, ax)
    if isinstance(given, ThresholdResult) and given.document is not None and _ladder(given.document) and not cover:
        return plot_ladder(given.document, ax, forms=given.forms)
    document = getattr(given, "document", None)
    if document is not None:
        return draw(document, ax, cover=cover, judged=ACCEPTED, **options)
    if isinstance(given, (str, os.PathLike)):
        given = read_certificate(given)
    return draw(given, ax, cover=cover, **options)


def draw(
    document: Any, ax: Any = None, *, cover: bool = False, judged: Judgement | None = None, **options: Any
) -> Drawn:
    """The picture of a certificate with its caption; without a judgement the checker is asked.

    Raises `InputError` for a damaged certificate, or one of a kind that has no picture.
    """
    kind = document.get("kind") if isinstance(document, dict) else None
    drawing = KINDS.get(str(kind))
    if drawing is None:
        raise InputError("certify plot", "no certificate that can be drawn", "give a certificate that `certify` wrote")
    if cover and kind != "threshold":
        raise InputError("--cover", f"a certificate of kind {kind} has none", "leave --cover out")
    if judged is None:
        judged = judge(document)
    if cover:
        drawing = plot_cover
    elif kind == "threshold" and _ladder(document):
        drawing = plot_ladder
    if drawing is not plot_threshold:
        options = {}
    try:
        found = drawing(document, ax, proved=judged.proved, **options)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            "certify plot", f"a damaged certificate ({type(error).__name__})", "run `certify check` on it"
        ) from None
    if judged.state == "invalid":
        stamp(found.figure, "REFUSED by the checker")
    return found


def _ladder(document: dict[str, Any]) -> bool:
    """Whether a threshold is drawn as a ladder of forms: one that no search has sharpened."""
    proof = document.get("proof")
    structural = isinstance(proof, dict) and proof.get("type") in ("structural", "windows")
    return structural and not document.get("multiplicity")
