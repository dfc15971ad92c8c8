"""Pages in a real browser: rendered, text found, folding works, printable, no complaint, nothing loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, executable
from kinds import read, smallest

from certify.reports.judgement import Judgement, judge
from certify.reports.write import report

_QUICK = ("threshold-cover", "optimum", "symmetry", "entropy-flow")  # the slow test has them all
_DRAWN = ("symmetry",)  # with a picture in the quick test


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if executable() is None:
        pytest.skip("no Chromium: Debian has it in the package chromium")
    found = Browser(tmp_path_factory.mktemp("profile"), seconds=900)
    yield found
    found.close()


def looked_at(browser: Browser, path: Path) -> None:
    """What a reader does with a page."""
    browser.complaints.clear()
    for width in (1200, 390):
        browser.show(path, width=width)
        assert browser.value("document.documentElement.scrollWidth <= window.innerWidth"), f"{path.stem} at {width}"
    text = browser.value("document.body.innerText")
    assert "What is proved" in text and "certify check" in text and "accepted the certificate" in text
    shot = browser.screenshot()
    assert shot.startswith(b"\x89PNG") and len(shot) > 10_000
    if browser.value("document.querySelectorAll('details:not([open])').length"):
        closed = browser.value("document.body.scrollHeight")
        browser.value("document.querySelector('details:not([open]) > summary').click()")
        assert browser.value(
            "document.querySelector('details').open || document.querySelectorAll('details[open]').length > 0"
        )
        assert browser.value("document.body.scrollHeight") > closed
    assert browser.value(
        "[...document.querySelectorAll('figure svg, figure img')].every(p => p.getBoundingClientRect().width > 200)"
    )
    assert not browser.complaints, browser.complaints


def test_pages_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'certify[plot]'")
    accepted = Judgement("valid", "the claim", "stdlib", 3)  # that each is: test_every_kind.py
    for name in _QUICK:
        path = tmp_path / f"{name}.html"
        path.write_text(report(read(name), judgement=accepted, picture=name in _DRAWN), encoding="utf-8")
        looked_at(browser, path)
    assert browser.printed().startswith(b"%PDF")


def test_a_complaint_is_seen(browser: Browser, tmp_path: Path) -> None:
    """The test above can fail: a script is refused by the page's policy, and the browser says so."""
    text = report(read("symmetry"), judgement=Judgement("valid", "", "stdlib", 1), picture=False)
    path = tmp_path / "bad.html"
    path.write_text(text.replace("<main>", "<main><script>document.title = 'x'</script>"), encoding="utf-8")
    browser.show(path)
    assert browser.complaints and browser.value("document.title") != "x"


@pytest.mark.slow
def test_all_pictures_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'certify[plot]'")
    for name in smallest():
        path = tmp_path / f"{name}.html"
        document = read(name)
        path.write_text(report(document, judgement=judge(document)), encoding="utf-8")
        looked_at(browser, path)
        assert browser.value("document.querySelectorAll('figure svg').length") == 1
        assert browser.printed().startswith(b"%PDF")
