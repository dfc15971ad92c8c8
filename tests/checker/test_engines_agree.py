"""Both engines accept the same certificates of random games, and refuse them after the same change."""

import copy
from fractions import Fraction

import pytest
from prover import Prover
from sampling import random_game

from certify.checker import check_certificate
from certify.games import builtin
from certify.games.canonical import game_to_json


@pytest.mark.parametrize(
    "sizes, alpha_star",
    [
        (dict(seed=1, observations=1), 20),
        (dict(seed=2, horizon=1, initial=True), 8),
        (dict(seed=4, horizon=1, actions=3), 12),
        (dict(seed=3, agents=3, horizon=1), 20),
        (dict(seed=5, agents=1), 5),
        (dict(seed=6, horizon=3, observations=1, states=3), 40),
    ],
    ids=lambda value: f"seed{value['seed']}" if isinstance(value, dict) else "",
)
def test_random_games(sizes, alpha_star):
    prover = Prover(random_game(**sizes))
    certificate = prover.certificate(Fraction(alpha_star), prover.cover(Fraction(alpha_star), sweeps=3))
    verdicts = [check_certificate(certificate, engine) for engine in ("stdlib", "fast")]
    assert [v.valid for v in verdicts] == [True, True]
    assert verdicts[0].claim == verdicts[1].claim and verdicts[0].steps == verdicts[1].steps
    changed = copy.deepcopy(certificate)
    row = changed["proof"]["nodes"][0]["steps"][0]["log_ratio"][0]
    row[0] -= max(2, abs(row[0]) // 20)  # the prover's bounds are the smallest that hold
    places = [check_certificate(changed, engine).failed_step for engine in ("stdlib", "fast")]
    assert [(p["node"], p["step"]) for p in places] == [(0, 0), (0, 0)]


def test_upper_ends_of_zero_are_no_exception():
    """Splits at the plain engine's last grid point leave the third action nothing: verdicts, not exceptions."""
    prover, one = Prover(game_to_json(builtin("match:3x3"))), 2**60

    def node(parent, action=None, at=None, steps=()):
        way = (
            {"close": "nondegenerate"}
            if action is None
            else {"split": {"agent": 0, "depth": 0, "class": 0, "action": action, "at": at}}
        )
        return {"parent": parent, "beta": ["0", "1/4"], "steps": list(steps), **way}

    nothing = {"agent": 0, "depth": 0, "log_ratio": [[None] * 6]}  # its cut works the ends out from one another
    nodes = [
        node(None, 0, f"{one - 1}/{one}"),
        node(0, 1, "1/2"),
        node(0, 1, f"1/{one}"),
        node(2, 1, "1/2"),
        node(2, steps=[nothing]),
        node(1),
        node(1),
        node(3),
        node(3),
    ]
    for engine in ("stdlib", "fast"):
        assert check_certificate(prover.certificate(Fraction(4), nodes), engine).valid  # known to hold: 4 > .36421
