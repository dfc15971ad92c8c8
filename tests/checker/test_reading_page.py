"""docs/certificate-reading.md against both engines: what the page decides is what the checkers do."""

import copy
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from certify.checker.check import check_certificate
from certify.checker.reading import envelope, game
from certify.checker.reading.envelope import Malformed

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "certificate-reading.md").read_text(encoding="utf-8")
VALID = ROOT / "tests" / "certificates" / "valid"

Certificate = dict[str, Any]


def load(name: str) -> Certificate:
    return json.loads((VALID / f"{name}.json").read_text(encoding="utf-8"))


def rehashed(certificate: Certificate) -> Certificate:
    """The certificate with the hash of the game it now states."""
    text = json.dumps(certificate["game"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return certificate | {"game_sha256": hashlib.sha256(text.encode()).hexdigest()}


def verdict(certificate: Certificate, engine: str) -> str:
    try:
        return "valid" if check_certificate(copy.deepcopy(certificate), engine).valid else "invalid"
    except Malformed:
        return "malformed"


def changed(name: str, change: Callable[[Certificate], object]) -> Certificate:
    certificate = load(name)
    change(certificate)
    return rehashed(certificate) if "game" in certificate else certificate


def put(*path: Any) -> Callable[[Certificate], None]:
    """Sets the last but one step of the path to its last part."""

    def change(certificate: Certificate) -> None:
        item: Any = certificate
        for key in path[:-2]:
            item = item[key]
        item[path[-2]] = path[-1]

    return change


def rewards_unsorted(certificate: Certificate) -> None:
    """The same game: rewards in another order, not in lowest terms, and one of zero."""
    rewards = certificate["game"]["reward"]
    known = {(s, *a) for s, a, _ in rewards}
    zero = next([0, [a, b], "0"] for a in range(2) for b in range(2) if (0, a, b) not in known)
    certificate["game"]["reward"] = [*reversed(rewards), zero]
    s, a, r = certificate["game"]["reward"][0]
    certificate["game"]["reward"][0] = [s, a, f"{3 * int(r)}/3"]


def nested(depth: int) -> list[Any]:
    item: list[Any] = []
    for _ in range(depth - 1):
        item = [item]
    return item


def emptied_child(close: str) -> Callable[[Certificate], None]:
    """A split whose second child is empty: pi(0) >= 1 - 2^-30 after steps that bound it; closed by either word."""

    def change(certificate: Certificate) -> None:
        leaves = [k for k, node in enumerate(certificate["proof"]["nodes"]) if node.get("close") == "nondegenerate"]
        node = certificate["proof"]["nodes"][leaves[0]]
        del node["close"]
        agent, depth = node["steps"][-1]["agent"], node["steps"][-1]["depth"]
        node["split"] = {"agent": agent, "depth": depth, "class": 0, "action": 0, "at": f"{2**30 - 1}/{2**30}"}
        count = len(certificate["proof"]["nodes"])
        for word in ("nondegenerate", close):
            certificate["proof"]["nodes"].append(
                {"parent": leaves[0], "beta": node["beta"], "steps": [], "close": word}
            )
        assert len(certificate["proof"]["nodes"]) == count + 2

    return change


CASES = [
    ("strict_absent", "lever_spectral", lambda c: c["proof"].pop("strict", None), "valid"),
    ("strict_false", "lever_spectral", put("proof", "strict", False), "valid"),
    ("strict_true_with_spectral", "lever_spectral", put("proof", "strict", True), "invalid"),
    ("vector_with_spectral", "lever_spectral", put("proof", "vector", [["1"], ["1"]]), "malformed"),
    ("strict_false_with_D_prime", "dectiger_theorem_D_prime", put("proof", "strict", False), "valid"),
    ("strict_true_with_D_prime", "dectiger_theorem_D_prime", put("proof", "strict", True), "valid"),
    ("clustering_absent", "lever_cover", lambda c: c["proof"].pop("clustering", None), "valid"),
    ("clustering_null", "lever_cover", put("proof", "clustering", None), "malformed"),
    ("rewards_unsorted", "lever_cover", rewards_unsorted, "valid"),
    ("reward_as_an_integer", "lever_cover", lambda c: c["game"]["reward"][0].__setitem__(2, 1), "malformed"),
    ("leading_zeros", "lever_cover", lambda c: c["game"]["reward"][0].__setitem__(2, "01"), "valid"),
    ("plus_sign", "lever_cover", lambda c: c["game"]["reward"][0].__setitem__(2, "+1"), "malformed"),
    ("names_twice", "lever_cover", put("game", "actions", [["a", "a"], ["0", "1"]]), "malformed"),
    ("nested_ignored_field", "lever_cover", put("consequences", nested(39)), "valid"),
    ("nested_too_deep_in_an_ignored_field", "lever_cover", put("consequences", nested(42)), "malformed"),
    ("long_text_in_an_ignored_field", "lever_cover", put("consequences", ["x" * 20_001]), "malformed"),
    ("integer_of_sixty_digits", "lever_cover", put("search", {"n": 10**60}), "valid"),
    ("integer_of_more", "lever_cover", put("search", {"n": 10**60 + 1}), "malformed"),
    ("alpha_star_zero", "lever_cover", put("claim", "alpha_star", "0"), "invalid"),
    ("parent_that_is_no_node", "climbing_cover", put("proof", "nodes", 1, "parent", 99_999), "invalid"),
    (
        "agent_that_is_none",
        "lever_cover",
        put("proof", "nodes", 0, "steps", [{"agent": 9, "depth": 0, "log_ratio": []}]),
        "malformed",
    ),
    ("split_at_one", "climbing_split_by_policy", lambda c: first_split(c).__setitem__("at", "1"), "malformed"),
    ("empty_child_called_empty", "climbing_cover", emptied_child("empty"), "valid"),
    ("empty_child_called_nondegenerate", "climbing_cover", emptied_child("nondegenerate"), "valid"),
]


def first_split(certificate: Certificate) -> dict[str, Any]:
    return next(node["split"] for node in certificate["proof"]["nodes"] if "split" in node and "at" in node["split"])


@pytest.mark.parametrize("engine", ["stdlib", "fast"])
@pytest.mark.parametrize(("base", "change", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_decided_on_the_page(base: str, change: Callable[[Certificate], object], expected: str, engine: str) -> None:
    """Both engines say of each change what the page says."""
    assert verdict(load(base), engine) == "valid"
    assert verdict(changed(base, change), engine) == expected


def test_limits_are_those_of_the_page() -> None:
    """Every limit that the page states is the reader's."""
    numbers = {int(number.replace(",", "")) for number in re.findall(r"\d{1,3}(?:,\d{3})+|\d+", PAGE)}
    for limit in (
        envelope.MAX_BYTES,
        envelope.MAX_DEPTH,
        envelope.MAX_DIGITS,
        envelope.MAX_TEXT,
        envelope.MAX_UNIT,
        envelope.MAX_NODES,
        envelope.MAX_STEPS,
        game.MAX_HORIZON,
        game.MAX_JOINT_ACTIONS,
        game.MAX_PAIRS,
    ):
        assert limit in numbers, limit
    assert envelope.MAX_INTEGER == 10**60
    assert "10^60" in PAGE
