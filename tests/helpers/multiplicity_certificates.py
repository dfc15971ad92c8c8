"""Makes the multiplicity certificates under `certificates/multiplicity/`: valid ones, attacked ones, malformed ones.

Run as a script to write the files again; each invalid file is named after its attack.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from certify.certificates.multiplicity import multiplicity_certificate
from certify.games import builtin
from certify.games.canonical import sha256_of
from certify.games.tree import unroll
from certify.stationary.multiplicity import find_multiplicity
from certify.stationary.witnesses import SADDLE, Multiplicity

FOLDER = Path(__file__).resolve().parents[1] / "certificates" / "multiplicity"


@cache
def found(name: str, horizon: int | None = None, clustered: bool = True) -> Multiplicity:
    result = find_multiplicity(unroll(builtin(name, horizon), cluster=clustered), time_limit=None)
    assert result is not None
    return result


def document(name: str, horizon: int | None = None, clustered: bool = True) -> dict:
    return multiplicity_certificate(builtin(name, horizon), found(name, horizon, clustered))


def saddle_alone(name: str) -> dict:
    """The saddle of a witness and nothing else: Theorem A supplies the other policy."""
    result = found(name)
    saddle = next(s for s in result.witness.solutions if s.kind == SADDLE)
    alone = replace(result, witness=replace(result.witness, solutions=(saddle,), symmetry=None), two_maxima=None)
    return multiplicity_certificate(builtin(name), alone)


VALID: dict[str, Callable[[], dict]] = {
    "three_levers": lambda: document("lever:3"),
    "climbing": lambda: document("climbing"),
    "three_agents": lambda: document("match:3x3x3"),
    "dectiger": lambda: document("dectiger", 2),
    "saddle_alone": lambda: saddle_alone("lever:3"),
}


def rehash(certificate: dict) -> None:
    certificate["game_sha256"] = sha256_of(certificate["game"])


def witness(certificate: dict) -> dict:
    return certificate["proof"]["witness"]


def saddle(certificate: dict) -> dict:
    return next(p for p in witness(certificate)["policies"] if p["kind"] == "saddle")


def maximum(certificate: dict) -> dict:
    return next(p for p in witness(certificate)["policies"] if p["kind"] == "maximum")


def alpha_above_the_fold(c: dict) -> None:
    c["claim"]["alpha_multiple"] = witness(c)["alpha"] = "37/100"


def claim_above_the_witness(c: dict) -> None:
    c["claim"]["alpha_multiple"] = "37/100"


def claim_of_two_maxima_above_the_proof(c: dict) -> None:
    c["claim"]["alpha_two_maxima"] = "37/100"


def negative_alpha(c: dict) -> None:
    c["claim"]["alpha_multiple"] = witness(c)["alpha"] = "-1/3"


def one_policy_twice(c: dict) -> None:
    witness(c)["policies"] = [maximum(c), copy.deepcopy(maximum(c))]


def one_policy_twice_with_other_centres(c: dict) -> None:
    one_policy_twice(c)
    for row in witness(c)["policies"][1]["centre"]:
        row[0] += 1 << 60


def centre_moved(c: dict) -> None:
    p = maximum(c)
    p["centre"][0][0] += 2 * p["radius"][0][0]


def box_shrunk_away_from_its_policy(c: dict) -> None:
    p = maximum(c)
    p["radius"] = [[1] * len(row) for row in p["radius"]]
    p["centre"] = [[m + 4 for m in row] for row in p["centre"]]


def box_as_wide_as_the_fold(c: dict) -> None:
    for p in witness(c)["policies"]:
        p["radius"] = [[1 << 128] * len(row) for row in p["radius"]]


def inverse_of_zeros(c: dict) -> None:
    p = maximum(c)
    p["inverse"] = [[0] * len(row) for row in p["inverse"]]


def inverse_with_the_wrong_sign(c: dict) -> None:
    p = maximum(c)
    p["inverse"] = [[-y for y in row] for row in p["inverse"]]


def saddle_called_maximum(c: dict) -> None:
    p = saddle(c)
    p["kind"] = "maximum"
    del p["direction"]


def maximum_called_saddle(c: dict) -> None:
    p = maximum(c)
    p["kind"], p["direction"] = "saddle", saddle(c)["direction"]


def direction_of_zeros(c: dict) -> None:
    saddle(c)["direction"] = [0] * len(saddle(c)["direction"])


def direction_downhill(c: dict) -> None:
    u = saddle(c)["direction"]
    saddle(c)["direction"] = [1 << 40] + [0] * (len(u) - 1)


def saddle_dropped(c: dict) -> None:
    witness(c)["policies"] = [maximum(c)]


def single_policy_without_label(c: dict) -> None:
    p = saddle(c)
    del p["kind"], p["direction"]
    witness(c)["policies"] = [p]


def witness_with_a_saddle_as_two_maxima(c: dict) -> None:
    c["proof"]["two_maxima"] = "witness"
    c["claim"]["alpha_two_maxima"] = c["claim"]["alpha_multiple"]


def two_maxima_of_one_policy(c: dict) -> None:
    two = c["proof"]["two_maxima"]
    two["policies"] = [two["policies"][0]] * 2


def symmetry_is_the_identity(c: dict) -> None:
    n = 3
    c["proof"]["two_maxima"]["symmetry"] = {
        "agents": [0, 1],
        "states": [0],
        "actions": [list(range(n))] * 2,
        "observations": [[0]] * 2,
    }


def symmetry_moves_one_agent_only(c: dict) -> None:
    c["proof"]["two_maxima"]["symmetry"]["actions"][0] = [1, 2, 0]
    c["proof"]["two_maxima"]["symmetry"]["actions"][1] = [0, 1, 2]


def reward_changed(c: dict) -> None:
    """The hash is renewed, so that only the boxes can tell."""
    c["game"] = json.loads(json.dumps(c["game"]).replace('"11"', '"9"'))
    rehash(c)


def stale_hash(c: dict) -> None:
    c["game_sha256"] = "0" * 64


def weight_changed(c: dict) -> None:
    c["game"]["weights"][0] = "3"
    rehash(c)


def discount_changed(c: dict) -> None:
    c["game"]["discount"] = "1/2"
    rehash(c)


INVALID: dict[str, tuple[str, Callable[[dict], None]]] = {
    attack.__name__: (subject, attack)
    for subject, attacks in {
        "three_levers": (
            alpha_above_the_fold,
            claim_above_the_witness,
            claim_of_two_maxima_above_the_proof,
            negative_alpha,
            one_policy_twice,
            one_policy_twice_with_other_centres,
            centre_moved,
            box_shrunk_away_from_its_policy,
            box_as_wide_as_the_fold,
            inverse_of_zeros,
            inverse_with_the_wrong_sign,
            saddle_called_maximum,
            maximum_called_saddle,
            direction_of_zeros,
            direction_downhill,
            saddle_dropped,
            single_policy_without_label,
            witness_with_a_saddle_as_two_maxima,
            two_maxima_of_one_policy,
            symmetry_is_the_identity,
            symmetry_moves_one_agent_only,
            stale_hash,
            weight_changed,
        ),
        "climbing": (reward_changed,),
        "dectiger": (discount_changed,),
    }.items()
    for attack in attacks
}


def float_in_a_centre(c: dict) -> None:
    maximum(c)["centre"][0][0] = 0.5


def no_inverse(c: dict) -> None:
    del maximum(c)["inverse"]


def ragged_centre(c: dict) -> None:
    maximum(c)["centre"][0].append(0)


def negative_radius(c: dict) -> None:
    maximum(c)["radius"][0][0] = -1


def reference_out_of_range(c: dict) -> None:
    maximum(c)["reference"][0] = 3


def three_policies(c: dict) -> None:
    witness(c)["policies"].append(maximum(c))


def unknown_label(c: dict) -> None:
    maximum(c)["kind"] = "global maximum"


def maximum_with_a_direction(c: dict) -> None:
    maximum(c)["direction"] = saddle(c)["direction"]


def short_direction(c: dict) -> None:
    saddle(c)["direction"].pop()


def symmetry_of_a_single_policy(c: dict) -> None:
    witness(c)["policies"] = [saddle(c)]
    witness(c)["symmetry"] = c["proof"]["two_maxima"]["symmetry"]


def clustering_maybe(c: dict) -> None:
    c["proof"]["clustering"] = "yes"


def two_maxima_maybe(c: dict) -> None:
    c["proof"]["two_maxima"] = "maybe"


def unit_of_zero_bits(c: dict) -> None:
    c["proof"]["unit_bits"] = 0


def claim_without_two_maxima(c: dict) -> None:
    del c["claim"]["alpha_two_maxima"]


def unknown_field(c: dict) -> None:
    c["proof"]["trust_me"] = True


def other_objective(c: dict) -> None:
    c["objective"] = "local-bonus"


def clustering_switched_off(c: dict) -> None:
    c["proof"]["clustering"] = False


MALFORMED: dict[str, tuple[str, Callable[[dict], None]]] = {
    attack.__name__: (subject, attack)
    for subject, attacks in {
        "three_levers": (
            float_in_a_centre,
            no_inverse,
            ragged_centre,
            negative_radius,
            reference_out_of_range,
            three_policies,
            unknown_label,
            maximum_with_a_direction,
            short_direction,
            symmetry_of_a_single_policy,
            clustering_maybe,
            two_maxima_maybe,
            unit_of_zero_bits,
            claim_without_two_maxima,
            unknown_field,
            other_objective,
        ),
        "dectiger": (clustering_switched_off,),
    }.items()
    for attack in attacks
}


def main() -> None:
    documents = {name: make() for name, make in VALID.items()}
    files = {("valid", name): c for name, c in documents.items()}
    for folder, attacks in (("invalid", INVALID), ("malformed", MALFORMED)):
        for name, (subject, attack) in attacks.items():
            attacked = copy.deepcopy(documents[subject])
            attack(attacked)
            files[folder, name] = attacked
    for (folder, name), content in files.items():
        (FOLDER / folder).mkdir(parents=True, exist_ok=True)
        (FOLDER / folder / f"{name}.json").write_text(
            json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
