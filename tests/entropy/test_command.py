"""`certify entropy`: the interface's keys and exit codes, one line for bad input, every subcommand."""

import json
import shlex
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner

from certify.checker import check_certificate, check_file
from certify.cli.entropy import entropy
from certify.errors import InputError

RARE = ["--policy", "1/100,49/100,1/2", "--advantages", "1,0,0", "--algorithm", "reinforce"]


def run(*arguments):
    return CliRunner().invoke(entropy, [str(a) for a in arguments])


def answer(*arguments):
    result = run(*arguments, "--json")
    assert not isinstance(result.exception, InputError), result.exception
    return result.exit_code, json.loads(result.output)


def test_the_interface():
    code, data = answer(*RARE, "--steps", "0:0.01")
    assert code == 0 and data["status"] == "proved" and data["sign"] == "increases"
    for key in ("first_order", "change"):
        low, high = map(Fraction, data[key])
        assert low <= high
    assert Fraction(data["first_order"][0]) > 0 and Fraction(data["eta_max"]) == 64 and data["eta_max_is_limit"]
    assert data["steps"] == ["0", "1/100"]


def test_one_step_and_the_largest_step():
    code, data = answer(*RARE, "--step", "500", "--eta-limit", "1000")
    assert code == 0 and data["sign"] == "decreases" and data["eta_max_sign"] == "increases"
    assert 382 < Fraction(data["eta_max"]) < Fraction(data["reversed_at"]) < 383


def test_undecided_exits_3():
    code, data = answer(*RARE, "--steps", "0:500", "--eta-limit", "1000")
    assert code == 3 and data["status"] == data["sign"] == "undecided" and data["reason"]
    assert Fraction(data["witness"]) > 0


def test_claims_are_proved_or_refuted():
    assert answer(*RARE, "--steps", "0:1", "--claim", "increases")[0] == 0
    code, data = answer(*RARE, "--steps", "0:1", "--claim", "decreases")
    assert code == 1 and data["status"] == "refuted" and data["sign"] == "increases"
    assert answer(*RARE, "--steps", "0:500", "--claim", "increases")[0] == 1  # it falls at 500


def test_files_certificate_and_plot(tmp_path):
    (tmp_path / "p.json").write_text('{"states": [{"probabilities": [0.25, 0.75], "weight": 0.5}, {"logits": [0, 1]}]}')
    (tmp_path / "a.json").write_text('{"states": [[1, 0], [0, "1/3"]]}')
    out, plot = tmp_path / "c.json", tmp_path / "p.svg"
    code, data = answer(
        "--policy",
        tmp_path / "p.json",
        "--advantages",
        tmp_path / "a.json",
        "--algorithm",
        "natural",
        "--steps",
        "0:1/100",
        "-o",
        out,
        "--plot",
        plot,
    )
    assert code == 0 and data["certificate"] == str(out)
    assert check_certificate(json.loads(out.read_text())).valid
    assert plot.read_text().startswith("<?xml")


def test_sequences_from_a_file(tmp_path):
    (tmp_path / "s.json").write_text('[{"tokens": [[0, 0], [0, 1]]}, {"tokens": [[0, 2]]}]')
    arguments = (
        "--policy",
        ".5,.3,.2",
        "--algorithm",
        "gspo",
        "--param",
        f"sequences={tmp_path / 's.json'}",
        "--step",
        "1",
    )
    code, data = answer(*arguments, "--advantages", "1,-1")
    assert code == 0 and data["average"] == "the given sequences"
    assert isinstance(run(*arguments, "--advantages", "1,0,0").exception, InputError)


