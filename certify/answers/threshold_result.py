"""What `certify.threshold` returns (interface: `certify threshold --json`)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify.certificates.writing import save_document


@dataclass(frozen=True)
class PotentialOf:
    """What a threshold of a potential says of the original game (docs/theory/potential.md#lambda).

    lambda_star : the original game has exactly one logit quantal response equilibrium for every lambda from 0 to
    lambda_star.  weights : of the players, under which the certified game is its potential.
    """

    lambda_star: Fraction
    weights: tuple[Fraction, ...]


@dataclass(frozen=True)
class ThresholdResult:
    """What `threshold` found.

    status : "proved" (the checker accepted the certificate) or "undecided" (`reason` says why).
    alpha_star : uniqueness is proved for every alpha >= alpha_star.  alpha_multiple : at least two
    stationary policies are proved to exist there (None: none was proved).  ratio : their quotient.
    objective : what is paid beside the reward, "entropy" or "kl".
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
    horizon: int
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

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the certificate as JSON; raises `InputError` where there is none or it cannot be written."""
        return save_document(self.document, path)
