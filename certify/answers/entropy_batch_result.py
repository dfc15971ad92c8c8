"""What is certified of a training batch, as `certify entropy batch` prints and saves it (docs/recipes.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from certify.bounds.enclosure import Enclosure
from certify.certificates.entropy_batch import Evidence, batch_certificate
from certify.entropy import digest as merkle
from certify.entropy.balls import Balls
from certify.entropy.dump import Dump
from certify.entropy.recipe import Recipe
from certify.entropy.rows import RowFigures
from certify.entropy.shared import SharedChange
from certify.entropy.token_steps import TokenSteps
from certify.errors import InputError
from certify.exact import rational_text
from certify.notebook import Facts, Shown, between, decimal

BLOCK = 512  # tokens per leaf of the digest where there are no rows of logits


@dataclass(frozen=True, eq=False, repr=False)
class BatchReport(Shown):
    """What is certified of a batch.  Intervals are pairs of exact numbers; None where `why` says why not.

    `signs` (N,) is 1 (up), −1 (down), 0 (undecided or no step at all: `still`); `change` (N,) are the certified
    first-order changes of the tokens' entropies, per unit of step.
    """

    recipe: Recipe
    tokens: int
    entropy: tuple[Fraction, Fraction] | None
    first_order: tuple[Fraction, Fraction] | None
    up: int
    down: int
    undecided: int
    still: int
    eta_max: Fraction | None
    eta_max_sign: str
    reversed_at: Fraction | None
    eta_safe: Fraction | None
    drift: float | None
    clip: dict[str, int] | None
    ratio_mean: tuple[Fraction, Fraction] | None
    ratio_bias: tuple[Fraction, Fraction] | None
    digest: str
    worst: list[dict[str, Any]]
    why: dict[str, str]
    warnings: list[str]
    signs: np.ndarray
    change: Balls | None
    steps: TokenSteps
    figures: RowFigures | None
    levels: list[list[merkle.Node]] = field(repr=False)
    fields: dict[str, np.ndarray] = field(repr=False)
    row_hashes: bytes = field(repr=False)
    source: Dump = field(repr=False)
    shared: SharedChange | None = None
    by_eps: dict[str, dict[str, int]] = field(default_factory=dict)

    def facts(self) -> Facts:
        """What a prompt and a notebook show of it."""
        rows = [("tokens", str(self.tokens)), ("up, down, undecided", f"{self.up}, {self.down}, {self.undecided}")]
        named = (
            ("entropy in", self.entropy),
            ("first-order change in", self.first_order),
            ("mean ratio in", self.ratio_mean),
        )
        rows += [(label, between(Enclosure(*ends))) for label, ends in named if ends is not None]
        if self.clip is not None:
            rows.append(("clip decisions", ", ".join(f"{key} {value}" for key, value in self.clip.items())))
        if self.eta_max is not None:
            rows.append(("sign kept up to a step of", decimal(self.eta_max, up=False)))
        return Facts(f"a batch under {self.recipe.name}", "", tuple(rows), "; ".join(self.warnings[:3]))

    def certificate(self, sample: int = 16) -> dict[str, Any]:
        """The certificate of the batch with `sample` leaves of the digest's tree, drawn by the digest."""
        if sample < 1:
            raise InputError("--sample", f"{sample}", "use at least 1")
        block = 1 if self.row_hashes else BLOCK
        return batch_certificate(Evidence(self.source, self.recipe.to_json(), self.fields, self.levels, block), sample)

    @property
    def status(self) -> str:
        """`proved` where every token that moves has a sign, `partial` otherwise."""
        return "proved" if self.undecided == 0 else "partial"

    def to_json(self) -> dict[str, Any]:
        """The object that `certify entropy batch --json` prints."""
        return {
            "status": self.status,
            "tokens": self.tokens,
            "entropy": _texts(self.entropy),
            "first_order": _texts(self.first_order),
            "up": self.up,
            "down": self.down,
            "undecided": self.undecided,
            "still": self.still,
            "eta_max": None if self.eta_max is None else rational_text(self.eta_max),
            "eta_max_sign": self.eta_max_sign,
            "reversed_at": None if self.reversed_at is None else rational_text(self.reversed_at),
            "eta_safe": None if self.eta_safe is None else rational_text(self.eta_safe),
            "drift": self.drift,
            "clip": self.clip,
            "clip_by_eps": self.by_eps or None,
            "ratio_mean": _texts(self.ratio_mean),
            "ratio_bias": _texts(self.ratio_bias),
            "digest": self.digest,
            "worst": self.worst,
            "why": self.why,
            "warnings": self.warnings,
            "shared": None if self.shared is None else _shared_json(self.shared),
            "recipe": self.recipe.to_json(),
        }


def _shared_json(shared: SharedChange) -> dict[str, Any]:
    signs = shared.change.signs()
    return {
        "first_order": _texts(_total(shared.change)),
        "diagonal": _texts(_total(shared.diagonal)),
        "up": int((signs > 0).sum()),
        "down": int((signs < 0).sum()),
        "wrong_sign": shared.wrong,
        "total_sign_wrong": shared.total_wrong,
    }


def _total(x: Balls) -> tuple[Fraction, Fraction]:
    total = x.sum()
    mid, rad = Fraction(float(total.mid[0])), Fraction(float(total.rad[0]))
    return mid - rad, mid + rad


def _texts(pair: tuple[Fraction, Fraction] | None) -> list[str] | None:
    return None if pair is None else [rational_text(end) for end in pair]
