"""The one-shot game, with a payoff for each player, that a certificate says its game is the potential of (format,
section 11): every difference of payoffs is compared again.
"""

from itertools import product
from math import prod
from typing import Any

from certify.checker.reading.envelope import Failed, Malformed, array, check_hash, rational, record
from certify.checker.reading.game import Game


def check_original(certificate: Any, game: Game) -> str:
    """What the original game is called in a conclusion, once `game` is known to be its potential."""
    for key in ("original", "original_sha256"):
        if key not in certificate:
            raise Malformed("certificate", f"no field {key!r}")
    original = record(certificate["original"], "original", ("players", "strategies", "payoffs"))
    sizes = [count for count, _ in game.sizes]
    rows = array(original["payoffs"], "original.payoffs", prod(sizes))
    payoffs = [
        [rational(u, f"original.payoffs[{k}]") for u in array(row, f"original.payoffs[{k}]", game.agents)]
        for k, row in enumerate(rows)
    ]
    names = certificate["game"]
    if original["players"] != names["agents"] or original["strategies"] != names["actions"]:
        raise Failed("not the agents and actions of the game", step="original")
    check_hash(certificate, "original")
    whole = all(len(sets[0]) == count for sets, count in zip(game.actions, sizes, strict=True))
    if game.horizon != 1 or game.reference or [o for _, o, _ in game.start] != [()] or not whole:
        raise Failed("the game has more than one step, state or action set, or a reference", step="original")
    state = game.start[0][0]
    profiles = list(product(*map(range, sizes)))  # the last player's strategy runs fastest
    for i, weight in enumerate(game.weights):
        # w_i u_i - P may depend on what the others play, and on nothing else
        rest = [weight * u[i] - game.reward.get((state, a), 0) for a, u in zip(profiles, payoffs, strict=True)]
        stride = prod(sizes[i + 1 :])
        for k, a in enumerate(profiles):
            if rest[k] != rest[k - stride * a[i]]:
                raise Failed(
                    f"player {i} gains from {list(a)} what is not the difference of potentials over its weight",
                    step=f"original.payoffs[{k}]",
                )
    return f"the original game, with a payoff for each player (sha256 {certificate['original_sha256']}),"
