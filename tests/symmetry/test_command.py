"""`certify symmetries` and `certify crossplay`: JSON fields, exit codes, one line for bad input."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from symmetry_games import SHARED

from certify.checker import check_certificate
from certify.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    out, err = capsys.readouterr()
    return stopped.value.code or 0, out, err


def write(path: Path, document: object) -> str:
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


def test_group_of_the_classic_lever_game(capsys, tmp_path) -> None:
    certificate = tmp_path / "cert.json"
    code, out, err = run(capsys, "symmetries", "lever:10:9/10", "--json", "-o", str(certificate))
    result = json.loads(out)
    assert (code, err) == (0, "") and out.count("\n") == 1
    assert result["status"] == "proved" and result["order"] == 725760 and result["complete"] is True
    assert len(result["generators"]) == 9 and result["orbits"]["agents"] == [["agent1", "agent2"]]
    checked = check_certificate(json.loads(certificate.read_text()))
    assert checked.valid and "725760" in checked.claim


def test_text_for_people(capsys) -> None:
    code, out, _ = run(capsys, "symmetries", "lever:20")
    assert code == 0 and "order" in out and "complete" in out and "more" in out


def test_candidates_proved_and_refuted(capsys, tmp_path) -> None:
    swap = write(tmp_path / "swap.json", {"agents": {"agent1": "agent2", "agent2": "agent1"}})
    code, out, _ = run(capsys, "symmetries", "dectiger", "--candidate", swap, "--json")
    assert code == 0 and json.loads(out)["status"] == "proved"
    code, out, _ = run(capsys, "symmetries", "climbing", "--candidate", swap, "--json")
    result = json.loads(out)
    assert code == 1 and result["status"] == "refuted"
    assert {result["witness"]["value"], result["witness"]["image_value"]} == {"0", "6"}
    code, out, _ = run(capsys, "symmetries", "climbing", "--candidate", swap)
    assert code == 1 and "not a symmetry: reward at" in out


def test_parametric_lever_example(capsys, tmp_path) -> None:
    game = str(Path(__file__).resolve().parents[2] / "examples" / "parametric-lever.json")
    code, out, _ = run(capsys, "symmetries", game, "--json")
    assert code == 0 and json.loads(out)["order"] == 725760
    odd = write(tmp_path / "odd.json", {"actions": [[9, 1, 2, 3, 4, 5, 6, 7, 8, 0]] * 2})
    code, out, _ = run(capsys, "symmetries", game, "--candidate", odd)
    assert code == 1 and "at eps = " in out


def test_parametric_file(capsys, tmp_path) -> None:
    payoff = [[1, 0, 0], [0, 1, 0], [0, 0, "1 - eps"]]
    game = write(
        tmp_path / "game.json", {"kind": "one-shot", "payoff": payoff, "parameters": {"eps": ["0 < eps", "eps < 1"]}}
    )
    code, out, _ = run(capsys, "symmetries", game, "--json")
    assert code == 0 and json.loads(out)["order"] == 4
    moved = write(tmp_path / "map.json", {"actions": [[1, 2, 0], [1, 2, 0]]})
    code, out, _ = run(capsys, "symmetries", game, "--candidate", moved, "--json")
    result = json.loads(out)
    assert code == 1 and 0 < Fraction(result["parameters"]["eps"]) < 1
    code, _, err = run(capsys, "symmetries", game, "-o", str(tmp_path / "c.json"))
    assert code == 2 and "parameters" in err


@pytest.mark.parametrize(
    "document, message",
    [
        ({"states": {"0": 1}}, "not a bijection"),
        ({"actions": {"agent9": {}}}, "'agent9' is unknown"),
        ({"agents": {"agent1": "agent2"}}, "not a bijection"),
    ],
)
def test_bad_maps_exit_2_on_one_line(capsys, tmp_path, document, message) -> None:
    code, out, err = run(capsys, "symmetries", "dectiger", "--candidate", write(tmp_path / "map.json", document))
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1


def test_other_bad_input(capsys, tmp_path) -> None:
    broken = tmp_path / "map.json"
    broken.write_text("{", encoding="utf-8")
    for arguments in (
        ("symmetries", "nosuchgame"),
        ("symmetries", "dectiger", "--candidate", str(broken)),
        ("symmetries", "dectiger", "--candidate", str(tmp_path / "absent.json")),
        ("symmetries", "dectiger", "-o", str(tmp_path / "absent" / "c.json")),
        ("symmetries", "dectiger", "--states", "some"),
        ("crossplay", "dectiger"),
        ("crossplay", "dectiger", "--alpha", "0"),
        ("crossplay", "dectiger", "--alpha", "x"),
        ("crossplay", "dectiger", "--alpha", "1", "--policy", str(broken)),
        ("crossplay", "--runs", write(tmp_path / "runs.json", [[1, 2], [3]])),
    ):
        code, out, err = run(capsys, *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), (arguments, err)


def test_near(capsys) -> None:
    code, out, _ = run(capsys, "symmetries", "climbing", "--near", "--max-entries", "2", "--json")
    near = json.loads(out)["near"]
    assert code == 0 and near["exhausted"] and len(near["found"]) == 1
    assert {d["value"] for d in near["found"][0]["differences"]} == {"0", "6"}


def test_search_limit_is_undecided(capsys, tmp_path) -> None:
    payoff = [[int((k - j) % 7 == 1) for k in range(7)] for j in range(7)]
    game = write(tmp_path / "cycle.json", {"kind": "one-shot", "payoff": payoff})
    code, out, _ = run(capsys, "symmetries", game, "--max-nodes", "1", "--json")
    assert code == 3 and json.loads(out)["status"] == "undecided" and json.loads(out)["complete"] is False


def test_states_all(capsys) -> None:
    path = SHARED / "fireFighting_2_3_3.dpomdp"
    if not path.is_file():
        pytest.skip("the benchmark files are not beside the project")
    code, out, _ = run(capsys, "symmetries", str(path), "--states", "all", "--json")
    assert code == 0 and json.loads(out)["order"] == 4


def test_crossplay_gap(capsys) -> None:
    code, out, err = run(capsys, "crossplay", "lever:3", "--alpha", "1/5", "--json")
    result = json.loads(out)
    assert (code, err) == (0, "") and result["status"] == "proved" and result["gap_of"] == "return"
    assert Fraction(result["gap"][0]) > 0 and len(result["sp"]) == len(result["xp"]) == 3
    assert Fraction(result["sp"][0][0]) <= Fraction(result["sp"][0][1])
    code, out, _ = run(capsys, "crossplay", "lever:3", "--alpha", "1/5")
    assert code == 0 and "self-play minus cross-play" in out


def test_crossplay_equal_above_the_threshold(capsys) -> None:
    code, out, _ = run(capsys, "crossplay", "lever:2", "--alpha", "3/5", "--time-limit", "5", "--json")
    result = json.loads(out)
    assert code == 0 and result["relation"] == "equal" and result["gap"] == ["0", "0"]
    assert Fraction(result["alpha_star"]) <= Fraction(3, 5)
    assert Fraction(result["sp"][0][0]) <= Fraction(1, 2) <= Fraction(result["sp"][0][1])


def test_crossplay_of_policy_files(capsys, tmp_path) -> None:
    first = write(tmp_path / "a.json", {"agent1:": {"0": 1}, "agent2:": {"0": "1"}})
    (tmp_path / "b.json").write_text('{"agent1:": {"0": 0.25, "1": 0.75}, "agent2:": {"0": 0.5, "1": 0.5}}')
    code, out, _ = run(
        capsys,
        "crossplay",
        "lever:2",
        "--alpha",
        "1",
        "--policy",
        first,
        "--policy",
        str(tmp_path / "b.json"),
        "--json",
    )
    result = json.loads(out)
    for shown, exact in (
        (result["sp"][0], 1),
        (result["sp"][1], Fraction(1, 2)),
        (result["xp"][0][1], Fraction(1, 2)),
        (result["xp"][1][0], Fraction(1, 4)),
        (result["gap"], Fraction(3, 8)),
    ):
        assert Fraction(shown[0]) <= exact <= Fraction(shown[1]) and Fraction(shown[1]) - Fraction(shown[0]) < 1e-9
    assert code == 0


def test_crossplay_of_runs(capsys, tmp_path) -> None:
    (tmp_path / "runs.json").write_text("[[9, 1, 0, 0], [3, 9, 0, 0], [0, 0, 9, 4.5], [0, 0, 4, 9]]")
    code, out, _ = run(capsys, "crossplay", "--runs", str(tmp_path / "runs.json"), "--json")
    result = json.loads(out)
    assert (code, result["pairs"], result["xp_mean"], result["sp_mean"]) == (0, 2, "25/8", "9")
    assert result["approx_xp_standard_error"] == pytest.approx(1.125)


def test_equivariance_of_a_policy_file(capsys, tmp_path) -> None:
    fair = write(
        tmp_path / "fair.json",
        {"agent1:": {"0": "1/4", "1": "1/4", "2": "1/2"}, "agent2:": {"0": "1/4", "1": "1/4", "2": "1/2"}},
    )
    code, out, _ = run(capsys, "symmetries", "lever:3:9/10", "--policy", fair, "--json")
    result = json.loads(out)
    assert code == 0 and result["equivariant"] is True
    assert (result["equivariant_parameters"], result["policy_parameters"]) == (1, 4)
    odd = write(
        tmp_path / "odd.json",
        {"agent1:": {"0": "1/2", "1": "1/4", "2": "1/4"}, "agent2:": {"0": "1/4", "1": "1/4", "2": "1/2"}},
    )
    code, out, _ = run(capsys, "symmetries", "lever:3:9/10", "--policy", odd, "--json")
    assert code == 1 and json.loads(out)["aoh"] == "agent1:"
    code, out, _ = run(capsys, "symmetries", "lever:3:9/10", "--policy", odd)
    assert code == 1 and "not equivariant" in out


def test_crossplay_of_one_policy_with_its_images(capsys, tmp_path) -> None:
    lever = write(tmp_path / "lever.json", {"agent1:": {"0": 1}, "agent2:": {"0": 1}})
    code, out, _ = run(capsys, "crossplay", "lever:3", "--alpha", "1", "--policy", lever, "--json")
    result = json.loads(out)
    assert code == 0 and len(result["sp"]) == 3 and result["group_order"] == 12
    assert Fraction(result["gap"][0]) <= 1 <= Fraction(result["gap"][1])
    code, out, _ = run(capsys, "crossplay", "lever:98", "--alpha", "1", "--policy", lever, "--json")
    assert code == 3 and json.loads(out)["status"] == "undecided"


def test_completeness_a_second_way(capsys) -> None:
    code, out, _ = run(capsys, "symmetries", "matching-pennies", "--residual", "--json")
    assert code == 0 and json.loads(out)["residual"] == "proved"
    code, out, _ = run(capsys, "symmetries", "lever:10", "--residual")
    assert code == 0 and "undecided" in out


def test_crossplay_with_a_threshold_certificate(capsys, tmp_path) -> None:
    certificate = str(tmp_path / "cert.json")
    assert run(capsys, "threshold", "lever:3", "--method", "structural", "-o", certificate)[0] == 0
    code, out, _ = run(capsys, "crossplay", "lever:3", "--alpha", "2", "--certificate", certificate, "--json")
    assert code == 0 and json.loads(out)["relation"] == "equal"
    code, out, err = run(capsys, "crossplay", "lever:4", "--alpha", "2", "--certificate", certificate)
    assert (code, out) == (2, "") and "another game" in err
    document = json.loads(Path(certificate).read_text())
    document["claim"]["alpha_star"] = "1/100"
    code, out, err = run(
        capsys, "crossplay", "lever:3", "--alpha", "2", "--certificate", write(tmp_path / "bad.json", document)
    )
    assert (code, out) == (2, "") and "not a valid threshold certificate" in err
