"""Policy tables: JSON and .npz, rounding as an enclosure, refusals on one line."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

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
    with pytest.raises(InputError, match="no such file"):
        load_policy(tree, str(tmp_path / "none.npz"))
    np.save(tmp_path / "one.npy", np.ones(3))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    with pytest.raises(InputError, match="cannot be read"):
        load_policy(tree, str(tmp_path / "one.npz"))
    np.savez(tmp_path / "objects.npz", agent1=np.array([None]), agent2=np.ones((7, 3)) / 3)
    with pytest.raises(InputError, match="an array cannot be read"):
        load_policy(tree, str(tmp_path / "objects.npz"))
    np.savez(tmp_path / "text.npz", agent1=np.full((7, 3), "1"), agent2=np.ones((7, 3)) / 3)
    with pytest.raises(InputError, match="of type <U1"):
        load_policy(tree, str(tmp_path / "text.npz"))
    with pytest.raises(InputError, match="not an object"):
        policy_from_document(tree, [])


def test_arrays_are_matched_by_name(tree, tmp_path) -> None:
    one, two = np.full((7, 3), 1 / 3), np.full((7, 3), 0.25)
    two[:, 0] = 0.5
    path = tmp_path / "p.npz"
    np.savez(path, agent2=two, agent1=one)
    found = load_policy(tree, str(path))
    assert found.lower[1][0].tolist() == [[Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)]]
    np.savez(path, one, two)
    assert load_policy(tree, str(path)).lower[1][0].tolist() == found.lower[1][0].tolist()
    for given in ({"bob": two, "agent1": one}, {"agent1": one}, {"agent1": one, "agent2": two, "more": one}):
        np.savez(path, **given)
        with pytest.raises(InputError, match="name them agent1, agent2, or arr_0, arr_1 in that order"):
            load_policy(tree, str(path))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_rows_may_miss_one_by_what_their_type_rounds_off(tree, kind) -> None:
    rows = np.random.default_rng(3).dirichlet(np.ones(3), 7).astype(kind)
    box = policy_from_arrays(tree, [rows, rows])
    assert all((box.lower[i][t] <= box.upper[i][t]).all() for i in range(2) for t in range(2))
    rows[0, 0] += 0.01
    with pytest.raises(InputError, match="probabilities that sum to 1 within"):
        policy_from_arrays(tree, [rows, rows])


def test_the_page_is_true(tree, tmp_path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
    shown = page.split("```json\n")[1].split("```")[0]
    rows = json.loads(shown)
    document = {x.key: rows["agent1:"] for i in range(2) for x in histories(tree, i)} | rows
    assert policy_from_document(tree, document, "page").lower[0][0].tolist() == [
        [Fraction(4, 5), *[Fraction(1, 10)] * 2]
    ]
    tables = {"table_of_agent1": np.full((7, 3), 1 / 3), "table_of_agent2": np.full((7, 3), 1 / 3)}
    code = page.split("```python\n")[1].split("```")[0].replace("policy.npz", str(tmp_path / "policy.npz"))
    exec(code, tables)
    assert load_policy(tree, str(tmp_path / "policy.npz")).upper[0][0].shape == (1, 3)
