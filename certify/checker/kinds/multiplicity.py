"""Several stationary policies exist at one temperature (format, section 7).

Two disjoint boxes of log-ratios, each with a Krawczyk step, or one such box around a saddle: the
flow started uphill of it ends in another stationary policy (docs/theory/convergence.md#theorem-a).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from certify.checker.reading.envelope import Failed, Malformed, array, boolean, envelope, rational, record
from certify.checker.reading.game import Game, game_of
from certify.checker.stationary.facts import Enclosed, Subject, differ
from certify.checker.verdict import Proof, Run

_BOX = ("reference", "centre", "radius", "inverse")
_LABELS = {"maximum": "a strict local maximum", "saddle": "a saddle", None: "unlabelled"}


@dataclass(frozen=True)
class Witness:
    """Several stationary policies exist at `alpha`: those with the labels `kinds` are enclosed (one alone is a
    saddle); `linked`: a symmetry maps the first to the second."""

    alpha: Fraction
    kinds: tuple[str | None, ...]
    linked: bool


@dataclass(frozen=True)
class Multiple:
    """What was verified: a witness, the temperature of two strict local maxima (None: not claimed), and the
    number of boxes."""

    witness: Witness
    two_maxima: Fraction | None
    steps: int

    @property
    def alpha(self) -> Fraction:
        """The temperature of the witness."""
        return self.witness.alpha

    def conclusions(self) -> tuple[str, ...]:
        """What is proved, in words."""
        text = f"at alpha = {self.alpha} there are at least two stationary policies, "
        labels = [_LABELS[kind] for kind in self.witness.kinds]
        text += "one of them enclosed, a saddle" if len(labels) == 1 else f"both enclosed ({' and '.join(labels)})"
        linked = ("a symmetry maps the first to the second",) if self.witness.linked else ()
        if self.two_maxima is None:
            return (text, *linked)
        return (text, *linked, f"at alpha = {self.two_maxima} there are at least two strict local maxima")


def check_multiplicity(certificate: Any, run: Run) -> Proof:
    """The `Proof` of a certificate of kind "multiplicity"; raises `Failed` or `Malformed`."""
    envelope(certificate, ("objective", "game", "game_sha256", "claim", "proof"))
    claim = record(certificate["claim"], "claim", ("alpha_multiple", "alpha_two_maxima"))
    alpha = rational(claim["alpha_multiple"], "claim.alpha_multiple")
    two = None if claim["alpha_two_maxima"] is None else rational(claim["alpha_two_maxima"], "claim.alpha_two_maxima")
    game = game_of(certificate)
    found = check_evidence(game, certificate["proof"])
    if (found.alpha, found.two_maxima) != (alpha, two):
        raise Failed("the temperatures of the claim are not those of the proof", step="claim")
    return Proof(found.conclusions(), found.steps + 1, game)


def check_evidence(game: Game, evidence: Any, where: str = "proof") -> Multiple:
    """What `evidence` proves about the game; raises `Malformed` or `Failed`."""
    record(evidence, where, ("clustering", "unit_bits", "witness", "two_maxima"))
    clustering = boolean(evidence["clustering"], f"{where}.clustering")
    subject = Subject(game, clustering, evidence["unit_bits"], where)
    witness = _witness(subject, evidence["witness"], f"{where}.witness")
    if evidence["two_maxima"] is None:
        return Multiple(witness, None, len(witness.kinds))
    again = evidence["two_maxima"] == "witness"
    maxima = witness if again else _witness(subject, evidence["two_maxima"], f"{where}.two_maxima")
    if maxima.kinds != ("maximum", "maximum"):
        raise Failed(
            "not two policies that are labelled maxima", step=f"{where}.{'witness' if again else 'two_maxima'}"
        )
    return Multiple(witness, maxima.alpha, len(witness.kinds) + (0 if again else 2))


def _witness(subject: Subject, data: Any, where: str) -> Witness:
    """One temperature with its one or two policies."""
    record(data, where, ("alpha", "policies"), ("symmetry",))
    alpha = rational(data["alpha"], f"{where}.alpha")
    if alpha <= 0:
        raise Failed("alpha is not positive", step=where)
    entries = array(data["policies"], f"{where}.policies")
    if len(entries) not in (1, 2):
        raise Malformed(f"{where}.policies", "neither one policy nor two")
    found = [_labelled(subject, entry, 1 / alpha, f"{where}.policies[{k}]") for k, entry in enumerate(entries)]
    kinds = tuple(entry.get("kind") for entry in entries)
    if len(found) == 1 and kinds != ("saddle",):
        raise Failed("a single policy that is not a saddle", step=f"{where}.policies")
    if len(found) == 2 and not differ(*found):
        raise Failed("the two policies are not shown to differ", step=f"{where}.policies")
    symmetry = data.get("symmetry")
    if symmetry is not None:
        if len(found) == 1:
            raise Malformed(f"{where}.symmetry", "given for a single policy")
        if not subject.carries(symmetry, found[0], found[1], f"{where}.symmetry"):
            raise Failed("the image of the first policy is not within the box of the second", step=f"{where}.symmetry")
    return Witness(alpha, kinds, symmetry is not None)


def _labelled(subject: Subject, data: Any, beta: Fraction, where: str) -> Enclosed:
    """The policy in a box, once its label is verified."""
    record(data, where, _BOX, ("kind", "direction"))
    kind = data.get("kind")
    if kind not in (None, "maximum", "saddle"):
        raise Malformed(f"{where}.kind", 'none of "maximum", "saddle", null')
    if kind is not None and not subject.game.flows_back:
        raise Failed("the local bonus is no gradient: it has no maxima and no saddles", step=where)
    if (kind == "saddle") != ("direction" in data):
        raise Malformed(f"{where}.direction", "is given for saddles and for nothing else")
    found = subject.enclosed({name: data[name] for name in _BOX}, (beta,), where)
    if kind == "maximum":
        subject.check_maximum(found, where)
    elif kind == "saddle":
        subject.check_saddle(found, data["direction"], where)
    return found
