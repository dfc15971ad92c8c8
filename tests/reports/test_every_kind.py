"""Every kind of certificate has a statement, a page, a theorem, a picture, and nothing on them is proved unless the
checker says so."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from kinds import FOLDER, read, smallest

from certify.certificates.reading import WRITERS, describe, statement
from certify.certificates.statement import as_text
from certify.checker.check import KINDS
from certify.cli.main import main
from certify.errors import InputError
from certify.reports.html import Page, page
from certify.reports.judgement import UNCHECKED, Judgement, judge
from certify.reports.latex import theorem
from certify.reports.pictures import KINDS as DRAWN
from certify.reports.pictures import draw
from certify.reports.write import report

# drawn like another kind, and dear: `test_all_pictures_in_a_browser` draws them
SPARED = [name for name in smallest() if name.endswith(("kl", "local", "original")) or "structural-" in name[9:]]
LARGEST = 2_000_000  # bytes of a page
EVIL = "</title><script>alert(1)</script>\"'&amp;$x$ \\input{/etc/passwd} %#_{}^~`<b>\u202e\u4e2d\u00e9\n|[]*"


def forged(part: Any, name: str = "") -> Any:
    """A certificate in which every free text of others is hostile: names, words, keys' values."""
    if isinstance(part, dict):
        return {key: forged(value, key) for key, value in part.items()}
    if isinstance(part, list):
        return [forged(item, name) for item in part]
    free = {"name", "agents", "states", "actions", "observations", "algorithm", "tool", "method", "controller"}
    return EVIL if isinstance(part, str) and name in free else part


