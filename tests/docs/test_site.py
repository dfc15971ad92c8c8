"""The documentation: every example on a page runs, every command that a page names exists, the site is built strictly.

Blocks of a page run in their order in one folder: `console` blocks command by command, with the output compared as
doctest does (`...` stands for anything), `python` blocks must not raise, `pycon` blocks are doctests.  A block after
`<!-- file: NAME -->` is written to that file first; one after `<!-- slow -->` runs with `make test-all` only.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from certify.cli.main import COMMANDS, cli, main
from certify.cli.tasks import EXAMPLES

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "how-to").glob("*.md")])
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[\w: .-]+) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    kind: str
    mark: str
    text: str


def blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    return [Block(m["kind"], m["mark"] or "", m["text"]) for m in BLOCK.finditer(text)]


def commands(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block with what they print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


def printed(command: str) -> str:
    """What a command of a page prints on stdout."""
    words = shlex.split(command)
    if words[0] == "certify":
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
            main(words[1:])
        return shown.getvalue()
    assert words[0] == "python", f"{command}: pages run certify and python only"
    return subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, check=True, timeout=900).stdout


def run(path: Path) -> int:
    """Run the examples of a page in the current folder; how many there were."""
    ran, names = 0, {"__name__": "page"}
    for block in blocks(path):
        if block.mark.startswith("file: "):
            Path(block.mark.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
        elif block.kind == "console":
            for command, expected in commands(block.text):
                shown = printed(command)
                assert doctest.OutputChecker().check_output(expected, shown, LOOSE), f"{command}\n{shown}"
                ran += 1
        elif block.kind == "python":
            exec(compile(block.text, path.name, "exec"), names)
            ran += 1
        elif block.kind == "pycon":
            test = doctest.DocTestParser().get_doctest(block.text, names, path.name, str(path), 0)
            assert doctest.DocTestRunner(optionflags=LOOSE).run(test).failed == 0
            ran += 1
    return ran


def with_examples(*, slow: bool) -> list[Path]:
    found = []
    for path in PAGES:
        runs = [b for b in blocks(path) if b.kind in {"console", "pycon"} or b.kind == "python"]
        if runs and slow == any(b.mark == "slow" for b in blocks(path)):
            found.append(path)
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT / "docs").as_posix()


@pytest.mark.parametrize("path", with_examples(slow=False), ids=name_of)
def test_the_examples_of_a_page_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(path)


@pytest.mark.slow
@pytest.mark.parametrize("path", with_examples(slow=True), ids=name_of)
def test_the_dear_examples_of_a_page_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(path)


@pytest.mark.slow
def test_the_examples_of_help_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of their list, with the files that they name."""
    monkeypatch.chdir(tmp_path)
    table = '{"agent1:": {"0": 0.5, "1": 0.5}, "agent2:": {"0": 0.5, "1": 0.5}}'
    (tmp_path / "trained.json").write_text(table, encoding="utf-8")
    (tmp_path / "me.key").write_text("0f" * 32, encoding="utf-8")
    with contextlib.suppress(SystemExit):
        main(["threshold", "lever:2", "-o", "lever.cert.json"])
    for name, example in EXAMPLES.items():
        if name in COMMANDS:
            with pytest.raises(SystemExit) as ended:
                main(shlex.split(example)[1:])
            # without Coq, or without a compiler
            assert ended.value.code in {"export": (0, 3), "compile": (0, 2)}.get(name, (0,)), example


def test_a_wrong_output_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ certify lever:2\nlever:2: a game of 3 agents...\n```\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError):
        run(page)


def lines_with_commands() -> list[tuple[str, str]]:
    """Every line of a page that is a command, whether it runs or stands for something."""
    found = []
    for path in [*PAGES, ROOT / "README.md", ROOT / "proofs" / "README.md", *sorted((ROOT / "docs").glob("*/*.md"))]:
        for line in path.read_text(encoding="utf-8").splitlines():
            match = re.match(r"(?: {4}|\$ )*(certify [a-z]\S* .*)", line)
            if match and (line.startswith(("    ", "$ ")) or "--" in line):
                found.append((path.name, re.split(r"  +|\s#\s|`", match[1])[0]))
    return found


@pytest.mark.parametrize(("page", "line"), sorted(set(lines_with_commands())))
def test_what_a_page_types_exists(page: str, line: str) -> None:
    """The command and its options, placeholders or not."""
    words = line.split()[1:]
    context = click.Context(cli)
    command = cli.get_command(context, words[0])
    if command is None:
        pytest.skip("a game or a sentence")
    if isinstance(command, click.Group) and len(words) > 1 and words[1] in command.commands:
        command = command.commands[words[1]]
    known = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
    for word in words:
        if word.startswith("-") and len(word) > 1 and not word[1].isdigit():
            assert word.split("=")[0] in known | {"--help"}, f"{page}: {line}"


@pytest.mark.slow
def test_the_site_is_built_without_a_warning() -> None:
    """Strictly: no warning, no broken link, nothing loaded from elsewhere, every public name there."""
    for module in ("sphinx", "myst_parser", "furo", "latex2mathml", "nbclient", "ipykernel"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: `make docs` brings it")
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "site" / "build.py")],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
