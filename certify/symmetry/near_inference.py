"""What a map of actions suggests for states and observations, by vote (docs/theory/symmetry.md#automorphisms).

Every transition row votes for the images of its successors, rewards and emissions for the images
of their state, and emission rows for the images of observations: a few wrong rows are outvoted.
Nothing here is trusted: the maps are compared with the game exactly.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from certify.games.model import GameTables
from certify.symmetry.maps import GameMap, Indices

_ROUNDS = 6


class _Features:
    """What is known of each state without the others: rewards, and emissions with their
    observations or, where these are not mapped yet, the numbers of each emission row only."""

    def __init__(self, game: GameTables, with_observations: bool) -> None:
        self.of: list[dict] = [{} for _ in game.states]
        for (s, a), r in game.reward.items():
            if r != 0:
                self.of[s][a,] = r
        for (a, s), row in game.emission.items():
            if with_observations:
                self.of[s].update(((a, o), p) for o, p in row)
            else:
                self.of[s][a, ()] = tuple(sorted(p for _, p in row))
        self.classes: dict[frozenset, list[int]] = defaultdict(list)
        for t, features in enumerate(self.of):
            self.classes[frozenset(features.items())].append(t)


class Inference:
    """Completes maps of agents and actions (and observations) to maps of `game`, whose numbers may
    be any hashables."""

    def __init__(self, game: GameTables) -> None:
        self.game = game
        self.start = {(s, o): p for s, o, p in game.start}
        self.features = {flag: _Features(game, flag) for flag in (False, True)}
        self.rows: list[dict] = [{} for _ in game.states]
        for (s, a), row in game.transition.items():
            self.rows[s][a] = row

    def complete(
        self, agents: Indices, actions: tuple[Indices, ...], observations: tuple[Indices, ...] | None, max_entries: int
    ) -> GameMap | None:
        """The map with inferred states (and observations, where None is given); None where rewards
        and emissions alone fail in more than `max_entries` entries, whatever the map of states is."""
        nothing = tuple(tuple(range(len(row))) for row in self.game.observations)
        mapping = GameMap(agents, tuple(range(len(self.game.states))), actions, observations or nothing)
        states = self._states(mapping, self.features[observations is not None], max_entries)
        if states is None:
            return None
        mapping = GameMap(agents, states, actions, observations or nothing)
        return mapping if observations is not None else GameMap(agents, states, actions, self._observations(mapping))

    def _states(self, mapping: GameMap, features: _Features, max_entries: int) -> Indices | None:
        likeness = self._likeness(mapping, features, max_entries)
        if likeness is None:
            return None
        images = self._outwards(mapping, likeness)
        for _ in range(_ROUNDS):
            votes: dict[int, Counter] = defaultdict(Counter)
            for s, t in enumerate(images):
                self._vote(mapping, s, t, likeness, votes)
            improved = _assign(votes, likeness)
            if improved == images:
                break
            images = improved
        return images

    def _observations(self, mapping: GameMap) -> tuple[Indices, ...]:
        """Observations whose probabilities agree in most rows are images of each other."""
        emission = [
            (row, self.game.emission.get((mapping.joint_action(a), mapping.states[s]), ()))
            for (a, s), row in self.game.emission.items()
        ]
        start: list[tuple[list, list]] = [([], []) for _ in self.game.states]
        back = {t: s for s, t in enumerate(mapping.states)}
        for s, o, p in self.game.start:
            if o:
                start[s][0].append((o, p))
                start[back[s]][1].append((o, p))
        images = []
        for i, j in enumerate(mapping.agents):
            votes: dict[int, Counter] = defaultdict(Counter)
            for here, there in (*emission, *start):
                partners = defaultdict(list)
                for o, numbers in _marginal(there, j).items():
                    partners[numbers].append(o)
                for o, numbers in _marginal(here, i).items():
                    for partner in partners.get(numbers, ()):
                        votes[o][partner] += 1 / len(partners[numbers])
            alike = dict.fromkeys(range(len(self.game.observations[i])), 0.0)
            images.append(_assign(votes, [alike] * len(alike)))
        return tuple(images)

    def _likeness(self, mapping: GameMap, table: _Features, max_entries: int) -> list[dict[int, float]] | None:
        """For each state, how well rewards, emissions and b0 of others agree with its image (0 to 1)."""
        memo: dict[frozenset, tuple[int, dict[int, float]]] = {}
        likeness = []
        failing = 0
        for features in table.of:
            moved = frozenset(
                ((mapping.joint_action(a), *(mapping.joint_observation(o) for o in rest)), value)
                for (a, *rest), value in features.items()
            )
            if moved not in memo:
                shared = {key: len(key & moved) for key in table.classes}
                memo[moved] = (
                    min(len(key) + len(moved) - 2 * both for key, both in shared.items()),
                    {
                        t: both / max(1, len(key) + len(moved) - both)
                        for key, both in shared.items()
                        for t in table.classes[key]
                    },
                )
            failing += memo[moved][0]
            if failing > 2 * max_entries:  # an entry that differs counts once here and once there
                return None
            likeness.append(dict(memo[moved][1]))
        started = {t: p for (t, _), p in self.start.items()}
        for (s, o), p in self.start.items():
            for t in likeness[s]:
                likeness[s][t] += started.get(t) == p or self.start.get((t, mapping.joint_observation(o))) == p
        return likeness

    def _outwards(self, mapping: GameMap, likeness: list[dict[int, float]]) -> Indices:
        """A first guess, from the start states along the transitions."""
        number = len(self.game.states)
        votes: dict[int, Counter] = defaultdict(Counter)
        images: dict[int, int] = {}
        taken: set[int] = set()
        order = [*dict.fromkeys(s for s, _ in self.start), *range(number)]
        while order:
            s = order.pop(0)
            if s in images:
                continue
            free = [t for t in range(number) if t not in taken]
            images[s] = max(free, key=lambda t: (votes[s][t] + likeness[s][t], -t))
            taken.add(images[s])
            self._vote(mapping, s, images[s], likeness, votes)
            order = [*dict.fromkeys(s2 for row in self.rows[s].values() for s2, _ in row if s2 not in images), *order]
        return tuple(images[s] for s in range(number))

    def _vote(
        self, mapping: GameMap, s: int, target: int, likeness: list[dict[int, float]], votes: dict[int, Counter]
    ) -> None:
        there = self.rows[target]
        for a, row in self.rows[s].items():
            by_probability: dict = defaultdict(list)
            for t, q in there.get(mapping.joint_action(a), ()):
                by_probability[q].append(t)
            for s2, p in row:
                options = by_probability.get(p, ())
                for t in options:
                    votes[s2][t] += (1 + likeness[s2][t]) / len(options)


def _marginal(row: tuple | list, agent: int) -> dict[int, tuple]:
    """For each observation of `agent` in a row, the numbers that it comes with."""
    numbers: dict[int, list] = defaultdict(list)
    for o, p in row:
        numbers[o[agent]].append(p)
    return {o: tuple(sorted(found)) for o, found in numbers.items()}


def _assign(votes: dict[int, Counter], likeness: list[dict[int, float]]) -> Indices:
    """A permutation that takes the pairs with most votes first."""
    number = len(likeness)
    ranked = sorted(
        ((votes[s][t] + likeness[s][t], -s, -t) for s in range(number) for t in {*votes[s], *likeness[s]}), reverse=True
    )
    images: dict[int, int] = {}
    taken: set[int] = set()
    for _, s, t in ranked:
        if -s not in images and -t not in taken:
            images[-s] = -t
            taken.add(-t)
    return tuple(images[s] for s in range(number))
