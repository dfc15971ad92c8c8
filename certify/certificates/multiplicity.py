"""Multiplicity as a JSON object: at this alpha training can end in at least two different policies
(docs/certificate-format.md, section 7).

Centres and approximate inverses are floats' work; the checker's Krawczyk step is the proof.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from typing import Any

import numpy as np

from certify.bounds.arb_numbers import finite_ends, to_arb, working_precision
from certify.bounds.other_names import other_names
from certify.certificates.symmetry import map_to_json
from certify.certificates.version import FORMAT, VERSION
from certify.exact import rational_text
from certify.games.canonical import game_to_json, sha256_of
from certify.games.model import Game
from certify.games.objective import named_in_certificates
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.existence import StationaryProof
from certify.stationary.piece_proof import INVERSE_BITS, UNIT_BITS
from certify.stationary.witnesses import SADDLE, UNDECIDED, Multiplicity, Solution, Witness

_RADIUS_BITS = 40  # boxes of radius 2^-40: far above rounding, far below the distance of two policies
_DIRECTION_BITS = 40
_PRECISION = 256

CONSEQUENCES = (
    "At alpha_multiple training can end in at least two different policies: the limit depends on the "
    "initialisation (Theorem A).",
    "No temperature alpha_star <= alpha_multiple can have a unique stationary policy for every alpha >= alpha_star.",
)


def multiplicity_certificate(game: Game, result: Multiplicity, search: dict[str, Any] | None = None) -> dict[str, Any]:
    """A certificate of kind "multiplicity" for `game`.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> from certify.stationary.multiplicity import find_multiplicity
    >>> game = builtin("lever:2")
    >>> certificate = multiplicity_certificate(game, find_multiplicity(unroll(game)))
    >>> certificate["kind"], len(certificate["proof"]["witness"]["policies"])
    ('multiplicity', 2)
    """
    restated = game_to_json(game)
    evidence = Evidence.of(result)
    certificate = {
        "format": FORMAT,
        "version": VERSION,
        "kind": "multiplicity",
        "game": restated,
        "game_sha256": sha256_of(restated),
        "objective": named_in_certificates(game),
        "claim": evidence.claims(),
        "proof": evidence.proof,
        "consequences": list(CONSEQUENCES if game.flows_back else CONSEQUENCES[1:]),
    }
    if search is not None:
        certificate["search"] = search
    return certificate


@dataclass(frozen=True)
class Evidence:
    """What a threshold certificate carries for the lower end of its bracket; `proof` is the evidence."""

    alpha_multiple: Fraction
    alpha_two_maxima: Fraction | None
    proof: dict[str, Any]

    @classmethod
    def of(cls, result: Multiplicity) -> Evidence:
        """The evidence that a search from below has found."""
        return cls(result.alpha_multiple, result.alpha_two_maxima, multiplicity_evidence(result))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Evidence:
        """The inverse of `as_json`."""
        ends = [None if data[key] is None else Fraction(data[key]) for key in ("alpha_multiple", "alpha_two_maxima")]
        return cls(*ends, data["proof"])

    def unlabelled(self) -> Evidence | None:
        """The same without saying which policies are maxima; None where nothing is left of it: a single
        policy must be a saddle."""
        policies = self.proof["witness"]["policies"]
        if len(policies) == 1 or not any("kind" in policy for policy in policies):
            return None
        bare = [
            {key: value for key, value in policy.items() if key not in ("kind", "direction")} for policy in policies
        ]
        witness = self.proof["witness"] | {"policies": bare}
        return Evidence(self.alpha_multiple, None, self.proof | {"witness": witness, "two_maxima": None})

    def as_json(self) -> dict[str, Any]:
        """The claims, and `proof`."""
        return self.claims() | {"proof": self.proof}

    def claims(self) -> dict[str, str | None]:
        """The two claims about the lower end."""
        two = self.alpha_two_maxima
        return {
            "alpha_multiple": rational_text(self.alpha_multiple),
            "alpha_two_maxima": None if two is None else rational_text(two),
        }


def multiplicity_evidence(result: Multiplicity) -> dict[str, Any]:
    """The `proof` object of a multiplicity certificate; a threshold certificate may embed the same."""
    eq = ApproxEquations(result.tree)
    two: Any = None
    if result.two_maxima is not None:
        two = "witness" if result.two_maxima is result.witness else _witness(eq, result.two_maxima)
    return {
        "clustering": result.tree.clustered,
        "unit_bits": UNIT_BITS,
        "witness": _witness(eq, result.witness),
        "two_maxima": two,
    }


def _witness(eq: ApproxEquations, witness: Witness) -> dict[str, Any]:
    data: dict[str, Any] = {
        "alpha": rational_text(witness.alpha),
        "policies": [_policy(eq, s) for s in witness.solutions],
    }
    if witness.symmetry is not None:
        data["symmetry"] = map_to_json(witness.symmetry)
    return data


def _policy(eq: ApproxEquations, solution: Solution) -> dict[str, Any]:
    """The box of a policy, and its label with the data it needs."""
    data = policy_box(eq, solution.proof)
    if solution.kind != UNDECIDED:
        data["kind"] = solution.kind
    if solution.kind == SADDLE:
        values, vectors = np.linalg.eig(_slope(eq, _centre(eq, solution.proof), solution.proof))
        data["direction"] = _rounded(_balanced(eq, vectors[:, values.real.argmin()].real), _DIRECTION_BITS)
    return data


def policy_box(eq: ApproxEquations, proof: StationaryProof) -> dict[str, Any]:
    """The box in log-ratios against the last action of each row, with an approximate inverse (format, section 7.1)."""
    centre = _centre(eq, proof)
    lengths = [stop - start - 1 for start, stop in pairwise([*eq.layout.row_start.tolist(), eq.layout.size])]
    return {
        "reference": lengths,
        "centre": _by_row(centre, lengths),
        "radius": _by_row([1 << UNIT_BITS - _RADIUS_BITS] * eq.size, lengths),
        "inverse": [_rounded(row, INVERSE_BITS) for row in np.linalg.inv(_slope(eq, centre, proof))],
    }


def _slope(eq: ApproxEquations, centre: list[int], proof: StationaryProof) -> np.ndarray:
    """The float Jacobian of the equations at the centre."""
    return eq.linearised(np.array([math.ldexp(c, -UNIT_BITS) for c in centre]), 1 / float(proof.alpha))[1]


def _balanced(eq: ApproxEquations, z: np.ndarray) -> np.ndarray:
    """The direction z (N,) of log-ratios as logits of the legal actions that sum to 0 in every row, the last of each
    left out."""
    names, row = other_names(eq.tree), eq.layout.row_of_entry
    logits = np.zeros(eq.layout.size)
    logits[eq.entry] = z
    u = names.gathered(logits) / names.names  # an action's logit is the mean of those of its names
    mean = eq.layout.row_sums(np.where(names.legal, u, 0.0)) / eq.layout.row_sums(names.legal.astype(float))
    last = np.maximum.reduceat(np.where(names.legal, np.arange(eq.layout.size), -1), eq.layout.row_start)
    kept = np.setdiff1d(np.flatnonzero(names.legal), last)
    u = (u - mean[row])[kept]
    return u / np.abs(u).max()


def _centre(eq: ApproxEquations, proof: StationaryProof) -> list[int]:
    """log pi(a|x) - log pi(last|x), near a multiple of 2^-UNIT_BITS."""
    with working_precision(_PRECISION):
        logs = [to_arb((lo + up) / 2).log() for lo, up in zip(proof.lower, proof.upper, strict=True)]
        ends = [finite_ends(logs[k] - logs[last]) for k, last in zip(eq.entry, eq.last, strict=True)]
    return [round((low + high) / 2 * 2**UNIT_BITS) for low, high in ends]


def _by_row(values: list[int], lengths: list[int]) -> list[list[int]]:
    rest = iter(values)
    return [list(islice(rest, count)) for count in lengths]


def _rounded(values: np.ndarray, bits: int) -> list[int]:
    """Multiples of 2^-bits near floats."""
    return [int(x) for x in np.rint(np.ldexp(values, bits))]
