"""A certificate as a theorem for a paper's appendix: LaTeX in ASCII that needs nothing beyond the base classes.

What is not accepted by the checker is no theorem: it is set as a claim that says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import certify
from certify.certificates.markup import Sentence, latex_escaped, say
from certify.certificates.statement import Item, Statement, Table
from certify.reports.judgement import Judgement

_MOST_ROWS = 24  # of a table in an appendix
_MOST_ITEMS = 16
_LONGEST_TITLE = 60  # characters
_HEAD = r"""% Made by certify {version}; \input it into the body of a document.  Nothing beyond LaTeX's base is needed.
\ifcsname theorem\endcsname\else\newtheorem{{theorem}}{{Theorem}}\fi
"""
_CLAIM = r"\ifcsname uncheckedclaim\endcsname\else\newtheorem{uncheckedclaim}{Claim (not verified)}\fi"


def theorem(statement: Statement, judgement: Judgement, *, file_sha256: str = "") -> str:
    """The statement as a theorem with its proof by certificate; as an unverified claim where it was not checked.

    >>> from certify.certificates.reading import statement
    >>> from certify.reports.judgement import UNCHECKED
    >>> text = theorem(statement({"format": "certify-certificate", "version": 1, "kind": "50%_$"}), UNCHECKED)
    >>> r"\\begin{theorem}" in text, r"\\begin{uncheckedclaim}" in text, r"50\\%\\_\\$" in text
    (False, True, True)
    """
    environment = "theorem" if judgement.proved else "uncheckedclaim"
    lines = [_HEAD.format(version=certify.__version__).rstrip(), r"\begingroup\sloppy"]
    if not judgement.proved:
        lines += [f"% {_comment(s)}" for s in judgement.sentences]
        lines.append(_CLAIM)
    setting = statement.setting.latex.rstrip(".")
    lines += [
        rf"\begin{{{environment}}}{_title(statement.title)}",
        f"{setting}.",
        *_listed(statement.claims),
        rf"\end{{{environment}}}",
    ]
    if judgement.proved and statement.follows:
        lines += [r"\par\noindent\emph{Consequences.}", *_listed(statement.follows)]
    proof = "Proof" if judgement.proved else "What the file offers as a proof"
    lines += [rf"\par\noindent\emph{{{proof}.}}", *_proof(statement, judgement, file_sha256)]
    for title, listed in (("Assumptions", statement.assumptions), ("Not claimed", statement.limits)):
        if listed:
            lines += [rf"\par\noindent\emph{{{title}.}}", *_listed(listed)]
    for table in statement.tables:
        lines += _table(table)
    return "\n".join([*lines, r"\par\endgroup"]) + "\n"


def _comment(sentence: Sentence) -> str:
    return "".join(c if " " <= c <= "~" and c != "\\" else "?" for c in sentence.text)


def _title(title: Sentence) -> str:
    """A short title behind the theorem's number, which no line can be broken in; a long one is left out."""
    return f"[{{{title.latex}}}]" if len(title.text) <= _LONGEST_TITLE else ""


def _listed(listed: Sequence[Item], depth: int = 0) -> list[str]:
    """Sentences, as a list where anything belongs below one; what a page folds away is left to the file."""
    listed = [item for item in listed if not (item.folded and item.children and depth)]
    if not depth and not any(item.children for item in listed):
        return [item.sentence.latex for item in listed]
    lines = [r"\begin{itemize}"]
    for item in listed[:_MOST_ITEMS]:
        lines.append(rf"\item {_guarded(item.sentence.latex)}")
        below = [child for child in item.children if not (child.folded and child.children)]
        if below and not item.folded and depth < 2:
            lines += _listed(below, depth + 1)
    if len(listed) > _MOST_ITEMS:
        lines.append(rf"\item and {len(listed) - _MOST_ITEMS} more, in the certificate")
    return [*lines, r"\end{itemize}"]


def _guarded(text: str) -> str:
    """An item that begins with a bracket would be taken for its label."""
    return f"{{}}{text}" if text.startswith("[") else text


def _proof(statement: Statement, judgement: Judgement, file_sha256: str) -> list[str]:
    lines = _listed(statement.proof) if statement.proof else []
    if judgement.proved:
        checked = say(f"The certificate was accepted by the independent checker of certify {certify.__version__} "
                      f"({{=}} engine, {judgement.steps} steps).", judgement.engine)  # fmt: skip
        lines.append(checked.latex + r" \hfill\rule{1.1ex}{1.1ex}")
    else:
        lines += [rf"\textbf{{{s.latex}}}" for s in judgement.sentences]
    hashes = [(label, value) for label, value in statement.subject if "SHA-256" in label]
    told = [f"{latex_escaped(label)}: {broken(value.text.strip('`'))}" for label, value in hashes]
    if file_sha256:
        told.append(f"SHA{{-}}256 of the certificate's file: {broken(file_sha256)}")
    if told:
        lines.append(r"\par\noindent{\small " + r"; ".join(told) + ".}")
    return lines


def broken(digest: str) -> str:
    r"""A hash that may be broken over lines.

    >>> print(broken("0123456789abcdef"))
    \texttt{01234567\allowbreak 89abcdef}
    """
    parts = [latex_escaped(digest[k : k + 8]) for k in range(0, len(digest), 8)]
    return rf"\texttt{{{(chr(92) + 'allowbreak ').join(parts)}}}"


def _table(table: Table) -> list[str]:
    columns = "l" * len(table.head)
    rows = [" & ".join(cell.latex for cell in row) + r" \\" for row in (table.head, *table.rows[:_MOST_ROWS])]
    left = len(table.rows) - _MOST_ROWS
    more = [rf"\par\noindent and {left} more rows, in the certificate."] if left > 0 else []
    return [
        rf"\par\medskip\noindent\emph{{{table.title.latex}.}}\par\noindent",
        rf"{{\small\begin{{tabular}}{{{columns}}}",
        r"\hline",
        _guarded(rows[0]),
        r"\hline",
        *(_guarded(row) for row in rows[1:]),
        r"\hline",
        r"\end{tabular}\par}",
        *more,
    ]
