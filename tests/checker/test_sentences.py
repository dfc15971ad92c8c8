"""The sentence of a verdict is the checker's own: one printable line, whatever a file writes into its names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from forged_names import FOLDER, FORGED, NAMED, UNNAMED, forged, read

from certify.checker import Malformed, check_certificate, check_file
from certify.checker.__main__ import main
from certify.checker.check import KINDS
from certify.checker.reading.envelope import Failed
from certify.checker.verdict import Proof, Run, sentence, verdict_of


def files() -> list[Path]:
    return sorted((FOLDER / "forged").glob("*.json"))


def outside_quotes(claim: str) -> str:
    """What a claim says itself, the game's name left out."""
    before, quote, rest = claim.partition(claim[5]) if claim.startswith("game ") else ("", "", claim)
    while quote and rest:
        name, _, rest = rest.partition(quote)
        if not name.endswith("\\"):
            break
    return before + rest


def test_every_kind_is_attacked() -> None:
    assert {path.stem for path in files()} == set(NAMED) | set(UNNAMED) == set(KINDS)
    for kind, document in forged().items():
        assert read(f"forged/{kind}.json") == document


@pytest.mark.parametrize("kind", sorted(NAMED))
def test_a_name_prints_one_line_between_quotes(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = FOLDER / "forged" / f"{kind}.json"
    verdict = check_file(path, "stdlib")
    assert verdict.valid, verdict.failed_step
    assert verdict.claim.isprintable() and FORGED not in outside_quotes(verdict.claim)
    whole = check_file(FOLDER / NAMED[kind], "stdlib").claim
    assert outside_quotes(verdict.claim) == outside_quotes(whole)
    assert main([str(path), "--engine", "stdlib"]) == 0
    printed = capsys.readouterr().out.removesuffix("\n")
    assert printed.isprintable() and printed.startswith("valid (stdlib engine, ")


@pytest.mark.parametrize("kind", sorted(UNNAMED))
def test_no_other_text_reaches_a_sentence(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = FOLDER / "forged" / f"{kind}.json"
    with pytest.raises(Malformed) as caught:
        check_file(path)
    assert str(caught.value).isprintable()
    assert main([str(path)]) == 2
    assert capsys.readouterr().err.removesuffix("\n").isprintable()


def test_a_failure_is_one_printable_line() -> None:
    def check(certificate: object, run: Run) -> Proof:
        raise Failed("no\nvalid \x1b[1A", step="a\u2028b", piece=3)

    verdict = verdict_of("threshold", check, {}, Run())
    assert verdict.failed_step == {"step": "a?b", "piece": 3, "why": "no?valid ?[1A"}


def test_a_sentence_without_its_care_would_be_forged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Falsification: the attack files do reach the sentence."""
    monkeypatch.setattr("certify.checker.verdict.printable", lambda text, limit=None: text)
    monkeypatch.setattr("certify.checker.verdict.sentence", lambda proof: f"game {proof.game.name}")
    assert "\n" in check_file(FOLDER / "forged" / "multiplicity.json").claim


def test_conclusions_are_joined() -> None:
    assert sentence(Proof(("a", "b"), 2)) == "a; b"


def test_cross_play_says_whether_the_policies_differ() -> None:
    differ = check_certificate(read("crossplay/valid/three_levers.json"))
    count = len(read("crossplay/valid/three_levers.json")["proof"]["policies"])
    assert differ.valid and f"{count} different stationary policies" in differ.claim
    twice = check_certificate(read("crossplay/valid/one_policy_twice.json"))
    pairs = count * (count - 1) // 2
    assert twice.valid and "different" not in twice.claim
    assert f"{count} stationary policies (not shown to differ in 1 of {pairs} pairs)" in twice.claim
    assert json.loads(json.dumps(twice.as_dict()))["valid"]
