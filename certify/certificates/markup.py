"""Sentences about certificates: written once, shown as plain text, as HTML and as LaTeX.

`say` makes a sentence of a template in words of our own.  In it `$…$` is mathematics in the plain spelling of the
terminal (`$alpha >= 1/2$`), a part between backquotes is something to type, and every `{}` takes a text of others
(the name of a game, of an action): it is escaped wherever it is shown and never read as markup.  `{=}` is the same for
words that need no quotation marks (keys, names of algorithms).
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from certify.exact import rational_text, significant_text

LONGEST_NAME = 80  # characters of a name that are shown
_SHORT = 14  # characters of a fraction that a sentence carries as it is
_MARKS = re.compile(r"(\$[^$]*\$|`[^`]*`|\{=?\})")
_WORD = re.compile(r"[A-Za-z0-9_.+/-]{1,40}\Z")
_TOKENS = re.compile(r"alpha\*|lambda_max|log-ratio|[A-Za-z]+|>=|<=|!=|-?\d+/\d+|-?\d+(?:\.\d+)?e-?\d+|.", re.DOTALL)
_HTML = {
    "alpha*": "<i>α</i>*", "alpha": "<i>α</i>", "beta": "<i>β</i>", "pi": "<i>π</i>", "eta": "<i>η</i>",
    "eps": "<i>ε</i>", "lambda": "<i>λ</i>",
    "lambda_max": "<i>λ</i><sub>max</sub>", ">=": "≥", "<=": "≤", "!=": "≠", "in": "∈", "-": "−", "x": "×",
}  # fmt: skip
_LATEX = {
    "alpha*": r"\alpha^{*}", "alpha": r"\alpha", "beta": r"\beta", "pi": r"\pi", "eta": r"\eta", "eps": r"\varepsilon",
    "lambda": r"\lambda",
    "lambda_max": r"\lambda_{\max}", ">=": r"\ge", "<=": r"\le", "!=": r"\ne", "in": r"\in", "x": r"\times", "%": r"\%",
}  # fmt: skip
_LATEX_CHARACTERS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\symbol{34}", "'": "'{}", "`": "`{}",
    "-": "{-}", "–": "--", "—": "---", "’": "'", "…": r"\ldots{}",
    "α": r"\ensuremath{\alpha}", "β": r"\ensuremath{\beta}", "π": r"\ensuremath{\pi}", "η": r"\ensuremath{\eta}",
    "ε": r"\ensuremath{\varepsilon}", "≥": r"\ensuremath{\ge}", "≤": r"\ensuremath{\le}", "×": r"\ensuremath{\times}",
    "−": r"\ensuremath{-}", "ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}", "æ": r"\ae{}", "Æ": r"\AE{}",
}  # fmt: skip
_ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u0327": "c", "\u030c": "v"}


@dataclass(frozen=True)
class Sentence:
    """`parts` : (kind, text), the kind one of "text", "math", "code" (all ours), "name" and "word" (of others)."""

    parts: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """As the terminal shows it: mathematics in ASCII, names between quotes.

        >>> say("the game {} at $alpha >= 1/2$", "lever").text
        "the game 'lever' at alpha >= 1/2"
        """
        kinds: dict[str, Callable[[str], str]] = {
            "code": lambda t: f"`{t}`",
            "name": lambda t: f"'{t}'",
            "word": lambda t: t if _WORD.match(t) else f"'{t}'",
        }
        return "".join(kinds[kind](t) if kind in kinds else t for kind, t in self.parts)

    @property
    def html(self) -> str:
        """As HTML, in which nothing of others is markup.

        >>> say("the game {} at $alpha >= 1/2$", "<b>").html
        'the game <bdi class="name">&lt;b&gt;</bdi> at <span class="math"><i>α</i> ≥ 1/2</span>'
        """
        kinds: dict[str, Callable[[str], str]] = {
            "text": html.escape,
            "math": _math_html,
            "code": lambda t: f"<code>{html.escape(t)}</code>",
            "name": lambda t: f'<bdi class="name">{html.escape(t)}</bdi>',
            "word": lambda t: f"<bdi>{html.escape(t)}</bdi>",
        }
        return "".join(kinds[kind](t) for kind, t in self.parts)

    @property
    def latex(self) -> str:
        r"""As LaTeX in ASCII, in which nothing of others is a command.

        >>> print(say("the game {} at $alpha >= 1/2$", "a_b").latex)
        the game \texttt{a\_b} at $\alpha \ge \frac{1}{2}$
        """
        kinds: dict[str, Callable[[str], str]] = {
            "text": lambda t: latex_escaped(t).replace("{-}", "-"),
            "math": _math_latex,
            "code": lambda t: rf"\texttt{{{latex_escaped(t)}}}",
            "name": lambda t: rf"\texttt{{{latex_escaped(t)}}}",
            "word": latex_escaped,
        }
        return "".join(kinds[kind](t) for kind, t in self.parts)

    def __add__(self, other: Sentence) -> Sentence:
        return Sentence(self.parts + other.parts)


def say(template: str, *names: object) -> Sentence:
    """The sentence of a template; `names` fill its `{}` in order.

    Raises `ValueError` where their numbers differ.

    >>> say("agent {} of `certify check`", "a\\nb").parts
    (('text', 'agent '), ('name', 'a\\\\nb'), ('text', ' of '), ('code', 'certify check'))
    """
    parts, left = [], list(names)
    for piece in _MARKS.split(template):
        if piece in ("{}", "{=}"):
            if not left:
                raise ValueError(f"a name is missing in {template!r}")
            parts.append(("name" if piece == "{}" else "word", shown_name(left.pop(0))))
        elif piece[:1] == "$" and len(piece) > 1:
            parts.append(("math", piece[1:-1]))
        elif piece[:1] == "`" and len(piece) > 1:
            parts.append(("code", piece[1:-1]))
        elif piece:
            parts.append(("text", piece))
    if left:
        raise ValueError(f"{len(left)} names too many for {template!r}")
    return Sentence(tuple(parts))


def shown_name(name: object, longest: int = LONGEST_NAME) -> str:
    """A text of others on one line: printable characters only, and not too many of them.

    >>> shown_name("a\\nb"), shown_name("x" * 100, 8)
    ('a\\\\nb', 'xxxxxxx…')
    """
    text = str(name)
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def number(value: Fraction | int, digits: int = 8, *, up: bool) -> str:
    """The fraction where it is short and no everyday decimal, else a decimal rounded to the safe side.

    >>> number(Fraction(1, 3), up=True), number(Fraction(31, 2), up=True), number(Fraction(2**70, 3**44), up=True)
    ('1/3', '15.5', '1.1988491')
    """
    value = Fraction(value)
    decimal = significant_text(value, digits, up=up)
    exact = rational_text(value)
    return exact if Fraction(decimal) != value and len(exact) <= _SHORT else decimal


def rounded(value: Fraction, *, up: bool) -> str:
    """What a sentence says of an exact number: the number, and where it is no decimal that can be read, about what.

    >>> rounded(Fraction(397, 25), up=True), rounded(Fraction(1, 3), up=True)
    ('15.88', '1/3 (at most 0.33333334)')
    """
    exact, decimal = number(value, up=up), significant_text(value, 8, up=up)
    if exact == decimal:
        return decimal
    return f"{exact} (at {'most' if up else 'least'} {decimal})"


def counted(count: int, what: str, several: str = "") -> str:
    """How many of what, in the singular or the plural.

    >>> counted(1, "box", "boxes"), counted(2, "box", "boxes"), counted(0, "step")
    ('1 box', '2 boxes', '0 steps')
    """
    return f"{count} {what if count == 1 else several or what + 's'}"


def interval(low: Fraction, high: Fraction, digits: int = 8) -> str:
    """`[low, high]` in decimals, rounded outwards.

    >>> interval(Fraction(1, 3), Fraction(2, 3), 4)
    '[0.3333, 0.6667]'
    """
    return f"[{significant_text(low, digits, up=False)}, {significant_text(high, digits, up=True)}]"


def latex_escaped(text: str) -> str:
    r"""Text as LaTeX in ASCII; what cannot be set without further packages becomes its code point.

    >>> print(latex_escaped("50% of é and 中"))
    50\% of \'{e} and [U+4E2D]
    """
    return "".join(_latex_character(c) for c in text)


def _latex_character(character: str) -> str:
    if character in _LATEX_CHARACTERS:
        return _LATEX_CHARACTERS[character]
    if " " <= character <= "~":
        return character
    base, *marks = list(unicodedata.normalize("NFD", character))
    if len(marks) == 1 and marks[0] in _ACCENTS and base.isascii() and base.isalpha():
        return rf"\{_ACCENTS[marks[0]]}{{{base}}}"
    return f"[U+{ord(character):04X}]"


def _math_html(text: str) -> str:
    found = []
    for token in _TOKENS.findall(text):
        if power := _power(token):
            found.append(f"{power[0].replace('-', '−')}·10<sup>{power[1].replace('-', '−')}</sup>")
        elif token in _HTML:
            found.append(_HTML[token])
        elif len(token) == 1 and token.isalpha():
            found.append(f"<i>{token}</i>")
        else:
            found.append(html.escape(token).replace("-", "−") if token[:1] in "-0123456789" else html.escape(token))
    return f'<span class="math">{"".join(found)}</span>'


def _math_latex(text: str) -> str:
    found = []
    for token in _TOKENS.findall(text):
        ratio = token.split("/")
        if power := _power(token):
            found.append(rf"{power[0]}\cdot 10^{{{power[1]}}}")
        elif len(ratio) == 2 and ratio[1]:
            sign = "-" if ratio[0].startswith("-") else ""
            found.append(rf"{sign}\frac{{{ratio[0].lstrip('-')}}}{{{ratio[1]}}}")
        elif token in _LATEX:
            found.append(_LATEX[token])
        elif len(token) > 1 and token.isalpha():
            found.append(rf"\mathrm{{{token}}}")
        elif token in "{}$\\#&_^~":
            found.append(latex_escaped(token))
        else:
            found.append(token)
    return f"${''.join(found)}$"


def _power(token: str) -> list[str] | None:
    parts = token.split("e")
    return parts if len(parts) == 2 and parts[0][-1:].isdigit() and parts[1][-1:].isdigit() else None
