"""Whether a piece of a branch holds exactly one stationary policy for every beta of its interval
(docs/theory/continuation.md#branches).

The search's own answer, in balls: a checker repeats the step in whole numbers on its own.  G is affine in
beta, so that what holds at both ends of an interval of betas holds between them.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import flint

from certify.bounds.arb_numbers import arb_ends, to_arb, working_precision
from certify.bounds.policy import layout_of
from certify.games.tree import Tree
from certify.stationary.krawczyk import Ratios, krawczyk_image, maps_inside, stationarity

UNIT_BITS = 128  # centres and radii are multiples of 2^-UNIT_BITS
INVERSE_BITS = 48  # entries of approximate inverses of 2^-INVERSE_BITS
MAX_RATIOS = 600  # log-ratios of a piece that checkers must accept (docs/certificate-format.md)
PRECISION = 256
_ROOM = Fraction(1, 16)  # of a radius, at most

# per row and action the two ends of log pi(a) - log pi(reference), proved
Image = list[list[tuple[Fraction, Fraction]]]


class PieceProof:
    """Proofs on one tree of pieces in the form in which a certificate carries them."""

    def __init__(self, tree: Tree) -> None:
        """`tree` may be clustered."""
        self.tree, self.layout = tree, layout_of(tree)

    def image(self, data: dict[str, Any]) -> Image | None:
        """Ends of the log-ratios of the one stationary policy in the box, over all betas; None where no proof is found.

        `data` : "beta", "reference", "centre", "radius" and "inverse" as in docs/certificate-format.md.
        """
        starts = self.layout.row_start.tolist()
        ratios = Ratios(self.layout, [start + r for start, r in zip(starts, data["reference"], strict=True)])
        with working_precision(PRECISION):
            centre, radius = (
                [to_arb(Fraction(value, 1 << UNIT_BITS)) for row in data[name] for value in row]
                for name in ("centre", "radius")
            )
            middle = flint.arb_mat(ratios.size, 1, centre)
            scale = to_arb(Fraction(1, 1 << INVERSE_BITS))
            inverse = flint.arb_mat(ratios.size, ratios.size, [y * scale for row in data["inverse"] for y in row])
            found: list[flint.arb] | None = None
            for beta in dict.fromkeys(Fraction(b) for b in data["beta"]):
                residual, _ = stationarity(self.tree, ratios, beta, middle, slopes=False)
                box, image = krawczyk_image(self.tree, ratios, beta, middle, radius, inverse, residual)
                wide = widened(image, radius)
                if not maps_inside(box, wide):
                    return None
                own = wide.entries()
                found = own if found is None else [a.union(b) for a, b in zip(found, own, strict=True)]
            return self.by_row(ratios, found or [])

    @staticmethod
    def by_row(ratios: Ratios, found: list[flint.arb]) -> Image | None:
        """Ends of the log-ratios by row, or None where one is not finite."""
        rows: Image = []
        for row in ratios.rows:
            ends = []
            for k in row:
                coordinate = ratios.coordinate.get(k)
                pair = (Fraction(0), Fraction(0)) if coordinate is None else arb_ends(found[coordinate])
                if pair is None:
                    return None
                ends.append(pair)
            rows.append(ends)
        return rows


def widened(image: flint.arb_mat, radius: list[flint.arb]) -> flint.arb_mat:
    """The image and as much room again on both sides, at most `_ROOM` of the box: a checker whose arithmetic is
    coarser than ours must still find its own image inside what is claimed."""
    most = [(r * to_arb(_ROOM)).upper() for r in radius]
    room = [min(part, entry.rad()) for part, entry in zip(most, image.entries(), strict=True)]
    return image + flint.arb_mat(len(room), 1, [flint.arb(0, r) for r in room])
