"""Entropies under a step of shared parameters: z_s = W φ_s, features held fixed, so that the gradient of one token
moves the logits of all (docs/theory/updates.md#shared-parameters).

    dH_s/dη = −Σ_t G_st ⟨π_s∘L_s, g_t⟩,   G_st = ⟨φ_s, φ_t⟩,   g_t = c_t (e_{k_t} − π_t) − τ_t π_t∘L_t.

The tabular statement is a diagonal G (orthogonal features).  Everything is N × N from N × V arrays in float64;
a matrix product of length n is within (n + 2) U |A||B| of the true one, whatever the order of its sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from certify.bounds.rounding import UNIT as U
from certify.entropy.balls import GROW, Balls
from certify.entropy.dump import Dump
from certify.entropy.formats import BFLOAT16, FLOAT16
from certify.entropy.token_steps import TokenSteps
from certify.entropy.transcendental import exp, log
from certify.errors import InputError

LARGEST = 1 << 27  # logits that are held at once


@dataclass(frozen=True, eq=False)
class SharedChange:
    """`change` (N,): dH_s/dη with cross terms; `diagonal` (N,): with G_ss alone, what orthogonality would say.

    `wrong` counts tokens whose certified signs differ, `total_wrong` says whether the totals' do (None: open).
    """

    change: Balls
    diagonal: Balls
    wrong: int
    total_wrong: bool | None


def product(a: Balls, b: Balls) -> Balls:
    """A Bᵀ for balls of shape (N, n) and (M, n)."""
    n = a.mid.shape[1]
    size_a, size_b = np.abs(a.mid), np.abs(b.mid)
    mid = a.mid @ b.mid.T
    rad = (size_a + a.rad) @ b.rad.T + a.rad @ size_b.T + (n + 2) * U * (size_a @ size_b.T)
    return Balls(mid, rad * (1 + (n + 16) * 2.0**-50) + 2.0**-950)


def read_gram(path: Path, tokens: int, features: bool) -> Balls:
    """The Gram matrix (N, N) from a .npy or one-array .npz file: of the features (N, D), or itself.

    Stored numbers are taken as exact.  Raises `InputError` for other shapes and numbers that are not finite.
    """
    where = "--features" if features else "--gram"
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            if len(loaded.files) != 1:
                raise InputError(where, f"{path.name} holds {len(loaded.files)} arrays", "give a file with one array")
            loaded = loaded[loaded.files[0]]
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            where, f"{path.name} cannot be read ({type(error).__name__})", "give a .npy or .npz file"
        ) from None
    if loaded.dtype.kind == "V" and loaded.dtype.itemsize == 2:
        from certify.entropy.formats import BFLOAT16

        loaded = BFLOAT16.decode(loaded.view(np.uint16))
    if loaded.dtype.kind not in "fiu" or loaded.ndim != 2 or loaded.shape[0] != tokens:
        raise InputError(
            where, f"an array of type {loaded.dtype}, shape {list(loaded.shape)}", f"give {tokens} rows of numbers"
        )
    values = loaded.astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError(where, "a number that is not finite", "give finite numbers")
    exact = Balls.exact(values)
    if features:
        return product(exact, exact)
    if values.shape[1] != tokens or not np.array_equal(values, values.T):
        raise InputError(
            where, f"shape {list(values.shape)}, or not symmetric", "give ⟨φ_s, φ_t⟩ for all pairs of tokens"
        )
    return exact


def shared_change(
    logits: np.ndarray, sampled: np.ndarray, coefficient: Balls, bonus: Balls, gram: Balls, active: np.ndarray
) -> SharedChange:
    """First-order changes of the entropies of all tokens with logits (N, V) float64 under the common step.

    >>> logits = np.log(np.array([[9/20, 3/20, 2/5], [3/20, 1/20, 4/5]]))
    >>> c, none = Balls.exact(np.array([1.0, 0.0])), Balls.exact(np.zeros(2))
    >>> gram = Balls.exact(np.array([[1.0, 0.5], [0.5, 1.0]]))
    >>> found = shared_change(logits, np.array([0, 0]), c, none, gram, np.ones(2, bool))
    >>> bool(found.change.sum().mid[0] > 0), bool(found.diagonal.sum().mid[0] > 0), found.total_wrong
    (True, False, True)
    """
    if logits.size > LARGEST:
        raise InputError("--gram", f"{logits.size} logits are too many to hold at once", "give a smaller batch")
    with np.errstate(all="ignore"):
        pi, entropy_slope = _policies(logits)
        n = len(logits)
        # X_st = ⟨π_s∘L_s, e_{k_t} − π_t⟩
        picked = Balls(entropy_slope.mid[:, sampled], entropy_slope.rad[:, sampled])
        effect = (picked - product(entropy_slope, pi)) * Balls(coefficient.mid[None, :], coefficient.rad[None, :])
        if bonus.mid.any():
            own = product(entropy_slope, entropy_slope)
            effect = effect - own * Balls(bonus.mid[None, :], bonus.rad[None, :])
        moved = -(gram * effect)
    at = np.arange(n)
    diagonal = Balls(moved.mid[at, at], moved.rad[at, at])
    summed = moved.sum()
    change = Balls(np.where(active, summed.mid[:, 0], 0.0), np.where(active, summed.rad[:, 0], 0.0))
    diagonal = Balls(np.where(active, diagonal.mid, 0.0), np.where(active, diagonal.rad, 0.0))
    opposite = change.signs() * diagonal.signs() < 0
    totals = change.sum().signs()[0], diagonal.sum().signs()[0]
    return SharedChange(change, diagonal, int(opposite.sum()), bool(totals[0] * totals[1] < 0) if all(totals) else None)


def _policies(logits: np.ndarray) -> tuple[Balls, Balls]:
    """π and π∘L, (N, V) each; entries of −inf have neither."""
    possible = logits > -np.inf
    top = logits.max(axis=1, keepdims=True)
    shifted = np.where(possible, logits - top, -700.0)
    d = Balls(shifted, np.abs(shifted) * U * 2)
    # below −700 the exponential is enclosed by 0 and e^-700
    deep = shifted < -700.0
    e = exp(Balls(np.where(deep, -700.0, d.mid), np.where(deep, 0.0, d.rad)))
    gone = ~possible
    e = Balls(np.where(gone | deep, 0.0, e.mid), np.where(gone, 0.0, np.where(deep, 2.0**-1000, e.rad)))
    total = e.sum()
    pi = e / total
    log_pi = d - log(total)
    entropy = -(pi * log_pi).sum()
    slope = pi * (log_pi + entropy)
    return Balls(np.where(gone, 0.0, pi.mid), np.where(gone, 0.0, pi.rad * GROW)), Balls(
        np.where(gone, 0.0, slope.mid), np.where(gone, 0.0, slope.rad * GROW)
    )


def shared_of_batch(dump: Dump, steps: TokenSteps, path: Path, features: bool) -> SharedChange:
    """`shared_change` of a batch, its Gram matrix or its features in the file `path`."""
    if dump.logits is None:
        raise InputError("--features" if features else "--gram", "needs a column logits", "add it to the batch")
    if dump.logits.shape[0] * dump.logits.shape[1] > LARGEST:
        raise InputError(
            "--gram", f"{dump.logits.shape[0]} rows of {dump.logits.shape[1]} logits", "give a smaller batch"
        )
    rows = dump.logits.read(0, dump.tokens)
    kind = dump.logits.format
    values = kind.decode(rows) if kind is not None and kind in (BFLOAT16, FLOAT16) else rows.astype(np.float64)
    sampled = dump.need("token_id", "finding the sampled token").values
    matrix = read_gram(path, dump.tokens, features)
    return shared_change(values, sampled, steps.coefficient, steps.bonus, matrix, steps.active)
