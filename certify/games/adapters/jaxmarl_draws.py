"""Listed draws in the place of `jax.random`'s samplers: the outcome of each by number, with its probability, and a
refusal of every sampler that cannot be listed (docs/games.md#jaxmarl).
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from certify.errors import InputError
from certify.games.adapters.rationals import Rationals

MOST_DRAWS = 4_096  # combinations of what the samplers of one call may give
_KEYS = {"split", "fold_in", "clone", "key_data", "key_impl", "wrap_key_data", "PRNGKey", "key"}  # these draw nothing


@dataclass(frozen=True)
class Draw:
    """One call of a sampler: in words, and the probability of everything that it may give."""

    what: str
    probabilities: tuple[Fraction, ...]


class Draws:
    """Stands in for the samplers during one call of the environment: gives the outcome of each draw that is asked
    for, by number, and notes the draws.  `choices[k]` may be traced."""

    def __init__(self, choices: Any, idle: Collection[int], numbers: Rationals) -> None:
        self.choices, self.idle, self.numbers = choices, idle, numbers
        self.draws: list[Draw] = []

    def take(self, what: str, probabilities: Sequence[Fraction], table: np.ndarray) -> Any:
        """The outcome of the next draw out of `table`, one row per outcome."""
        import jax.numpy as jnp

        position = len(self.draws)
        self.draws.append(Draw(what, tuple(probabilities)))
        if position in self.idle:
            return jnp.asarray(table[0])
        known = len(self.choices) if isinstance(self.choices, list) else self.choices.shape[0]
        return jnp.asarray(table)[self.choices[position] if position < known else 0]

    def randint(self, key: Any, shape: Any, minval: Any, maxval: Any, dtype: Any = int) -> Any:
        """In place of `jax.random.randint`."""
        low, high = _concrete(minval, "randint's minval"), _concrete(maxval, "randint's maxval")
        if low.ndim or high.ndim or high <= low:
            raise _unlisted("randint with bounds that are arrays or empty")
        table = _combinations(np.arange(int(low), int(high)), tuple(shape))
        return self.take(f"randint({int(low)}..{int(high) - 1}){_of(shape)}", _even(len(table)), table).astype(dtype)

    def choice(self, key: Any, a: Any, shape: Any = (), replace: bool = True, p: Any = None, axis: int = 0) -> Any:
        """In place of `jax.random.choice`."""
        import jax.numpy as jnp

        size = int(a) if np.ndim(a) == 0 else a.shape[axis]
        shape, what = tuple(shape), f"choice({size}{'' if replace else ', without replacement'}){_of(shape)}"
        count = math.prod(shape)
        if not replace:
            orders = [] if len(self.draws) in self.idle else list(_limited(itertools.permutations(range(size), count)))
            table = np.array(orders or [range(count)]).reshape(-1, *shape)
            if p is not None and len(self.draws) not in self.idle:
                raise _unlisted("choice without replacement and with probabilities")
            chances = _even(len(table))
        else:
            table = _combinations(np.arange(size), shape)
            if p is None:
                chances = _even(len(table))
            else:
                own = [self.numbers(float(x), "choice, p") for x in _concrete(p, "choice's p")]
                chances = [math.prod((own[i] for i in row.ravel()), start=Fraction(1)) for row in table]
        found = self.take(what, chances, table)
        return found if np.ndim(a) == 0 else jnp.take(jnp.asarray(a), found, axis=axis)

    def bernoulli(self, key: Any, p: Any = 0.5, shape: Any = None, **_: Any) -> Any:
        """In place of `jax.random.bernoulli`."""
        chance = _concrete(p, "bernoulli's p")
        if chance.ndim:
            raise _unlisted("bernoulli with an array of probabilities")
        yes = self.numbers(float(chance), "bernoulli, p")
        table = _combinations(np.array([False, True]), tuple(shape or ()))
        chances = [math.prod((yes if x else 1 - yes for x in row.ravel()), start=Fraction(1)) for row in table]
        return self.take(f"bernoulli({yes}){_of(shape or ())}", chances, table)

    def permutation(self, key: Any, x: Any, axis: int = 0, independent: bool = False) -> Any:
        """In place of `jax.random.permutation`."""
        import jax.numpy as jnp

        if independent:
            raise _unlisted("permutation(independent=True)")
        size = int(x) if np.ndim(x) == 0 else x.shape[axis]
        table = np.array(list(_limited(itertools.permutations(range(size)))))
        found = self.take(f"permutation({size})", _even(len(table)), table)
        return found if np.ndim(x) == 0 else jnp.take(jnp.asarray(x), found, axis=axis)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Put them in the place of the samplers."""
        from jax import random

        ours: dict[str, Callable[..., Any]] = {
            "randint": self.randint,
            "choice": self.choice,
            "bernoulli": self.bernoulli,
            "permutation": self.permutation,
        }
        kept = {name: f for name, f in vars(random).items() if name in ours or _is_sampler(name, f)}
        try:
            for name in kept:
                setattr(random, name, ours.get(name) or _refuser(name))
            yield
        finally:
            for name, f in kept.items():
                setattr(random, name, f)


def _is_sampler(name: str, function: Any) -> bool:
    if name.startswith("_") or name in _KEYS or not callable(function):
        return False
    try:
        return "key" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def _refuser(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise _unlisted(name)

    return refuse


def _unlisted(what: str) -> InputError:
    mend = "randint, choice, bernoulli and permutation with fixed bounds are"
    return InputError("the environment", f"draws from jax.random by {what}, which is not enumerated", mend)


def _concrete(value: Any, what: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except Exception:
        raise _unlisted(f"a sampler whose bounds depend on the state ({what})") from None


def _of(shape: Sequence[int]) -> str:
    return f" x {math.prod(shape)}" if shape else ""


def _even(count: int) -> list[Fraction]:
    return [Fraction(1, count)] * count


def _combinations(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """All arrays of a shape with entries among `values`: one row each."""
    rows = list(_limited(itertools.product(values, repeat=math.prod(shape))))
    return np.array(rows, dtype=values.dtype).reshape(len(rows), *shape)


def _limited(rows: Iterator[Any]) -> Iterator[Any]:
    for k, row in enumerate(rows):
        if k == MOST_DRAWS:
            raise _unlisted(f"one sampler with more than {MOST_DRAWS:,} outcomes")
        yield row
