"""Builds the documentation site: `make docs`.  Everything that is shown is in docs/, proofs/ and the docstrings.

The pages are copied to build/site/source as they are, what is generated is added there (reference of commands and of
names, gallery, figures), and Sphinx makes build/site/html of it.  Any warning, broken link, file from elsewhere or
public name that is missing ends the build with an error.
"""

from __future__ import annotations

import html.parser
import re
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE, BUILD = Path(__file__).resolve().parent, ROOT / "build" / "site"
SOURCE, HTML = BUILD / "source", BUILD / "html"


def assemble() -> None:
    """The pages of docs/ and proofs/ in one tree, links between them adapted, and what is generated."""
    sys.path.insert(0, str(HERE))
    import gallery
    import notebooks
    import reference

    shutil.rmtree(BUILD, ignore_errors=True)
    for path in pages():
        target = SOURCE / place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.suffix == ".md" else None
        if text is None:
            shutil.copy(path, target)
        else:
            target.write_text(relinked(text, path), encoding="utf-8")
    _list_the_rest(SOURCE / "index.md")
    for file in ("conf.py", "formulas.py", "docstrings.py"):
        shutil.copy(HERE / file, SOURCE / file)
    shutil.copytree(HERE / "static", SOURCE / "static")
    reference.write(SOURCE)
    gallery.write(SOURCE)
    notebooks.write(SOURCE)


def _list_the_rest(index: Path) -> None:
    """Pages that nobody has put into a list of the index yet come last among the details."""
    text = index.read_text(encoding="utf-8")
    listed = set(text.split())
    new = [path.stem for path in sorted(SOURCE.glob("*.md")) if path.stem not in listed | {"index"}]
    last = "game-format\n"
    assert last in text
    index.write_text(text.replace(last, last + "".join(f"{name}\n" for name in new), 1), encoding="utf-8")


def pages() -> Iterator[Path]:
    """What is shown as it is."""
    for path in sorted((ROOT / "docs").rglob("*.md")):
        folder = path.relative_to(ROOT / "docs").parts[0]
        if folder != "site" and (folder != "changes" or path.name == "README.md"):
            yield path
    yield ROOT / "CONTRIBUTING.md"
    yield from sorted((ROOT / "proofs").rglob("*.md"))
    yield from sorted((ROOT / "proofs" / "coq").rglob("*.v"))
    yield from sorted(p for p in (ROOT / "examples").iterdir() if p.suffix in {".py", ".ipynb", ".dpomdp", ".json"})


def place(path: Path) -> Path:
    """Where a file of the project goes in the tree of the site.

    >>> str(place(ROOT / "docs" / "theory" / "README.md")), str(place(ROOT / "CONTRIBUTING.md"))
    ('theory/README.md', 'contributing.md')
    """
    inside = path.relative_to(ROOT)
    if inside.name == "CONTRIBUTING.md":
        return Path("contributing.md")
    return inside.relative_to("docs") if inside.parts[0] == "docs" else inside


def relinked(text: str, path: Path) -> str:
    """The text with its relative links as they are in the tree of the site.

    >>> relinked("[a](../../proofs/x.md#y) [b](hessian.md)", ROOT / "docs" / "theory" / "steps.md")
    '[a](../proofs/x.md#y) [b](hessian.md)'
    >>> relinked("[a](../docs/theory/steps.md)", ROOT / "proofs" / "x.md")
    '[a](../theory/steps.md)'
    """

    def link(match: re.Match[str]) -> str:
        url, hash_, anchor = match[1].partition("#")
        if "://" in url or not url:
            return match[0]
        target = (path.parent / url).resolve()
        if target.is_dir():
            target = target / "README.md"
        home = SOURCE / place(path)
        there = (SOURCE / place(target)).resolve()
        return f"]({relative(there, home.parent.resolve())}{hash_}{anchor})"

    return re.sub(r"\]\(([^()\s]+)\)", link, text)


def relative(target: Path, folder: Path) -> str:
    """The path from one to the other, with slashes."""
    import os

    return os.path.relpath(target, folder).replace(os.sep, "/")


class _Page(html.parser.HTMLParser):
    """The anchors of a page, its links, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors, self.links, self.loads = set[str](), set[str](), set[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what this tag names, links to or loads."""
        found = {key: value or "" for key, value in attrs}
        self.anchors |= {found[key] for key in ("id", "name") if key in found}
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        elif "src" in found or (tag == "link" and found.get("rel") in ("stylesheet", "preload", "icon")):
            self.loads.add(found.get("src") or found.get("href", ""))


def complaints() -> list[str]:
    """Links inside the site that lead nowhere, and whatever a page would fetch from elsewhere."""
    seen = {}
    for path in HTML.rglob("*.html"):
        page = _Page()
        page.feed(path.read_text(encoding="utf-8"))
        seen[path.resolve()] = page
    found = []
    for path, page in seen.items():
        name = path.relative_to(HTML.resolve())
        found += [f"{name}: loads {url}" for url in page.loads if "://" in url or url.startswith("//")]
        for url in page.links:
            address = urllib.parse.urlsplit(url)
            if address.scheme or address.netloc:
                continue
            target = (path.parent / urllib.parse.unquote(address.path)).resolve() if address.path else path
            anchor = urllib.parse.unquote(address.fragment)
            if not target.exists():
                found.append(f"{name}: {url} leads nowhere")
            elif anchor and target in seen and anchor not in seen[target].anchors:
                found.append(f"{name}: {url} has no such place")
    return sorted(found)


def main() -> int:
    """Build; 1 with the reasons where something is amiss."""
    assemble()
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-j", "auto", "-b", "html"]
    done = subprocess.run([*command, str(SOURCE), str(HTML)], check=False)
    if done.returncode:
        return done.returncode
    import reference

    wrong = complaints() + reference.missing(HTML)
    print("\n".join(wrong) or f"{HTML / 'index.html'}: {len(list(HTML.rglob('*.html')))} pages")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
