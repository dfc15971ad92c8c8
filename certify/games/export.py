"""Games as others read them: Gambit's `.nfg` and `.efg`, and our canonical JSON (docs/games.md#export).

Every player is paid R/w_i, so that the weights come back when the file is read again; the potential of a game is
written as the game that it is the potential of.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace
from fractions import Fraction

from certify.errors import InputError
from certify.exact import rational_text
from certify.games.aoh import aoh_key
from certify.games.canonical import game_to_json
from certify.games.model import FIRST, Game, JointAction, JointObservation
from certify.games.tree import history_counts

LARGEST = 10**6  # payoffs of a table, nodes of a tree
Belief = dict[int, Fraction]


def json_text(game: Game) -> str:
    """The canonical form; of the potential, where the game is one.

    >>> from certify.games import builtin
    >>> json_text(builtin("lever:2"))[:36]
    '{"format":"certify-game","version":1'
    """
    return json.dumps(game_to_json(game), separators=(",", ":"), ensure_ascii=False) + "\n"


def nfg_text(game: Game) -> str:
    """A one-shot game as an `.nfg` file in payoff form; raises `InputError` for other games.

    >>> from certify.games import builtin
    >>> print(nfg_text(builtin("lever:2:1/2")))
    NFG 1 R "lever:2:1/2" { "agent1" "agent2" }
    { { "0" "1" } { "0" "1" } }
    ""
    <BLANKLINE>
    1 1
    0 0
    0 0
    1/2 1/2
    <BLANKLINE>
    """
    _plain(game)
    observations = {o for _, o, _ in game.start}
    if game.horizon != 1 or len(observations) != 1:
        what = f"{game.horizon} steps" if game.horizon != 1 else "initial observations"
        raise InputError(game.source or game.name, f"a game with {what} is no table", "export it as efg")
    last = next(iter(observations)) or (FIRST,) * game.number_of_agents
    actions = [game.legal(i, 0, o) for i, o in enumerate(last)]
    profiles = [a[::-1] for a in itertools.product(*reversed(actions))]  # the first player's index runs fastest
    if len(profiles) * len(actions) > LARGEST:
        raise InputError(game.name, f"{len(profiles):,} profiles", f"at most {LARGEST:,} payoffs are written")
    originals = _originals(game)

    def pays(a: JointAction) -> tuple[Fraction, ...]:
        if originals:
            return originals[a]
        mean = sum((p * game.reward.get((s, a), 0) for s, _, p in game.start), Fraction(0))
        return tuple(mean / w for w in game.weights)

    lines = [
        f"NFG 1 R {_quoted(game.name)} {{ {' '.join(map(_quoted, game.agents))} }}",
        "{ " + " ".join(_labels(game, i, own) for i, own in enumerate(actions)) + " }",
        '""',
        "",
        *(" ".join(map(rational_text, pays(a))) for a in profiles),
    ]
    return "\n".join(lines) + "\n"


def efg_text(game: Game) -> str:
    """A game as an `.efg` file: chance, then the agents one after the other without seeing each other, step by step.

    Nodes are joint histories: of states only the belief is kept, and what is expected in a step is paid after it.
    An agent with one legal action has no node.  Raises `InputError` for a tree of more than a million nodes.

    >>> from certify.games import builtin
    >>> print(efg_text(builtin("matching-pennies")))
    EFG 2 R "matching-pennies" { "agent1" "agent2" }
    ""
    <BLANKLINE>
    p "" 1 1 "agent1:" { "h" "t" } 0
    p "" 2 1 "agent2:" { "h" "t" } 0
    t "" 1 "" { 1, 1 }
    t "" 2 "" { -1, -1 }
    p "" 2 1 "agent2:" { "h" "t" } 0
    t "" 2 "" { -1, -1 }
    t "" 1 "" { 1, 1 }
    <BLANKLINE>
    """
    _plain(game)
    _limited(game)
    return _TreeWriter(game).text()


def _originals(game: Game) -> dict[JointAction, tuple[Fraction, ...]]:
    """What each player is paid in the game that this one is the potential of; nothing for a game in its own right."""
    if game.original is None or game.horizon != 1:
        return {}
    places = itertools.product(*(range(size) for size in game.original.sizes))
    return dict(zip(places, game.original.payoffs, strict=True))


def _plain(game: Game) -> None:
    """That no reference but the uniform one would be lost."""
    for row in game.reference.values():
        if len({p for _, p in row}) > 1:
            raise InputError(
                game.source or game.name, "a reference policy, which the format cannot say", "export it as json"
            )


def _limited(game: Game) -> None:
    widest = [1] * game.horizon
    for step in range(game.horizon):
        for i in range(game.number_of_agents):
            widest[step] *= len(game.actions_at(i, step))
    counts = history_counts(game, LARGEST)
    if sum(n * a for n, a in zip(counts, widest, strict=False)) > LARGEST:
        raise InputError(
            game.source or game.name,
            f"{sum(counts):,} joint histories{' and more' * (len(counts) < game.horizon)} with up to {max(widest):,} "
            "joint actions each",
            f"trees of up to {LARGEST:,} nodes are written; use a shorter horizon",
        )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _labels(game: Game, agent: int, actions: tuple[int, ...]) -> str:
    return "{ " + " ".join(_quoted(game.actions[agent][a]) for a in actions) + " }"


@dataclass(frozen=True)
class _Place:
    """A place in the tree: a joint history, the belief there, the actions chosen so far in its step (`None`: chance
    is about to draw what comes before the step), and what the next node still has to pay."""

    step: int
    initial: JointObservation
    steps: tuple[tuple[JointAction, JointObservation], ...]
    belief: Belief
    chosen: JointAction
    owed: Fraction


class _TreeWriter:
    """Writes nodes in the order of the format: every subtree before the next."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.sets: list[dict[str, int]] = [{} for _ in game.agents]
        self.outcomes: dict[tuple[Fraction, ...], int] = {}
        self.originals = _originals(game)
        self.lines: list[str] = []
        self.chances = 0

    def text(self) -> str:
        game = self.game
        roots: dict[JointObservation, Belief] = {}
        for s, o, p in game.start:
            belief = roots.setdefault(o, {})
            belief[s] = belief.get(s, Fraction(0)) + p
        places = [
            (sum(belief.values(), Fraction(0)), _Place(0, o, (), _scaled(belief), (), Fraction(0)))
            for o, belief in sorted(roots.items())
        ]
        waiting = self._drawn(places)
        while waiting:
            waiting += reversed(self._after(waiting.pop()))
        head = f"EFG 2 R {_quoted(game.name)} {{ {' '.join(map(_quoted, game.agents))} }}"
        return "\n".join([head, '""', "", *self.lines]) + "\n"

    def _drawn(self, places: list[tuple[Fraction, _Place]]) -> list[_Place]:
        """The places that chance leads to, with a node of its own if there are several."""
        if len(places) > 1:
            self.chances += 1
            listed = " ".join(f'"{k + 1}" {rational_text(p)}' for k, (p, _) in enumerate(places))
            owed = self._outcome(places[0][1].owed)
            self.lines.append(f'c "" {self.chances} "" {{ {listed} }} {owed}')
            return [replace(place, owed=Fraction(0)) for _, place in places]
        return [place for _, place in places]

    def _outcome(self, owed: Fraction) -> str:
        """What a node pays; 0 stands for nothing."""
        return self._pays(tuple(owed / w for w in self.game.weights))

    def _pays(self, pays: tuple[Fraction, ...]) -> str:
        if not any(pays):
            return "0"
        number = self.outcomes.setdefault(pays, len(self.outcomes) + 1)
        return f'{number} "" {{ {", ".join(map(rational_text, pays))} }}'

    def _after(self, place: _Place) -> list[_Place]:
        """Writes the node at a place, if it has one; the places below it."""
        game = self.game
        if len(place.chosen) == game.number_of_agents:
            return self._moved(place)
        agent = len(place.chosen)
        last = place.steps[-1][1] if place.steps else place.initial or (FIRST,) * game.number_of_agents
        legal = game.legal(agent, place.step, last[agent])
        if len(legal) > 1:
            initial = place.initial[agent] if place.initial else None
            key = aoh_key(game, agent, initial, [(a[agent], o[agent]) for a, o in place.steps])
            number = self.sets[agent].setdefault(key, len(self.sets[agent]) + 1)
            owed = self._outcome(place.owed)
            self.lines.append(f'p "" {agent + 1} {number} {_quoted(key)} {_labels(game, agent, legal)} {owed}')
            place = replace(place, owed=Fraction(0))
        return [replace(place, chosen=(*place.chosen, a)) for a in legal]

    def _moved(self, place: _Place) -> list[_Place]:
        """After a joint action: the end, or what chance does next."""
        game, a = self.game, place.chosen
        gained = sum((p * game.reward.get((s, a), 0) for s, p in place.belief.items()), Fraction(0))
        owed = place.owed + game.discount**place.step * gained
        if place.step + 1 == game.horizon:
            paid = self._pays(self.originals[a]) if self.originals else self._outcome(owed)
            self.lines.append(f't "" {paid}')
            return []
        following: dict[JointObservation, Belief] = {}
        for s, p in place.belief.items():
            for s2, q in game.transition[s, a]:
                for o, r in game.emission[a, s2]:
                    belief = following.setdefault(o, {})
                    belief[s2] = belief.get(s2, Fraction(0)) + p * q * r
        return self._drawn(
            [
                (
                    sum(belief.values(), Fraction(0)),
                    _Place(place.step + 1, place.initial, (*place.steps, (a, o)), _scaled(belief), (), owed),
                )
                for o, belief in sorted(following.items())
            ]
        )


def _scaled(belief: Belief) -> Belief:
    total = sum(belief.values(), Fraction(0))
    return {s: p / total for s, p in belief.items()}
