"""Verifies boxes of log-ratios that hold exactly one stationary policy, by a Krawczyk step in whole
numbers on the process (format, sections 7.2 and 8.2; docs/theory/objective.md#stationary-policies,
docs/theory/continuation.md#krawczyk-boxes).

With z_{x,a} = log pi(a|x) - log pi(r|x), r the reference action of the row x, a policy is stationary
exactly if G(z)_{x,a} = z_{x,a} - (Q(x,a) - Q(x,r)) / w_i vanishes, Q in the beta-form (1).  If
m - Y G(m) + (I - Y DG(Z)) (Z - m) lies in the interior of the box Z around m, Z holds exactly one zero
of G, and it is nondegenerate.  G is affine in beta: what holds at both ends of an interval of
betas holds between them.

Among the policies that some symmetries fix, log-ratios are equal on *groups* of coordinates, and so are the entries of
G: the same step with one unknown and one equation a group is about these policies (docs/certificate-annealing.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from certify.checker.numbers.interval import BITS, Interval, Unbounded, total
from certify.checker.reading.envelope import MAX_INTEGER, Failed, array, integer, record
from certify.checker.reading.process import Process
from certify.checker.stationary.equations import Equations, policy_over, rows_of

Rows = list[list[Interval]]  # per row of the process and action
Entry = tuple[int, int]  # row and action
Groups = list[list[Entry]]  # of log-ratios that are equal

INVERSE_BITS = 48  # entries of an approximate inverse are multiples of 2^-48
MAX_COORDINATES = 600
MAX_RATIO = 1000  # of a log-ratio


@dataclass(frozen=True)
class RatioBox:
    """|z - centre| <= radius; one entry per row of the process and action, in units of 2^-unit_bits."""

    reference: tuple[int, ...]  # per row the action whose entries (centre and radius) are 0
    centre: tuple[tuple[int, ...], ...]
    radius: tuple[tuple[int, ...], ...]
    unit_bits: int

    def intervals(self, spread: int = 1) -> Rows:
        """Per row and action the `Interval` of z; `spread` 0 gives the centre."""
        shift = BITS - self.unit_bits
        return [
            [Interval((m - spread * r) << shift, (m + spread * r) << shift) for m, r in zip(*row, strict=True)]
            for row in zip(self.centre, self.radius, strict=True)
        ]


def read_box(
    data: Any, process: Process, unit_bits: int, where: str, orbit: dict[Entry, Entry] | None = None
) -> tuple[RatioBox, list[list[int]], Groups]:
    """(`RatioBox`, inverse, groups) of {"reference", "centre", "radius", "inverse"}: whole numbers; with `orbit` about
    the policies that are equal on orbits of entries."""
    record(data, where, ("reference", "centre", "radius", "inverse"))
    rows = rows_of(process)
    tables = {name: array(data[name], f"{where}.{name}", len(rows)) for name in ("reference", "centre", "radius")}
    largest = MAX_RATIO << unit_bits
    reference: list[int] = []
    centre: list[tuple[int, ...]] = []
    radius: list[tuple[int, ...]] = []
    for x, (i, t, _) in enumerate(rows):
        count = process.actions[t][i]
        r = integer(tables["reference"][x], f"{where}.reference[{x}]", 0, count - 1)
        reference.append(r)
        for name, found, least in (("centre", centre, -largest), ("radius", radius, 1)):
            at = f"{where}.{name}[{x}]"
            row = [integer(m, at, least, largest) for m in array(tables[name][x], at, count - 1)]
            found.append((*row[:r], 0, *row[r:]))
    box = RatioBox(tuple(reference), tuple(centre), tuple(radius), unit_bits)
    groups = _coordinates(box) if orbit is None else _groups(box, orbit, where)
    size = len(groups)
    if size > MAX_COORDINATES:
        raise Failed(f"{size} log-ratios, more than the {MAX_COORDINATES} of this checker", part=where)
    inverse = [
        [integer(x, f"{where}.inverse", -MAX_INTEGER, MAX_INTEGER) for x in array(row, f"{where}.inverse", size)]
        for row in array(data["inverse"], f"{where}.inverse", size)
    ]
    return box, inverse, groups


def _coordinates(box: RatioBox) -> Groups:
    """Every log-ratio by itself."""
    return [[(x, a)] for x, row in enumerate(box.centre) for a in range(len(row)) if a != box.reference[x]]


def _groups(box: RatioBox, orbit: dict[Entry, Entry], where: str) -> Groups:
    """The log-ratios that are not 0 in every policy that is equal on orbits, by the orbit of their entry."""
    found: dict[Entry, list[Entry]] = {}
    fixed = {orbit[x, r] for x, r in enumerate(box.reference)}
    for [(x, a)] in _coordinates(box):
        key, own = orbit[x, a], orbit[x, box.reference[x]]
        if key in fixed and key != own:
            raise Failed(
                "the reference actions of rows that a symmetry exchanges are not exchanged", step="symmetric piece"
            )
        if key != own:
            found.setdefault(key, []).append((x, a))
        elif box.centre[x][a]:
            raise Failed("two actions in one orbit have different centres", step="symmetric piece")
    for group in found.values():
        if len({(box.centre[x][a], box.radius[x][a]) for x, a in group}) > 1:
            raise Failed("two entries in one orbit have different centres or radii", step="symmetric piece")
    return list(found.values())


def verify_krawczyk(
    process: Process, betas: Iterable[Fraction], box: RatioBox, inverse: list[list[int]], groups: Groups
) -> Rows:
    """Intervals (per row and action) around every log-ratio of the one stationary policy in `box`, among those that are
    equal on groups, for every beta from the smallest to the largest of `betas`; `Failed` where that is not shown."""
    try:
        images = [_image(process, beta, box, inverse, groups) for beta in dict.fromkeys(betas)]
    except Unbounded as error:
        raise Failed(f"the equations have no bounds on the box ({error})") from None
    result = [[Interval(0, 0)] * len(row) for row in box.centre]
    for k, group in enumerate(groups):
        lowest, highest = min(image[k].lo for image in images), max(image[k].hi for image in images)
        for x, a in group:
            result[x][a] = Interval(lowest, highest)
    return result


def _image(process: Process, beta: Fraction, box: RatioBox, inverse: list[list[int]], groups: Groups) -> list[Interval]:
    """The Krawczyk image at one beta, once it lies in the interior of the box."""
    shift = BITS - box.unit_bits
    at_centre, _ = Equations(process, box.reference, policy_over(box.intervals(0)), beta, slopes=False).stationarity()
    wide = Equations(process, box.reference, policy_over(box.intervals()), beta)
    _, jacobian = wide.stationarity()
    first = [group[0] for group in groups]
    middle = [box.centre[x][a] << shift for x, a in first]
    residual = [Interval(m, m) - at_centre[x, a] for m, (x, a) in zip(middle, first, strict=True)]
    radius = [box.radius[x][a] << shift for x, a in first]
    # I - Y DG: columns of DG as twice their middle and twice their radius
    rows = [jacobian[wide.number[entry]] for entry in first]
    columns = [[total(row[wide.number[entry]] for entry in group) for row in rows] for group in groups]
    middles = [[entry.lo + entry.hi for entry in column] for column in columns]
    spreads = [[entry.hi - entry.lo for entry in column] for column in columns]
    result = []
    for k, row in enumerate(inverse):
        sizes = [abs(y) for y in row]
        moved = 0
        for l, rho in enumerate(radius):
            centre = ((2 << BITS + INVERSE_BITS) if k == l else 0) - sum(map(int.__mul__, row, middles[l]))
            moved += (abs(centre) + sum(map(int.__mul__, sizes, spreads[l]))) * rho
        moved = -(-moved >> BITS + INVERSE_BITS + 1)
        low = sum(min(y * g.lo, y * g.hi) for y, g in zip(row, residual, strict=True))
        high = sum(max(y * g.lo, y * g.hi) for y, g in zip(row, residual, strict=True))
        image = Interval(middle[k] - -(-high >> INVERSE_BITS) - moved, middle[k] - (low >> INVERSE_BITS) + moved)
        if not (middle[k] - radius[k] < image.lo and image.hi < middle[k] + radius[k]):
            raise Failed(f"the Krawczyk image leaves the box at coordinate {k}, beta = {beta}")
        result.append(image)
    return result


def lies_within(image: Rows, box: RatioBox) -> bool:
    """Whether every policy with log-ratios in `image` lies in `box`, whose reference actions may be others."""
    for row, r, known in zip(image, box.reference, box.intervals(), strict=True):
        for a, allowed in enumerate(known):
            difference = row[a] - row[r]
            if a != r and not (allowed.lo <= difference.lo and difference.hi <= allowed.hi):
                return False
    return True
