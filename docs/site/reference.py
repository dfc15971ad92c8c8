"""The generated pages: every command from click, every public name from the modules."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import zlib
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "certify"
ROOMS = {
    "games": "What is played",
    "bounds": "What can be enclosed",
    "thresholds": "From which temperature on",
    "symmetry": "Automorphisms and near-symmetries",
    "entropy": "Entropy of updates",
    "stationary": "Stationary policies",
    "crossplay": "Teams of different runs",
    "certificates": "Writing and reading certificates",
    "coq": "Theorems for Coq",
    "answers": "Questions and their results",
    "claims": "Running the proofs",
    "cli": "The command line",
    "checker": "The independent checker",
}


def write(source: Path) -> None:
    """commands.md and api/ in the tree of the site, and the lists of pages of theory and proofs."""
    for folder in ("theory", "proofs"):
        listed = "\n".join(sorted(path.stem for path in (source / folder).glob("*.md") if path.stem != "README"))
        with (source / folder / "README.md").open("a", encoding="utf-8") as file:
            file.write(
                f"\n```{{toctree}}\n:hidden:\n\n{listed}{chr(10) + 'coq/README' if folder == 'proofs' else ''}\n```\n"
            )
    (source / "commands.md").write_text(commands(), encoding="utf-8")
    (source / "api").mkdir()
    (source / "api" / "index.md").write_text(exported(), encoding="utf-8")
    for room in rooms():
        (source / "api" / f"{room}.md").write_text(_room(room), encoding="utf-8")


def commands() -> str:
    """Every command with its help and example, and the exit codes."""
    from certify.cli.main import COMMANDS, cli
    from certify.cli.tasks import EXAMPLES, grouped

    context = click.Context(cli, info_name="certify")
    parts = [
        "# Commands",
        "Generated from the commands themselves. Every command takes `--json` where it answers a question: one JSON "
        "value on stdout and nothing else there. Exit codes: 0 done, 1 refuted or invalid, 2 bad input, 3 undecided "
        "or partial, 4 a failure of certify itself (one line, the traceback in a file).",
    ]
    for task, names in grouped(list(COMMANDS)).items():
        parts.append(f"## {task}")
        for name in names:
            command = cli.get_command(context, name)
            assert command is not None
            parts.append(f"### certify {name}\n\n{COMMANDS[name][2]}")
            if name in EXAMPLES:
                parts.append(f"```sh\n{EXAMPLES[name]}\n```")
            parts += [_help(command, context, name)]
            if isinstance(command, click.Group):
                for inner, child in command.commands.items():
                    parts.append(f"#### certify {name} {inner}")
                    parts.append(_help(child, click.Context(command, info_name=name, parent=context), inner))
    return "\n\n".join(parts) + "\n"


def _help(command: click.Command, parent: click.Context, name: str) -> str:
    context = click.Context(command, info_name=name, parent=parent, max_content_width=100, terminal_width=100)
    text = command.get_help(context).partition("\n  Example:")[0].rstrip()
    return f"```text\n{text}\n```"


def exported() -> str:
    """What `import certify` offers."""
    import certify

    parts = [
        "# Names of the package",
        "What `import certify` offers. Results are frozen dataclasses; numbers are exact (`fractions.Fraction`), "
        "enclosures have `.lower` and `.upper`, whatever can be certified has `.save(path)`. Below, the rooms of the "
        "house.",
        "```{toctree}\n:maxdepth: 1\n\n" + "\n".join(rooms()) + "\n```",
    ]
    for name in certify.__all__:
        value = getattr(certify, name)
        kind = "autoclass" if isinstance(value, type) else "autofunction"
        members = (
            "\n   :members:\n   :inherited-members: tuple, Exception, BaseException" if kind == "autoclass" else ""
        )
        if isinstance(value, type) and issubclass(value, BaseException):
            kind, members = "autoexception", ""
        parts.append(f"## {name}\n\n```{{eval-rst}}\n.. {kind}:: certify.{name}{members}\n```")
    return "\n\n".join(parts) + "\n"


def rooms() -> list[str]:
    """The rooms that are there, in the order of the map; a new one comes last."""
    there = [p.name for p in sorted(PACKAGE.iterdir()) if (p / "__init__.py").is_file()]
    return [room for room in ROOMS if room in there] + [room for room in there if room not in ROOMS]


def modules(room: str) -> list[str]:
    """The modules of a room that have public names, the room itself first."""
    found = []
    for path in sorted((PACKAGE / room).rglob("*.py")):
        if path.name != "__main__.py":
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.append(".".join(part for part in parts if part != "__init__"))
    return sorted(found, key=lambda name: (name.count("."), name))


def _room(room: str) -> str:
    parts = [f"# {ROOMS.get(room, room.capitalize())}: `certify.{room}`"]
    for module in modules(room):
        inside = "\n   :members:" if defined(module) else ""
        parts.append(f"## {module}\n\n```{{eval-rst}}\n.. automodule:: {module}{inside}\n```")
    return "\n\n".join(parts) + "\n"


def defined(module: str) -> list[str]:
    """The public functions and classes that a module defines itself."""
    path = Path(importlib.util.find_spec(module).origin)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.ClassDef
    return [node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]


def wanted() -> Iterator[str]:
    """Every public name: what is exported, and what the modules define."""
    import certify

    yield from (f"certify.{name}" for name in certify.__all__)
    for room in rooms():
        for module in modules(room):
            yield from (f"{module}.{name}" for name in defined(module))


def missing(html: Path) -> list[str]:
    """Public names that the built site has no entry for."""
    data = (html / "objects.inv").read_bytes().split(b"\n", 4)[4]
    there = {line.split()[0] for line in zlib.decompress(data).decode("utf-8").splitlines()}
    return [f"{name}: not on the site" for name in wanted() if name not in there and not _is_command(name)]


def _is_command(name: str) -> bool:
    """Whether it is a command of the command line, which has its place on the page of commands."""
    module, _, attribute = name.rpartition(".")
    return isinstance(getattr(importlib.import_module(module), attribute), click.Command)
