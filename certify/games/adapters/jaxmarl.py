"""JaxMARL's environments as environments that can be enumerated (`certify.from_jaxmarl`, docs/games.md#jaxmarl).

Randomness is enumerated by putting listed draws in the place of `jax.random`'s samplers.  That nothing else is random
is read off the traced program: its results must not depend on the key.
"""

from __future__ import annotations

import inspect
import itertools
import math
import sys
from collections.abc import Collection, Hashable, Sequence
from fractions import Fraction
from typing import Any, Unpack

import numpy as np

from certify.errors import InputError
from certify.games.adapters.jaxmarl_draws import MOST_DRAWS, Draws
from certify.games.adapters.jaxmarl_traced import depends
from certify.games.adapters.protocol import State
from certify.games.adapters.quiet import silenced
from certify.games.adapters.rationals import MAX_DENOMINATOR, TOLERANCE, Rationals
from certify.games.adapters.steps import StepOptions, from_steps
from certify.games.model import Game

_BATCH = 1_024  # (state, joint action) pairs that one call of the compiled step takes
_RESETS = 64  # real resets that must be among the listed first states
_SMALL = 8  # numbers of an observation that are its name


def from_jaxmarl(
    env: Any, horizon: int, *, shaped: bool = False, idle: Collection[int] | None = None, **options: Unpack[StepOptions]
) -> Game:
    """The exact game of a JaxMARL environment, or of its name, over `horizon` steps.

    shaped : add what the environment calls shaped rewards, of all agents together, to the reward.
    idle : positions of the draws of `reset` that have no effect, where they are too many to be listed (Overcooked's
        are known).  Real resets are drawn and must be among the listed first states.
    Options as in `from_steps`.  Raises `InputError` for samplers that cannot be listed, randomness that no sampler
    shows, rewards that differ between agents, and games that are too large.
    """
    return from_steps(JaxMarlModel(env, shaped=shaped, idle=idle, **options), horizon, **options)


