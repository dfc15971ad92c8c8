"""Policy tables: JSON and .npz, rounding as an enclosure, refusals on one line."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from certify.bounds.policy import layout_of
from certify.bounds.policy_table import load_policy, policy_from_arrays, policy_from_document
from certify.errors import InputError
from certify.games import builtin
from certify.games.histories import histories
from certify.games.tree import unroll


@pytest.fixture(scope="module")
def tree():
    return unroll(builtin("dectiger", 2), cluster=False)


def uniform_document(tree, text: str = "1/3") -> dict:
    return {x.key: dict.fromkeys(tree.game.actions[i], text) for i in range(2) for x in histories(tree, i)}


def test_json_and_npz_agree(tree, tmp_path) -> None:
    rng = np.random.default_rng(0)
    arrays = [np.round(rng.dirichlet(np.ones(3), size=len(histories(tree, i))) * 2**20) for i in range(2)]
    for array in arrays:
        array[:, 2] = 2**20 - array[:, :2].sum(axis=1)
        array /= 2**20
    document = {
        x.key: {tree.game.actions[i][a]: str(Fraction(float(p))) for a, p in enumerate(row)}
        for i in range(2)
        for x, row in zip(histories(tree, i), arrays[i], strict=True)
    }
    (tmp_path / "p.json").write_text(json.dumps(document))
    np.savez(tmp_path / "p.npz", *arrays)
    layout = layout_of(tree)
    first, second = (load_policy(tree, str(tmp_path / name)) for name in ("p.json", "p.npz"))
    assert (layout.flat(first.lower) == layout.flat(second.lower)).all()
    assert (layout.flat(first.lower) == layout.flat(first.upper)).all()


def test_rounded_rows_are_enclosures(tree) -> None:
    box = policy_from_document(tree, uniform_document(tree, "0.3333333"))
    lower, upper = (layout_of(tree).flat(end) for end in (box.lower, box.upper))
    assert all(lo == Fraction(3333333, 10**7) and hi == Fraction(1, 3) for lo, hi in zip(lower, upper, strict=True))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda d: d.pop("agent1:"), "no row for 'agent1:'"),
        (lambda d: d.update({"agent1:listen,nothing": {}}), "is no reachable AOH"),
        (lambda d: d["agent1:"].update(listen="1/2"), "sum to 1.16666667"),
        (lambda d: d["agent1:"].update({"listen": "-1/3", "open-left": "1"}), "a negative number"),
        (lambda d: d["agent1:"].update(jump="0"), "unknown action 'jump'"),
        (lambda d: d["agent1:"].update(listen="a third"), "is not a number"),
        (lambda d: d.update({"agent1:": [1, 0, 0]}), "not an object"),
    ],
)
def test_bad_tables(tree, change, message: str) -> None:
    document = uniform_document(tree)
    change(document)
    with pytest.raises(InputError, match=message) as caught:
        policy_from_document(tree, document, "p.json")
    assert "\n" not in str(caught.value)


def test_bad_arrays(tree, tmp_path) -> None:
    with pytest.raises(InputError, match="1 arrays"):
        policy_from_arrays(tree, [np.ones((7, 3)) / 3])
    with pytest.raises(InputError, match="shape"):
        policy_from_arrays(tree, [np.ones((6, 3)) / 3, np.ones((7, 3)) / 3])
    with pytest.raises(InputError, match="finite"):
        policy_from_arrays(tree, [np.full((7, 3), np.nan)] * 2)
    (tmp_path / "p.npz").write_bytes(b"not a zip")
    with pytest.raises(InputError, match="cannot be read"):
        load_policy(tree, str(tmp_path / "p.npz"))
    with pytest.raises(InputError, match="not an object"):
        policy_from_document(tree, [])
