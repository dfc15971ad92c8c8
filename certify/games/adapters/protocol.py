"""What an environment must offer to be enumerated, and a checked view of one that does.

An environment that only has `reset` and `step` draws its randomness itself: nobody can list from outside what may
happen, and how probable it is.  `initial` and `outcomes` say it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction
from typing import Any, Protocol

from certify.errors import InputError
from certify.games.adapters.rationals import Rationals
from certify.run import OutOfTime

State = Hashable
Joint = tuple[int, ...]  # one action per agent, by index
Outcome = tuple[Fraction, Fraction, State, tuple[Hashable, ...], bool]  # probability, reward, next, observations, done
MOST_JOINT_ACTIONS = 10**6
MOST_OUTCOMES = 10**6
_SHOWN = 60  # characters of a state in a message


class StepModel(Protocol):
    """An environment that can be enumerated.

    agents : names, or how many there are.
    actions : per agent its actions (any hashable labels), or how many there are (then 0, 1, ...).
    initial() : `[(probability, state, observations), ...]`, one observation per agent, or None where nothing is
        observed before the first action.
    outcomes(state, joint_action) : `[(probability, reward, next state, observations, done), ...]`.  The joint action
        has one label per agent.  The reward is one number, or one per agent, all equal.  After `done` nothing more
        happens, and every agent knows it.

    States and observations are hashable; numbers are exact (int, Fraction, text) or floats near small fractions.
    A state says everything about the future: equal states have equal outcomes.  Optional: `name`; `legal(state)`,
    per agent the actions it may take there, which the agent is then told with its observation; `outcomes_many(pairs)`,
    the outcomes of many (state, joint action) at once; `deterministic`, True where asking twice is known to give the
    same answer; `cumulative`, True where an observation contains all that the agent has seen before;
    `action_name(agent, label)` and `observation_name(agent, observation)`, texts for people.
    """

    agents: Any
    actions: Any

    def initial(self) -> Iterable[Any]:
        """The distribution of first states."""

    def outcomes(self, state: Any, joint_action: Any, /) -> Iterable[Any]:
        """What can follow a joint action in a state."""


def shown(value: Any) -> str:
    """A state or an observation in a message.

    >>> shown("x" * 100)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."
    """
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__} that cannot be printed: {type(error).__name__}>"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


class Environment:
    """A `StepModel` of which every answer is checked: whatever is wrong is an `InputError` of one line."""

    def __init__(self, model: Any, numbers: Rationals, name: str | None = None) -> None:
        self.model, self.numbers = model, numbers
        self.name = self._name(name)
        _refuse_what_cannot_be_listed(model, self.name)
        self.agents = self._agents()
        self.actions = self._actions()
        self._index = [{label: k for k, label in enumerate(labels)} for labels in self.actions]
        self._sets: dict[Any, tuple[tuple[int, ...], ...]] = {}
        self._everything = tuple(tuple(range(len(labels))) for labels in self.actions)

    @property
    def number_of_agents(self) -> int:
        """How many agents play."""
        return len(self.agents)

    def start(self, most: int) -> list[tuple[Fraction, State, tuple[Hashable, ...] | None]]:
        """The first states with their observations; more than `most` are refused."""
        where = f"{self.name}, initial()"
        entries = self._entries(self.model.initial, where, most)
        if len(entries) > most:
            raise InputError(where, f"more than {most:,} first states", "raise max_states")
        found = []
        for entry in entries:
            p, state, observations = self._parts(entry, 3, where, "(probability, state, observations)")
            seen = None if observations is None else self._observations(observations, where)
            found.append((self._probability(p, where), self._hashable(state, where, "state"), seen))
        if len({seen is None for *_, seen in found}) > 1:
            raise InputError(where, "observations for some first states, None for others", "give them for all or none")
        self._is_one(sum((p for p, *_ in found), Fraction(0)), where)
        return found

    def legal(self, state: State) -> tuple[tuple[int, ...], ...]:
        """Per agent the indices of its actions in a state, ascending."""
        if not hasattr(self.model, "legal"):
            return self._everything
        where = f"{self.name}, legal({shown(state)})"
        sets = self._call(lambda: [list(labels) for labels in self.model.legal(state)], where)
        if len(sets) != self.number_of_agents:
            raise InputError(where, f"{len(sets)} lists of actions for {self.number_of_agents} agents", "give one each")
        found = []
        for i, labels in enumerate(sets):
            try:
                indices = sorted({self._index[i][label] for label in labels})
            except (KeyError, TypeError):
                wrong = next(label for label in labels if not _is_key(label, self._index[i]))
                what = f"{shown(wrong)} is no action of {self.agents[i]}"
                raise InputError(where, what, "declare every action in `actions`") from None
            if not indices:
                raise InputError(where, f"no action of {self.agents[i]}", 'give one, such as "wait"')
            found.append(tuple(indices))
        result = tuple(found)
        return self._sets.setdefault(result, result)

    def joint_actions(self, legal: tuple[tuple[int, ...], ...]) -> list[Joint]:
        """All joint actions, first agent most significant."""
        if (count := math.prod(len(own) for own in legal)) > MOST_JOINT_ACTIONS:
            raise InputError(self.name, f"{count:,} joint actions in one state", f"keep to {MOST_JOINT_ACTIONS:,}")
        return list(itertools.product(*legal))

    def outcomes(self, pairs: Sequence[tuple[State, Joint]]) -> list[list[Outcome]]:
        """The checked outcomes of every (state, joint action), in order."""
        asked = [(s, tuple(self.actions[i][a] for i, a in enumerate(joint))) for s, joint in pairs]
        where = f"{self.name}, outcomes"
        if hasattr(self.model, "outcomes_many"):
            many = self._call(lambda: list(self.model.outcomes_many(asked)), where)
            if len(many) != len(asked):
                raise InputError(where, f"{len(many)} answers to {len(asked)} questions", "give one for each")
            return [self._outcomes(answer, s, a) for answer, (s, a) in zip(many, asked, strict=True)]
        return [self._outcomes(None, s, a) for s, a in asked]

    def _outcomes(self, answer: Any, state: State, labels: tuple[Any, ...]) -> list[Outcome]:
        where = _Place(self.name, state, labels)
        given = self._entries(lambda: self.model.outcomes(state, labels) if answer is None else answer, where)
        if len(given) > MOST_OUTCOMES:
            raise InputError(str(where), f"more than {MOST_OUTCOMES:,} outcomes", "merge those that are alike")
        found: list[Outcome] = []
        for entry in given:
            p, reward, after, observations, done = self._parts(
                entry, 5, where, "(probability, reward, next state, observations, done)"
            )
            weight = self._probability(p, where)
            paid = self._reward(reward, where)
            over = self._flag(done, where)
            if not over:
                after = self._hashable(after, where, "next state")
            seen = () if over else self._observations(observations, where)
            if weight:
                found.append((weight, paid, None if over else after, seen, over))
        self._is_one(found[0][0] if len(found) == 1 else sum((p for p, *_ in found), Fraction(0)), where)
        return found

    def _name(self, given: str | None) -> str:
        name = given or getattr(self.model, "name", None) or type(self.model).__name__
        if not isinstance(name, str) or not name.isprintable():
            raise InputError("name", f"{shown(name)} is no name", "use printable characters")
        return name

    def _agents(self) -> tuple[str, ...]:
        agents = self._attribute("agents", "give names, or how many there are")
        where = f"{self.name}, agents"
        if isinstance(agents, int) and not isinstance(agents, bool):
            if not 1 <= agents <= 1000:
                raise InputError(where, f"{agents} agents", "use 1 to 1000")
            return tuple(f"agent{k + 1}" for k in range(agents))
        names = self._call(lambda: [str(agent) for agent in agents], where)
        if not names:
            raise InputError(where, "no agents", "name at least one")
        return tuple(names)

    def _actions(self) -> tuple[tuple[Hashable, ...], ...]:
        actions = self._attribute("actions", "give per agent its actions, or how many there are")
        where = f"{self.name}, actions"
        if isinstance(actions, dict):  # as PettingZoo writes it, by name of the agent
            actions = self._call(lambda: [actions[agent] for agent in self.agents], where)
        sets = self._call(lambda: list(actions), where)
        if len(sets) != self.number_of_agents:
            raise InputError(where, f"{len(sets)} entries for {self.number_of_agents} agents", "give one each")
        found: list[tuple[Hashable, ...]] = []
        for i, own in enumerate(sets):
            if isinstance(own, int) and not 1 <= own <= MOST_JOINT_ACTIONS:
                raise InputError(where, f"{own} actions of {self.agents[i]}", f"use 1 to {MOST_JOINT_ACTIONS:,}")
            counted = range(own) if isinstance(own, int) else own
            labels = self._call(lambda counted=counted: tuple(counted), where)
            for label in labels:
                self._hashable(label, where, "action")
            if not labels or len(set(labels)) != len(labels):
                raise InputError(where, f"no actions of {self.agents[i]}, or one twice", "list each once")
            found.append(labels)
        return tuple(found)

    def _attribute(self, name: str, mend: str) -> Any:
        if not hasattr(self.model, name):
            raise InputError(self.name, f"no `{name}`", mend)
        return getattr(self.model, name)

    def _observations(self, observations: Any, where: object) -> tuple[Hashable, ...]:
        if isinstance(observations, dict):
            observations = self._call(lambda: [observations[agent] for agent in self.agents], f"{where}, observations")
        if not isinstance(observations, (list, tuple)) or len(observations) != self.number_of_agents:
            raise InputError(
                str(where), f"observations {shown(observations)}", "give one per agent, in a tuple or a list"
            )
        return tuple(self._hashable(o, where, "observation") for o in observations)

    def _reward(self, reward: Any, where: object) -> Fraction:
        if isinstance(reward, (int, float, Fraction)):
            return self.numbers(reward, where)
        if isinstance(reward, dict):
            reward = list(reward.values())
        if not isinstance(reward, (list, tuple)) and not getattr(reward, "shape", ()):
            return self.numbers(reward, f"{where}, reward")
        paid = [self.numbers(r, f"{where}, reward") for r in reward]
        if not paid or len(set(paid)) > 1:
            what = f"rewards {', '.join(map(str, paid)) or 'are missing'}: not the same for all agents"
            raise InputError(str(where), what, "only games with a common payoff are certified")
        return paid[0]

    def _flag(self, done: Any, where: object) -> bool:
        return done if isinstance(done, bool) else bool(self._call(lambda: bool(done), where))

    def _probability(self, p: Any, where: object) -> Fraction:
        number = self.numbers(p, where)
        if number < 0:
            raise InputError(str(where), f"a probability of {number}", "probabilities are not negative")
        return number

    def _is_one(self, total: Fraction, where: object) -> None:
        if total != 1:
            mend = "make them 1 exactly: give Fractions, or raise max_denominator"
            raise InputError(str(where), f"probabilities sum to {total}", mend)

    def _parts(self, entry: Any, size: int, where: object, form: str) -> Any:
        if not isinstance(entry, (list, tuple)) or len(entry) != size:
            raise InputError(str(where), f"an entry {shown(entry)}", f"write {form}")
        return entry

    def _hashable(self, value: Any, where: object, what: str) -> Hashable:
        try:
            hash(value)
        except OutOfTime:
            raise
        except Exception:
            kind = type(value).__name__
            mend = "use tuples, texts, numbers, bytes"
            raise InputError(str(where), f"{what} of type {kind}: not hashable", mend) from None
        found: Hashable = value
        return found

    def _entries(self, produce: Any, where: object, most: int = MOST_OUTCOMES) -> list[Any]:
        """The entries of what the environment gives, at most one more than `most`."""
        found: list[Any] = self._call(lambda: list(itertools.islice(produce(), most + 1)), where)
        return found

    @staticmethod
    def _call(function: Any, where: object) -> Any:
        """What a call of the environment's code gives; its exceptions keep their story (`__cause__`)."""
        try:
            return function()
        except (InputError, OutOfTime):
            raise
        except Exception as error:
            raise raised(error, where) from error


