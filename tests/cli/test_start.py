"""`import certify` and `certify --help` start fast, since neither loads a heavy package."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import certify
from certify.cli.main import COMMANDS, cli

HEAVY = {"numpy", "scipy", "flint", "z3", "sympy", "mpmath", "networkx", "matplotlib", "jsonschema"}
STARTS = {
    "import certify": "import certify",
    "certify --help": "from certify.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
    "certify --version": "from certify.cli import main\ntry: main(['--version'])\nexcept SystemExit: pass",
    "python -m certify.checker": "import certify.checker.check",
}


@pytest.mark.parametrize("start", STARTS)
def test_nothing_heavy_is_loaded(start: str) -> None:
    script = f"import sys, json\n{STARTS[start]}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=900, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert "certify" in loaded
    assert not loaded & HEAVY


def test_the_list_of_commands_names_each_of_them() -> None:
    """The list is written by hand, so that it needs no import; what it lists exists."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert isinstance(command, click.Command)
        assert command.name == name
    shown = CliRunner().invoke(cli, ["--help"]).output
    assert all(f"  {name} " in shown and about in shown for name, (_, _, about) in COMMANDS.items())


def test_every_exported_name_exists() -> None:
    assert all(hasattr(certify, name) for name in certify.__all__)
    assert set(certify.__all__) == set(certify._HOME)
    assert not hasattr(certify, "no_such_name")
