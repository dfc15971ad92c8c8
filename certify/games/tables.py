"""The tables of a game: a finite-horizon Dec-POMDP by indices (docs/theory/objective.md#the-model,
docs/theory/legal-actions.md#kl-to-a-reference).

One-shot games are models with horizon 1, Bayesian team games models with horizon 1 and initial
observations.  A `Game` is immutable; every number in it is a `Fraction`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Self

from certify.games.original import Original
from certify.notebook import Facts, Shown

JointAction = tuple[int, ...]
JointObservation = tuple[int, ...]
FIRST = -1  # stands for the last observation where there is none yet
_MAPPINGS = ("transition", "emission", "reward", "reference")


@dataclass(frozen=True, repr=False)
class GameTables(Shown):
    """A finite-horizon Dec-POMDP over numbers of some exact kind; indices everywhere, names only
    for people.  `Game` holds rationals; a game with parameters holds expressions instead.

    Attributes
    ----------
    agents, states : names; `actions[i]`, `observations[i]` : names of agent i's.
    start : tuple of `(state, joint initial observation, probability)`, positive, sum 1.  The
        joint initial observation is `()` in games without initial observations.
    transition : `(state, joint action) -> ((next state, probability), ...)`, positive entries only.
    emission : `(joint action, next state) -> ((joint observation, probability), ...)`, likewise.
    reward : `(state, joint action) -> R(s, a)`; absent means 0.
    horizon : number of steps, at least 1.  discount : 0 < gamma <= 1.
    weights : the entropy weight w_i > 0 of each agent.
    available : None, or per agent and step the tuple of action indices.
    reference : `(agent, last observation) -> ((action, probability), ...)`, positive entries, sum 1: what the
        agent may do right after that observation, and the reference policy there
        (docs/theory/legal-actions.md#kl-to-a-reference).
        `FIRST` stands for the first step of a game without initial observations.  Where a row is absent, all
        available actions are legal and the reference is uniform on them.
    objective : what is paid beside the reward (`certify.games.objective`); no part of the game's canonical form.
    original : the one-shot game of which this one is the potential, with the weights under which it is one
        (docs/theory/potential.md#weighted-potentials); None for a game in its own right.
    remark : in what sense a file's game is this one, where that is not plain.
    """

    name: str
    agents: tuple[str, ...]
    states: tuple[str, ...]
    actions: tuple[tuple[str, ...], ...]
    observations: tuple[tuple[str, ...], ...]
    start: tuple[tuple[int, JointObservation, Fraction], ...]
    transition: Mapping[tuple[int, JointAction], tuple[tuple[int, Fraction], ...]]
    emission: Mapping[tuple[JointAction, int], tuple[tuple[JointObservation, Fraction], ...]]
    reward: Mapping[tuple[int, JointAction], Fraction]
    horizon: int
    discount: Fraction = Fraction(1)
    weights: tuple[Fraction, ...] = ()
    available: tuple[tuple[tuple[int, ...], ...], ...] | None = None
    reference: Mapping[tuple[int, int], tuple[tuple[int, Fraction], ...]] = field(default_factory=dict)
    objective: str = field(default="entropy", compare=False)
    source: str = field(default="", compare=False)
    original: Original | None = field(default=None, compare=False)
    remark: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name in _MAPPINGS:
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        if not self.weights:
            object.__setattr__(self, "weights", (Fraction(1),) * len(self.agents))

    def __getstate__(self) -> dict:  # mapping proxies do not pickle; worker processes need games
        return {k: dict(v) if isinstance(v, MappingProxyType) else v for k, v in self.__dict__.items()}

    def __setstate__(self, state: dict) -> None:
        for key, value in state.items():
            object.__setattr__(self, key, MappingProxyType(value) if key in _MAPPINGS else value)

    def __hash__(self) -> int:
        return hash((self.name, self.agents, self.states, self.actions, self.horizon))

    def facts(self) -> Facts:
        """What a prompt and a notebook show of it."""
        rows = (
            ("agents", ", ".join(self.agents[:8])),
            ("horizon", str(self.horizon)),
            ("states", str(len(self.states))),
            ("actions", ", ".join(str(len(a)) for a in self.actions)),
            ("observations", ", ".join(str(len(o)) for o in self.observations)),
            ("discount", str(self.discount)),
            ("weights", ", ".join(map(str, self.weights))),
        )
        return Facts(self.name, "", rows, self.remark)

    @property
    def number_of_agents(self) -> int:
        """How many agents play."""
        return len(self.agents)

    @property
    def flows_back(self) -> bool:
        """Whether what later steps pay beside the reward counts at earlier ones: all but in the local bonus
        (docs/theory/local-bonus.md)."""
        return self.objective != "local"

    def actions_at(self, agent: int, step: int) -> tuple[int, ...]:
        """Indices of the actions that `agent` has at `step`, ascending."""
        if self.available is None:
            return tuple(range(len(self.actions[agent])))
        return self.available[agent][step]

    def joint_actions_at(self, step: int) -> Iterator[JointAction]:
        """All joint actions of a step, first agent most significant."""
        return itertools.product(*(self.actions_at(i, step) for i in range(self.number_of_agents)))

    def legal(self, agent: int, step: int, observation: int) -> tuple[int, ...]:
        """Indices of the actions that `agent` may take at `step` after `observation` (or `FIRST`), ascending."""
        row = self.reference.get((agent, observation))
        return self.actions_at(agent, step) if row is None else tuple(a for a, _ in row)

    def reference_row(self, agent: int, step: int, observation: int) -> tuple[tuple[int, Fraction], ...]:
        """The reference policy there, as (action, probability) of every legal action, ascending."""
        row = self.reference.get((agent, observation))
        if row is not None:
            return row
        legal = self.actions_at(agent, step)
        return tuple((a, Fraction(1, len(legal))) for a in legal)

    def legal_joint_actions(self, step: int, last: JointObservation) -> Iterator[JointAction]:
        """Joint actions that are legal after the joint observation `last`, () for none, at `step`."""
        if not self.reference:
            return self.joint_actions_at(step)
        last = last or (FIRST,) * self.number_of_agents
        return itertools.product(*(self.legal(i, step, o) for i, o in enumerate(last)))

    def with_horizon(self, horizon: int) -> Self:
        """The same game over another number of steps."""
        return replace(self, horizon=horizon)


class Game(GameTables):
    """The exact model: `GameTables` in which every number is a `Fraction`."""
