"""The games that come with the library, by name: `lever:10:9/10`, `dectiger`, …

Every built-in is written from its published definition with exact numbers; `list_builtins` gives
the source of each.
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from certify.errors import InputError
from certify.exact import exact_number, parse_rational, rational_text
from certify.games.benchmarks import broadcast_channel, dec_tiger, recycling
from certify.games.model import Game, JointAction, check_game
from certify.games.oneshot import agent_names, one_shot
from certify.games.signalling import TINY_HANABI, lewis, tiny_hanabi

LONGEST_HORIZON = 10**6
_MOST_JOINT_ACTIONS = 10**6


@dataclass(frozen=True)
class Builtin:
    """One entry of `list_builtins`: `name` shows the parameters, `example` can be loaded."""

    name: str
    example: str
    description: str
    sizes: str
    source: str


@dataclass(frozen=True)
class _Family:
    build: Callable[..., Game]
    parameters: str  # how they are written after the name, "" for none
    example: str
    description: str
    source: str
    optional: int = 0  # how many parameters may be left out
    repeats: bool = False  # may be played for any number of steps

    @property
    def signature(self) -> tuple[str, ...]:
        return tuple(self.parameters.split(":")[1:])


def builtin(name: str, horizon: int | None = None, discount: Fraction | int | str | None = None) -> Game:
    """The built-in game called `name`, at its default horizon and discount unless told otherwise.

    Raises `InputError` for an unknown name, a bad parameter, or a horizon that the game cannot
    have: one-shot and signalling games have a fixed number of steps.

    >>> builtin("lever:2").reward
    mappingproxy({(0, (0, 0)): Fraction(1, 1), (0, (1, 1)): Fraction(1, 1)})
    >>> builtin("dectiger", horizon=3).horizon
    3
    """
    head, *parameters = name.split(":")
    family = _FAMILIES.get(head)
    if family is None:
        near = difflib.get_close_matches(head, _FAMILIES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(name, "no built-in game has this name", f"{hint}`certify games` lists them")
    fewest = len(family.signature) - family.optional
    if not fewest <= len(parameters) <= len(family.signature):
        raise InputError(
            name, "wrong number of parameters", f"write it as {head}{family.parameters}, like {family.example}"
        )
    return adjusted(family.build(name, *parameters), horizon, discount, fixed=not family.repeats)


def is_builtin(name: str) -> bool:
    """Whether `name` begins like a built-in game; its parameters may still be wrong.

    >>> is_builtin("lever:2"), is_builtin("lever.dpomdp")
    (True, False)
    """
    return name.split(":", maxsplit=1)[0] in _FAMILIES


def adjusted(game: Game, horizon: int | None, discount: Fraction | int | str | None, *, fixed: bool) -> Game:
    """The checked game with its horizon and discount overridden; `fixed` horizons may only be repeated.

    >>> adjusted(builtin("dectiger"), 4, "1/2", fixed=False).discount
    Fraction(1, 2)
    """
    where = game.source or game.name
    if horizon is not None:
        horizon = checked_horizon(horizon, where)
        if fixed and horizon != game.horizon:
            raise InputError(
                where,
                f"horizon {horizon}, but this game has exactly {game.horizon} step" + "s" * (game.horizon > 1),
                f"leave --horizon out or give {game.horizon}",
            )
        game = game.with_horizon(horizon)
    if discount is not None:
        game = replace(game, discount=parse_rational(discount, f"{where}, discount"))
    return check_game(game)


def checked_horizon(horizon: int, where: str) -> int:
    """`horizon` if it is a whole number of steps from 1 to a million, else `InputError`.

    >>> checked_horizon(3, "game")
    3
    """
    number = exact_number(horizon, f"{where}, horizon")
    if isinstance(horizon, (bool, float)) or number.denominator != 1 or not 1 <= number <= LONGEST_HORIZON:
        raise InputError(where, f"horizon {horizon}", f"use a whole number of steps from 1 to {LONGEST_HORIZON}")
    return int(number)


def list_builtins() -> tuple[Builtin, ...]:
    """All built-in games, one-shot games first.

    >>> [entry.sizes for entry in list_builtins() if entry.name == "dectiger"]
    ['2 agents, 2 states, 3x3 actions, 2x2 observations, horizon 2']
    """
    return tuple(
        Builtin(
            head + family.parameters, family.example, family.description, _sizes(builtin(family.example)), family.source
        )
        for head, family in _FAMILIES.items()
    )


def _sizes(game: Game) -> str:
    def product(sets: Sequence[Sequence[str]]) -> str:
        return "x".join(str(len(names)) for names in sets)

    states = f"{len(game.states)} state" + "s" * (len(game.states) > 1)
    return (
        f"{len(game.agents)} agents, {states}, {product(game.actions)} actions, "
        f"{product(game.observations)} observations, horizon {game.horizon}"
    )


def _count(text: str, where: str, what: str, least: int = 1) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < least:
        raise InputError(where, f"{text!r} is not a number of {what}", f"give a whole number, at least {least}")
    return int(text)


def _limited(where: str, sizes: Sequence[int]) -> None:
    if (joint := math.prod(sizes)) > _MOST_JOINT_ACTIONS:
        raise InputError(where, f"{joint} joint actions", f"keep them within {_MOST_JOINT_ACTIONS}")


def _matrix(name: str, actions: str, rows: Sequence[Sequence[Fraction | int]]) -> Game:
    payoff: dict[tuple[int, ...], Fraction | int] = {
        (a, b): Fraction(r) for a, row in enumerate(rows) for b, r in enumerate(row)
    }
    return one_shot(name, [actions, actions], payoff)


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(str(k) for k in range(count))  # numbered names are their index (interface, small print)


def _lever(where: str, levers: str, last: str = "1") -> Game:
    count = _count(levers, where, "levers")
    _limited(where, (count, count))
    worth = parse_rational(last, f"{where}, last lever")
    payoff: dict[tuple[int, ...], Fraction | int] = {
        (k, k): worth if k == count - 1 else Fraction(1) for k in range(count)
    }
    suffix = "" if worth == 1 else f":{rational_text(worth)}"
    return one_shot(f"lever:{count}{suffix}", [_numbered(count)] * 2, payoff)


def _match(where: str, shape: str) -> Game:
    sizes = [_count(part, where, "actions") for part in shape.split("x")]
    _limited(where, sizes)
    return one_shot(
        f"match:{'x'.join(map(str, sizes))}",
        [_numbered(size) for size in sizes],
        {(k,) * len(sizes): Fraction(1) for k in range(min(sizes))},
    )


def _penalty(where: str, value: str) -> Game:
    k = parse_rational(value, f"{where}, penalty")
    return _matrix(f"penalty:{rational_text(k)}", "abc", ((10, 0, k), (0, 2, 0), (k, 0, 10)))


def _two_stage_lever(where: str) -> Game:
    joint: list[JointAction] = list(itertools.product(range(2), repeat=2))
    seen = tuple(f"{a}{b}" for a, b in joint)  # both actions, agent 1's first
    one = Fraction(1)
    return Game(
        name=where,
        agents=agent_names(2),
        states=("s",),
        actions=(_numbered(2),) * 2,
        observations=(seen,) * 2,
        start=((0, (), one),),
        transition={(0, a): ((0, one),) for a in joint},
        emission={(a, 0): (((k, k), one),) for k, a in enumerate(joint)},
        reward={(0, a): one if a[0] == a[1] else -one for a in joint},
        horizon=2,
        source=where,
    )


def _lewis(where: str, signals: str) -> Game:
    count = _count(signals, where, "signals")
    _limited(where, (count + 1, count + 1))
    return lewis(count)


def _tiny_hanabi(where: str, variant: str) -> Game:
    if variant not in TINY_HANABI:
        raise InputError(where, f"no tiny Hanabi game {variant!r}", f"choose one of {', '.join(TINY_HANABI)}")
    return tiny_hanabi(variant)


_OTHER_PLAY = "Hu, Lerer, Peysakhovich and Foerster, ICML 2020"
_CLAUS = "Claus and Boutilier, AAAI 1998"
_FAMILIES = {
    "lever": _Family(
        _lever,
        ":N:Q",
        "lever:10:9/10",
        "pick the same of N levers; each is worth 1, the last one Q (1 if left out)",
        _OTHER_PLAY,
        optional=1,
    ),
    "matching-pennies": _Family(
        lambda where: _matrix(where, "ht", ((1, -1), (-1, 1))),
        "",
        "matching-pennies",
        "two coins: 1 if they match, -1 if not",
        "folklore (the common-payoff version)",
    ),
    "climbing": _Family(
        lambda where: _matrix(where, "abc", ((11, -30, 0), (-30, 7, 6), (0, 0, 5))),
        "",
        "climbing",
        "the best joint action is surrounded by penalties",
        _CLAUS,
    ),
    "penalty": _Family(_penalty, ":K", "penalty:-10", "two optima that cost K when mixed up, one safe action", _CLAUS),
    "match": _Family(
        _match,
        ":N1xN2x...",
        "match:3x3x3",
        "any number of agents with N1, N2, ... actions: 1 if all play the same number",
        _OTHER_PLAY,
    ),
    "two-stage-lever": _Family(
        _two_stage_lever,
        "",
        "two-stage-lever",
        "two levers, 1 for a match and -1 for a mismatch, twice; both see what was played",
        "Treutlein, Dennis, Oesterheld and Foerster, ICML 2021",
        repeats=True,
    ),
    "lewis": _Family(
        _lewis, ":N", "lewis:3", "a sender names one of N types by one of N signals", "Lewis, Convention, 1969"
    ),
    "tiny-hanabi": _Family(
        _tiny_hanabi,
        ":A-F",
        "tiny-hanabi:E",
        "two cards, two moves, the first move is seen",
        "Foerster et al., ICML 2019; Sokota et al., AAAI 2021",
    ),
    "dectiger": _Family(
        lambda where: dec_tiger(),
        "",
        "dectiger",
        "two agents listen for a tiger and open a door",
        "Nair, Tambe, Yokoo, Pynadath and Marsella, IJCAI 2003",
        repeats=True,
    ),
    "recycling": _Family(
        lambda where: recycling(),
        "",
        "recycling",
        "two robots collect cans on limited batteries",
        "Amato, Bernstein and Zilberstein, UAI 2007",
        repeats=True,
    ),
    "broadcast-channel": _Family(
        lambda where: broadcast_channel(),
        "",
        "broadcast-channel",
        "two nodes share a channel and must not send at once",
        "Ooi and Wornell, CDC 1996; Hansen, Bernstein and Zilberstein, AAAI 2004",
        repeats=True,
    ),
}
