"""Pieces of a branch among the policies that symmetries fix: Krawczyk steps with one unknown for all entries of
an orbit (docs/theory/annealing.md#symmetric-boxes).

Such a branch passes temperatures at which the policy is degenerate along directions that no symmetry fixes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import flint
import numpy as np

from certify.bounds.arb_numbers import to_arb, working_precision
from certify.games.tree import Tree
from certify.stationary.branch_pieces import BranchPath, Frame
from certify.stationary.krawczyk import Ratios, maps_inside, stationarity
from certify.stationary.piece_proof import INVERSE_BITS, PRECISION, UNIT_BITS, Image, PieceProof, widened


class SymmetricPath(BranchPath):
    """Pieces on one tree for policies that are equal on orbits of entries."""

    def __init__(self, tree: Tree, entry_orbit: np.ndarray) -> None:
        """`entry_orbit` (entries,) numbers the orbits of entries of the flat policy."""
        super().__init__(tree)
        self.orbit = entry_orbit
        self.proof: PieceProof = SymmetricProof(tree, entry_orbit)

    def frame(self, z: np.ndarray, beta: Fraction) -> SymmetricFrame:
        """Reference actions that symmetries exchange, and one unknown for each orbit."""
        return SymmetricFrame(self, z, beta)

    def newton(self, z: np.ndarray, beta: Fraction) -> np.ndarray | None:
        """Newton's method with every iterate made symmetric."""
        for _ in range(30):
            frame = self.frame(z, beta)
            if not np.isfinite(frame.inverse).all():
                return None
            step = frame.correction(self.eq.residual(z[:, None], float(beta))[:, 0])
            z = self.symmetrised(z - step)
            size = float(np.abs(step).max(initial=0.0))
            if not size < 5:
                return None
            if size < 1e-12 * (1 + np.abs(z).max(initial=0.0)):
                return z
        return z if size < 1e-9 else None

    def symmetrised(self, z: np.ndarray) -> np.ndarray:
        """(N,) log-ratios of the policy whose log-probabilities are means over orbits."""
        logs = self.eq.log_policy(z[:, None])[:, 0]
        count = int(self.orbit.max()) + 1
        mean = np.bincount(self.orbit, logs, count) / np.maximum(np.bincount(self.orbit, minlength=count), 1)
        found: np.ndarray = mean[self.orbit][self.eq.entry] - mean[self.orbit][self.eq.last]
        return found


class SymmetricFrame(Frame):
    """`Frame` with `inverse` in one unknown for each orbit."""

    def __init__(self, path: SymmetricPath, z: np.ndarray, beta: Fraction) -> None:
        eq = path.eq
        self.z, self.size = z, eq.size
        flat = eq.log_policy(z[:, None])[:, 0]
        self.reference = references(flat, path.rows, path.orbit)
        self.widths = [b - a for a, b in path.rows]
        self.groups = groups(path.rows, self.reference, path.orbit)
        into, back = self._changes(path)
        _, slope, by_beta = eq.linearised(z, float(beta))
        spread = np.zeros((self.size, len(self.groups)))
        for k, group in enumerate(self.groups):
            spread[group, k] = 1.0
        first = [group[0] for group in self.groups]
        reduced = (into @ slope @ back)[first] @ spread
        try:
            self.inverse = np.linalg.inv(reduced) if self.groups else np.zeros((0, 0))
        except np.linalg.LinAlgError:
            self.inverse = np.full_like(reduced, np.nan)
        self._to_last, self._first = back @ spread @ self.inverse, into[first]
        self.motion = -spread @ self.inverse @ (into @ by_beta)[first]
        self.tangent = back @ self.motion
        centre = np.array(
            [flat[a + k] - flat[a + r] for (a, b), r in zip(path.rows, self.reference, strict=True)
             for k in range(b - a) if k != r]
        )  # fmt: skip
        even = np.zeros(self.size)
        for group in self.groups:
            even[group] = centre[group].mean()
        self.centre = [Fraction(float(c)) for c in even]

    def correction(self, residual: np.ndarray) -> np.ndarray:
        """(N,) Newton's step for a residual in log-ratios against the last action."""
        found: np.ndarray = self._to_last @ (self._first @ residual)
        return found

    def even(self, values: list[int]) -> list[int]:
        """The largest value of each group for all of it."""
        found = list(values)
        for group in self.groups:
            for k in group:
                found[k] = max(values[j] for j in group)
        return found


