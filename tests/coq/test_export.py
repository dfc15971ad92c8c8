"""`certify export --coq` and `certify check --engine coq` as a user meets them; no Coq needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import certify
from certify.cli import main
from certify.coq import building


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "levers.json"
    certify.threshold("lever:2", method="structural").save(path)
    return str(path)


def test_the_file_states_what_was_reached(certificate, tmp_path, capsys):
    target = tmp_path / "levers.v"
    code, out, _ = run(capsys, "export", "--coq", certificate, "-o", str(target), "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["alpha_star"] == "1/2"
    assert 1 < answer["ratio"] < 1.01
    text = target.read_text(encoding="utf-8")
    numerator, denominator = answer["alpha"].split("/")
    assert f"Definition alpha_star : R := ({numerator} / {denominator})%R." in text
    assert json.loads(Path(certificate).read_text(encoding="utf-8"))["game_sha256"] in text


def test_the_export_is_deterministic(certificate, tmp_path, capsys):
    texts = []
    for name in ("a.v", "b.v"):
        run(capsys, "export", "--coq", certificate, "-o", str(tmp_path / name), "--alpha", "4/5", "--symmetries")
        texts.append((tmp_path / name).read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    assert "Theorem equivariant" in texts[0]


def test_what_is_out_of_reach_is_said_in_one_line(certificate, tmp_path, capsys):
    target = tmp_path / "none.v"
    code, out, _ = run(capsys, "export", "--coq", certificate, "-o", str(target), "--alpha", "1/3")
    assert code == 3
    assert out.count("\n") == 1
    assert "reached" in out
    assert not target.exists()


@pytest.mark.parametrize("text", ["{}", "nonsense", '{"format": "certify-certificate", "kind": "optimum"}'])
def test_bad_certificates_get_one_line(text, tmp_path, capsys):
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    code, out, err = run(capsys, "export", "--coq", str(path), "-o", str(tmp_path / "x.v"))
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_without_coq_the_check_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(building.shutil, "which", lambda name: None)
    code, out, err = run(capsys, "check", "--engine", "coq", str(tmp_path / "x.v"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "libcoq-interval" in err
