"""What one step certainly does to the entropy: enclosures of H(η) − H(0) over an interval of step
sizes, the certified sign there, and the largest η_max up to which the sign provably persists.
Implements docs/theory/entropy.md#finite-steps (finite steps), by adaptive subdivision of the step interval.

Every piece [l, h] of the subdivision is settled by one of four rules, which certificates name:
`slope` (H' has the sign on the piece, and the change at l does or is 0), `second` (l = 0, the
first-order change is exactly 0 and H'' has the sign), `value` (the change itself has the sign on
the whole piece), `tail` (the entropy is below its start at every step from l on, by the lemma of `tail`).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from flint import arb

from certify.entropy.dynamics import EntropyPath, LocalChange
from certify.entropy.enclosure import RationalEnclosure, enclosure, sign_of
from certify.entropy.tail import falls_beyond
from certify.errors import InputError

_EXCESS = Fraction(1, 50)  # aim: 2 % wider than the true range
_FLOOR = Fraction(1, 10**13)  # ... or this much wider, absolutely
_SMALLEST_PIECE = Fraction(1, 2**40)
_SMALLEST_FIRST = Fraction(1, 2**200)  # the sign of small steps may hold for tiny ones only
_PIECES = 4000  # a subdivision larger than this is given up: undecided


@dataclass(frozen=True)
class Piece:
    """One piece (lower, upper] of a subdivision and the rule that settles it."""

    lower: Fraction
    upper: Fraction
    rule: str


@dataclass(frozen=True)
class SignResult:
    """Status `proved`: the entropy has `sign` for every step in `steps`; `undecided`: see `reason`.

    `witness` is a step at which the other sign is proved, where one was met.
    """

    status: str
    sign: str
    steps: RationalEnclosure
    pieces: tuple[Piece, ...]
    witness: Fraction | None = None
    reason: str = ""


@dataclass(frozen=True)
class PersistenceResult:
    """The sign holds for every η in (0, eta_max]; `reversed_at` is a step where it provably fails.

    `limited` says that the search stopped at its limit, not because the sign was lost; `forever`
    that the sign is proved beyond it as well, for every η > 0.
    """

    sign: str
    eta_max: Fraction | None
    reversed_at: Fraction | None
    limited: bool
    pieces: tuple[Piece, ...]
    reason: str = ""
    forever: bool = False


NAMES = {1: "increases", -1: "decreases"}


def change_range(path: EntropyPath, lower: Fraction, upper: Fraction) -> RationalEnclosure:
    """Encloses {H(η) − H(0) : lower <= η <= upper}.

    On pieces where H' keeps a sign (or grows from an exact 0 with H'' of one sign) the range is that between
    the ends; elsewhere the Taylor form is used, and pieces that stick out of the hull of proved values by more
    than 1 % of its width (or 1e-13) are halved.  So for exact policies and advantages the answer is at most 2 %
    (or 2e-13) wider than the true range, unless a piece shrinks below 2^-40 or there are 4,000 of them; enclosures
    as input are evaluated in natural interval form and may give much wider ranges.  Never beyond [−H, log n − H].

    >>> from certify.entropy.policy import policy_from_json
    >>> from certify.entropy.algorithms import direction
    >>> policy = policy_from_json(["1/2", "1/4", "1/4"])
    >>> u = direction("natural", policy, (tuple(map(RationalEnclosure.of, (0, 1, 1))),), {})
    >>> r = change_range(EntropyPath(policy, u), Fraction(0), Fraction(1, 100))
    >>> r.lower <= 0 < r.upper
    True
    """
    _check_interval(lower, upper)
    if path.still:
        return RationalEnclosure.of(0)
    ends = [path.change_at(lower), path.change_at(upper)]
    if lower == upper:
        return enclosure(ends[0])
    known_low = min(enclosure(e).upper for e in ends)  # the true minimum is at most this
    known_high = max(enclosure(e).lower for e in ends)  # the true maximum is at least this
    settled = [enclosure(e) for e in ends]
    pending, count = [(lower, upper)], 0
    while pending:
        low, high = pending.pop()
        count += 1
        centre, radius = (low + high) / 2, (high - low) / 2
        local = path.local(centre, radius)
        turns_at_zero = low == 0 and path.first_order().is_zero()
        if sign_of(local.slope_over()) is not None or (turns_at_zero and sign_of(local.curvature) is not None):
            settled += [enclosure(path.change_at(low)), enclosure(path.change_at(high))]
            continue
        piece, value = enclosure(path.within_range(local.change_over())), enclosure(local.change)
        known_low, known_high = min(known_low, value.upper), max(known_high, value.lower)
        slack = max(_EXCESS * (known_high - known_low) / 2, _FLOOR)
        inside = piece.lower >= known_low - slack and piece.upper <= known_high + slack
        if inside or radius < _SMALLEST_PIECE or count > _PIECES:
            settled.append(piece)
        else:
            pending += [(low, centre), (centre, high)]
    least, most = path.attainable()
    return RationalEnclosure(max(least, min(e.lower for e in settled)), min(most, max(e.upper for e in settled)))


def certify_sign(path: EntropyPath, lower: Fraction, upper: Fraction) -> SignResult:
    """The sign of H(η) − H(0) for every η in [lower, upper] (in (0, upper] where lower = 0).

    Returns `proved` with `increases`/`decreases` and the subdivision, or `undecided` with the
    reason and, where two opposite signs are proved, the witnesses in it.  A step interval that
    holds 0 only (upper = 0) is bad input.
    """
    _check_interval(lower, upper)
    if upper <= 0:
        raise InputError("steps", f"the interval ends at {upper}", "give a step above 0")
    steps = RationalEnclosure(lower, upper)
    first = _initial_sign(path) if lower == 0 else None
    sign = sign_of(path.change_at(upper)) or first
    if sign is None:
        reason = (
            "the step is exactly 0, so the entropy does not change"
            if path.still
            else "the change at the largest step is not separated from 0"
        )
        return SignResult("undecided", "undecided", steps, (), reason=reason)
    if first in (None, sign):
        pieces, stopped, witness = _swept(path, lower, upper, sign)
        if stopped is None:
            return SignResult("proved", NAMES[sign], steps, tuple(pieces))
        reason = f"the sign is not settled just above the step {stopped}"
    else:  # small steps have the other sign
        reason = "the sign changes within the steps"
        halves = (upper / 2**k for k in range(1, 200))
        witness = next((eta for eta in halves if first * path.change_at(eta) > 0), None)
    if witness is not None:
        reason = f"the entropy {NAMES[sign]} at {upper} and provably {NAMES[-sign]} at {witness}"
    return SignResult("undecided", "undecided", steps, (), witness, reason)


def largest_step(path: EntropyPath, limit: Fraction, resolution: Fraction = Fraction(1, 2**20)) -> PersistenceResult:
    """The sign of small steps and the largest η_max <= limit with that sign on all of (0, η_max].

    η_max is within a relative `resolution` of the place where the proof stops; `reversed_at`, when
    not None, is a step at which the opposite sign is proved, so that η_max is sharp to that gap.
    """
    if limit <= 0:
        raise InputError("eta limit", f"{limit}", "give a positive limit")
    sign = _initial_sign(path)
    if sign is None:
        return PersistenceResult(
            "undecided", None, None, False, (), "the sign of arbitrarily small steps is not settled"
        )
    pieces, stopped, witness = _swept(path, Fraction(0), limit, sign, resolution)
    if stopped is None:
        return PersistenceResult(
            NAMES[sign], limit, None, True, tuple(pieces), forever=sign < 0 and falls_beyond(path, limit)
        )
    return PersistenceResult(
        NAMES[sign], stopped or None, witness, False, tuple(pieces), "" if stopped else "no positive step was proved"
    )


def _check_interval(lower: Fraction, upper: Fraction) -> None:
    if lower < 0:
        raise InputError("steps", f"a step of {lower}", "step sizes are at least 0; negate the advantages instead")
    if lower > upper:
        raise InputError("steps", f"{lower}:{upper} is empty", "write the smaller step first")


def _initial_sign(path: EntropyPath) -> int | None:
    first = sign_of(path.first_order())
    if first in (1, -1):
        return first
    return sign_of(path.local(Fraction(0), Fraction(0)).curvature) or None if first == 0 else None


def _settles(local: LocalChange, low: Fraction, before: arb, sign: int) -> str | None:
    """The rule by which `local` proves the sign on (low, high], given the change at `low`."""
    if sign * local.slope_over() > 0 and (low == 0 or sign * before > 0):
        return "slope"
    return "value" if sign * local.change_over() > 0 else None


def _second_order(path: EntropyPath, high: Fraction, sign: int) -> bool:
    if not path.first_order().is_zero():
        return False
    return bool(sign * path.local(high / 2, high / 2).curvature > 0)


def _swept(
    path: EntropyPath, lower: Fraction, upper: Fraction, sign: int, resolution: Fraction = Fraction(1, 2**20)
) -> tuple[list[Piece], Fraction | None, Fraction | None]:
    """`_sweep`, and where it stops short of `upper` the lemma of `tail` for all that is left."""
    pieces, stopped, witness = _sweep(path, lower, upper, sign, resolution)
    if stopped and sign < 0 and witness is None and falls_beyond(path, stopped):
        return [*pieces, Piece(stopped, upper, "tail")], None, None
    return pieces, stopped, witness


def _sweep(
    path: EntropyPath, lower: Fraction, upper: Fraction, sign: int, resolution: Fraction = Fraction(1, 2**20)
) -> tuple[list[Piece], Fraction | None, Fraction | None]:
    """Pieces from `lower` upwards on which the sign is proved, where the sweep stopped (None: at
    `upper`), and a step just above it with the opposite sign, if one is proved."""
    pieces: list[Piece] = []
    position, width = lower, upper - lower
    if width == 0:
        return [Piece(lower, upper, "value")], None, None
    before = path.change_at(lower)
    while position < upper and len(pieces) < _PIECES:
        high = min(upper, position + width)
        local = path.local((position + high) / 2, (high - position) / 2)
        rule = _settles(local, position, before, sign)
        if rule is None and position == 0 and _second_order(path, high, sign):
            rule = "second"
        if rule is not None:
            pieces.append(Piece(position, high, rule))
            position, before = high, path.change_at(high)
            width *= 2
            continue
        width = (high - position) / 2
        smallest = resolution * position if position else _SMALLEST_FIRST * min(upper, 1)
        if width < smallest:
            return pieces, position, _reversal(path, position, 2 * width, upper, sign)
    return pieces, (None if position >= upper else position), None


def _reversal(path: EntropyPath, position: Fraction, gap: Fraction, upper: Fraction, sign: int) -> Fraction | None:
    """A step a little above `position` at which the opposite sign is proved, if one is met."""
    beyond = position + gap
    while beyond <= upper:
        if sign * path.change_at(beyond) < 0:
            return beyond
        gap *= 4
        beyond = position + gap
    return None