def references(flat: np.ndarray, rows: list[tuple[int, int]], orbit: np.ndarray) -> list[int]:
    """Per row a reference action, in one orbit of entries wherever symmetries exchange rows: the most probable one of
    the first such row."""
    chosen: set[int] = set()
    found = []
    for a, b in rows:
        own = [k for k in range(b - a) if int(orbit[a + k]) in chosen]
        if not own:
            own = [int(np.argmax(flat[a:b]))]
            chosen.add(int(orbit[a + own[0]]))
        found.append(own[0])
    return found


def groups(rows: list[tuple[int, int]], reference: list[int], orbit: np.ndarray) -> list[list[int]]:
    """Coordinates (of log-ratios against the reference) with one orbit; those with the orbit of a reference, which are
    0, are left out."""
    fixed = {int(orbit[a + r]) for (a, _), r in zip(rows, reference, strict=True)}
    found: dict[int, list[int]] = {}
    number = 0
    for (a, b), r in zip(rows, reference, strict=True):
        for k in range(b - a):
            if k != r:
                key = int(orbit[a + k])
                if key not in fixed:
                    found.setdefault(key, []).append(number)
                number += 1
    return list(found.values())


class SymmetricProof(PieceProof):
    """Proofs of pieces for policies that are equal on orbits."""

    def __init__(self, tree: Tree, entry_orbit: np.ndarray) -> None:
        super().__init__(tree)
        self.orbit = entry_orbit

    def image(self, data: dict[str, Any]) -> Image | None:
        """As of `PieceProof`, about the one symmetric policy in the box."""
        starts = self.layout.row_start.tolist()
        rows = list(zip(starts, [*starts[1:], self.layout.size], strict=True))
        ratios = Ratios(self.layout, [start + r for start, r in zip(starts, data["reference"], strict=True)])
        together = groups(rows, data["reference"], self.orbit)
        first, count = [group[0] for group in together], len(together)
        with working_precision(PRECISION):
            centre, radius = (
                [to_arb(Fraction(value, 1 << UNIT_BITS)) for row in data[name] for value in row]
                for name in ("centre", "radius")
            )
            middle = flint.arb_mat(ratios.size, 1, centre)
            own = flint.arb_mat(count, 1, [centre[k] for k in first])
            spread = flint.arb_mat(count, 1, [flint.arb(0, radius[k]) for k in first])
            scale = to_arb(Fraction(1, 1 << INVERSE_BITS))
            inverse = flint.arb_mat(count, count, [y * scale for row in data["inverse"] for y in row])
            box = middle + flint.arb_mat(ratios.size, 1, [flint.arb(0, r) for r in radius])
            identity = flint.arb_mat(count, count, [int(k == b) for k in range(count) for b in range(count)])
            found: list[flint.arb] | None = None
            for beta in dict.fromkeys(Fraction(b) for b in data["beta"]):
                residual, _ = stationarity(self.tree, ratios, beta, middle, slopes=False)
                _, slope = stationarity(self.tree, ratios, beta, box)
                reduced = flint.arb_mat(
                    count, count, [sum((slope[k, b] for b in group), flint.arb(0)) for k in first for group in together]
                )
                at = flint.arb_mat(count, 1, [residual[k, 0] for k in first])
                wide = widened(own - inverse * at + (identity - inverse * reduced) * spread, [radius[k] for k in first])
                if not maps_inside(own + spread, wide):
                    return None
                entries = wide.entries()
                found = entries if found is None else [a.union(b) for a, b in zip(found, entries, strict=True)]
            whole = [flint.arb(0)] * ratios.size
            for ball, group in zip(found or [], together, strict=True):
                for k in group:
                    whole[k] = ball
            return self.by_row(ratios, whole)