def test_human_output_rounds_to_the_safe_side():
    result = run(*RARE, "--steps", "0:1/100")
    assert "proved" in result.output and "dH/dη at 0    [0.000574175488252658, 0.000574175488252659]" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["--policy", "0.1,0.2", "--advantages", "1,0", "--algorithm", "reinforce", "--step", "1"],
        ["--policy", "0.3333,0.3333,0.3333", "--advantages", "1,0,0", "--algorithm", "reinforce", "--step", "1"],
        ["--policy", "nan,0.5", "--advantages", "1,0", "--algorithm", "reinforce", "--step", "1"],
        ["--policy", "[NaN, 0.5]", "--advantages", "1,0", "--algorithm", "reinforce", "--step", "1"],
        ["--policy", "[Infinity, 0.5]", "--advantages", "1,0", "--algorithm", "reinforce", "--step", "1"],
        ["--policy", "1,0", "--advantages", "1,0", "--algorithm", "reinforce", "--step", "1"],
        ["--policy", "1.5,-0.5", "--advantages", "1,0", "--algorithm", "reinforce", "--step", "1"],
        ["--policy", "[[0.1,0.2],[0.1,0.2]]", "--advantages", "1,0", "--algorithm", "reinforce", "--step", "1"],
        ["--policy", "[[0.2,0.1],[0.8,0.9]]", "--advantages", "1,0", "--algorithm", "reinforce", "--step", "1"],
        ["--policy", "{bad", "--advantages", "1,0", "--algorithm", "reinforce", "--step", "1"],
        ["--policy", "[" * 20000, "--advantages", "1,0", "--algorithm", "reinforce", "--step", "1"],
        ["--policy", "missing.json", "--advantages", "1,0", "--algorithm", "reinforce", "--step", "1"],
        ["--policy", ".5,.5", "--advantages", "1", "--algorithm", "reinforce", "--step", "1"],
        ["--policy", ".5,.5", "--advantages", "1,inf", "--algorithm", "reinforce", "--step", "1"],
        ["--policy", ".5,.5", "--advantages", "1,0", "--algorithm", "adamw", "--step", "1"],
        ["--policy", ".5,.5", "--advantages", "1,0", "--algorithm", "ppo", "--param", "eps=-0.2", "--step", "1"],
        ["--policy", ".5,.5", "--advantages", "1,0", "--algorithm", "ppo", "--param", "eps", "--step", "1"],
        [
            "--policy",
            ".5,.5",
            "--advantages",
            "1,0",
            "--algorithm",
            "ppo",
            "--param",
            "eps=1",
            "--param",
            "eps=1",
            "--step",
            "1",
        ],
        ["--policy", ".5,.5", "--advantages", "1,0", "--algorithm", "ppo", "--step", "-1"],
        ["--policy", ".5,.5", "--advantages", "1,0", "--algorithm", "ppo", "--step", "0"],
        ["--policy", ".5,.5", "--advantages", "1,0", "--algorithm", "ppo", "--steps", "1"],
        ["--policy", ".5,.5", "--advantages", "1,0", "--algorithm", "ppo", "--step", "1", "--eta-limit", "-5"],
        ["--policy", ".5,.5", "--advantages", "1,0", "--algorithm", "ppo", "--steps", "2:1"],
        ["--policy", ".5,.5", "--advantages", "1,0", "--algorithm", "ppo"],
        ["--policy", ".5,.5", "--advantages", "1,0", "--algorithm", "ppo", "--step", "1", "--steps", "0:1"],
        ["--advantages", "1,0", "--algorithm", "ppo", "--step", "1"],
        ["precision", "--format", "float8"],
        ["precision", "--format", "float32"],
        ["precision", "--eps", "-0.2"],
        ["precision", "--binades", "x"],
        ["precision", "--binades", "0:500"],
        ["precision", "--count", "500"],
        ["clipping", "--old", ".5,.5", "--new", ".5,.6"],
        ["clipping", "--old", ".5,.5", "--new", ".5,.5", "--eps-low", "-1"],
        ["clipping", "--old", ".5,.5"],
    ],
)
def test_bad_input_is_one_line(arguments):
    result = run(*arguments)
    assert isinstance(result.exception, InputError), result.output
    text = str(result.exception)
    assert "\n" not in text and ";" in text and len(text) < 500
    assert result.output == ""


def test_precision_table(tmp_path):
    code, data = answer(
        "precision",
        "--binades",
        "3:5",
        "--eps",
        "0.2",
        "-o",
        tmp_path / "t.json",
        "--plot",
        tmp_path / "t.png",
        "--policy",
        "1/1000,999/1000",
        "--advantages",
        "1,0",
    )
    assert code == 0 and data["nonpositive"] == 32641 and len(data["binades"]) == 3
    assert data["update"]["sign"] in ("upward", "downward") and (tmp_path / "t.png").stat().st_size > 10_000
    assert check_certificate(json.loads((tmp_path / "t.json").read_text())).valid
    assert "P(ratio 1 leaves" in run("precision", "--binades", "5:5", "--count", "5").output


def test_controllers_and_algorithms():
    code, data = answer("controllers")
    assert code == 0 and data["status"] == "proved" and len(data["proofs"]) == 17
    assert data["counterexample"]["status"] == "refuted"
    assert "two-cycle" in run("controllers").output
    assert len(answer("algorithms")[1]) == 14


def test_a_key_that_stands_twice_is_refused():
    doubled = '{"probabilities": [".5", ".5"], "probabilities": [".1", ".9"]}'
    result = run("--policy", doubled, "--advantages", "1,0", "--algorithm", "natural", "--step", "1")
    assert isinstance(result.exception, InputError) and "twice" in str(result.exception)


def commands_of_the_page():
    page = Path(__file__).resolve().parents[2] / "docs" / "entropy.md"
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("certify entropy ")]
    return [shlex.split(line)[2:] for line in lines if ".json" not in line]


@pytest.mark.parametrize("arguments", commands_of_the_page(), ids=" ".join)
def test_commands_of_the_page_run(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 0 and result.output, result.exception


def test_clipping_commands():
    assert answer("clipping", "--old", ".5,.5", "--new", ".4,.6")[0] == 0
    code, data = answer("clipping", "--old", ".5,.5", "--new", ".1,.9")
    assert code == 1 and data["premise"] == "refuted"
    code, data = answer("clipping", "--old", ".01,.99", "--advantages", "1,0", "--step", "300")
    assert code == 0 and data["overshoot"]["outside"] == "above"
    assert answer("clipping", "--old", ".5,.5", "--advantages", "1,0", "--step", "1/100")[0] == 3


def test_controllers_and_clipped_updates_have_certificates(tmp_path):
    files = {
        "zeta.json": ["controllers", "--limits", "zeta:zeta_min=1/1000,zeta_max=10"],
        "target.json": ["controllers", "--limits", "target:change=1/100,most=1/20"],
        "clip.json": ["clipping", "--old", "1/2,1/2", "--new", "2/5,3/5", "--eps-low", "1/5"],
        "flow.json": ["flow", "recycling", "--alpha", "2"],
    }
    for name, arguments in files.items():
        result = CliRunner().invoke(entropy, [*arguments, "-o", str(tmp_path / name)])
        assert result.exit_code == 0, result.output
        assert check_file(tmp_path / name).valid


@pytest.mark.parametrize(
    "limits", ["pid:k=1", "zeta:zeta_min=1", "zeta:zeta_min=1,zeta_max=1/2", "target:change=x,most=1"]
)
def test_limits_that_name_no_controller(tmp_path, limits):
    result = CliRunner().invoke(entropy, ["controllers", "--limits", limits, "-o", str(tmp_path / "c.json")])
    assert isinstance(result.exception, InputError) and not (tmp_path / "c.json").exists()