class JaxMarlModel:
    """A JaxMARL environment as a model for `from_steps`: a state is the bytes of its leaves."""

    deterministic = True  # the compiled step depends on nothing but its arguments: `depends`

    def __init__(
        self, env: Any, *, shaped: bool = False, idle: Collection[int] | None = None, **options: Unpack[StepOptions]
    ) -> None:
        self.jax = _jax()
        self.env = _made(env) if isinstance(env, str) else env
        self.name = options.get("name") or f"jaxmarl:{type(self.env).__name__}"
        self.shaped = shaped
        self.numbers = Rationals(options.get("max_denominator", MAX_DENOMINATOR), options.get("tolerance", TOLERANCE))
        if not all(hasattr(self.env, part) for part in ("step_env", "reset", "agents", "action_space")):
            raise InputError(self.name, f"a {type(self.env).__name__}", "give a JaxMARL environment without wrappers")
        if _masks(self.env):
            raise InputError(self.name, "its actions are masked", "environments with legal actions are not read")
        self.agents = tuple(self.env.agents)
        self.actions = tuple(self._count(agent) for agent in self.agents)
        self.idle = _idle_draws(self.env) if idle is None else tuple(idle)
        self._first = self._listed_resets()
        self._layout()
        self._compile()
        self._check_resets()

    def initial(self) -> list[tuple[Fraction, State, tuple[Hashable, ...]]]:
        """The first states: every combination of what the draws of `reset` may give."""
        return [(p, self._packed(state), self._seen(seen)) for p, seen, state in self._first]

    def outcomes(self, state: bytes, joint: tuple[int, ...]) -> list[tuple[Any, ...]]:
        """What follows one joint action."""
        return self.outcomes_many([(state, joint)])[0]

    def outcomes_many(self, pairs: Sequence[tuple[bytes, tuple[int, ...]]]) -> list[list[tuple[Any, ...]]]:
        """What follows many, in compiled batches."""
        found: list[list[tuple[Any, ...]]] = []
        for k in range(0, len(pairs), _BATCH):
            found += self._batch(pairs[k : k + _BATCH])
        return found

    def observation_name(self, agent: int, observation: Hashable) -> str:
        """Small observations as their numbers."""
        if not isinstance(observation, bytes):
            return str(observation)
        values = np.concatenate([leaf.ravel() for leaf in self._read(observation, self.seen_like)])
        return ".".join(f"{x:g}" for x in values.tolist()) if len(values) <= _SMALL else ""

    def _count(self, agent: str) -> int:
        count = getattr(self.env.action_space(agent), "n", None)
        if count is None:
            raise InputError(
                self.name, f"the actions of {agent} are not a finite list", "only Discrete spaces are read"
            )
        return int(count)

    def _listed_resets(self) -> list[tuple[Fraction, Any, Any]]:
        """(probability, observations, state) of every combination of draws, each run without compilation."""
        reset = inspect.unwrap(type(self.env).reset)
        found: list[tuple[Fraction, Any, Any]] = []
        choices: list[int] = []
        while True:
            draws = Draws(choices, self.idle, self.numbers)
            with draws.in_place(), self.jax.disable_jit():
                seen, state = reset(self.env, self.jax.random.PRNGKey(0))
            listed = [k for k in range(len(draws.draws)) if k not in self.idle]
            count = math.prod(len(draws.draws[k].probabilities) for k in listed)
            if count > MOST_DRAWS:
                what = "; ".join(f"{k}: {draw.what}" for k, draw in enumerate(draws.draws))
                mend = "name those without effect by idle=(positions)"
                raise InputError(self.name, f"reset makes {count:,} combinations of draws ({what})", mend)
            choices += [0] * (len(draws.draws) - len(choices))
            p = math.prod((draws.draws[k].probabilities[choices[k]] for k in listed), start=Fraction(1))
            if p:
                found.append((p, seen, state))
            while choices and (
                len(choices) - 1 in self.idle or choices[-1] + 1 == len(draws.draws[len(choices) - 1].probabilities)
            ):
                choices.pop()
            if not choices:
                return found
            choices[-1] += 1

    def _layout(self) -> None:
        """Shapes and types of the leaves of states and observations, as steps return them."""
        jax = self.jax
        _, _, state = self._first[0]
        self.leaves, self.structure = jax.tree_util.tree_flatten(state)
        self.state_like = [(np.shape(leaf), np.asarray(leaf).dtype) for leaf in self.leaves]
        draws = Draws([], (), self.numbers)
        with draws.in_place():
            shapes = jax.eval_shape(lambda: self._step(state, [0] * len(self.agents)))
        self.step_draws = draws.draws
        after = jax.tree_util.tree_leaves(shapes[0])
        if [leaf.shape for leaf in after] != [shape for shape, _ in self.state_like]:
            raise InputError(self.name, "the shape of its state changes", "only states of one shape are enumerated")
        self.state_like = [(leaf.shape, np.dtype(leaf.dtype)) for leaf in after]
        self.seen_like = [(leaf.shape, np.dtype(leaf.dtype)) for leaf in jax.tree_util.tree_leaves(shapes[1][0])]
        if any(
            [(leaf.shape, np.dtype(leaf.dtype)) for leaf in jax.tree_util.tree_leaves(own)] != self.seen_like
            for own in shapes[1]
        ):
            raise InputError(self.name, "agents see arrays of different shapes", "give them one shape")

    def _step(self, state: Any, actions: Sequence[Any], key: Any = None) -> Any:
        """(state, observations, rewards, done) after one step, the samplers as they are now."""
        step = inspect.unwrap(type(self.env).step_env)
        given = {agent: actions[i] for i, agent in enumerate(self.agents)}
        seen, after, rewards, dones, info = step(
            self.env, self.jax.random.PRNGKey(0) if key is None else key, state, given
        )
        paid = [rewards[agent] for agent in self.agents]
        if self.shaped:
            if "shaped_reward" not in info:
                raise InputError(self.name, "no shaped rewards", "leave shaped out")
            extra = sum(info["shaped_reward"][agent] for agent in self.agents)
            paid = [r + extra for r in paid]
        return after, [seen[agent] for agent in self.agents], paid, dones["__all__"]

    def _compile(self) -> None:
        jax = self.jax
        sizes = [len(draw.probabilities) for draw in self.step_draws]
        if math.prod(sizes) > MOST_DRAWS:
            what = "; ".join(draw.what for draw in self.step_draws)
            raise InputError(self.name, f"a step makes {math.prod(sizes):,} combinations of draws ({what})", "too many")
        self.combinations = np.array(list(itertools.product(*map(range, sizes))), dtype=np.int32).reshape(
            math.prod(sizes), len(sizes)
        )
        self.chances = [
            math.prod((draw.probabilities[k] for draw, k in zip(self.step_draws, row, strict=True)), start=Fraction(1))
            for row in self.combinations.tolist()
        ]

        def once(key: Any, leaves: Any, actions: Any, choices: Any) -> Any:
            draws = Draws(choices, (), self.numbers)
            with draws.in_place():
                state = jax.tree_util.tree_unflatten(self.structure, leaves)
                after, seen, paid, done = self._step(state, actions, key)
            if draws.draws != self.step_draws:
                raise InputError(self.name, "its draws change from state to state", "they cannot be listed")
            return jax.tree_util.tree_leaves(after), [jax.tree_util.tree_leaves(own) for own in seen], paid, done

        leaves = [np.zeros(shape, dtype) for shape, dtype in self.state_like]
        actions, choices = np.zeros(len(self.agents), np.int32), np.zeros(len(sizes), np.int32)
        program = jax.make_jaxpr(once)(jax.random.PRNGKey(0), leaves, actions, choices)
        if depends(program.jaxpr, {program.jaxpr.invars[0]}):
            mend = "it must draw by calls of jax.random.randint, choice, bernoulli or permutation"
            raise InputError(self.name, "its steps depend on the random key beyond these samplers", mend)
        key = jax.random.PRNGKey(0)
        every = jax.vmap(lambda leaves, actions, choices: once(key, leaves, actions, choices), (None, None, 0))
        self.run = jax.jit(jax.vmap(every, (0, 0, None)))

    def _batch(self, pairs: Sequence[tuple[bytes, tuple[int, ...]]]) -> list[list[tuple[Any, ...]]]:
        filled = [*pairs, *[pairs[-1]] * (_BATCH - len(pairs))]
        data = np.frombuffer(b"".join(state for state, _ in filled), np.uint8).reshape(_BATCH, -1)
        leaves, at = [], 0
        for shape, dtype in self.state_like:
            size = math.prod(shape) * dtype.itemsize
            leaves.append(np.ascontiguousarray(data[:, at : at + size]).view(dtype).reshape(_BATCH, *shape))
            at += size
        joint = np.array([a for _, a in filled], dtype=np.int32)
        after, seen, paid, done = self.run(leaves, joint, self.combinations)
        states = self._rows(after, self.state_like)
        told = [self._rows(own, self.seen_like) for own in seen]
        rewards = np.stack([np.asarray(r) for r in paid], axis=-1)
        over = np.asarray(done)
        found = []
        for b in range(len(pairs)):
            found.append(
                [
                    (
                        p,
                        list(rewards[b, c]),
                        states[b, c].tobytes(),
                        tuple(own[b, c].tobytes() for own in told),
                        bool(over[b, c]),
                    )
                    for c, p in enumerate(self.chances)
                ]
            )
        return found

    def _rows(self, leaves: Sequence[Any], like: Sequence[tuple[tuple[int, ...], Any]]) -> np.ndarray:
        """(batch, combinations, bytes): the bytes of all leaves of each."""
        parts = []
        for leaf, (_, dtype) in zip(leaves, like, strict=True):
            array = np.ascontiguousarray(np.asarray(leaf, dtype=dtype))
            parts.append(array.reshape(_BATCH, len(self.chances), -1).view(np.uint8))
        return np.concatenate(parts, axis=-1)

    def _packed(self, state: Any) -> bytes:
        return self._joined(state, self.state_like)

    def _seen(self, seen: Any) -> tuple[bytes, ...]:
        return tuple(self._joined(seen[agent], self.seen_like) for agent in self.agents)

    def _joined(self, tree: Any, like: Sequence[tuple[tuple[int, ...], Any]]) -> bytes:
        leaves = self.jax.tree_util.tree_leaves(tree)
        return b"".join(np.asarray(x, dtype=dtype).tobytes() for x, (_, dtype) in zip(leaves, like, strict=True))

    def _read(self, data: bytes, like: Sequence[tuple[tuple[int, ...], Any]]) -> list[np.ndarray]:
        found, at = [], 0
        for shape, dtype in like:
            size = math.prod(shape) * dtype.itemsize
            found.append(np.frombuffer(data[at : at + size], dtype).reshape(shape))
            at += size
        return found

    def _check_resets(self) -> None:
        """Resets as the environment draws them must be among the listed first states."""
        jax = self.jax
        keys = jax.random.split(jax.random.PRNGKey(1), _RESETS)
        seen, states = jax.jit(jax.vmap(self.env.reset))(keys)
        listed = {(self._packed(state), self._seen(own)) for _, own, state in self._first}
        for k in range(_RESETS):
            state, own = jax.tree_util.tree_map(lambda x, k=k: np.asarray(x)[k], (states, seen))
            if (self._packed(state), self._seen(own)) not in listed:
                mend = "reset must draw by jax.random.randint, choice, bernoulli or permutation; check idle"
                raise InputError(self.name, "a real reset gives a first state that is not listed", mend)


