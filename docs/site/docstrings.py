"""Docstrings as they are written here, plain paragraphs with `code`, examples and indented formulas, for Sphinx."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Any

_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_THEORY = re.compile(r"\bdocs/(theory/[\w-]+|[\w-]+)\.md(#[\w-]+)?")
_FIELD = re.compile(r"(?:^|(?<=[.;] ))\s*([\w*`]+(?:, [\w*`]+)*) : ")
_SPECIAL = re.compile(r"([\\*|_<>])")


def restructured(text: str) -> list[str]:
    """The lines of a docstring as reStructuredText.

    >>> restructured("Bounds `x_y` | z (docs/theory/hessian.md#theorem-b).\\n\\n    a < b\\n\\n>>> 1 + 1\\n2")[0]
    'Bounds ``x_y`` \\\\| z (`theory/hessian#theorem-b <../theory/hessian.html#theorem-b>`__).'
    """
    lines: list[str] = []
    for kind, block in _blocks(textwrap.dedent(text.expandtabs()).strip("\n")):
        if kind == "example":
            lines += ["::", "", *(f"    {line}" for line in block), ""]
        elif kind == "formula":
            lines += [
                ".. code-block:: none",
                "",
                *(f"    {line}" for line in textwrap.dedent("\n".join(block)).split("\n")),
                "",
            ]
        else:
            if len(block) > 1 and set(block[1].strip()) == {"-"}:
                lines += [f"**{block[0].strip()}**", ""]
                block = block[2:]
            lines += _fields(" ".join(line.strip() for line in block))
    return lines


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Paragraphs, examples from the prompt on, and what is indented after an empty line."""
    for paragraph in re.split(r"\n[ ]*\n", text):
        block = paragraph.split("\n")
        start = next((k for k, line in enumerate(block) if line.lstrip().startswith(">>>")), len(block))
        if block[:start]:
            head = block[:start]
            yield ("formula" if all(line.startswith("    ") for line in head) else "prose"), head
        if block[start:]:
            yield "example", textwrap.dedent("\n".join(block[start:])).split("\n")


def _prose(text: str) -> str:
    parts, end = [], 0
    for match in _CODE.finditer(text):
        before, after = text[: match.start()][-1:], text[match.end() :][:1]
        start = "" if not before or before in " \n'\"([{<-/:" else "\\ "
        stop = "" if not after or after in " \n'\")]}>-/:.,;!?" else "\\ "
        parts += [_plain(text[end : match.start()]), f"{start}``{match[2].strip()}``{stop}"]
        end = match.end()
    return "".join([*parts, _plain(text[end:])]).strip()


def _fields(text: str) -> list[str]:
    """A paragraph of `name : what it is.` as a list, any other as it is."""
    found = _FIELD.split(text)
    if found[0].strip() or len(found) < 3:
        return [_prose(text), ""]
    return [
        f"* ``{name.replace('`', '')}``: {_prose(about)}" for name, about in zip(found[1::2], found[2::2], strict=True)
    ] + [""]


def _plain(text: str) -> str:
    parts, end = [], 0
    for match in _THEORY.finditer(text):
        parts += [
            _SPECIAL.sub(r"\\\1", text[end : match.start()]),
            f"`{match[1]}{match[2] or ''} <../{match[1]}.html{match[2] or ''}>`__",
        ]
        end = match.end()
    rest = _SPECIAL.sub(r"\\\1", text[end:])
    return "".join([*parts, rest.replace("`", "\\`")])


def _process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = restructured("\n".join(lines))


def _shorten(app: Any, what: str, name: str, obj: Any, options: Any, signature: str, returned: str) -> tuple[Any, Any]:
    """Types by their own names."""
    return tuple(re.sub(r"~?(?:\w+\.)+(?=[A-Z])", "", text) if text else text for text in (signature, returned))


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _shorten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
