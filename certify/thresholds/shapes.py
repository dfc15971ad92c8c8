"""The shape of a game: sizes, weights and widths of what is left to earn, without a single history
(docs/theory/structural.md; docs/certificate-format.md, section 3).

Everything here is exact, or rounded up to a dyadic grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from certify.bounds.arb_numbers import to_arb, working_precision
from certify.errors import InputError
from certify.exact import parse_rational, rational_text
from certify.games.model import FIRST, Game, JointAction
from certify.games.reachability import Moment, deciding, play

_GRID = 1 << 96  # long fractions are rounded up to this grid
_LOG_BITS = 128
_MOST = {"n": 100, "h": 1000, "actions": 10**6}  # of the bare parameters
_EXAMPLE = "write n=2,h=80,actions=20,return=0:25"


@dataclass(frozen=True)
class Shape:
    """What the general forms need: widths D_t, action counts, weights, discount.

    widths : D_t per step.  actions : `actions[i][t]`, |A_{i,t}|, or the largest 1 / rho(a|x) where a reference
        rho is given (docs/theory/legal-actions.md#localisation-with-a-reference).
    """

    widths: tuple[Fraction, ...]
    actions: tuple[tuple[Fraction, ...], ...]
    weights: tuple[Fraction, ...]
    discount: Fraction

    @property
    def horizon(self) -> int:
        """The number of steps."""
        return len(self.widths)

    def keys(self) -> list[tuple[int, int]]:
        """(agent, step) wherever the agent has a choice."""
        return [(i, t) for i in range(len(self.actions)) for t in range(self.horizon) if self.actions[i][t] > 1]


def shape_of(game: Game) -> Shape:
    """Widths of the return-to-go by dynamic programming on what each step can meet: states, and last observations
    where they decide what is legal.  Illegal actions and what only they reach do not count; ended branches do."""
    met = list(play(game))
    top: dict[Moment, Fraction] = {}
    bottom: dict[Moment, Fraction] = {}
    widths: list[Fraction] = []
    for t in reversed(range(game.horizon)):
        high, low = {}, {}
        for moment in sorted(met[t]):
            actions = list(game.legal_joint_actions(t, moment[1]))
            best = [_backed_up(game, moment[0], a, top) for a in actions]
            worst = [_backed_up(game, moment[0], a, bottom) for a in actions] if bottom else best
            high[moment], low[moment] = max(best), min(worst)
        top, bottom = high, low
        widths.append(max(top.values()) - min(bottom.values()))
    return Shape(tuple(reversed(widths)), _spreads(game, met), game.weights, game.discount)


def _spreads(game: Game, met: list[frozenset[Moment]]) -> tuple[tuple[Fraction, ...], ...]:
    """Per agent and step the largest 1 / reference of a legal action that play can meet there: the number of
    actions where all are legal and the reference is uniform."""
    return tuple(
        tuple(
            max(
                1 / p
                for o in {last[i] if last else FIRST for _, last in met[t]}
                for _, p in game.reference_row(i, t, o)
            )
            for t in range(game.horizon)
        )
        for i in range(game.number_of_agents)
    )


def _backed_up(game: Game, s: int, a: JointAction, values: dict[Moment, Fraction]) -> Fraction:
    if not values:
        return game.reward.get((s, a), Fraction(0))
    future = Fraction(0)
    if not game.reference:
        future = sum((p * values[s2, ()] for s2, p in game.transition[s, a]), future)
    else:
        for s2, p in game.transition[s, a]:
            future += p * sum((q * values[s2, deciding(game, o)] for o, q in game.emission[a, s2]), Fraction(0))
    return game.reward.get((s, a), Fraction(0)) + game.discount * future


def bare_shape(agents: int, horizon: int, actions: int, low: Fraction, high: Fraction) -> Shape:
    """A shape from bare parameters: the undiscounted return of the whole game lies in [low, high].

    Given any history the return still lies there, so D_t = high - low at every step (with a
    discount the width of what is left, counted from step t, could be larger by gamma^-t).
    """
    return Shape(
        (high - low,) * horizon, ((Fraction(actions),) * horizon,) * agents, (Fraction(1),) * agents, Fraction(1)
    )


def log_above(count: Fraction) -> Fraction:
    """A dyadic at least log(count)."""
    with working_precision(_LOG_BITS):
        mantissa, exponent = to_arb(count).log().upper().man_exp()
    return round_up(Fraction(int(mantissa)) * Fraction(2) ** int(exponent))


def round_up(value: Fraction) -> Fraction:
    """`value` itself if its denominator is short, else the next multiple of 2**-96."""
    return value if value.denominator <= _GRID else Fraction(-((-value.numerator * _GRID) // value.denominator), _GRID)


def return_widths(shape: Shape, alpha: Fraction) -> list[Fraction]:
    """Upper bounds on c_t of docs/certificate-format.md, (2): beta times the width of what is left
    to earn, the entropies of later policies included."""
    beta = 1 / alpha
    logs = {count: log_above(count) for row in shape.actions for count in row}
    result: list[Fraction] = []
    tail = Fraction(0)  # sum_{u>t} gamma^(u-t-1) sum_j w_j min(...)
    for t in reversed(range(shape.horizon)):
        c = round_up(beta * shape.widths[t] + shape.discount * tail)
        result.append(c)
        here = sum(
            (w * min(logs[shape.actions[j][t]], Fraction(c / w) ** 2 / 8) for j, w in enumerate(shape.weights)),
            Fraction(0),
        )
        tail = round_up(here + shape.discount * tail)
    return result[::-1]


def parse_parameters(text: str) -> tuple[Shape, dict]:
    """`n=2,h=80,actions=20,return=0:25` -> shape and the parameters as a certificate names them.

    Raises `InputError` for anything else.
    """
    given = _named_parts(text)
    sizes = {}
    for key, most in _MOST.items():
        number = parse_rational(given[key], f"--structural, {key}")
        if number.denominator != 1 or not 1 <= number <= most:
            raise InputError("--structural", f"{key}={given[key]}", f"use a whole number from 1 to {most}")
        sizes[key] = int(number)
    low, high = _return_range(given["return"])
    parameters = {
        "agents": sizes["n"],
        "horizon": sizes["h"],
        "actions": sizes["actions"],
        "return": [rational_text(low), rational_text(high)],
        "discount": "1",
    }
    return bare_shape(sizes["n"], sizes["h"], sizes["actions"], low, high), parameters


def _named_parts(text: str) -> dict[str, str]:
    """The four parts of bare parameters by name."""
    names = (*_MOST, "return")
    given: dict[str, str] = {}
    for item in text.split(","):
        key, equals, value = item.partition("=")
        if not equals or key.strip() not in names or key.strip() in given:
            raise InputError("--structural", f"{item!r}", f"{_EXAMPLE} (each once)")
        given[key.strip()] = value.strip()
    for key in names:
        if key not in given:
            raise InputError("--structural", f"{key} is missing", _EXAMPLE)
    return given


def _return_range(text: str) -> tuple[Fraction, Fraction]:
    """LOW:HIGH with LOW < HIGH."""
    parts = text.split(":", 1)
    if len(parts) == 1:
        raise InputError("--structural", f"return={text}", "write return=LOW:HIGH")
    low, high = (parse_rational(part, "--structural, return") for part in parts)
    if high <= low:
        raise InputError("--structural", f"return={text}", "LOW must be less than HIGH")
    return low, high
