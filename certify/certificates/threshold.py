"""Threshold certificates as JSON objects (docs/certificate-format.md)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from certify.certificates.multiplicity import Evidence
from certify.certificates.original import original_of
from certify.certificates.version import FORMAT, VERSION
from certify.certificates.windows import endless_proof, windows_proof
from certify.exact import rational_text
from certify.games.canonical import game_to_json, sha256_of
from certify.games.model import Game
from certify.games.objective import named_in_certificates
from certify.thresholds.concavity import Concavity
from certify.thresholds.contraction import UNIT
from certify.thresholds.cover_tree import Node, node_to_json
from certify.thresholds.endless_form import Endless
from certify.thresholds.local_forms import flow_forms
from certify.thresholds.step_size import StepSize
from certify.thresholds.structural_form import Structural
from certify.thresholds.windows.endless import EndlessWindows
from certify.thresholds.windows.search import Windows

CONSEQUENCES = (
    "For every temperature alpha >= alpha_star the game has exactly one stationary policy.",
    "Every trajectory of the tabular softmax policy-gradient flow of J_alpha converges to it, from every "
    "initialisation (Theorem A).",
    "It is fixed by every symmetry of J_alpha, so independently trained agents are compatible: cross-play "
    "equals self-play in the limit.",
)
LOCAL_CONSEQUENCES = (
    "For every temperature alpha >= alpha_star the local bonus (the entropy of visited policies, without a gradient "
    "through the visitation) has exactly one stationary policy, pi = softmax(Q / (alpha w)), Q the reward to go.",
    "It is fixed by every symmetry of the game.",
    "Above the temperatures in `flows` the flow named there converges to it from every initialisation; the plain one "
    "as the natural one where no agent ever has more than two legal actions (docs/theory/local-bonus.md).",
)


def envelope(game: Game, claim: dict[str, Any], proof: dict[str, Any], search: dict[str, Any] | None) -> dict[str, Any]:
    """The outer object of a threshold certificate for `game`."""
    restated = game_to_json(game)
    result = {
        "format": FORMAT,
        "version": VERSION,
        "kind": "threshold",
        "game": restated,
        "game_sha256": sha256_of(restated),
        "objective": named_in_certificates(game),
        "claim": claim,
        "proof": proof,
        "consequences": list(CONSEQUENCES if game.flows_back else LOCAL_CONSEQUENCES),
        **original_of(game),
        **({} if game.flows_back else {"flows": _flows(game)}),
    }
    if search is not None:
        result["search"] = search
    return result


def _flows(game: Game) -> dict[str, Any]:
    """Above which temperatures flows of the local bonus end in its one stationary policy, and what shows it."""
    return {
        name: {"alpha": rational_text(form.alpha_star), "vector": structural_proof(form)["vector"]}
        for name, form in flow_forms(game).items()
    }


def structural_proof(result: Structural) -> dict[str, Any]:
    """The `proof` object of a structural threshold."""
    proof: dict[str, Any] = {"type": "structural", "form": result.form, "strict": result.strict}
    if result.vector is not None:
        proof["vector"] = [[rational_text(z) for z in row] for row in result.vector]
    return proof


def with_evidence(
    certificate: dict[str, Any], below: Evidence | None, symmetry: dict[str, Any] | None
) -> dict[str, Any]:
    """The certificate with evidence for the lower end of the bracket and for the symmetry group."""
    result = dict(certificate)
    if below is not None:
        result["claim"] = certificate["claim"] | below.claims()
        result["multiplicity"] = below.proof
    if symmetry is not None:
        result["symmetry"] = symmetry
    return result


def with_ascent(certificate: dict[str, Any], found: StepSize | None) -> dict[str, Any]:
    """The certificate with the largest step of gradient ascent (docs/certificate-format.md, section 3.1)."""
    if found is None:
        return certificate
    ascent = {
        "step_size": rational_text(found.step),
        "growth": rational_text(found.growth),
        "vector": [[rational_text(y) for y in row] for row in found.vector],
    }
    return certificate | {"claim": certificate["claim"] | {"ascent": ascent}}


def structural_claim(result: Structural) -> dict[str, Any]:
    """The `claim` object: with a modulus where the form gives one (docs/certificate-format.md, section 6)."""
    concavity: list[dict[str, Any]] = []
    if result.modulus is not None and result.modulus > 0:
        modulus = rational_text(_short(result.modulus))
        concavity.append({"alpha": rational_text(result.alpha_star), "modulus": modulus, "node": None, "steps": []})
    return {"alpha_star": rational_text(result.alpha_star), "strong_concavity": concavity}


def _short(modulus: Fraction) -> Fraction:
    """Rounded down, so that a checker that rounds widths up confirms it."""
    return Fraction(int(modulus * (10**12 - 1)), 10**12)


def structural_certificate(game: Game, result: Structural, search: dict[str, Any] | None = None) -> dict[str, Any]:
    """A certificate that `result` holds for `game`."""
    claim = structural_claim(result)
    if not game.flows_back:
        claim["strong_concavity"] = []
    return envelope(game, claim, structural_proof(result), search)


def parameters_certificate(
    parameters: dict[str, Any], result: Structural, search: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A certificate for every game within bare parameters (`certify threshold --structural ...`)."""
    certificate = {
        "format": FORMAT,
        "version": VERSION,
        "kind": "structural-parameters",
        "parameters": parameters,
        "parameters_sha256": sha256_of(parameters),
        "objective": "visitation",
        "claim": structural_claim(result),
        "proof": structural_proof(result),
        "consequences": list(CONSEQUENCES),
    }
    if search is not None:
        certificate["search"] = search
    return certificate