class Strict(HTMLParser):
    """Collects tags and attributes, and the text between."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br", "use", "path", "rect", "image", "line", "col"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()


def tags_of(text: str) -> Strict:
    parser = Strict()
    parser.feed(text)
    parser.close()
    return parser


def assert_harmless(text: str) -> None:
    """No script, no handler, nothing from elsewhere, every element closed."""
    parsed = tags_of(text)
    assert parsed.open == []
    for tag, attributes in parsed.tags:
        assert tag not in ("script", "iframe", "object", "embed", "form", "base", "b")
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)


def test_no_kind_is_without_words_or_picture() -> None:
    assert set(KINDS) <= set(WRITERS) == set(DRAWN)
    assert {document_kind(name) for name in smallest()} == set(KINDS)


def document_kind(name: str) -> str:
    return read(name)["kind"]


@pytest.mark.parametrize("name", smallest())
def test_everything_of_a_kind(name: str) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'certify[plot]'")
    document = read(name)
    judged = Judgement("valid", "a table", "stdlib", 1) if name == "entropy-table" else judge(document)  # it is dear
    assert judged.proved, judged
    drawn = name not in SPARED
    text = report(document, judgement=judged, file=(f"{name}.json", "0" * 64), picture=drawn)
    assert_harmless(text)
    assert len(text.encode()) < LARGEST
    assert "What is proved" in text and "accepted the certificate" in text
    assert not drawn or ("<svg" in text and "<figcaption" in text)
    assert "NOT CHECKED" not in text and "claimed, not proved" not in text
    shown = as_text(statement(document), proved=True)
    assert "What is proved" in shown and max(map(len, shown.splitlines())) < 200
    latex = theorem(statement(document), judged)
    assert latex.isascii() and r"\begin{theorem}" in latex and "uncheckedclaim" not in latex


@pytest.mark.parametrize("name", smallest())
def test_nothing_is_proved_that_was_not_checked(name: str) -> None:
    document = read(name)
    told = statement(document)
    for judged, says in ((UNCHECKED, "NOT CHECKED"), (Judgement("invalid", why="a step"), "REFUSED")):
        text = page(Page(told, judged))
        assert says in text and "What is proved" not in text and "What follows" not in text
        latex = theorem(told, judged)
        assert says in latex and r"\begin{theorem}" not in latex and "Consequences" not in latex
    assert "Nothing on this page has been verified" in describe(document, "here")
    assert "proved" not in describe(document, "here").split("How it is proved")[0]


@pytest.mark.parametrize("name", smallest())
def test_hostile_names_are_text(name: str) -> None:
    document = forged(read(name))
    try:
        told = statement(document, "here")
    except InputError:  # a word that the page would have to understand, like that of an algorithm
        return
    for judged in (UNCHECKED, Judgement("valid", EVIL, EVIL, 1), Judgement("invalid", why=EVIL)):
        text = page(Page(told, judged, file=(f"{EVIL}.json", "0" * 64)))
        assert_harmless(text)
        assert "\u202e" not in text
        latex = theorem(told, judged)
        assert latex.isascii() and r"\input{" not in latex.replace(r"\input it into", "")
        assert r"\textbackslash{}input\{" in latex or "game" not in document


def test_a_hostile_picture_is_text() -> None:
    pytest.importorskip("matplotlib", reason="pip install 'certify[plot]'")
    for name in ("symmetry", "crossplay"):
        document = forged(read(name))
        text = report(document, judgement=UNCHECKED)
        assert_harmless(text)
        assert "<svg" in text and "No picture" not in text


def test_a_refused_certificate_is_shown_as_refused() -> None:
    path = FOLDER / "invalid" / "missing_child.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    judged = judge(document)
    text = report(document, judgement=judged, picture=False)
    assert judged.state == "invalid" and "REFUSED" in text and "What is proved" not in text


def test_a_refused_certificate_is_drawn_as_refused() -> None:
    pytest.importorskip("matplotlib", reason="pip install 'certify[plot]'")
    path = FOLDER / "invalid" / "claim_where_uniqueness_fails.json"
    figure = draw(json.loads(path.read_text(encoding="utf-8"))).figure
    assert [text.get_text() for text in figure.texts] == ["REFUSED by the checker"]
    assert "claimed, not proved" in figure.axes[0].get_title(loc="left")


def test_a_costly_certificate_is_shown_as_unchecked() -> None:
    document = json.loads((FOLDER / "costly" / "twelve_agents.json").read_text(encoding="utf-8"))
    judged = judge(document, budget=0.01)
    assert judged.state == "unchecked" and judged.why


def test_widened_claims_are_never_called_proved() -> None:
    """Every number of a claim changed in turn: the page says proved only where the checker still does."""
    document = read("threshold-cover")
    for key, value in {"alpha_star": "1/1000", "alpha_multiple": "1/2000"}.items():
        attacked = copy.deepcopy(document)
        attacked["claim"][key] = value
        assert "What is proved" not in report(attacked, picture=False)


def test_a_damaged_certificate_is_bad_input() -> None:
    for name in smallest():
        document = read(name)
        for key in ("claim", "game", "proof"):
            if key in document:
                with pytest.raises(InputError, match="damaged certificate"):
                    statement({**document, key: 7}, "here")


def test_theorems_compile(tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex: Debian has it in texlive-latex-base")
    parts = []
    for name in smallest():
        for document in (read(name), forged(read(name))):
            try:
                told = statement(document)
            except InputError:
                continue
            judged = Judgement("valid", "its claim", "stdlib", 3) if not parts or len(parts) % 2 else UNCHECKED
            parts.append(theorem(told, judged, file_sha256="0" * 64))
    text = "\\documentclass{article}\n\\begin{document}\n" + "\n".join(parts) + "\n\\end{document}\n"
    (tmp_path / "all.tex").write_text(text, encoding="ascii")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "-no-shell-escape", "all.tex"]
    run = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=900, check=False
    )
    assert run.returncode == 0, run.stdout[-1500:]
    wide = [float(w) for w in re.findall(r"Overfull \\hbox \(([\d.]+)pt", run.stdout)]
    assert len(parts) > 20 and max(wide, default=0) < 400


def test_a_signature_beside_the_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cryptography", reason="pip install 'certify[sign]'")
    path, html_file = tmp_path / "a.json", tmp_path / "a.html"
    shutil.copy(FOLDER / "valid" / "lever_rho.json", path)
    for line in (["sign", path, "--key", tmp_path / "k"], ["show", path, "--html", html_file, "--no-picture"]):
        with pytest.raises(SystemExit) as done:
            main([str(word) for word in line])
        assert done.value.code == 0
    key = json.loads((tmp_path / "a.json.sig").read_text(encoding="utf-8"))["public_key"]
    assert f"valid, by the public key {key}" in html_file.read_text(encoding="utf-8")
    assert str(html_file) in capsys.readouterr().out
