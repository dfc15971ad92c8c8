"""Makes the certificates under `certificates/costly/`: small files that were much work to check.

Run as a script to write the files again.
"""

from __future__ import annotations

import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify.certificates.version import FORMAT, VERSION
from certify.exact import rational_text
from certify.games import Game
from certify.games.canonical import game_to_json, sha256_of

FOLDER = Path(__file__).resolve().parents[1] / "certificates" / "costly"


def certificate(game: Game, alpha_star: str, proof: dict[str, Any]) -> dict[str, Any]:
    restated = game_to_json(game)
    return {
        "format": FORMAT,
        "version": VERSION,
        "kind": "threshold",
        "game": restated,
        "game_sha256": sha256_of(restated),
        "objective": "visitation",
        "claim": {"alpha_star": alpha_star, "strong_concavity": []},
        "proof": {"type": "structural", **proof},
    }


def one_shot(agents: int) -> Game:
    """Two actions each, and a payoff for one joint action."""
    return Game(
        name=f"all-{agents}",
        agents=tuple(f"agent{i + 1}" for i in range(agents)),
        states=("s",),
        actions=(("0", "1"),) * agents,
        observations=((),) * agents,
        horizon=1,
        discount=Fraction(1),
        weights=(Fraction(1),) * agents,
        start=((0, (), Fraction(1)),),
        transition={},
        emission={},
        reward={(0, (1,) * agents): Fraction(1)},
    )


def chain(agents: int, horizon: int, digits: int) -> Game:
    """Two states, probabilities with so many digits, a reward in one state."""
    rng = random.Random(digits)
    joint = [tuple((k >> i) & 1 for i in range(agents)) for k in range(2**agents)]
    rows = {}
    for s in range(2):
        for a in joint:  # every row has a denominator of its own
            p = Fraction(rng.randrange(1, 10**digits), 10**digits + 2 * rng.randrange(10 ** (digits - 1)) + 1)
            rows[s, a] = ((0, p), (1, 1 - p))
    nothing = (((0,) * agents, Fraction(1)),)
    return Game(
        name="long-digits",
        agents=tuple(f"agent{i + 1}" for i in range(agents)),
        states=("s", "t"),
        actions=(("0", "1"),) * agents,
        observations=(("o",),) * agents,
        horizon=horizon,
        discount=Fraction(1),
        weights=(Fraction(1),) * agents,
        start=((0, (), Fraction(1)),),
        transition=rows,
        emission={(a, s): nothing for s in range(2) for a in joint},
        reward={(1, joint[-1]): Fraction(1), (0, joint[0]): Fraction(2, 3)},
    )


def coprime(count: int, digits: int) -> list[str]:
    """Numbers near 1 whose denominators share nothing."""
    rng = random.Random(count)
    base = [10**digits + 2 * rng.randrange(10 ** (digits - 1)) + 1 for _ in range(count)]
    return [rational_text(Fraction(n + 2, n)) for n in base]


def everything() -> dict[str, dict[str, Any]]:
    ones = [["1"]]
    two = chain(2, 60, 20)
    vector = coprime(120, 1_900)
    return {
        "twelve_agents": certificate(one_shot(12), "1000", {"form": "one-step-rho", "vector": ones * 12}),
        "nineteen_agents": certificate(one_shot(19), "1000", {"form": "one-step-rho", "vector": ones * 19}),
        "long_probabilities": certificate(
            chain(1, 150, 1_990), "1000", {"form": "theorem-D-prime", "vector": [["1"] * 150]}
        ),
        "coprime_vector": certificate(
            two, "100000000", {"form": "theorem-D-prime", "vector": [vector[:60], vector[60:]]}
        ),
    }


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for stem, content in everything().items():
        (FOLDER / f"{stem}.json").write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
