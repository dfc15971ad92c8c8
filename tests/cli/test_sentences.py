"""Every printed sentence follows from the verdict, or says that it is not verified; a partial answer is no "proved"."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import certify
from certify.answers.ladder import NOT_LOCALISED
from certify.answers.threshold import _kept
from certify.certificates.reading import describe
from certify.cli.main import main


def run(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out + captured.err


def test_a_part_of_what_was_asked_is_partial(capsys: pytest.CaptureFixture[str]) -> None:
    """Was "proved" with exit code 0, though nothing was known below 1/2."""
    code, out = run(capsys, "optimum lever:2 --alpha 0.4:2 --time-limit 60 --json")
    found = json.loads(out)
    assert (code, found["status"], found["asked"]) == (3, "partial", ["2/5", "2"])
    low, high = map(Fraction, found["alpha"])
    assert high == 2 and Fraction(1, 2) <= low < Fraction(51, 100) and found["reason"]
    assert Fraction(found["pieces"][0]["alpha"][0]) >= low


@pytest.mark.slow
def test_a_part_of_what_was_asked_is_partial_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "optimum lever:2 --alpha 0.4:2 --time-limit 60")
    assert code == 3
    assert "partial: proved for every alpha in [0.5" in out and "asked for [0.4, 2]" in out


def test_a_whole_path_is_proved_and_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "optimum lever:2:1/2 --alpha 1:2")
    lines = out.splitlines()
    assert code == 0 and lines[0] == "lever:2:1/2, horizon 1"
    assert "the threshold certificate inside proves this from" in lines[1] and "alpha*" not in lines[1]
    table = [line.split() for line in lines if line.startswith("  [")]
    assert lines[3].split() == ["alpha", "J", "return", "entropy"] and len(table) >= 1
    assert "agent1" not in out  # one hull over all temperatures would say nothing about any of them


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("threshold dectiger --horizon 1 --method structural", "dectiger, horizon 1"),
        ("threshold dectiger --horizon 1 --discount 1/2 --method structural", "dectiger, horizon 1, discount 1/2"),
        ("optimum lever:2 --alpha 1", "lever:2, horizon 1"),
        ("crossplay lever:2 --alpha 1", "lever:2, horizon 1"),
        ("symmetries lever:2", "lever:2, horizon 1: automorphism group of order 4 on agents, actions and observations"),
        ("entropy flow lever:2 --alpha 1", "lever:2, horizon 1"),
        ("threshold --structural n=2,h=1,actions=2,return=0:1", "n=2,h=1,actions=2,return=0:1"),
    ],
)
def test_the_game_and_its_horizon_head_every_answer(capsys: pytest.CaptureFixture[str], line: str, first: str) -> None:
    assert run(capsys, line)[1].splitlines()[0] == first


def test_forms_that_nobody_checked_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "threshold lever:2 --method structural")[1]
    forms = [line for line in out.splitlines() if "structural form" in line]
    assert forms and all(line.startswith("  for comparison, not checked: ") for line in forms)
    assert "concave at alpha*" in out and "no modulus above 0 is proved there" in out
    assert "only at alpha* itself" not in out  # it contradicted the line above
    found = json.loads(run(capsys, "threshold lever:2 --method structural --json")[1])
    assert found["unverified"] == ["forms"] and found["forms"]


def test_decimals_first_and_fractions_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "threshold --structural n=2,h=1,actions=2,return=0:1/3")[1]
    assert "/" not in "".join(line for line in out.splitlines()[1:] if "alpha" in line)
    assert (
        "/" in json.loads(run(capsys, "threshold --structural n=2,h=1,actions=2,return=0:1/3 --json")[1])["alpha_star"]
    )


def test_search_carries_no_note_of_localisation() -> None:
    """The note is for whoever is left with a structural form."""
    ladder: Any = SimpleNamespace(proposals=[])
    for method, kept in (("search", []), ("windows", []), ("structural (theorem-B)", [NOT_LOCALISED])):
        best: Any = SimpleNamespace(method=method)
        assert _kept([NOT_LOCALISED], best, ladder) == kept


@pytest.mark.parametrize(("duration", "informative"), [("1/10", None), ("100", "0")])
def test_an_enclosure_that_says_nothing_says_so(
    capsys: pytest.CaptureFixture[str], duration: str, informative: str | None
) -> None:
    line = f"entropy flow lever:2 --alpha 1 --flow-steps 4 --duration {duration}"
    assert ("too wide to say anything" in run(capsys, line)[1]) is (informative is not None)
    assert json.loads(run(capsys, f"{line} --json")[1])["piece"]["informative_until"] == informative


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("threshold lever:2 --method structural --modulus-at 3", "--modulus-at: a certificate by structural holds"),
        ("games --horizon 2", "belong to --aohs"),
        (
            "entropy --policy 1/2,1/2 --advantages 1,0 --algorithm reinforce --step 1 --steps 0:1",
            "--step: beside --steps",
        ),
        ("crossplay lever:2 --alpha 1 --runs x.json", "--runs: beside a game"),
    ],
)
def test_options_that_cannot_be_met_are_refused(capsys: pytest.CaptureFixture[str], line: str, said: str) -> None:
    code, out = run(capsys, line)
    assert (code, said in out, out.count("\n")) == (2, True, 1), out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("threshold --structural n=2,h=1,actions=2,return=0:1 --rtol 1/2", "--rtol does nothing beside --structural"),
        ("threshold --structural n=2,h=1,actions=2,return=0:1 --workers 2", "--workers does nothing"),
        ("optimum lever:2 --alpha 1 --width 1/2", "--width does nothing at one temperature"),
        ("entropy flow lever:2 --alpha 1 --flow-steps 3", "--flow-steps does nothing without --duration"),
    ],
)
def test_options_that_do_nothing_say_so(capsys: pytest.CaptureFixture[str], line: str, said: str) -> None:
    for form in ("", " --json"):
        code, out = run(capsys, line + form)
        assert (code, said in out) == (0, True), out


def test_merged_is_the_checkers_default(tmp_path: Path) -> None:
    found = certify.threshold("lever:2", method="localisation", rtol="1/2")
    assert found.document is not None
    document = {**found.document, "proof": {k: v for k, v in found.document["proof"].items() if k != "clustering"}}
    assert "were merged: yes" in describe(document, "here")
