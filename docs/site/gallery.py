"""The gallery: a picture of every kind of certificate, drawn anew by every build.

Pictures come from `certify plot`, from the certificates that the tests keep; a module `pictures` beside this file may
add more by a function `draw(folder)` that returns (file name, caption) pairs.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from click.testing import CliRunner

ROOT = Path(__file__).resolve().parents[2]
CERTIFICATES = ROOT / "tests" / "certificates"


def write(source: Path) -> None:
    """gallery.md and its pictures in the tree of the site."""
    folder = source / "pictures"
    folder.mkdir()
    drawn = _of_the_tests(folder)
    if importlib.util.find_spec("pictures") is not None:
        drawn = importlib.import_module("pictures").draw(folder) + drawn
    parts = ["# Gallery", "Drawn by `certify plot` while this site was built."]
    parts += [f"## {caption}\n\n![{caption}](pictures/{file})" for file, caption in drawn]
    (source / "gallery.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _of_the_tests(folder: Path) -> list[tuple[str, str]]:
    """One certificate of each kind that can be drawn."""
    from certify.cli.main import cli

    drawn = []
    for kind in ("", "bracket", "optimum", "crossplay", "symmetry", "entropy", "windows"):
        for certificate in sorted((CERTIFICATES / kind / "valid").glob("*.json"), key=_interest):
            file = f"{kind or 'threshold'}.svg"
            done = CliRunner().invoke(cli, ["plot", str(certificate), "-o", str(folder / file)])
            if done.exit_code == 0 and done.exception is None and (folder / file).is_file():
                drawn.append((file, f"{kind or 'threshold'}: {certificate.name.split('.')[0].replace('_', ' ')}"))
                break
    return drawn


def _interest(certificate: Path) -> tuple[bool, int]:
    """Dec-Tiger first, then what takes least time."""
    return "tiger" not in certificate.name, certificate.stat().st_size
