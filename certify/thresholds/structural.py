"""Structural thresholds: uniqueness from the sizes and ranges of a game, without enumerating a
single history (docs/theory/structural.md; docs/certificate-format.md, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator

from certify.games.model import Game
from certify.thresholds.general_forms import general
from certify.thresholds.local_forms import local_forms
from certify.thresholds.one_step_forms import one_step, one_step_rho, one_step_spectral
from certify.thresholds.row_form import row_form
from certify.thresholds.shapes import shape_of
from certify.thresholds.structural_form import Structural


def structural_forms(game: Game) -> Iterator[Structural]:
    """Every structural form that applies to `game`, one by one, the cheapest to find first."""
    if game.flows_back:
        yield from _forms_of_gradients(game)
    else:
        yield from local_forms(game)
    step = one_step(game)
    if step is not None:
        yield from (form for form in (one_step_rho(step), one_step_spectral(step)) if form is not None)


def _forms_of_gradients(game: Game) -> Iterator[Structural]:
    shape = shape_of(game)
    yield general(shape, "theorem-B")
    yield general(shape, "theorem-D-prime")
    rows = row_form(shape)
    if rows is not None:
        yield rows


def structural_thresholds(game: Game) -> list[Structural]:
    """Every structural form that applies to `game`, smallest alpha_star first.

    >>> from certify.games.builtin import builtin
    >>> best = structural_thresholds(builtin("lever:2"))[0]
    >>> best.alpha_star
    Fraction(1, 2)
    """
    return sorted(structural_forms(game), key=lambda form: form.order)
