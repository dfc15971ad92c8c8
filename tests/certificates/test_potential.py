"""Certificates that speak of the original of a potential: one test per file found."""

import hashlib
import itertools
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certify import checker
from certify.certificates.reading import describe
from certify.checker.reading.envelope import Failed
from certify.checker.reading.game import read_game
from certify.checker.reading.original import check_original
from certify.games import from_array, game_to_json

FOLDER = Path(__file__).resolve().parent / "potential"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


def files(kind):
    return sorted((FOLDER / kind).glob("*.json"))


@pytest.mark.parametrize("path", files("valid"), ids=lambda p: p.stem)
def test_valid(path):
    verdict = checker.check_file(path, engine="stdlib")
    assert verdict.valid, verdict.failed_step
    document = json.loads(path.read_text(encoding="utf-8"))
    if document["kind"] == "optimum":
        sha256 = document["proof"]["threshold"]["original_sha256"]
        assert f"the one logit QRE of the original game (sha256 {sha256})" in verdict.claim
        return
    largest = 1 / Fraction(document["claim"]["alpha_star"])
    assert f"has exactly one logit QRE for every lambda from 0 to {largest}" in verdict.claim
    assert document["original_sha256"] in verdict.claim


@pytest.mark.parametrize("path", files("invalid"), ids=lambda p: p.stem)
def test_attacks_are_rejected_where_they_happen(path):
    verdict = checker.check_file(path, engine="stdlib")
    assert not verdict.valid
    assert str(verdict.failed_step.get("step", "")).startswith(EXPECTED[path.stem]), verdict.failed_step


@pytest.mark.parametrize("path", files("malformed"), ids=lambda p: p.stem)
def test_malformed(path):
    with pytest.raises(checker.Malformed):
        checker.check_file(path, engine="stdlib")


def test_every_attack_has_a_file():
    assert {path.stem for path in files("invalid")} == set(EXPECTED) and len(EXPECTED) >= 15


def test_what_is_said_of_the_original_on_a_page():
    document = json.loads((FOLDER / "valid" / "stag_hunt.json").read_text(encoding="utf-8"))
    text = describe(document, "here")
    largest = 1 / Fraction(document["claim"]["alpha_star"])
    assert document["original_sha256"] in text
    assert f"exactly one logit quantal response equilibrium for every lambda from 0 to {largest}" in " ".join(
        text.split()
    )


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_the_checker_accepts_what_the_definition_accepts(data):
    """Random potentials, then one payoff, weight or reward moved: valid exactly where every difference still agrees."""
    sizes = tuple(data.draw(st.lists(st.integers(1, 3), min_size=2, max_size=3)))
    profiles = list(itertools.product(*map(range, sizes)))
    potential = {a: data.draw(st.integers(-4, 4)) for a in profiles}
    weights = [data.draw(st.sampled_from([Fraction(1), Fraction(2), Fraction(3, 5)])) for _ in sizes]
    payoffs = [[potential[a] / w + (7 * i + sum(a) - a[i]) % 5 for i, w in enumerate(weights)] for a in profiles]
    names = [[str(k) for k in range(size)] for size in sizes]
    game = from_array(nested(potential, sizes))
    document = {"game": game_to_json(replace(game, weights=tuple(weights)))}
    moved = data.draw(st.sampled_from(["nothing", "payoff", "weight", "shift"]))
    k, i = data.draw(st.integers(0, len(profiles) - 1)), data.draw(st.integers(0, len(sizes) - 1))
    if moved == "payoff":
        payoffs[k][i] += data.draw(st.sampled_from([Fraction(1, 10**6), Fraction(-3)]))
    elif moved == "weight":
        payoffs = [[u * (3 if j == i else 1) for j, u in enumerate(row)] for row in payoffs]
    elif moved == "shift":  # what the others play may shift a player's payoffs: nothing changes
        payoffs = [[u + (sum(a) - a[j] if j == i else 0) for j, u in enumerate(row)]
                   for a, row in zip(profiles, payoffs, strict=True)]  # fmt: skip
    original = {
        "players": list(document["game"]["agents"]),
        "strategies": names,
        "payoffs": [[str(u) for u in row] for row in payoffs],
    }
    text = json.dumps(original, sort_keys=True, separators=(",", ":"))
    document |= {"original": original, "original_sha256": hashlib.sha256(text.encode()).hexdigest()}
    table = dict(zip(profiles, payoffs, strict=True))
    agrees = all(
        weights[j] * (table[a][j] - table[b][j]) == potential[a] - potential[b]
        for j in range(len(sizes))
        for a in profiles
        for b in profiles
        if a[:j] + a[j + 1 :] == b[:j] + b[j + 1 :]
    )
    try:
        check_original(document, read_game(document["game"]))
    except Failed:
        assert not agrees
    else:
        assert agrees
    assert agrees or moved in ("payoff", "weight")


def nested(table, sizes, index=()):
    """A table by profile as nested lists."""
    if len(index) == len(sizes):
        return table[index]
    return [nested(table, sizes, (*index, k)) for k in range(sizes[len(index)])]
