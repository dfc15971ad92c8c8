"""The two ways in which a call ends without an answer: bad input, and undecided.

`InputError` is what a user can mend; it always says where, what, and how to mend it, on one
line.  `Undecided` is raised by comparisons that an enclosure cannot settle: a predicate never
turns "not proved" into "false".
"""

from __future__ import annotations


class InputError(ValueError):
    """Input that cannot be used: where it is, what is wrong, how to mend it (one line).

    >>> print(InputError("game.dpomdp, line 7", "unknown state 'left'", "declare it in `states:`"))
    game.dpomdp, line 7: unknown state 'left'; declare it in `states:`
    """

    def __init__(self, where: str, what: str, mend: str) -> None:
        self.where, self.what, self.mend = where, what, mend
        super().__init__(" ".join(f"{where}: {what}; {mend}".split()))


class Undecided(ArithmeticError):
    """A comparison that the enclosures at hand cannot decide."""
