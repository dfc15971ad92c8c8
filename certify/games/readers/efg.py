"""Reader of Gambit's extensive games, `.efg` (docs/games.md#gambit).

Team games with perfect recall become games with legal sets (docs/theory/potential.md#turns); trees in which
everybody moves once and nobody learns anything are one-shot games, and may have a potential.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from certify.games.extensive import CHANCE, LEAF, Extensive, Node, Payoffs
from certify.games.labels import plain_names
from certify.games.readers.gambit_text import GambitText, Word
from certify.games.tables import Game
from certify.games.turns import LARGEST, game_of

_NUMBERS = 20  # per node, of all players together, at the limit of nodes
_ROUNDING = Fraction(1, 1000)  # what a row of probabilities may miss 1 by where `rows` is "renormalise"


def read_efg(text: str, where: str, name: str, rows: str = "exact", largest: int = LARGEST) -> Game:
    '''The checked game of the text of an `.efg` file.

    `where` names the file in errors; `rows` as in `certify.load`; `largest` is the number of
    nodes, and of states with their steps, that are taken.  Raises `InputError` with line and column for
    what is no such file, and with the line for imperfect recall and for payoffs that are not common.

    >>> game = read_efg("""EFG 2 R "follow" { "A" "B" }
    ... p "" 1 1 "" { "l" "r" } 0
    ... p "" 2 1 "" { "l" "r" } 0
    ... t "" 1 "" { 1 1 }
    ... t "" 0
    ... p "" 2 2 "" { "l" "r" } 0
    ... t "" 0
    ... t "" 2 "" { 2 2 }
    ... """, "small.efg", "small")
    >>> game.horizon, game.actions[1], game.observations[1]
    (2, ('l', 'r', 'wait'), ('wait', 'set1', 'set2'))
    '''
    return game_of(tree_of(text, where, rows, largest), name, largest)


@dataclass
class _Set:
    """An information set (or a chance move) as its first node defines it."""

    number: int
    label: str
    actions: list[str]
    chances: tuple[Fraction, ...]


@dataclass
class _Draft:
    """A node whose children are still to be read."""

    word: Word
    player: int
    info: int
    pay: Payoffs
    chances: tuple[Fraction, ...]
    open: int
    children: list[int] = field(default_factory=list)


class _Reader:
    def __init__(self, text: str, where: str, rows: str, largest: int) -> None:
        self.words, self.where, self.rows, self.largest = GambitText(text, where), where, rows, largest
        self.players: tuple[str, ...] = ()
        self.sets: dict[tuple[int, int], _Set] = {}  # by player (CHANCE too) and the file's number
        self.outcomes: dict[int, tuple[str, Payoffs]] = {}
        self.nodes: list[_Draft] = []

    def tree(self) -> Extensive:
        words = self.words
        words.literal("EFG", "2")
        kind = words.next()
        if kind.text not in ("R", "D"):
            raise words.unexpected(kind, "R or D", "the file begins with EFG 2 R")
        words.text("a title")
        self.players = plain_names(words.players(), "agent")
        if words.ahead("text"):
            words.next()  # a comment
        self._nodes()
        words.finish()
        return Extensive(self.players, self._named_sets(), tuple(map(self._node, self.nodes)), self.where)

    def _nodes(self) -> None:
        """All nodes, in the order of a walk that finishes every subtree before the next."""
        unfinished: list[int] = []
        most = min(self.largest, _NUMBERS * self.largest // len(self.players))
        while not self.nodes or unfinished:
            k = len(self.nodes)
            if k == most:
                what = f"more than {most:,} nodes for {len(self.players)} players"
                raise self.words.error(
                    self.words.peek(), what, "give a smaller game, or raise max_states= of certify.load"
                )
            if unfinished:
                parent = self.nodes[unfinished[-1]]
                parent.children.append(k)
                if len(parent.children) == parent.open:
                    unfinished.pop()
            draft = self._draft()
            self.nodes.append(draft)
            if draft.open:
                unfinished.append(k)

    def _draft(self) -> _Draft:
        words = self.words
        word = words.next()
        if word.kind != "word" or word.text not in ("c", "p", "t"):
            raise words.unexpected(word, "a node", "a node begins with c, p or t")
        words.text("a node's name")
        if word.text == "t":
            return _Draft(word, LEAF, -1, self._outcome(), (), 0)
        player = CHANCE
        if word.text == "p":
            here = words.peek()
            player = words.index("the number of a player", len(self.players)) - 1
            if player < 0:
                raise words.error(here, "player 0", f"players are numbered from 1 to {len(self.players)}")
        found = self._set(player)
        return _Draft(word, player, found.number, self._outcome(), found.chances, len(found.actions))

    def _set(self, player: int) -> _Set:
        """The information set, or chance move, that a node belongs to."""
        words, chance = self.words, player == CHANCE
        here = words.peek()
        number = words.index("the number of an information set")
        known = self.sets.get((player, number))
        if not words.ahead("text"):
            if known is None:
                raise words.error(here, f"information set {number} is not defined yet", "give its name and actions")
            return known
        label = words.text("a name")
        start = words.peek()
        words.brace("{")
        actions, chances = [], []
        while not words.ahead("}"):
            actions.append(words.text("an action's name"))
            if chance:
                chances.append(words.number("a probability"))
        words.brace("}")
        if not actions:
            raise words.error(start, "no actions", "give at least one")
        if chance:
            self._check_chances(start, chances)
        if known is None:
            own = sum(1 for owner, _ in self.sets if (owner == CHANCE) == chance)
            known = self.sets[player, number] = _Set(own, label, actions, self._normal(chances))
        elif (actions, self._normal(chances)) != (known.actions, known.chances):
            raise words.error(here, f"information set {number} is defined twice, differently", "repeat it as it was")
        return known

    def _check_chances(self, word: Word, chances: list[Fraction]) -> None:
        if min(chances) < 0:
            raise self.words.error(word, f"a probability of {min(chances)}", "give numbers from 0 on")
        total = sum(chances, Fraction(0))
        if total != 1 and not (self.rows == "renormalise" and abs(total - 1) <= _ROUNDING):
            mend = "make them sum to exactly 1"
            if abs(total - 1) <= _ROUNDING:
                mend += ", or pass --rows renormalise"
            raise self.words.error(word, f"probabilities sum to {total}, not 1", mend)

    def _normal(self, chances: list[Fraction]) -> tuple[Fraction, ...]:
        return tuple(p / sum(chances, Fraction(0)) for p in chances)

    def _outcome(self) -> Payoffs:
        """What is paid at a node."""
        words, n = self.words, len(self.players)
        here = words.peek()
        number = words.index("the number of an outcome")
        if not words.ahead("text") and not words.ahead("{"):
            if number and number not in self.outcomes:
                raise words.error(here, f"outcome {number} is not defined yet", "give its name and payoffs")
            return self.outcomes[number][1] if number else (Fraction(0),) * n
        if not number:
            raise words.error(here, "outcome 0 with a name or payoffs", "0 stands for no outcome; number it from 1")
        label = words.text("an outcome's name") if words.ahead("text") else ""
        found = label, words.numbers("payoff", n)
        if self.outcomes.setdefault(number, found) != found:
            raise words.error(here, f"outcome {number} is defined twice, differently", "repeat it as it was")
        return found[1]

    def _named_sets(self) -> tuple[tuple[int, str, tuple[str, ...]], ...]:
        """(player, name, names of the actions) of the players' information sets, in the order of their numbers."""
        own = [(player, found) for (player, _), found in self.sets.items() if player != CHANCE]
        names: dict[int, str] = {}
        for i in range(len(self.players)):
            mine = [found for player, found in own if player == i]
            names |= dict(zip((s.number for s in mine), plain_names([s.label for s in mine], "set"), strict=True))
        return tuple((player, names[found.number], plain_names(found.actions, "action")) for player, found in own)

    def _node(self, draft: _Draft) -> Node:
        line = self.words.line_of(draft.word)
        return Node(draft.player, draft.info, tuple(draft.children), draft.chances, draft.pay, line)


def tree_of(text: str, where: str, rows: str = "exact", largest: int = LARGEST) -> Extensive:
    """The tree that the text of an `.efg` file describes, as it stands there."""
    return _Reader(text, where, rows, largest).tree()
