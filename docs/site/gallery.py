"""The gallery: a picture of every kind of certificate, drawn anew by every build (docs/site/pictures.py)."""

from __future__ import annotations

from pathlib import Path

import pictures


def write(source: Path) -> None:
    """gallery.md and its pictures in the tree of the site."""
    folder = source / "pictures"
    folder.mkdir()
    parts = [
        "# Gallery",
        "Drawn while this site was built, as `certify plot` and `certify.plot` draw them ([how](reports.md)); what "
        "comes from a file was checked first.",
    ]
    for picture in pictures.draw(folder):
        parts.append(f"## {picture.heading}\n\n![{picture.heading}](pictures/{picture.file})\n\n{picture.caption}")
    (source / "gallery.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
