"""The runner of claims: what stands, what fails, and how it is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from certify.claims.report import markdown
from certify.claims.runner import find_proofs, run_proof, run_proofs, select
from certify.claims.text import filled, unmarked
from certify.cli.main import main
from certify.errors import InputError

SCRIPT = """
from pathlib import Path
import certify
from certify.claims import *
from certify.errors import Undecided
CLAIM = Claim(id="{id}", source="test", statement="A statement.", expected={expected})
def run(out, quick):
    found = certify.threshold(certify.load("lever:2"), method="structural")
    path = found.save(out / "lever.cert.json")
    {body}
"""


def folder(
    tmp_path: Path, body: str, *, expected: str = "CERTIFIED", text: str = "at <!--=alpha-->?<!--/-->", id: str = "1"
) -> Path:
    home = tmp_path / "proofs"
    home.mkdir(exist_ok=True)
    (home / f"{id:0>2}_claim.py").write_text(SCRIPT.format(body=body, expected=expected, id=id), encoding="utf-8")
    (home / f"{id:0>2}_claim.md").write_text(text, encoding="utf-8")
    return home


GOOD = 'return Outcome(CERTIFIED, {"alpha": "1/2"}, (path,))'


def outcome(home: Path, tmp_path: Path):
    return run_proof(find_proofs(home)[0], tmp_path / "out")


def test_a_claim_that_stands(tmp_path: Path) -> None:
    result = outcome(folder(tmp_path, GOOD), tmp_path)
    assert not result.failure and result.decided
    assert [item.valid for item in result.evidence] == [True]
    assert "for every alpha >= 1/2" in result.evidence[0].says
    assert unmarked(result.text) == "at 1/2"
    assert "| 1 | A statement. | test | certified on these instances | lever.cert.json |" in markdown(
        [result], quick=False
    )


@pytest.mark.parametrize(
    ("body", "expected", "says"),
    [
        (
            'path.write_text(path.read_text().replace(\'"alpha_star":"1/2"\', \'"alpha_star":"1/3"\')); ' + GOOD,
            "CERTIFIED",
            "invalid",
        ),
        ('path.write_text("{}"); ' + GOOD, "CERTIFIED", "malformed"),
        ('return Outcome(CERTIFIED, {"alpha": "1/2"})', "CERTIFIED", "certified without evidence"),
        ('return Outcome(REFUTED, {"alpha": "1/2"}, (path,))', "CERTIFIED", "refuted against expectation"),
        ('return Outcome(REFUTED, {"alpha": "1/2"})', "REFUTED", "refuted without a certificate"),
        ("return Outcome(CERTIFIED, {}, (path,))", "CERTIFIED", "'alpha' is marked"),
        ('return Outcome(CERTIFIED, {"alpha": "1/2", "beta": "2"}, (path,))', "CERTIFIED", "'beta' is given"),
        ('raise ZeroDivisionError("oops")', "CERTIFIED", "stopped: ZeroDivisionError: oops"),
    ],
)
def test_what_does_not_stand(tmp_path: Path, body: str, expected: str, says: str) -> None:
    result = outcome(folder(tmp_path, body, expected=expected), tmp_path)
    assert says in result.failure or says.replace("is given", "is given by the script") in result.failure


def test_undecided_is_an_answer_with_a_reason(tmp_path: Path) -> None:
    result = outcome(folder(tmp_path, 'raise Undecided("the tool is missing")'), tmp_path)
    assert (result.verdict, result.failure, result.decided) == ("undecided because the tool is missing", "", False)


def test_refuted_where_that_is_expected(tmp_path: Path) -> None:
    result = outcome(
        folder(tmp_path, 'return Outcome(REFUTED, {"alpha": "1/2"}, (path,))', expected="REFUTED"), tmp_path
    )
    assert not result.failure


def test_proofs_that_are_not_there_or_not_whole(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no proof scripts"):
        find_proofs(tmp_path)
    home = folder(tmp_path, GOOD)
    (home / "01_claim.md").unlink()
    with pytest.raises(InputError, match=r"01_claim.md is missing"):
        find_proofs(home)
    (home / "01_claim.py").write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(InputError, match="no CLAIM"):
        find_proofs(home)


def test_ids(tmp_path: Path) -> None:
    for id in ("4a", "4b", "14"):
        home = folder(tmp_path, GOOD, id=id)
    proofs = find_proofs(home)
    assert [p.claim.id for p in select(proofs, ["4"])] == ["4a", "4b"]
    assert [p.claim.id for p in select(proofs, ["14", "4a"])] == ["14", "4a"]
    with pytest.raises(InputError, match="no claim has this id"):
        select(proofs, ["5"])


def test_processes_give_the_same_results_in_order(tmp_path: Path) -> None:
    for id in ("1", "2"):
        home = folder(tmp_path, GOOD, id=id)
    results = list(run_proofs(find_proofs(home), tmp_path / "out", workers=2))
    assert [(r.claim.id, r.verdict, r.failure) for r in results] == [
        (id, "certified on these instances", "") for id in ("1", "2")
    ]


def run_command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["claims", *arguments])
    return stopped.value.code


def test_exit_codes_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = folder(tmp_path, GOOD)
    report, kept = tmp_path / "report.md", tmp_path / "kept"
    assert run_command("--proofs", str(home), "--json", "--report", str(report), "--keep", str(kept), "--update") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert set(entry) == {"id", "source", "statement", "verdict", "evidence", "seconds"}
    assert all(Path(path).is_file() and kept in Path(path).parents for path in entry["evidence"])
    assert "at 1/2" in report.read_text(encoding="utf-8")
    assert (home / "01_claim.md").read_text(encoding="utf-8") == "at <!--=alpha-->1/2<!--/-->"
    folder(tmp_path, 'raise Undecided("why")', id="2")
    assert run_command("--proofs", str(home)) == 0
    assert run_command("--proofs", str(home), "--strict") == 3
    folder(tmp_path, 'path.write_text("{}"); ' + GOOD, id="3")
    assert run_command("--proofs", str(home), "--strict") == 1
    capsys.readouterr()
    assert run_command("--proofs", str(tmp_path / "nowhere")) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_marks_are_kept_and_lost_numbers_noticed() -> None:
    once = filled("a <!--=x-->\n\nold\n<!--/--> b", {"x": "1"}, "t")
    assert once == "a <!--=x-->1<!--/--> b" and filled(once, {"x": "2"}, "t") == "a <!--=x-->2<!--/--> b"
