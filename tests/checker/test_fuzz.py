"""Whatever is done to a certificate, a check ends in a verdict or in one line that calls it malformed;
and a change that survives did not strengthen the claim."""

import copy
import json
import random
from fractions import Fraction
from pathlib import Path

import pytest

from certify.checker import Malformed, Verdict, check_certificate

VALID = Path(__file__).resolve().parent.parent / "certificates" / "valid"
ODD = (None, True, [], {}, "", "x", "0", "-1", "1/3", "1e9", "9" * 400, 0, -1, 1, 2, 7, 10**30, -(10**30), 0.5)
SEEDS = 60


def places(obj, path=()):
    """Paths of all values."""
    items = obj.items() if isinstance(obj, dict) else enumerate(obj) if isinstance(obj, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def mutate(obj, rng):
    obj = copy.deepcopy(obj)
    for _ in range(rng.choice((1, 1, 2))):
        path = rng.choice(list(places(obj)))
        parent = obj
        for key in path[:-1]:
            parent = parent[key]
        kind = rng.randrange(4)
        if kind == 0:
            parent[path[-1]] = rng.choice(ODD)
        elif kind == 1:
            del parent[path[-1]]
        elif kind == 2 and isinstance(parent, list):
            parent.insert(path[-1], copy.deepcopy(rng.choice(parent)))
        else:
            siblings = list(parent.values()) if isinstance(parent, dict) else parent
            parent[path[-1]] = copy.deepcopy(rng.choice(siblings))
    return obj


@pytest.mark.parametrize(
    "name",
    [
        "climbing_cover",
        "climbing_split_by_policy",
        "lever_rho_strict",
        "match_three_agents",
        "parameters_theorem_D_prime",
        "lewis_initial_observations",
        "lewis_rho",
    ],
)
def test_mutations(name):
    original = json.loads((VALID / f"{name}.json").read_text())
    alpha_star = Fraction(original["claim"]["alpha_star"])
    outcomes = {"valid": 0, "invalid": 0, "malformed": 0}
    for seed in range(SEEDS):
        mutated = mutate(original, random.Random(seed))
        try:
            verdict = check_certificate(mutated, "stdlib")
        except Malformed:
            outcomes["malformed"] += 1
            continue
        assert isinstance(verdict, Verdict)
        outcomes["valid" if verdict.valid else "invalid"] += 1
        if verdict.valid and mutated.get("game") == original.get("game") and mutated["proof"]["type"] == "cover":
            assert Fraction(mutated["claim"]["alpha_star"]) == alpha_star  # the root's interval is bound to it
    assert outcomes["malformed"] > 0 and sum(outcomes.values()) == SEEDS
