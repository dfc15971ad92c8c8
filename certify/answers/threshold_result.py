"""What `certify.threshold` returns (interface: `certify threshold --json`)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify.certificates.writing import save_document
from certify.notebook import Facts, Shown, decimal


@dataclass(frozen=True)
class PotentialOf:
    """What a threshold of a potential says of the original game (docs/theory/potential.md#lambda).

    lambda_star : the original game has exactly one logit quantal response equilibrium for every lambda from 0 to
    lambda_star.  weights : of the players, under which the certified game is its potential.
    """

    lambda_star: Fraction
    weights: tuple[Fraction, ...]

    @classmethod
    def said_in(cls, document: dict[str, Any], threshold: dict[str, Any]) -> PotentialOf | None:
        """What a certificate says through its `threshold`: itself, or the part inside; None for a game in its own
        right."""
        if "original" not in threshold:
            return None
        weights = tuple(Fraction(w) for w in document["game"]["weights"])
        return cls(1 / Fraction(threshold["claim"]["alpha_star"]), weights)


@dataclass(frozen=True, repr=False)
class ThresholdResult(Shown):
    """What `threshold` found.

    horizon : number of steps; None where the claim is about every number of them.
    status : "proved" (the checker accepted the certificate) or "undecided" (`reason` says why).
    alpha_star : uniqueness is proved for every alpha >= alpha_star.  alpha_multiple : at least two
    stationary policies are proved to exist there (None: none was proved).  ratio : their quotient.
    objective : what is paid beside the reward, "entropy", "kl" or "local".
    potential_of : for the potential of a game whose players are paid differently, what is proved of that game.
    alpha_two_maxima : two strict local maxima are proved to exist there.
    step_size : gradient ascent with this step or a smaller one converges from every initialisation to the unique
    policy at alpha_star; at alpha > alpha_star with 1/(1/step_size + step_growth (alpha - alpha_star)) or less.
    modulus : a certified lower bound on alpha - lambda_max(M) at alpha_star, on the region named in
    the certificate.  forms : alpha_star of every structural form that was tried.
    """

    status: str
    alpha_star: Fraction | None
    alpha_multiple: Fraction | None
    method: str
    game_sha256: str | None
    horizon: int | None
    policy_parameters: int | None
    seconds: float
    modulus: Fraction | None = None
    forms: dict[str, Fraction] = field(default_factory=dict)
    reason: str = ""
    engine: str = ""
    document: dict[str, Any] | None = field(default=None, repr=False)
    certificate: str | None = None
    alpha_two_maxima: Fraction | None = None
    objective: str = "entropy"
    potential_of: PotentialOf | None = None
    step_size: Fraction | None = None
    step_growth: Fraction | None = None

    @property
    def ratio(self) -> float | None:
        """alpha_star / alpha_multiple: how far apart the two ends of the bracket are (None without a lower end)."""
        if self.alpha_star is None or self.alpha_multiple is None:
            return None
        return float(self.alpha_star / self.alpha_multiple)

    def facts(self) -> Facts:
        """What a prompt and a notebook show of it."""
        name = (self.document or {}).get("game", {}).get("name", "")
        rows = [("alpha* =", decimal(self.alpha_star, up=True))] if self.alpha_star is not None else []
        if self.alpha_multiple is not None:
            rows += [("several policies at alpha =", decimal(self.alpha_multiple, up=False))]
            rows += [("ratio", f"{self.ratio:.5g}")]
        rows.append(("method", self.method))
        if self.modulus is not None:
            rows.append(("modulus at alpha* at least", decimal(self.modulus, up=False)))
        rows += [
            ("objective", self.objective),
            ("horizon", "every" if self.horizon is None else str(self.horizon)),
            ("seconds", f"{self.seconds:.2f}"),
        ]
        if self.alpha_star is not None:
            rows.append(("alpha* exactly", str(self.alpha_star)))
        says = "for every alpha >= alpha* there is exactly one stationary policy" if self.alpha_star is not None else ""
        return Facts(f"threshold {name}".strip(), self.status, tuple(rows), self.reason or says)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the certificate as JSON; raises `InputError` where there is none or it cannot be written."""
        return save_document(self.document, path)
