"""What the agents of a game of turns may do and see, by name and by index (docs/theory/potential.md#turns)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction

from certify.games.extensive import Extensive
from certify.games.labels import plain_names
from certify.games.tables import JointAction, JointObservation

WAIT = "wait"
Row = tuple[tuple[int, Fraction], ...]


class TurnNames:
    """Actions and observations of every agent.

    An agent's actions are the labels of its information sets, or numbers where sets of one step and size differ in
    them; then waiting, if it ever does.  Its observations are waiting, if it ever does, then its information sets.
    """

    def __init__(
        self, tree: Extensive, agent: Mapping[int, int], times: Sequence[int], movers: Iterable[AbstractSet[int]]
    ) -> None:
        """`agent` numbers the players who decide; `times` are those of the information sets, -1 for none; `movers`
        are the agents that move in each state."""
        self.tree = tree
        everybody = set(agent.values())
        self.waiting = set[int]().union(*(everybody - moving for moving in movers))
        self.sets = [
            [info for info, (player, _, _) in enumerate(tree.sets) if player == p and times[info] >= 0] for p in agent
        ]
        self.numbered = [self._differ(own, times) for own in self.sets]
        self.actions = tuple(self._actions(i) for i in range(len(self.sets)))
        self.observations = tuple(
            plain_names([WAIT] * (i in self.waiting) + [tree.sets[info][1] for info in own], "set")
            for i, own in enumerate(self.sets)
        )
        self._action = [{name: k for k, name in enumerate(own)} for own in self.actions]
        self._seen = [{info: k + (i in self.waiting) for k, info in enumerate(own)} for i, own in enumerate(self.sets)]

    def _differ(self, own: Sequence[int], times: Sequence[int]) -> bool:
        """Whether sets of one step and size have other labels."""
        spoken: dict[tuple[int, int], frozenset[str]] = {}
        labels = [(times[info], self.tree.sets[info][2]) for info in own]
        return any(spoken.setdefault((t, len(names)), frozenset(names)) != frozenset(names) for t, names in labels)

    def _actions(self, agent: int) -> tuple[str, ...]:
        labels = [self.tree.sets[info][2] for info in self.sets[agent]]
        found = list(dict.fromkeys(name for names in labels for name in names))
        if self.numbered[agent]:
            found = [str(k + 1) for k in range(max(map(len, labels)))]
        return plain_names([*found, WAIT] if agent in self.waiting else found, "action")

    def within(self, agent: int, info: int) -> list[int]:
        """Indices of the actions of an information set, in its order."""
        labels = self.tree.sets[info][2]
        if self.numbered[agent]:
            return list(range(len(labels)))
        return [self._action[agent][label] for label in labels]

    def joint(self, moves: Iterable[tuple[int, int, int]]) -> JointAction:
        """The joint action of those (agent, information set, action) who move; the others wait."""
        found = [len(own) - 1 for own in self.actions]
        for agent, info, action in moves:
            found[agent] = self.within(agent, info)[action]
        return tuple(found)

    def observation(self, moving: Mapping[int, int]) -> JointObservation:
        """What everybody sees where the agents in `moving` are in these information sets, and the others wait."""
        return tuple(self._seen[i][moving[i]] if i in moving else 0 for i in range(len(self.sets)))

    def reference(self) -> dict[tuple[int, int], Row]:
        """Uniform on what is legal after every observation."""
        found = {
            (i, self._seen[i][info]): _uniform(self.within(i, info)) for i, own in enumerate(self.sets) for info in own
        }
        return found | {(i, 0): _uniform([len(self.actions[i]) - 1]) for i in self.waiting}


def _uniform(actions: Sequence[int]) -> Row:
    return tuple((a, Fraction(1, len(actions))) for a in sorted(actions))
