"""What a page says of the game inside a certificate, and the names of the rows of its tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from certify.bounds.policy import layout_of
from certify.certificates.markup import Sentence, interval, number, say
from certify.certificates.reading_objective import words_of
from certify.certificates.statement import Item, items
from certify.errors import InputError
from certify.exact import parse_rational
from certify.games.canonical import game_from_json
from certify.games.histories import histories
from certify.games.tree import unroll

_HEX = re.compile(r"[0-9a-f]{64}\Z")
_LARGEST = 60_000  # entries of a tree that is unrolled to name the rows of a page


@dataclass(frozen=True)
class Row:
    """A row of a policy: its agent and AOH as `key`, the actions, and how many AOHs are `alike` (merged in it)."""

    key: str
    actions: tuple[str, ...]
    alike: int = 1

    @property
    def sentence(self) -> Sentence:
        """The key as a page shows it."""
        more = f" and {self.alike - 1} alike" if self.alike > 1 else ""
        agent, _, steps = self.key.partition(":")
        return say("{}" + more, self.key) if steps else say("{}, first step" + more, agent)


def fraction(value: Any, where: str = "number") -> Fraction:
    """An exact number of a certificate; raises `InputError` for anything else."""
    return parse_rational(value, where)


def whole(value: Any, where: str = "number") -> int:
    """A whole number of a certificate; raises `InputError` for anything else."""
    number = parse_rational(value, where)
    if number.denominator != 1:
        raise InputError(where, f"{number} is not whole", "run `certify check` on the certificate")
    return int(number)


def enclosure(given: Any, where: str = "number", digits: int = 8) -> str:
    """`[low, high]` of two exact numbers of a certificate, in decimals rounded outwards."""
    low, high = given
    return interval(fraction(low, where), fraction(high, where), digits)


def digest(value: Any) -> Sentence:
    """A SHA-256 to be typed or compared; whatever else stands there is shown as a text of others."""
    return Sentence((("code", value),)) if isinstance(value, str) and _HEX.match(value) else say("{}", value)


def rows(document: dict[str, Any], *, clustering: bool = True) -> list[Row] | None:
    """The rows of tables in the order of the format, or None where the game is too large to name them here."""
    try:
        tree = unroll(game_from_json(document["game"], "game"), cluster=clustering, max_entries=_LARGEST)
    except (InputError, KeyError, TypeError, ValueError, IndexError):
        return None
    layout = layout_of(tree)
    found: dict[int, Row] = {}
    for i in range(tree.number_of_agents):
        for x in histories(tree, i):
            row = layout.rows[i, x.depth].start + x.class_index
            if row in found:
                found[row] = Row(found[row].key, found[row].actions, found[row].alike + 1)
            else:
                # numbers that are left over in a row are no actions of it
                legal = tree.levels[x.depth].legal_actions(i, x.class_index)
                spare = layout.shape[i, x.depth][1] - len(legal)
                names = [*(tree.game.actions[i][a] for a in legal), *["(none)"] * spare]
                found[row] = Row(x.key, tuple(names))
    return [found[row] for row in range(len(found))]


def named_rows(document: dict[str, Any], table: list[list[Any]], *, clustering: bool = True) -> list[Row]:
    """A `Row` for each of a table's: by name, or by number where the game is too large or does not fit the table."""
    named = rows(document, clustering=clustering)
    if named is not None and [len(row.actions) for row in named] == [len(row) for row in table]:
        return named
    return [Row(f"row {x + 1}:", tuple(str(a) for a in range(len(row)))) for x, row in enumerate(table)]


def subject(document: dict[str, Any]) -> tuple[tuple[str, Sentence], ...]:
    """(label, value) about the game that a certificate restates."""
    game = document["game"]
    weights = {fraction(w, "weight") for w in game["weights"]}
    listed = ", ".join(number(fraction(w, "weight"), up=True) for w in game["weights"])
    agents = " and ".join(["{}"] * len(game["agents"])) if len(game["agents"]) <= 4 else str(len(game["agents"]))
    return (
        ("game", say("{}", game["name"])),
        ("agents", say(agents, *(game["agents"] if "{}" in agents else ()))),
        ("size", say(_size(game, every_horizon(document)))),
        ("discount", say(f"${number(fraction(game['discount'], 'discount'), up=True)}$")),
        ("weights", say(f"${listed}$" if len(weights) > 1 else f"${listed.split(',')[0]}$ for every agent")),
        ("game SHA-256", digest(document["game_sha256"])),
    )


def every_horizon(document: dict[str, Any]) -> bool:
    """Whether the claim is about the game with every number of steps."""
    return isinstance(document.get("claim"), dict) and document["claim"].get("horizons") == "all"


def _size(game: dict[str, Any], endless: bool) -> str:
    horizon, states = whole(game["horizon"], "horizon"), len(game["states"])
    actions = ", ".join(str(len(a)) for a in game["actions"])
    seen = ", ".join(str(len(o)) for o in game["observations"])
    steps = "one step" if horizon == 1 else f"horizon {horizon}"
    steps = "any number of steps" if endless else steps
    return f"{steps}, {states} reachable state{'s' * (states != 1)}; actions per agent {actions}; observations {seen}"


def setting(document: dict[str, Any]) -> Sentence:
    """The hypotheses of a theorem about the game: 'Let G be …'."""
    game = document["game"]
    horizon = whole(game["horizon"], "horizon")
    discount = number(fraction(game["discount"], "discount"), up=True)
    what = "one-shot common-payoff game" if horizon == 1 else f"Dec-POMDP of horizon {horizon}, discount ${discount}$,"
    if every_horizon(document):
        what = f"Dec-POMDPs of every horizon, discount ${discount}$, that are"
    return say(f"Consider the {what} {{}} with {len(game['agents'])} agents, and ", game["name"]) + objective(document)


def objective(document: dict[str, Any]) -> Sentence:
    """What is maximised, by the word of the certificate."""
    return say("the ") + words_of(document).regularised + say(" objective")


def assumptions(document: dict[str, Any]) -> tuple[Item, ...]:
    """What a statement about policies and flows assumes."""
    return items(
        say("Policies are tabular softmax policies, and the flow follows the exact gradient."),
        *words_of(document).assumed,
        say("The game is exactly the one restated inside the certificate."),
    )
