"""Words of Gambit's files, `.nfg` and `.efg`: quoted texts, braces, numbers; every error names line and column
(docs/games.md#gambit).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from fractions import Fraction
from typing import NamedTuple

from certify.errors import InputError
from certify.exact import parse_rational

_WORDS = re.compile(r'[\s,]+|"(?P<text>[^"\\]*(?:\\.[^"\\]*)*)"|(?P<brace>[{}])|(?P<word>[^\s,{}"]+)', re.DOTALL)
_LARGEST_INDEX = 9  # digits
_MOST_PLAYERS = 1000


class Word(NamedTuple):
    """A word: `kind` is "text" (quoted, `text` without its quotes), "{", "}", "word" or "end"."""

    kind: str
    text: str
    offset: int


class GambitText:
    """The words of a file, read one after the other; commas count as blanks.

    >>> words = GambitText('NFG 1 R "two lines" { 1/2, }', "game.nfg")
    >>> words.literal("NFG", "1"), words.next().text, words.text("a title")
    (None, 'R', 'two lines')
    >>> words.brace("{"), words.number("a payoff"), words.ahead("}")
    (None, Fraction(1, 2), True)
    >>> words.number("a payoff")
    Traceback (most recent call last):
    certify.errors.InputError: game.nfg, line 1, column 28: '}' where a payoff should stand; write a number there
    """

    def __init__(self, text: str, where: str) -> None:
        self.where = where
        self._lines = [0, *(m.end() for m in re.finditer("\n", text))]
        self._words: list[Word] = []
        self._at = end = 0
        for match in _WORDS.finditer(text):
            kind, start = match.lastgroup, match.start()
            if start != end:
                break  # a quote that is never closed
            end = match.end()
            if kind == "text":
                found = match["text"]
                self._words.append(Word("text", found.replace('\\"', '"') if "\\" in found else found, start))
            elif kind is not None:
                self._words.append(Word("word" if kind == "word" else match[0], match[0], start))
        if end != len(text):
            raise self.error(Word("end", "", end), "a quoted text that does not end", 'close it by "')
        self._numbers: dict[str, Fraction] = {}
        self._words.append(Word("end", "", len(text)))

    def line_of(self, word: Word) -> int:
        """The line, from 1, in which a word begins."""
        return bisect_right(self._lines, word.offset)

    def error(self, word: Word, what: str, mend: str) -> InputError:
        """An `InputError` at a word."""
        line = self.line_of(word)
        return InputError(f"{self.where}, line {line}, column {word.offset - self._lines[line - 1] + 1}", what, mend)

    def unexpected(self, word: Word, wanted: str, mend: str) -> InputError:
        """An `InputError` for a word that is not what should stand there."""
        found = "the file ends" if word.kind == "end" else repr(word.text[:40])
        return self.error(word, f"{found} where {wanted} should stand", mend)

    def peek(self) -> Word:
        """The next word, which stays the next one."""
        return self._words[self._at]

    def ahead(self, kind: str) -> bool:
        """Whether the next word is of a kind."""
        return self.peek().kind == kind

    def next(self) -> Word:
        """The next word; at the end of the file again and again its end."""
        word = self._words[self._at]
        self._at = min(self._at + 1, len(self._words) - 1)
        return word

    def literal(self, *wanted: str) -> None:
        """Words that must stand there as they are."""
        for text in wanted:
            word = self.next()
            if word.kind != "word" or word.text != text:
                raise self.unexpected(word, text, f"the file begins with {' '.join(wanted)}")

    def brace(self, kind: str) -> None:
        """One brace, "{" or "}"."""
        word = self.next()
        if word.kind != kind:
            raise self.unexpected(word, f"a {kind}", "write it there")

    def text(self, what: str) -> str:
        """A quoted text."""
        word = self.next()
        if word.kind != "text":
            raise self.unexpected(word, f"{what} in quotes", 'write it there, "" for none')
        return word.text

    def texts(self, what: str) -> list[str]:
        """Quoted texts between braces."""
        self.brace("{")
        found = []
        while not self.ahead("}"):
            found.append(self.text(what))
        self.brace("}")
        return found

    def players(self) -> list[str]:
        """The players' names, at least one."""
        here = self.peek()
        found = self.texts("a player's name")
        if not 0 < len(found) <= _MOST_PLAYERS:
            raise self.error(here, f"{len(found):,} players", f"name 1 to {_MOST_PLAYERS:,}")
        return found

    def number(self, what: str) -> Fraction:
        """An exact number: `-3`, `2.50`, `1/3` or `1e-3`."""
        word = self.next()
        if word.kind != "word":
            raise self.unexpected(word, what, "write a number there")
        if word.text not in self._numbers:
            try:
                self._numbers[word.text] = parse_rational(word.text)
            except InputError as error:
                raise self.error(word, error.what, error.mend) from None
        return self._numbers[word.text]

    def numbers(self, what: str, count: int) -> tuple[Fraction, ...]:
        """So many numbers between braces."""
        self.brace("{")
        found = tuple(self.number(f"{what} {k + 1} of {count}") for k in range(count))
        if not self.ahead("}"):
            raise self.unexpected(self.peek(), "a }", f"give {count} of them, one per player")
        self.brace("}")
        return found

    def index(self, what: str, largest: int | None = None) -> int:
        """A whole number, 0 or more, and at most `largest`."""
        word = self.next()
        if word.kind != "word" or not re.fullmatch(r"[0-9]+", word.text) or len(word.text) > _LARGEST_INDEX:
            raise self.unexpected(word, what, "write a whole number there")
        if largest is not None and int(word.text) > largest:
            raise self.error(word, f"{what} {word.text}", f"the largest is {largest}")
        return int(word.text)

    def finish(self) -> None:
        """That nothing follows."""
        if not self.ahead("end"):
            raise self.unexpected(self.peek(), "the end of the file", "leave the rest out")
