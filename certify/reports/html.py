"""A certificate as one self-contained HTML page: no network, no script; steps fold open by `<details>`.

Every text of a certificate is escaped by `Sentence.html` or `element`; the page forbids scripts and loads nothing
(its content policy says so to the browser, too).
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import certify
from certify.certificates.markup import Sentence, number, say, shown_name
from certify.certificates.reading_game import fraction
from certify.certificates.statement import Item, Statement, Table
from certify.errors import InputError
from certify.reports.judgement import Judgement

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_LONG = 60  # sentences below one that paper is spared
_LONGEST_SIGNATURE = 400  # characters of what is said of one
_MOST_CELLS = 400  # of a payoff table on a page
_STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Markup:
    """HTML that is finished: `element` and `join` make it, and nothing that came from a file goes in unescaped."""

    text: str


def escaped(part: str | Markup) -> str:
    """HTML of a text (escaped) or of what is finished.

    >>> escaped("<b>"), escaped(Markup("<b>x</b>"))
    ('&lt;b&gt;', '<b>x</b>')
    """
    return part.text if isinstance(part, Markup) else html.escape(part)


def element(tag: str, *parts: str | Markup, **attributes: str) -> Markup:
    """One element; texts and the values of attributes are escaped (`class_` is `class`).

    >>> element("p", "a < b", class_="x").text
    '<p class="x">a &lt; b</p>'
    """
    told = "".join(f' {name.rstrip("_")}="{html.escape(value)}"' for name, value in attributes.items())
    return Markup(f"<{tag}{told}>{''.join(map(escaped, parts))}</{tag}>")


def join(parts: Iterable[Markup]) -> Markup:
    """Parts one after the other."""
    return Markup("".join(part.text for part in parts))


@dataclass(frozen=True)
class Page:
    """What goes onto a page: `picture` finished SVG or an image, with `caption`; `file` the name and SHA-256 of the
    certificate's file; `signature` a sentence about one, if any."""

    statement: Statement
    judgement: Judgement
    picture: Markup | None = None
    caption: str = ""
    no_picture: str = ""
    file: tuple[str, str] | None = None
    signature: str = ""


def page(given: Page) -> str:
    """The page as one text.

    >>> from certify.certificates.reading import statement
    >>> from certify.reports.judgement import UNCHECKED
    >>> document = {"format": "certify-certificate", "version": 1, "kind": "<script>"}
    >>> text = page(Page(statement(document), UNCHECKED))
    >>> "<script" in text, "&lt;script&gt;" in text, "NOT CHECKED" in text, "What is proved" in text
    (False, True, True, False)
    """
    told, judged = given.statement, given.judgement
    proved = judged.proved
    sections: list[Markup | None] = [
        element("h1", Markup(told.title.html)),
        element("div", *(element("p", Markup(s.html)) for s in judged.sentences), class_=f"verdict {judged.state}"),
        _sentences(_claimed(judged), told.claims),
        _sentences("What follows" if proved else "What would follow", told.follows),
        _figure(given),
        _section("For whom", _facts(told), *([_game(told.game)] if told.game else [])) if told.subject else None,
        _sentences("What it assumes", told.assumptions),
        _sentences("What is not claimed", told.limits),
        _sentences("How it is proved" if proved else "How it says it is proved", told.proof),
        *(_section(None, _folded(table)) for table in told.tables),
        _sentences("What the file says beside its claim (nobody checks it)", told.unchecked),
        _section("The file, and how to check it", _checking(given)) if judged.state != "computed" else None,
        element(
            "footer",
            f"Written by certify {certify.__version__}. This page proves nothing by itself: a certificate does, to "
            "whoever checks it.",
        ),
    ]
    title = told.title.text
    body = element("main", join(part for part in sections if part is not None))
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body.text}</body></html>\n'


def _section(title: str | None, *parts: Markup) -> Markup:
    return element("section", *([element("h2", title)] if title else []), *parts)


def _claimed(judged: Judgement) -> str:
    """What the claims of a page are called."""
    return {"valid": "What is proved", "computed": "What was computed"}.get(judged.state, "What is claimed")


def _sentences(title: str, listed: Sequence[Item]) -> Markup | None:
    return _section(title, _listed(listed)) if listed else None


def _listed(listed: Sequence[Item]) -> Markup:
    return element("ul", *(element("li", _item(item)) for item in listed))


