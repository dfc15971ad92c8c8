"""Random batches under random recipes: every certificate checks, and no mutated one does."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from certify.answers.entropy_batch import entropy_batch
from certify.checker import check_certificate
from certify.entropy.dump import Column, Dump, Logits
from certify.entropy.formats import BFLOAT16, FLOAT16, FLOAT32
from certify.entropy.recipe import RECIPES, find_recipe
from certify.errors import InputError
from certify.exact import rational_text

MUTANTS = 5


def random_dump(rng: np.random.Generator) -> Dump:
    """A few sequences in pairs, rows of any format or none, log-probabilities of any format or none."""
    sequences = 2 * int(rng.integers(2, 4))
    lengths = rng.integers(1, 4, sequences)
    sequence, n, size = np.repeat(np.arange(sequences), lengths), int(lengths.sum()), int(rng.integers(2, 12))
    format_ = [BFLOAT16, FLOAT16, FLOAT32, None][int(rng.integers(0, 4))]
    z = rng.normal(size=(n, size)) * float(rng.choice([1, 4, 12]))
    if format_ in (BFLOAT16, FLOAT16):
        code_of = {float(v): c for c, v in enumerate(format_.decode(format_.codes())) if np.isfinite(v)}
        z = format_.round(z)
        rows = np.array([[code_of[float(v)] for v in row] for row in z], dtype=np.uint16)
    else:
        rows = z.astype(np.float64 if format_ is None else np.float32)
        z = rows.astype(np.float64)
    token = rng.integers(0, size, n)
    log_pi = (z - np.log(np.exp(z).sum(1, keepdims=True)))[np.arange(n), token]
    stored = [BFLOAT16, FLOAT32, None][int(rng.integers(0, 3))]

    def near(spread: float) -> Column:
        values = np.minimum(log_pi + rng.normal(size=n) * spread, 0.0)
        return Column(values if stored is None else stored.round(values), stored)

    columns = {
        "token_id": Column(token, None),
        "reward": Column(rng.choice([0.0, 0.5, 1.0], sequences)[sequence], None),
        "seq_id": Column(sequence, None),
        "group_id": Column(sequence // 2, None),
        "mask": Column((rng.random(n) < 0.9).astype(np.int64) | (np.arange(n) < 2), None),
        "logp_ref": near(0.3),
    }
    if rng.random() < 0.8:
        columns |= {"logp_train": near(0.0), "logp_old": near(0.3), "logp_sampler": near(0.1)}
    logits = Logits((n, size), format_, lambda a, b: rows[a:b]) if rng.random() < 0.8 else None
    return Dump(Path("batch"), n, columns, logits)


def leaves(data: Any, path: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else None
    if items is None:
        yield path, data
        return
    for key, value in items:
        yield from leaves(value, (*path, key))


def changed(value: Any, draw: random.Random) -> Any:
    """Another value that looks like the old one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + draw.choice([-1, 1])
    if value is None:
        return "1"
    try:
        return rational_text(Fraction(value) + draw.choice([-1, 1]) * Fraction(1, 2 ** draw.choice([0, 10, 40, 96])))
    except ValueError:
        return value[:-1] + ("0" if value[-1:] != "0" else "1")


def accepts(certificate: dict) -> bool:
    try:
        return check_certificate(certificate).valid
    except ValueError:
        return False


def run(seed: int, batches: int) -> int:
    """How many batches had a certificate; each checks, and none of its mutants."""
    rng, draw, count = np.random.default_rng(seed), random.Random(seed), 0
    while count < batches:
        dump = random_dump(rng)
        try:
            recipe = find_recipe(str(rng.choice(list(RECIPES))), {"equal_groups": "false"})
            report = entropy_batch(dump, recipe)
        except InputError:  # a recipe that needs what this batch does not have
            continue
        certificate = json.loads(json.dumps(report.certificate(int(rng.choice([2, 64])))))
        assert accepts(certificate), recipe.name
        count += 1
        paths = list(leaves(certificate))
        for _ in range(MUTANTS):
            mutant = copy.deepcopy(certificate)
            (*inside, last), value = draw.choice(paths)
            place = mutant
            for key in inside:
                place = place[key]
            place[last] = changed(value, draw)
            assert mutant == certificate or not accepts(mutant), (inside, last, value)
    return count


def test_a_step_too_small_for_the_checkers_arithmetic_is_certified_all_the_same() -> None:
    """REPO-D where every advantage is 0: its coefficients are 0 up to some 10^-300."""
    given = {"token_id": [0, 1, 2, 1], "reward": [1.0, 1.0, 0.0, 0.0], "seq_id": [0, 1, 2, 3], "group_id": [0, 0, 1, 1]}
    rows = np.array([[0.0, 1.0, -2.0], [3.0, 0.0, 1.0], [0.5, 0.0, 0.0], [2.0, -1.0, 0.0]])
    columns = {name: Column(np.array(values), None) for name, values in given.items()}
    report = entropy_batch(Dump(Path("batch"), 4, columns, Logits(rows.shape, None, lambda a, b: rows[a:b])), "repo-d")
    assert report.undecided == 4 and (report.steps.coefficient.rad > 0).all()
    assert accepts(json.loads(json.dumps(report.certificate(64))))


def test_certificates_check_and_mutants_do_not() -> None:
    assert run(3, 25) == 25


@pytest.mark.slow
def test_more_certificates_check_and_mutants_do_not() -> None:
    assert run(4, 600) == 600
