"""From a valid native document to the tables of the model: names become indices, nested lists
become sparse tables (docs/theory/objective.md#the-model).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify.errors import InputError
from certify.exact import parse_rational
from certify.games.names import choices
from certify.games.oneshot import agent_names
from certify.games.tables import FIRST

ReadNumber = Callable[[int | str, str], Any]


class NativeTables:
    """The tables of `Game` from a valid document, whose numbers `number` reads."""

    def __init__(self, document: Mapping[str, Any], where: str, number: ReadNumber) -> None:
        self.document, self.where, self._number = document, where, number

    def fail(self, path: str, what: str, mend: str) -> InputError:
        """An error at a JSON path: what is wrong and how to mend it."""
        return InputError(f"{self.where}, {path}", what, mend)

    def number(self, value: int | str, path: str) -> Any:
        """The exact number (or the expression, in parametric files) of a JSON value."""
        return self._number(value, f"{self.where}, {path}")

    def tables(self, horizon: int | None) -> dict[str, Any]:
        """The fields of `GameTables` for the document's kind."""
        kind = self.document["kind"]
        if kind == "dec-pomdp":
            horizon = self.document.get("horizon") if horizon is None else horizon
            if horizon is None:
                raise InputError(self.where, "no horizon", 'pass --horizon N, or give "horizon" in the file')
        elif horizon not in (None, 1):
            raise InputError(
                self.where, f"horizon {horizon}, but this game has exactly 1 step", "leave --horizon out or give 1"
            )
        tables = {"one-shot": self.one_shot, "bayesian": self.bayesian, "dec-pomdp": self.dec_pomdp}[kind]()
        n = len(tables["agents"])
        for key in ("actions", "observations"):
            if len(tables[key]) != n:
                raise self.fail(f"$.{key}", f"{len(tables[key])} entries for {n} agents", "give one per agent")
        weights = tuple(
            parse_rational(w, f"{self.where}, $.weights[{k}]") for k, w in enumerate(self.document.get("weights", ()))
        )
        if "weights" in self.document and len(weights) != n:
            raise self.fail("$.weights", f"{len(weights)} entries for {n} agents", "give one per agent")
        return {
            "transition": {},
            "emission": {},
            **tables,
            "weights": weights,
            "horizon": horizon or 1,
            "name": self.document.get("name", Path(self.where).stem),
            "source": self.where,
        }

    # -- one-shot and Bayesian games

    def tensor(self, key: str, depth: int) -> tuple[tuple[int, ...], dict[tuple[int, ...], Any]]:
        """Shape and entries of nested lists that are `depth` deep; every list of a level is equally long."""
        shape, node = [], self.document[key]
        for level in range(depth):
            if not isinstance(node, list):
                raise self.fail(f"$.{key}", f"{level} levels of lists", f"nest them {depth} deep")
            shape.append(len(node))
            node = node[0]
        entries: dict[tuple[int, ...], Any] = {}

        def visit(node: Any, index: tuple[int, ...]) -> None:
            path = f"$.{key}" + "".join(f"[{k}]" for k in index)
            if len(index) == depth:
                if isinstance(node, list):
                    raise self.fail(path, "a list", f"give a number: lists are nested {depth} deep")
                entries[index] = self.number(node, path)
                return
            if not isinstance(node, list) or len(node) != shape[len(index)]:
                raise self.fail(
                    path, "a list of another length or no list", f"give {shape[len(index)]} entries, as in the first"
                )
            for k, child in enumerate(node):
                visit(child, (*index, k))

        visit(self.document[key], ())
        return tuple(shape), entries

    def action_names(self, sizes: Sequence[int]) -> tuple[tuple[str, ...], ...]:
        """The agents' action names: those given, or numbers."""
        given = self.document.get("actions")
        if given is None:
            return tuple(tuple(map(str, range(size))) for size in sizes)
        if [len(names) for names in given] != list(sizes):
            raise self.fail("$.actions", f"{[len(names) for names in given]} actions", f"the payoff has {list(sizes)}")
        return tuple(map(tuple, given))

    def one_shot(self) -> dict[str, Any]:
        """Fields of a payoff tensor: one state, one step."""
        depth, node = 0, self.document["payoff"]
        while isinstance(node, list):
            depth, node = depth + 1, node[0]
        shape, payoff = self.tensor("payoff", depth)
        return {
            "agents": tuple(self.document.get("agents", agent_names(depth))),
            "states": ("s",),
            "actions": self.action_names(shape),
            "observations": (("o",),) * depth,
            "start": ((0, (), self.number(1, "$")),),
            "reward": {(0, a): r for a, r in payoff.items() if r != 0},
        }

    def bayesian(self) -> dict[str, Any]:
        """Fields of a Bayesian game: types are initial observations."""
        types = tuple(map(tuple, self.document["types"]))
        n = len(types)
        shape, prior = self.tensor("prior", n)
        if shape != tuple(map(len, types)):
            raise self.fail("$.prior", f"shape {list(shape)}", f"the types have {[len(names) for names in types]}")
        full, payoff = self.tensor("payoff", 2 * n)
        if full[:n] != shape:
            raise self.fail("$.payoff", f"shape {list(full)}", f"begin with the types: {list(shape)}")
        profiles = [profile for profile, p in prior.items() if p != 0]
        number_of = {profile: s for s, profile in enumerate(profiles)}
        return {
            "agents": tuple(self.document.get("agents", agent_names(n))),
            "states": tuple("|".join(types[i][t] for i, t in enumerate(profile)) for profile in profiles),
            "actions": self.action_names(full[n:]),
            "observations": types,
            "start": tuple((s, profile, prior[profile]) for profile, s in number_of.items()),
            "reward": {
                (number_of[index[:n]], index[n:]): r for index, r in payoff.items() if r != 0 and index[:n] in number_of
            },
        }

    # -- Dec-POMDPs by names

    def dec_pomdp(self) -> dict[str, Any]:
        """Fields of a Dec-POMDP."""
        document = self.document
        self.agents = tuple(document["agents"])
        self.states = tuple(document["states"])
        self.actions = tuple(map(tuple, document["actions"]))
        self.observations = tuple(map(tuple, document["observations"]))
        for key, lists in (("actions", self.actions), ("observations", self.observations)):
            if len(lists) != len(self.agents):
                raise self.fail(f"$.{key}", f"{len(lists)} lists for {len(self.agents)} agents", "give one per agent")
        start = tuple(
            (
                self.one(entry["state"], self.states, f"$.start[{k}].state"),
                self.joint_observation(entry.get("observations", []), f"$.start[{k}].observations"),
                self.number(entry["probability"], f"$.start[{k}].probability"),
            )
            for k, entry in enumerate(document["start"])
        )
        transition, emission, reward = {}, {}, {}
        for k, entry in enumerate(document["transition"]):
            row = self.distribution(
                [
                    ((self.one(to, self.states, f"$.transition[{k}].next")), p, f"$.transition[{k}].next.{to}")
                    for to, p in entry["next"].items()
                ]
            )
            for s, a in self.matches(entry, f"$.transition[{k}]"):
                transition[s, a] = row
        for k, entry in enumerate(document["emission"]):
            path = f"$.emission[{k}]"
            row = self.distribution(
                [
                    (
                        self.joint_observation(outcome["observations"], f"{path}.outcomes[{m}].observations"),
                        outcome["probability"],
                        f"{path}.outcomes[{m}].probability",
                    )
                    for m, outcome in enumerate(entry["outcomes"])
                ]
            )
            for s, a in self.matches(entry, path):
                emission[a, s] = row
        for k, entry in enumerate(document["reward"]):
            value = self.number(entry["value"], f"$.reward[{k}].value")
            for s, a in self.matches(entry, f"$.reward[{k}]"):
                reward[s, a] = value
        return {
            "agents": self.agents,
            "states": self.states,
            "actions": self.actions,
            "observations": self.observations,
            "start": tuple(entry for entry in start if entry[2] != 0),
            "transition": transition,
            "emission": emission,
            "reward": {key: r for key, r in reward.items() if r != 0},
            "discount": parse_rational(document.get("discount", 1), f"{self.where}, $.discount"),
            "available": self.available(),
            "reference": self.reference_rows(),
        }

    def one(self, name: str, names: Sequence[str], path: str) -> int:
        """The index of a name."""
        if name not in names:
            raise self.fail(path, f"unknown name {name!r}", choices(names))
        return names.index(name)

    def joint_observation(self, names: Sequence[str], path: str) -> tuple[int, ...]:
        """Indices of one observation per agent; none at all is allowed at the start."""
        if len(names) not in ((0, len(self.agents)) if ".start[" in path else (len(self.agents),)):
            raise self.fail(path, f"{len(names)} observations", f"give one for each of the {len(self.agents)} agents")
        return tuple(self.one(name, self.observations[i], f"{path}[{i}]") for i, name in enumerate(names))

    def matches(self, entry: Mapping[str, Any], path: str) -> list[tuple[int, tuple[int, ...]]]:
        """The (state, joint action) pairs of an entry, `*` standing for all."""
        if len(entry["actions"]) != len(self.agents):
            raise self.fail(
                f"{path}.actions",
                f"{len(entry['actions'])} actions",
                f"give one for each of the {len(self.agents)} agents",
            )
        actions = [self.some(name, self.actions[i], f"{path}.actions[{i}]") for i, name in enumerate(entry["actions"])]
        return list(
            itertools.product(self.some(entry["state"], self.states, f"{path}.state"), itertools.product(*actions))
        )

    def some(self, name: str, names: Sequence[str], path: str) -> Sequence[int]:
        """The indices that a name or `*` stands for."""
        return range(len(names)) if name == "*" else (self.one(name, names, path),)

    def distribution(self, entries: Sequence[tuple[Any, int | str, str]]) -> tuple:
        """Entries (target, number, path) as a row; targets may not repeat."""
        found: dict[Any, Any] = {}
        for target, text, path in entries:
            if target in found:
                raise self.fail(path, "the same outcome twice", "keep one of them")
            p = self.number(text, path)
            if isinstance(p, Fraction) and p < 0:
                raise self.fail(path, f"a probability of {p}", "use a number from 0 to 1")
            found[target] = p
        return tuple((target, p) for target, p in sorted(found.items(), key=lambda item: item[0]) if p != 0)

    def available(self) -> tuple[tuple[tuple[int, ...], ...], ...] | None:
        """Indices of the actions that each agent has at each step, None if all of them always."""
        given = self.document.get("available")
        if given is None:
            return None
        if len(given) != len(self.agents):
            raise self.fail("$.available", f"{len(given)} lists for {len(self.agents)} agents", "give one per agent")
        return tuple(
            tuple(
                tuple(sorted(self.one(name, self.actions[i], f"$.available[{i}][{t}]") for name in step))
                for t, step in enumerate(steps)
            )
            for i, steps in enumerate(given)
        )

    def reference_rows(self) -> dict[tuple[int, int], tuple[tuple[int, Any], ...]]:
        """Rows by (agent, last observation) of "legal" and "reference"; uniform where only the first is given."""
        legal: dict[tuple[int, int], list[int]] = {}
        for i, o, actions, path in self.per_observation("legal"):
            if not isinstance(actions, list) or not actions:
                raise self.fail(path, "no legal action", "list at least one")
            legal[i, o] = sorted(self.one(name, self.actions[i], path) for name in actions)
            if len(set(legal[i, o])) < len(actions):
                raise self.fail(path, "an action twice", "list each once")
        rows = {key: tuple((a, Fraction(1, len(actions))) for a in actions) for key, actions in legal.items()}
        for i, o, row, path in self.per_observation("reference"):
            if not isinstance(row, Mapping):
                raise self.fail(path, "not an object", "write {action: number, ...}")
            numbers = {
                self.one(name, self.actions[i], path): parse_rational(p, f"{self.where}, {path}.{name}")
                for name, p in row.items()
            }
            allowed = set(legal.get((i, o), range(len(self.actions[i]))))
            for a, p in numbers.items():
                if p <= 0:
                    raise self.fail(
                        f"{path}.{self.actions[i][a]}", f"a reference of {p}", "every legal action needs a positive one"
                    )
                if a not in allowed:
                    raise self.fail(
                        f"{path}.{self.actions[i][a]}",
                        "a reference on an illegal action",
                        'allow it in "legal", or leave it out',
                    )
            whole = (i, o) in legal or "available" not in self.document
            if whole and (missing := sorted(allowed - set(numbers))):
                raise self.fail(
                    path, f"no reference on {self.actions[i][missing[0]]!r}", "every legal action needs a positive one"
                )
            if (total := sum(numbers.values(), Fraction(0))) != 1:
                raise self.fail(path, f"probabilities sum to {total}", "make it exactly 1")
            rows[i, o] = tuple(sorted(numbers.items()))
        return rows

    def per_observation(self, key: str) -> Iterator[tuple[int, int, Any, str]]:
        """(agent, last observation, entry, JSON path) of an object {agent: {observation or "": entry}}."""
        for agent, entries in self.document.get(key, {}).items():
            i = self.one(agent, self.agents, f"$.{key}")
            for observation, entry in entries.items():
                path = f"$.{key}.{agent}.{observation or '(first step)'}"
                yield i, FIRST if not observation else self.one(observation, self.observations[i], path), entry, path
