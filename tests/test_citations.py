"""Every citation resolves: pages, anchors and section numbers named in code and documents, and every
relative link.  A citation of the theory is `docs/theory/PAGE.md#heading`, one of the certificate format
`format, section 7.2` or `docs/certificate-format.md, section 7.2`.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("certify", "proofs", "docs", "tests", "benchmarks", "examples")
FORMAT = ("docs/certificate-format.md", "docs/certificate-policies.md")  # one numbering, two pages
GAP = r"(?:\s|#)*"  # a citation may be broken over lines, in a docstring or in a comment

NOW = {
    1: "docs/theory/objective.md#the-model",
    2: "docs/theory/objective.md#stationary-policies",
    3: "docs/theory/convergence.md#theorem-a",
    4: "docs/theory/localisation.md (#lossless-clustering for merging)",
    5: "docs/theory/hessian.md (#theorem-b, #interval-forms, #the-rate)",
    6: "docs/theory/structural.md",
    7: "docs/theory/continuation.md (#theorem-d, #covers, #krawczyk-boxes, #from-below, #branches)",
    8: "docs/theory/symmetry.md (#completeness, #equivariance, #cross-play)",
    9: "docs/theory/legal-actions.md#necessity",
    10: "docs/theory/entropy.md",
    11: "docs/theory/legal-actions.md#kl-to-a-reference",
    12: "docs/theory/local-bonus.md",
    13: "docs/theory/windows.md",
    14: "docs/theory/updates.md",
    15: "docs/theory/steps.md",
}

OLD = re.compile(
    rf"(?i)\btheory{GAP},?{GAP}(?:(?:sections?|§+){GAP})?(\d+)|\bsections?{GAP}(\d+){GAP}of{GAP}the{GAP}theory"
)
PAGE = re.compile(r"(?<![\w./-])((?:docs|proofs)/[\w./-]*\w\.(?:md|py))(?:#([\w-]+))?")
SECTION = re.compile(
    rf"(?:\bformat(?:{GAP}page)?|certificate-format\.md`?){GAP},{GAP}(?:sections?{GAP}|§{GAP})?"
    rf"(\d+(?:\.\d+)*(?:{GAP}(?:,|and|to|,{GAP}and){GAP}\d+(?:\.\d+)*)*)"
)
LINK = re.compile(r"\]\(([^()\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors of a markdown page: slugs of its headings, explicit ids and labels."""
    text = FENCE.sub("", text)
    found = set(re.findall(r'<a id="([\w-]+)"', text)) | set(re.findall(r"^\(([\w-]+)\)=", text, re.MULTILINE))
    for heading in re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(slug)
    return found


def sections(text: str) -> set[str]:
    """The numbers of a page's numbered headings."""
    return set(re.findall(r"^#+ +(\d+(?:\.\d+)*)\.? ", FENCE.sub("", text), re.MULTILINE))


def dangling(name: str, text: str, read: Callable[[str], str | None]) -> list[str]:
    """What the file `name` with this `text` cites in vain; `read` gives a file's text by its path, or None."""
    found = []

    def line(match: re.Match[str]) -> str:
        return f"{name}:{text.count(chr(10), 0, match.start()) + 1}"

    def follow(match: re.Match[str], path: str, anchor: str | None) -> None:
        there = read(path)
        if there is None:
            found.append(f"{line(match)}: there is no {path}")
        elif anchor and path.endswith(".md") and anchor not in anchors(there):
            found.append(f"{line(match)}: {path} has no heading #{anchor}")

    for match in OLD.finditer(text):
        number = int(match[1] or match[2])
        page = NOW.get(number, "docs/theory/README.md")
        found.append(f"{line(match)}: cite the theory by page: section {number} is now {page}")
    for match in PAGE.finditer(text):
        if "PAGE" not in match[1]:  # the placeholder of instructions
            follow(match, match[1], match[2])
    numbers = set().union(*(sections(read(page) or "") for page in FORMAT))
    for match in SECTION.finditer(text):
        for number in re.findall(r"\d+(?:\.\d+)*", match[1]):
            if number not in numbers:
                found.append(f"{line(match)}: {FORMAT[0]} has no section {number}")
    if name.endswith(".md"):
        plain = FENCE.sub(lambda m: "\n" * m[0].count("\n"), text)
        for match in LINK.finditer(plain):
            path, _, anchor = match[1].partition("#")
            if "://" in path or path.startswith("mailto:"):
                continue
            target = (Path("/") / name).parent / path if path else Path("/") / name
            follow(match, str(Path(str(target)).resolve().relative_to("/")), anchor)
    return found


def read(path: str) -> str | None:
    """A file of the project; folders count as empty pages."""
    target = ROOT / path
    if target.is_dir():
        return ""
    return target.read_text(encoding="utf-8") if target.is_file() else None


FILES = [
    *sorted(path.name for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md"),  # history may name what is gone
    *sorted(
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md"} and path != Path(__file__).resolve()
    ),
]


def test_every_citation_and_link_resolves() -> None:
    """One list of everything that dangles, with how to mend it."""
    wrong = [line for name in FILES for line in dangling(name, (ROOT / name).read_text(encoding="utf-8"), read)]
    assert not wrong, "\n" + "\n".join(wrong)


def test_citations_are_found() -> None:
    """The rules match what is written: hundreds of citations of the theory, dozens of the format."""
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in FILES if name.endswith(".py")]
    assert sum("docs/theory/" in m[1] for text in texts for m in PAGE.finditer(text)) > 150
    assert sum(1 for text in texts for _ in SECTION.finditer(text)) > 30


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("certify/a.py", "Proved in docs/theory/hessian.md#theorem-b.", None),
        ("certify/a.py", "Proved in docs/theory/hessian.md#theorem-z.", "no heading #theorem-z"),
        ("certify/a.py", "Proved in docs/theory/hesse.md.", "there is no docs/theory/hesse.md"),
        ("certify/a.py", "see (theory, section 7)", "section 7 is now docs/theory/continuation.md"),
        ("certify/a.py", "see (theory,\n    # section 13)", "section 13 is now docs/theory/windows.md"),
        ("docs/a.md", "implements section 10 of the theory", "section 10 is now docs/theory/entropy.md"),
        ("docs/a.md", "(theory, §4)", "section 4 is now docs/theory/localisation.md"),
        ("certify/a.py", "(format, section 7.2)", None),
        ("certify/a.py", "(format, sections 4.3 to 4.5 and 99)", "no section 99"),
        ("certify/a.py", "(docs/certificate-format.md,\nsection 4.9)", "no section 4.9"),
        ("docs/a.md", "[x](theory/hessian.md#theorem-b)", None),
        ("docs/a.md", "[x](theory/hessian.md#nowhere)", "no heading #nowhere"),
        ("docs/theory/a.md", "[x](../nothing.md)", "there is no docs/nothing.md"),
        ("docs/a.md", "# Here\n[x](#there)", "no heading #there"),
        ("docs/a.md", "[x](https://example.org/nothing.md#a)", None),
    ],
)
def test_broken_citations_are_refused(name: str, text: str, complaint: str | None) -> None:
    """Each kind of citation, whole and broken."""
    found = dangling(name, text, lambda path: text if path == name else read(path))
    assert (not found) if complaint is None else any(complaint in line for line in found), found