def _item(item: Item) -> Markup:
    sentence = Markup(item.sentence.html)
    if not item.children:
        return sentence
    if item.folded:
        below = element("ul", *(element("li", _step(child)) for child in item.children))
        long = " long" if _size(item) > _LONG else ""  # not unfolded on paper
        return element("details", element("summary", sentence), below, class_=f"step{long}")
    return join([sentence, _listed(item.children)])


def _size(item: Item) -> int:
    """How many sentences are below an item."""
    return sum(1 + _size(child) for child in item.children)


def _step(item: Item) -> Markup:
    """Inside of what is folded everything folds."""
    if not item.children:
        return Markup(item.sentence.html)
    below = element("ul", *(element("li", _step(child)) for child in item.children))
    return element("details", element("summary", Markup(item.sentence.html)), below, class_="step")


def _figure(given: Page) -> Markup | None:
    if given.picture is not None:
        return element("figure", given.picture, element("figcaption", given.caption))
    return element("p", given.no_picture) if given.no_picture else None


def _facts(told: Statement) -> Markup:
    rows = [element("tr", element("th", label), element("td", Markup(value.html))) for label, value in told.subject]
    return element("table", *rows, class_="facts")


def _folded(table: Table) -> Markup:
    head = element("tr", *(element("th", Markup(cell.html)) for cell in table.head))
    body = [element("tr", *(element("td", Markup(cell.html)) for cell in row)) for row in table.rows]
    whole = element("div", element("table", head, *body), class_="wide")
    few = {"open": "open"} if len(table.rows) <= 12 else {}
    return element("details", element("summary", element("strong", Markup(table.title.html))), whole, **few)


def _game(game: dict[str, Any]) -> Markup:
    """The game's names, and its payoffs where it is one table of two agents."""
    rows = []
    for i, agent in enumerate(game["agents"]):
        for what in ("actions", "observations"):
            names = game[what][i]
            shown = ", ".join(["{}"] * len(names[:40])) + (f" and {len(names) - 40} more" if len(names) > 40 else "")
            rows.append(element("tr", element("th", f"{what} of ", Markup(say("{}", agent).html)),
                                element("td", Markup(say(shown, *names[:40]).html))))  # fmt: skip
    parts = [element("table", *rows, class_="facts")]
    try:
        payoffs = _payoffs(game)
    except (InputError, LookupError, TypeError, ValueError):
        payoffs = None
    if payoffs is not None:
        parts.append(payoffs)
    return element("details", element("summary", "The game, as the certificate restates it"), *parts)


def _payoffs(game: dict[str, Any]) -> Markup | None:
    """A table of the payoffs of a one-shot game of two agents in one state."""
    cells = [len(actions) for actions in game["actions"]]
    small = len(cells) == 2 and cells[0] * cells[1] <= _MOST_CELLS
    if game["horizon"] != 1 or len(game["states"]) != 1 or not small or game["available"] is not None:
        return None
    payoff = {tuple(a): fraction(r, "reward") for _, a, r in game["reward"]}
    rows, columns = game["actions"]
    head = element("tr", element("th"), *(element("th", Markup(say("{}", b).html)) for b in columns))
    body = [
        element("tr", element("th", Markup(say("{}", a).html)),
                *(element("td", Markup(say(f"${number(payoff.get((i, j), fraction('0')), 6, up=True)}$").html))
                  for j in range(len(columns))))
        for i, a in enumerate(rows)
    ]  # fmt: skip
    return element("div", element("p", "Payoffs:"), element("table", head, *body), class_="wide")


def _checking(given: Page) -> Markup:
    name, digest = given.file or ("CERT.json", "")
    plain = shown_name(PurePath(name).name)
    rows = [("file", say("{}", plain))]
    if digest:
        rows.append(("SHA-256 of the file", say(f"`{digest}`")))
    rows.append(
        (
            "signature",
            Sentence((("text", shown_name(given.signature, _LONGEST_SIGNATURE)),))
            if given.signature
            else say("none was given with the certificate"),
        )
    )
    facts = [element("tr", element("th", label), element("td", Markup(value.html))) for label, value in rows]
    typed = plain if plain.replace(".", "").replace("-", "").replace("_", "").isalnum() else "CERT.json"
    commands = [
        element("li", element("code", f"certify check {typed}"), " or, with Python's standard library alone, ",
                element("code", f"python -m certify.checker --engine stdlib {typed}")),
        element("li", "The checker shares no code with what found the proof; it derives everything again from the "
                "game in the file, and writes its own sentence about what is proved."),
    ]  # fmt: skip
    return join([element("table", *facts, class_="facts"), element("ul", *commands)])