def _jax() -> Any:
    try:
        import jax

        with silenced(1):  # it says what it imports
            import jaxmarl  # noqa: F401
    except ImportError:
        raise InputError(
            "jaxmarl", "JAX or JaxMARL is not installed", "install the extra: pip install 'certify[jaxmarl]'"
        ) from None
    return jax


def _made(name: str) -> Any:
    import jaxmarl

    try:
        return jaxmarl.make(name)
    except Exception as error:
        raise InputError(
            f"jaxmarl:{name}", f"JaxMARL says: {str(error)[:200]}", "name an environment of JaxMARL"
        ) from None


def _masks(env: Any) -> bool:
    """Whether an environment says which actions are available: the base class does not."""
    own = getattr(type(env), "get_avail_actions", None)
    base = sys.modules.get("jaxmarl.environments.multi_agent_env")
    general = None if base is None else base.MultiAgentEnv.get_avail_actions
    return hasattr(env, "get_legal_moves") or (own is not None and own is not general)


def _idle_draws(env: Any) -> tuple[int, ...]:
    """Overcooked without random resets draws places, a pot and what is carried, and uses the directions alone."""
    module = sys.modules.get("jaxmarl.environments.overcooked.overcooked")
    if module is not None and type(env) is module.Overcooked and not env.random_reset:
        return (0, 2, 3)
    return ()
