"""Signatures of certificates: by whom, of exactly which file."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest

import certify
from certify.cli.main import main

pytest.importorskip("cryptography")

from certify.certificates import signing


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["sign", *arguments])
    return stopped.value.code


def test_round_trip_and_every_alteration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, key, signature = tmp_path / "lever.json", tmp_path / "key", tmp_path / "lever.json.sig"
    certify.threshold("lever:2", method="structural").save(path)
    assert command(str(path), "--key", str(key)) == 0
    assert key.stat().st_mode & 0o077 == 0
    public = json.loads(signature.read_text())["public_key"]
    assert command(str(path), "--verify", str(signature), "--public-key", public) == 0
    assert (
        command(str(path), "--verify", str(signature), "--public-key", signing.sign({}, bytes(32))["public_key"]) == 1
    )
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document, indent=3))  # another layout of the same object
    assert command(str(path), "--verify", str(signature)) == 0
    document["claim"]["alpha_star"] = "1/3"
    path.write_text(json.dumps(document))
    assert command(str(path), "--verify", str(signature)) == 1
    forged = json.loads(signature.read_text()) | {"sha256": signing.sha256_of(document)}
    assert not signing.verify(document, forged)
    capsys.readouterr()


@pytest.mark.parametrize("arguments", [(), ("--key", "k", "--verify", "s")])
def test_one_of_the_two(tmp_path: Path, arguments: tuple, capsys: pytest.CaptureFixture[str]) -> None:
    path = certify.threshold("lever:2", method="structural").save(tmp_path / "lever.json")
    assert command(str(path), *arguments) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_what_is_not_a_signature(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = certify.threshold("lever:2", method="structural").save(tmp_path / "lever.json")
    for text in ("{}", "[]", "nonsense", '{"algorithm": "Ed25519", "sha256": 1, "public_key": 2, "signature": 3}'):
        (tmp_path / "bad.sig").write_text(text)
        assert command(str(path), "--verify", str(tmp_path / "bad.sig")) == 2, text
    (tmp_path / "bad.key").write_text("abc")
    assert command(str(path), "--key", str(tmp_path / "bad.key")) == 2
    (tmp_path / "bad.key").write_text("ab")
    assert command(str(path), "--key", str(tmp_path / "bad.key")) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 6


def test_examples() -> None:
    assert doctest.testmod(signing).attempted and not doctest.testmod(signing).failed
