"""Boxes around the stationary policy at one beta, and chains of them along an interval of betas: what
a checker then proves by Krawczyk steps (docs/theory/objective.md#stationary-policies,
docs/theory/continuation.md#branches).

Proposals are made in floats and are free to be wrong: only what is proved is kept.  Two boxes of a
chain meet in a narrow one at the beta that they share.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from certify.exact import rational_text
from certify.games.tree import Tree
from certify.run import OutOfTime, Run
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.approx_policies import approx_newton, approx_settle
from certify.stationary.piece_proof import INVERSE_BITS, UNIT_BITS, Image, PieceProof

_FIRST_RADII = (2.0**-38, 2.0**-46, 2.0**-30)
_ROOM = 4  # a refined box is so many times wider than the image it is made from
_OWN, _COMMON = 1.5, 0.25  # radii: parts of the path's own motion and of its largest coordinate
_FIRST_MOTION = 0.05  # of a log-ratio along the first piece
_LEAST_STEP = 1e-5  # of the last beta: shorter pieces are not tried


@dataclass(frozen=True, eq=False)
class Piece:
    """A box of log-ratios for every beta in [low, high]; `image` encloses its stationary policy."""

    low: Fraction
    high: Fraction
    data: dict[str, Any]
    image: Image

    def holds(self, image: Image) -> bool:
        """Whether the box contains every policy of `image` (whose reference actions may be others)."""
        for x, row in enumerate(image):
            r = self.data["reference"][x]
            own = [z for a, z in enumerate(row) if a != r]
            for (low, high), m, rho in zip(own, self.data["centre"][x], self.data["radius"][x], strict=True):
                if not ((m - rho) <= (low - row[r][1]) * 2**UNIT_BITS and (high - row[r][0]) * 2**UNIT_BITS <= m + rho):
                    return False
        return True


class Stopped(Exception):
    """The chain ends at beta = `reached`, for the reason `why`; `pieces` were proved until then."""

    def __init__(self, reached: Fraction, why: str, pieces: list[Piece]) -> None:
        super().__init__(why)
        self.reached, self.why, self.pieces = reached, why, pieces


class BranchPath:
    """Pieces on one tree: proposed in floats, kept where they are proved."""

    def __init__(self, tree: Tree) -> None:
        """`tree` may be clustered."""
        self.eq = ApproxEquations(tree)
        self.proof = PieceProof(tree)
        layout = self.eq.layout
        ends = [*layout.row_start.tolist(), layout.size]
        self.rows = list(itertools.pairwise(ends))

    def start(self, beta: Fraction) -> np.ndarray | None:
        """(N,) log-ratios of a stationary policy at beta in floats, reached from the uniform one."""
        if self.eq.size == 0:  # nobody has a choice
            return np.zeros(0)
        settled = approx_settle(self.eq, np.zeros((self.eq.size, 1)), float(beta))
        return self.newton(settled[:, 0], beta) if settled.shape[1] else None

    def frame(self, z: np.ndarray, beta: Fraction) -> Frame:
        """The float policy z with what moves there."""
        return Frame(self, z, beta)

    def newton(self, z: np.ndarray, beta: Fraction) -> np.ndarray | None:
        """The stationary policy near z in floats, None where there is none."""
        return approx_newton(self.eq, z, float(beta)) if self.eq.size else z

    def uniform(self, low: Fraction, high: Fraction) -> Piece:
        """The piece that says that the uniform policy is stationary for every beta in [low, high]."""
        image: Image = [[(Fraction(0), Fraction(0))] * (b - a) for a, b in self.rows]
        return Piece(low, high, {"beta": [rational_text(low), rational_text(high)], "uniform": True}, image)

    def point(self, beta: Fraction, z: np.ndarray, *, refine: bool = True) -> Piece | None:
        """A narrow piece at one beta around the floats z; refined once more if asked for."""
        frame = self.frame(z, beta)
        for radius in _FIRST_RADII:
            piece = self._proved(beta, beta, frame, frame.centre, [Fraction(radius)] * frame.size)
            if piece is not None:
                break
        else:
            return None
        if not refine:
            return piece
        ends = [z for x, row in enumerate(piece.image) for a, z in enumerate(row) if a != frame.reference[x]]
        least = Fraction(1, 2 ** (UNIT_BITS - 12))
        return (
            self._proved(
                beta,
                beta,
                frame,
                [(low + high) / 2 for low, high in ends],
                [_ROOM * (high - low) / 2 + least for low, high in ends],
            )
            or piece
        )

    def chain(
        self, low: Fraction, high: Fraction, z: np.ndarray, *, linked: bool, widest: float, run: Run | None = None
    ) -> list[Piece]:
        """Pieces that cover [low, high] from a stationary policy z at low; raises `Stopped` with what
        was covered in `pieces`.

        linked : put a narrow piece between neighbours, that both hold (needed below the threshold).
        widest : of a probability's enclosure.
        """
        run = run or Run()
        pieces: list[Piece] = []
        joint = self.point(low, z, refine=False) if linked else None
        if linked and joint is None:
            raise Stopped(low, "no narrow box is proved where the branch begins", [])
        if joint is not None:
            pieces.append(joint)
        frame, reached, step, growth = self.frame(z, low), low, None, 1.5
        try:
            while reached < high:
                run.check()
                if step is None:
                    speed = float(np.abs(frame.motion).max(initial=0.0))
                    step = min(float(high - low), _FIRST_MOTION / max(speed, 1e-12))
                elif step < _LEAST_STEP * float(reached or high):
                    raise Stopped(reached, "the boxes shrink: the branch comes near a degenerate policy", pieces)
                end = min(high, _after(reached, step))
                found = self._between(reached, end, frame, joint, linked, widest)
                if found is None:
                    step, growth = float(end - reached) * 0.6, 1.1
                    continue
                piece, joint, frame = found
                pieces += [piece] if joint is None else [piece, joint]
                step, reached = float(end - reached) * growth, end
                run.progress(f"followed to alpha = {float(1 / reached):.6g} ({len(pieces)} pieces)")
        except KeyboardInterrupt:
            run.interrupt()
            raise Stopped(reached, run.reason(), pieces) from None
        except OutOfTime as over:
            raise Stopped(reached, str(over) or run.reason(), pieces) from None
        return pieces

    def _between(
        self, low: Fraction, high: Fraction, frame: Frame, joint: Piece | None, linked: bool, widest: float
    ) -> tuple[Piece, Piece | None, Frame] | None:
        """The piece over [low, high] that holds `joint`, the joint at its end and the frame there."""
        middle = (low + high) / 2
        z = self.newton(frame.z + frame.tangent * float(middle - low), middle)
        if z is None:
            return None
        here = self.frame(z, middle)
        moved = np.abs(here.motion) * float(high - low) / 2
        radius = _OWN * moved + _COMMON * moved.max(initial=0.0) + 2.0**-40
        piece = self._proved(low, high, here, here.centre, [Fraction(float(r)) for r in radius])
        if piece is None or _widest(piece.image) > widest or (joint is not None and not piece.holds(joint.image)):
            return None
        z = self.newton(here.z + here.tangent * float(high - middle), high)
        if z is None:
            return None
        after = self.point(high, z, refine=False) if linked else None
        if linked and (after is None or not piece.holds(after.image)):
            return None
        return piece, after, self.frame(z, high)

    def _proved(
        self, low: Fraction, high: Fraction, frame: Frame, centre: list[Fraction], radius: list[Fraction]
    ) -> Piece | None:
        scaled = [[round(value * 2**UNIT_BITS) for value in values] for values in (centre, radius)]
        if not np.isfinite(frame.inverse).all():
            return None
        data = {
            "beta": [rational_text(low), rational_text(high)],
            "reference": frame.reference,
            "centre": frame.by_row(scaled[0]),
            "radius": frame.by_row(frame.even([max(1, r) for r in scaled[1]])),
            "inverse": np.rint(frame.inverse * 2.0**INVERSE_BITS).astype(object).tolist(),
        }
        data["inverse"] = [[int(y) for y in row] for row in data["inverse"]]
        image = self.proof.image(data)
        return None if image is None else Piece(low, high, data, image)


def _after(beta: Fraction, step: float) -> Fraction:
    """A short dyadic near beta + step, above beta."""
    bits = 6 - int(np.floor(np.log2(step)))
    target = (beta + Fraction(step)) * Fraction(2) ** bits
    return Fraction(round(target)) / Fraction(2) ** bits


def _widest(image: Image) -> float:
    """The widest enclosure of a probability (in floats: it only steers)."""
    widest = 0.0
    for row in image:
        low, high = (np.array([float(z[k]) for z in row]) for k in range(2))
        for a in range(len(row)):
            others = np.arange(len(row)) != a
            top = 1 / (1 + np.exp(low[others] - high[a]).sum())
            bottom = 1 / (1 + np.exp(high[others] - low[a]).sum())
            widest = max(widest, float(top - bottom))
    return widest


class Frame:
    """A float policy with the most probable action of each row as reference, and what moves there.

    `z`, `tangent` (N,): log-ratios against the last action, as `ApproxEquations` has them, and their
    derivative by beta.  `centre`, `motion`, `inverse`: log-ratios against the reference, their
    derivative, and the inverse Jacobian in these coordinates.
    """

    def __init__(self, path: BranchPath, z: np.ndarray, beta: Fraction) -> None:
        eq = path.eq
        self.z, self.size = z, eq.size
        flat = eq.log_policy(z[:, None])[:, 0]
        self.reference = [int(np.argmax(flat[a:b])) for a, b in path.rows]
        self.widths = [b - a for a, b in path.rows]
        into, back = self._changes(path)
        _, slope, by_beta = eq.linearised(z, float(beta))
        try:
            inverse = np.linalg.inv(slope) if eq.size else np.zeros((0, 0))
        except np.linalg.LinAlgError:
            inverse = np.full_like(slope, np.nan)
        self.tangent = -inverse @ by_beta
        self.inverse, self.motion = into @ inverse @ back, into @ self.tangent
        self.centre = [
            Fraction(float(flat[a + k] - flat[a + r]))
            for (a, b), r in zip(path.rows, self.reference, strict=True)
            for k in range(b - a)
            if k != r
        ]

    def _changes(self, path: BranchPath) -> tuple[np.ndarray, np.ndarray]:
        """Matrices between log-ratios against the last action and against the reference."""
        into, back = np.zeros((self.size, self.size)), np.zeros((self.size, self.size))
        start = 0
        for (a, b), r in zip(path.rows, self.reference, strict=True):
            last = b - a - 1
            old = {k: start + k for k in range(last)}
            new = {k: start + n for n, k in enumerate(k for k in range(last + 1) if k != r)}
            for one, other, fixed, matrix in ((new, old, r, into), (old, new, last, back)):
                for k, row in one.items():
                    if k in other:
                        matrix[row, other[k]] += 1
                    if fixed in other:
                        matrix[row, other[fixed]] -= 1
            start += last
        return into, back

    def even(self, values: list[int]) -> list[int]:
        """Radii by coordinate, as they have to be related."""
        return values

    def by_row(self, values: list[int]) -> list[list[int]]:
        """Coordinates as one list per row."""
        rows, start = [], 0
        for width in self.widths:
            rows.append(values[start : start + width - 1])
            start += width - 1
        return rows
