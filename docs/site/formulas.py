"""Mathematics without a network: TeX becomes MathML, which browsers draw; the plain formulas of the theory get their
sub- and superscripts.
"""

from __future__ import annotations

import html
import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from pygments.lexers.special import TextLexer
from sphinx.transforms.post_transforms import SphinxPostTransform

_SCRIPT = re.compile(r"(?<=[\w)\]′}|‖*])(?:(_)(\{[^{}]*\}|[\wΑ-ω*′−]+)|(\^)(\{[^{}]*\}|[−-]?\d+|[\w*]))")
_SIGNS = set("αβγδεζηκλμπρσφωΦΛΣΠ≤≥∈·∎√‖²′∇→×⟨⟩∞−")
_PROSE = {"theory", "proofs"}


def scripts(text: str) -> str:
    """The HTML of a plain formula.

    >>> scripts("w_i γ^t < λ_{max}")
    'w<sub>i</sub> γ<sup>t</sup> &lt; λ<sub>max</sub>'
    """

    def script(match: re.Match[str]) -> str:
        tag, inner = ("sub", match[2]) if match[1] else ("sup", match[4])
        inner = inner[1:-1] if inner.startswith("{") else inner
        return f"<{tag}>{inner}</{tag}>"

    return _SCRIPT.sub(script, html.escape(text, quote=False))


class PlainFormulas(SphinxPostTransform):
    """Indented formulas of the theory and the proofs, and formulas within their sentences."""

    default_priority = 50
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Replace what reads like a formula; code keeps its type."""
        if self.env.docname.split("/")[0] not in _PROSE:
            return
        for block in list(self.document.findall(nodes.literal_block)):
            text = block.astext()
            if block.get("language", "none") in ("none", "default") and set(text) & _SIGNS:
                block.replace_self(nodes.raw("", f'<div class="formula">{scripts(text)}</div>', format="html"))
        for piece in list(self.document.findall(nodes.Text)):
            inside = isinstance(piece.parent, nodes.literal | nodes.literal_block | nodes.raw | nodes.comment)
            if not inside and _SCRIPT.search(piece.astext()):
                piece.parent.replace(piece, nodes.raw("", scripts(piece.astext()), format="html"))


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(f"<div>{convert(node.astext(), display='block')}</div>")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    app.add_post_transform(PlainFormulas)
    app.add_lexer("dpomdp", TextLexer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