def cover_certificate(
    game: Game,
    nodes: list[Node],
    concavity: list[Concavity],
    *,
    clustering: bool = True,
    automorphisms: Sequence[dict[str, Any]] = (),
    search: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A certificate whose proof is a cover of [0, 1/alpha_star]; alpha_star = 1 / (upper end of node 0).

    automorphisms : those that images among the nodes name by number; the certificate lists what is used."""
    listed = [node_to_json(node) for node in nodes]
    proof: dict[str, Any] = {"type": "cover", "clustering": clustering, "unit": UNIT, "nodes": listed}
    images = [node["close"]["image"] for node in listed if isinstance(node.get("close"), dict)]
    if images:
        used = sorted({image["automorphism"] for image in images})
        proof["automorphisms"] = [automorphisms[g] for g in used]
        for node in listed:
            if isinstance(node.get("close"), dict):
                image = node["close"]["image"]
                node["close"] = {"image": {**image, "automorphism": used.index(image["automorphism"])}}
    claim = {
        "alpha_star": rational_text(1 / nodes[0].high),
        "strong_concavity": [
            {"alpha": rational_text(c.alpha), "modulus": rational_text(c.modulus), "node": c.node, "steps": c.steps}
            for c in concavity
        ],
    }
    return envelope(game, claim, proof, search)


def endless_certificate(game: Game, result: Endless, search: dict[str, Any] | None = None) -> dict[str, Any]:
    """A certificate that `result` holds for `game` with every number of steps."""
    claim = {"alpha_star": rational_text(result.alpha_star), "strong_concavity": [], "horizons": "all"}
    proof = {
        "type": "structural",
        "form": "endless",
        "upper": [rational_text(x) for x in result.upper],
        "lower": [rational_text(x) for x in result.lower],
        "spread": rational_text(result.spread),
        "multipliers": [rational_text(y) for y in result.multipliers],
    }
    return envelope(game, claim, proof, search)


def endless_windows_certificate(
    game: Game, result: EndlessWindows, search: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A certificate by windows that `result` holds for `game` with every number of steps."""
    claim = {"alpha_star": rational_text(result.alpha_star), "strong_concavity": [], "horizons": "all"}
    return envelope(game, claim, endless_proof(result), search)


def windows_certificate(game: Game, result: Windows, search: dict[str, Any] | None = None) -> dict[str, Any]:
    """A certificate that `result` holds for `game`: the threshold alone, without a modulus."""
    claim = {"alpha_star": rational_text(result.alpha_star), "strong_concavity": []}
    return envelope(game, claim, windows_proof(result), search)
