"""Verifies proofs about every horizon at once, discount below 1 (format, section 3.2; docs/theory/structural.md)."""

from fractions import Fraction
from typing import Any

from certify.checker.kinds.structural import shortened
from certify.checker.numbers.fixed_point import ONE, log_rational
from certify.checker.reading.envelope import Failed, Malformed, array, rational, record
from certify.checker.reading.game import MAX_PAIRS, Game, reached_by


def every_state(game: Game) -> list[int]:
    """What any number of steps can reach, ascending; its rows are distributions.  `Failed` for games whose steps
    differ or that have no discount."""
    if game.discount == 1:
        raise Failed("a statement about every horizon needs a discount below 1", step="discount")
    if not game.flows_back:
        raise Failed("a statement about every horizon is not for the local bonus", step="objective")
    if game.reference or any(len(set(steps)) > 1 for steps in game.actions):
        raise Failed("a statement about every horizon needs the same actions at every step", step="actions")
    actions, found = game.joint_actions(0), {s for s, _, _ in game.start}
    new = found
    while new:
        if len(found) * len(actions) > MAX_PAIRS:
            raise Malformed("game", f"more than {MAX_PAIRS} pairs of a state and a joint action")
        new = {s2 for s in new for a in actions for s2, _ in reached_by(game, s, a)} - found
        found |= new
    return sorted(found)


def check_endless(proof: Any, alpha_star: Fraction, game: Game) -> int:
    """Verify the form `endless`; returns the number of steps."""
    record(proof, "proof", ("type", "form", "upper", "lower", "spread", "multipliers"))
    states = every_state(game)
    upper, lower = (
        dict(zip(states, (rational(x, where) for x in array(proof[name], where, len(states))), strict=True))
        for name, where in (("upper", "proof.upper"), ("lower", "proof.lower"))
    )
    for s in states:
        for a in game.joint_actions(0):
            reward, row = game.reward.get((s, a), Fraction(0)), game.transition[s, a]
            if reward + game.discount * sum(p * upper[s2] for s2, p in row) > upper[s]:
                raise Failed(f"the upper value of state {s} is too low", step="upper")
            if reward + game.discount * sum(p * lower[s2] for s2, p in row) < lower[s]:
                raise Failed(f"the lower value of state {s} is too high", step="lower")
    if min(upper.values()) < max(lower.values()):
        raise Failed("an upper value is below a lower one", step="upper")
    choice = [i for i, steps in enumerate(game.actions) if len(steps[0]) > 1]
    spread = rational(proof["spread"], "proof.spread")
    later = game.discount / (1 - game.discount)
    ranges = sum(
        game.weights[i]
        * min(Fraction(log_rational(Fraction(len(game.actions[i][0])))[1], ONE), (spread / game.weights[i]) ** 2 / 8)
        for i in choice
    )
    if (max(upper.values()) - min(lower.values())) / alpha_star + later * ranges > spread:
        raise Failed("the spread of values is too small", step="spread")
    given = array(proof["multipliers"], "proof.multipliers", len(choice))
    y = {i: shortened(rational(x, "proof.multipliers")) for i, x in zip(choice, given, strict=True)}
    for i in choice:
        if y[i] <= 0:
            raise Failed(f"the multiplier of agent {i} is not positive", step=f"agent {i}")
    for i in choice:
        cost = (len(choice) - 1) * spread / 2
        cost += later * sum(spread**2 / (4 * game.weights[j] * y[j]) for j in choice if j != i)
        if y[i] > 1 - cost / game.weights[i]:
            raise Failed(f"the multiplier of agent {i} is too large", step=f"agent {i}")
    return len(states) + 1 + len(choice)
