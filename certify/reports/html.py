"""A certificate as one self-contained HTML page: no network, no script; steps fold open by `<details>`.

Every text of a certificate is escaped by `Sentence.html` or `element`; the page forbids scripts and loads nothing
(its content policy says so to the browser, too).
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import certify
from certify.certificates.markup import number, say, shown_name
from certify.certificates.reading_game import fraction
from certify.certificates.statement import Item, Statement, Table
from certify.errors import InputError
from certify.reports.judgement import Judgement

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_MOST_CELLS = 400  # of a payoff table on a page
_STYLE = """
:root{color-scheme:light;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--paper:#fff;--back:#f6f8fa;
--good:#005f46;--goodb:#e3f4ee;--bad:#8a2c00;--badb:#fdeee6;--open:#6b5300;--openb:#fdf6dc}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:16px/1.5 "Source Sans 3","Segoe UI",Helvetica,Arial,sans-serif}
main{max-width:52rem;margin:0 auto;padding:1.5rem 1.75rem 3rem;background:var(--paper);border:1px solid var(--line)}
h1{font-size:1.55rem;line-height:1.25;margin:.2rem 0 1rem;overflow-wrap:anywhere}
h2{font-size:1.12rem;margin:1.9rem 0 .5rem;border-bottom:1px solid var(--line);padding-bottom:.2rem}
ul{margin:.4rem 0;padding-left:1.3rem}li{margin:.25rem 0;overflow-wrap:anywhere}
.name{font-family:ui-monospace,"DejaVu Sans Mono",Menlo,monospace;font-size:.92em}
code{font-family:ui-monospace,"DejaVu Sans Mono",Menlo,monospace;font-size:.88em;background:var(--back);padding:.1em .3em;
border-radius:3px;overflow-wrap:anywhere}
.math{font-family:"STIX Two Text","Latin Modern Math",Cambria,Georgia,"Times New Roman",serif}
.verdict{border-left:6px solid;padding:.6rem 1rem;margin:1rem 0}
.verdict p{margin:.3rem 0;overflow-wrap:anywhere}
.valid{border-color:var(--good);background:var(--goodb)}.invalid{border-color:var(--bad);background:var(--badb)}
.unchecked{border-color:var(--open);background:var(--openb)}
.verdict p:first-child{font-weight:600}
figure{margin:1.2rem 0;text-align:center}figure svg,figure img{max-width:100%;height:auto}
figcaption{font-size:.9rem;color:var(--soft);text-align:left}
table{border-collapse:collapse;font-size:.92rem;margin:.5rem 0;max-width:100%}
th,td{text-align:left;vertical-align:top;padding:.22rem .8rem .22rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th{font-weight:600}td .math,td.n{font-variant-numeric:tabular-nums}
.facts th{white-space:nowrap;color:var(--soft);font-weight:500}
.wide{overflow-x:auto}
details{margin:.35rem 0}details>ul,details>div{margin-left:.35rem}
summary{cursor:pointer}summary:hover{text-decoration:underline}
details.step>summary{font-size:.93rem}
footer{margin-top:2rem;color:var(--soft);font-size:.85rem}
@media (max-width:40rem){main{padding:1rem;border:0}body{font-size:15px}}
@media print{body{background:#fff;font-size:10.5pt}main{border:0;max-width:none;padding:0}
h2{break-after:avoid}figure,tr,.verdict{break-inside:avoid}code,.verdict{background:none}
details::details-content{content-visibility:visible;block-size:auto;display:block}summary{list-style:none}}
"""


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
    title = told.title.text
    parts = [
        element("h1", Markup(told.title.html)),
        element("div", *(element("p", Markup(s.html)) for s in judged.sentences), class_=f"verdict {judged.state}"),
        _section("What is proved" if judged.proved else "What is claimed", _listed(told.claims)),
        _section("What follows" if judged.proved else "What would follow", _listed(told.follows)) if told.follows else None,
        _figure(given),
        _section("For whom", _facts(told), *([_game(told.game)] if told.game else [])) if told.subject else None,
        _section("What it assumes", _listed(told.assumptions)) if told.assumptions else None,
        _section("What is not claimed", _listed(told.limits)) if told.limits else None,
        _section("How it is proved" if judged.proved else "How it says it is proved", _listed(told.proof)) if told.proof else None,
        *(_section(None, _folded(table)) for table in told.tables),
        _section("What the file says beside its claim (nobody checks it)", _listed(told.unchecked)) if told.unchecked else None,
        _section("The file, and how to check it", _checking(given)),
        element("footer", f"Written by certify {certify.__version__}. This page proves nothing by itself: the certificate does, to whoever checks it."),
    ]  # fmt: skip
    body = element("main", join(part for part in parts if part is not None))
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body.text}</body></html>\n'


def _section(title: str | None, *parts: Markup) -> Markup:
    return element("section", *([element("h2", title)] if title else []), *parts)


def _listed(listed: Sequence[Item]) -> Markup:
    return element("ul", *(element("li", _item(item)) for item in listed))


def _item(item: Item) -> Markup:
    sentence = Markup(item.sentence.html)
    if not item.children:
        return sentence
    if item.folded:
        below = element("ul", *(element("li", _step(child)) for child in item.children))
        return element("details", element("summary", sentence), below, class_="step")
    return join([sentence, _listed(item.children)])


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
    rows.append(("signature", say("{=}", given.signature) if given.signature else say("none was given with the certificate")))
    facts = [element("tr", element("th", label), element("td", Markup(value.html))) for label, value in rows]
    typed = plain if plain.replace(".", "").replace("-", "").replace("_", "").isalnum() else "CERT.json"
    commands = [
        element("li", element("code", f"certify check {typed}"), " or, with Python's standard library alone, ",
                element("code", f"python -m certify.checker --engine stdlib {typed}")),
        element("li", "The checker shares no code with what found the proof; it derives everything again from the "
                "game in the file, and writes its own sentence about what is proved."),
    ]  # fmt: skip
    return join([element("table", *facts, class_="facts"), element("ul", *commands)])
