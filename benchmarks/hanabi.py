"""Small Hanabi as an exact model in native JSON: two players, one clue token, one life.

    python benchmarks/hanabi.py --colours 1 --ranks 2 -o hanabi.json
    certify threshold hanabi.json --objective kl

Rules as in the Hanabi Learning Environment: three cards of the first rank of each colour, one of the last (if it is
another), two of the others; to discard one needs a clue token to win back, to give a clue one to pay; the
last rank of a colour wins one back; a wrong card costs the life and the score; after the last card is dealt each
player has one more turn.  Nobody sees his own hand.  Each player observes what was done, the card it was
done with, the other's hand and the number of clue tokens: that decides what is legal.  While one acts the other has one
legal action, and so have both when the game is over, which everybody sees.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

Card = tuple[int, int]  # colour and rank, from 0
WAIT = "wait"


@dataclass(frozen=True)
class Position:
    """What is on the table: the cards still to be dealt, both hands (oldest card first), how far each colour is, clue
    tokens, whose turn it is, how many turns are left (None while cards are), and whether it is over."""

    deck: tuple[Card, ...]
    hands: tuple[tuple[Card, ...], tuple[Card, ...]]
    fireworks: tuple[int, ...]
    clues: int
    player: int
    left: int | None = None
    over: bool = False


class Hanabi:
    """The rules; `document` makes the model."""

    def __init__(self, colours: int, ranks: int, hand: int = 1, clues: int = 1) -> None:
        self.colours, self.ranks, self.hand, self.most = colours, ranks, hand, clues
        self.deck = tuple(
            (c, r)
            for c in range(colours)
            for r in range(ranks)
            for _ in range(3 if r == 0 else 1 if r == ranks - 1 else 2)
        )

    def starts(self) -> list[tuple[Position, Fraction]]:
        """Positions after the deal."""
        empty = Position(self.deck, ((), ()), (0,) * self.colours, self.most, 0)
        found = [(empty, Fraction(1))]
        for player in (0,) * self.hand + (1,) * self.hand:
            found = [(then, p * q) for now, p in found for then, q in self.dealt(now, player)]
        return found

    def dealt(self, now: Position, player: int) -> list[tuple[Position, Fraction]]:
        """What the next card may be."""
        found = []
        for card, count in sorted(Counter(now.deck).items()):
            rest = list(now.deck)
            rest.remove(card)
            hands = tuple((*h, card) if i == player else h for i, h in enumerate(now.hands))
            found.append((replace(now, deck=tuple(rest), hands=hands), Fraction(count, len(now.deck))))
        return found

    def legal(self, now: Position) -> list[str]:
        """What the player whose turn it is may do."""
        own, other = now.hands[now.player], now.hands[1 - now.player]
        moves = [f"play{k}" for k in range(len(own))]
        if now.clues < self.most:
            moves += [f"discard{k}" for k in range(len(own))]
        if now.clues:
            moves += [f"colour{c}" for c in sorted({card[0] for card in other})]
            moves += [f"rank{r}" for r in sorted({card[1] for card in other})]
        return moves

    def score(self, now: Position) -> int:
        """Cards on the table."""
        return sum(now.fireworks)

    def after(self, now: Position, move: str) -> tuple[str, int, list[tuple[Position, Fraction]]]:
        """(what everybody sees of the move, what it adds to the score, where it may lead)."""
        k, player = int(move[-1]), now.player
        left = None if now.left is None else now.left - 1
        turn = replace(now, player=1 - player, left=left)
        if move[:-1] in ("colour", "rank"):
            part = 0 if move.startswith("colour") else 1
            touched = "".join("x" if card[part] == k else "o" for card in now.hands[1 - player])
            then = replace(turn, clues=now.clues - 1)
            return f"{move}-{touched}", 0, [(self.ended(then), Fraction(1))]
        colour, rank = now.hands[player][k]
        seen = f"{move}-c{colour}r{rank}"
        hands = tuple(h[:k] + h[k + 1 :] if i == player else h for i, h in enumerate(now.hands))
        then = replace(turn, hands=hands)
        gain = 0
        if move.startswith("discard"):
            then = replace(then, clues=now.clues + 1)
        elif now.fireworks[colour] == rank:
            gain = 1
            back = rank == self.ranks - 1 and now.clues < self.most
            works = tuple(f + (c == colour) for c, f in enumerate(now.fireworks))
            then = replace(then, fireworks=works, clues=now.clues + back)
        else:
            return seen, -self.score(now), [(replace(then, over=True), Fraction(1))]
        if self.score(then) == self.colours * self.ranks or not then.deck:
            return seen, gain, [(self.ended(then), Fraction(1))]
        dealt = [
            (self.ended(replace(found, left=2) if not found.deck else found), p)
            for found, p in self.dealt(then, player)
        ]
        return seen, gain, dealt

    def ended(self, now: Position) -> Position:
        """The position, over if nobody has a turn left or nothing is left to be done."""
        return replace(now, over=now.left == 0 or self.score(now) == self.colours * self.ranks)

    def view(self, now: Position, player: int, seen: str) -> str:
        """What a player observes after a move."""
        if now.over:
            return f"over-{seen}"
        other = "".join(f"c{c}r{r}" for c, r in now.hands[1 - player])
        return f"{seen}-sees-{other or 'nothing'}-clues{now.clues}-{'acts' if now.player == player else 'waits'}"

    def document(self) -> dict[str, Any]:
        """The game in native JSON; steps are turns."""
        moves: set[str] = {WAIT}
        legal: list[dict[str, list[str]]] = [{}, {}]
        number: dict[Any, str] = {}
        tables: dict[str, list] = {"start": [], "transition": [], "reward": [], "emission": []}
        told: set[tuple[str, str, str]] = set()
        frontier: list[tuple[Position, str]] = []

        def name(now: Position, seen: str) -> str:
            # one position may be reached by moves that look different: what was seen belongs to the state
            if now.over:
                return f"over-{seen}"
            if (now, seen) not in number:
                number[now, seen] = f"s{len(number)}"
                frontier.append((now, seen))
            return number[now, seen]

        def seen_by(now: Position, seen: str) -> list[str]:
            found = [self.view(now, i, seen) for i in range(2)]
            for i, text in enumerate(found):
                acts = not now.over and now.player == i
                legal[i][text] = self.legal(now) if acts else [WAIT]
            return found

        for now, p in self.starts():
            entry = {"state": name(now, "deal"), "observations": seen_by(now, "deal"), "probability": str(p)}
            tables["start"].append(entry)
        horizon = 0
        while frontier:
            level, frontier = frontier, []
            horizon += 1
            for now, before in level:
                for move in self.legal(now):
                    moves.add(move)
                    joint = [move, WAIT] if now.player == 0 else [WAIT, move]
                    seen, gain, row = self.after(now, move)
                    chances: Counter[str] = Counter()
                    for then, p in row:
                        target = name(then, seen)
                        chances[target] += p
                        observed = tuple(seen_by(then, seen))
                        told.add((target, *observed, *joint))
                    here = number[now, before]
                    tables["transition"].append(
                        {"state": here, "actions": joint, "next": {s: str(p) for s, p in chances.items()}}
                    )
                    if gain:
                        tables["reward"].append({"state": here, "actions": joint, "value": gain})
        return self._finished(tables, told, moves, legal, horizon, [*number.values()])

    def _finished(self, tables, told, moves, legal, horizon, states) -> dict[str, Any]:
        over = sorted({target for target, *_ in told if target.startswith("over")})
        by_place: dict[tuple, list] = {}
        for target, one, two, *joint in sorted(told):
            by_place.setdefault((target, *joint), []).append([one, two])
        for (target, *joint), seen in by_place.items():
            assert len(seen) == 1, "what is observed follows from the move and the state"
            tables["emission"].append(
                {"state": target, "actions": joint, "outcomes": [{"observations": seen[0], "probability": 1}]}
            )
        for target in over:
            tables["transition"].append({"state": target, "actions": [WAIT, WAIT], "next": {target: 1}})
            tables["emission"].append(
                {
                    "state": target,
                    "actions": [WAIT, WAIT],
                    "outcomes": [{"observations": [target] * 2, "probability": 1}],
                }
            )
        names = sorted(moves)
        return {
            "kind": "dec-pomdp",
            "name": f"hanabi-{self.colours}x{self.ranks}",
            "agents": ["one", "two"],
            "states": [*states, *over],
            "actions": [names, names],
            "observations": [sorted(set(legal[i])) for i in range(2)],
            "horizon": horizon,
            **tables,
            "legal": {agent: legal[i] for i, agent in enumerate(("one", "two"))},
        }


def terminal_histories(game: Hanabi) -> int:
    """How many ways a game can go, deals included."""

    def count(now: Position) -> int:
        if now.over:
            return 1
        return sum(count(then) for move in game.legal(now) for then, _ in game.after(now, move)[2])

    return sum(count(now) for now, _ in game.starts())


def main() -> None:
    """Write one game."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("--colours", 1), ("--ranks", 2), ("--hand", 1), ("--clues", 1)):
        parser.add_argument(option, type=int, default=default)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    game = Hanabi(given.colours, given.ranks, given.hand, given.clues)
    given.output.write_text(json.dumps(game.document(), indent=1), encoding="utf-8")
    print(f"{terminal_histories(game):,} terminal histories; written to {given.output}")


if __name__ == "__main__":
    main()