def raised(error: Exception, where: object) -> InputError:
    """What to raise where the environment's code raised something."""
    try:
        said = str(error)
    except Exception:
        said = ""
    what = f"the environment raised {type(error).__name__}: {said[:_SHOWN]}"
    return InputError(str(where), what, "mend the environment")


class _Place:
    """Where something is wrong, put into words only then."""

    def __init__(self, name: str, state: Any, labels: tuple[Any, ...]) -> None:
        self.about = name, state, labels

    def __str__(self) -> str:
        name, state, labels = self.about
        return f"{name}, outcomes({shown(state)}, {shown(labels)})"


def _is_key(value: Any, known: dict[Hashable, int]) -> bool:
    try:
        return value in known
    except TypeError:
        return False


def _refuse_what_cannot_be_listed(model: Any, name: str) -> None:
    missing = [m for m in ("initial", "outcomes") if not callable(getattr(model, m, None))]
    if "outcomes" in missing and callable(getattr(model, "outcomes_many", None)):
        missing.remove("outcomes")
    if not missing:
        return
    drawn = callable(getattr(model, "reset", None)) and callable(getattr(model, "step", None))
    why = "`reset` and `step` draw their randomness themselves, so nobody can list what may happen; " if drawn else ""
    raise InputError(
        name,
        f"no {' and no '.join(f'`{m}`' for m in missing)}",
        f"{why}write initial() -> [(p, state, observations)] and outcomes(state, joint_action) -> "
        "[(p, reward, next state, observations, done)]",
    )
