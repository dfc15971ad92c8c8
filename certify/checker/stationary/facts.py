"""Facts about stationary policies, each verified when it is established; the kinds draw conclusions from them
(format, sections 7 to 9).

*krawczyk*: a box holds exactly one (`Subject.enclosed`).  *same*, *different*: two enclosures hold one policy,
or two (`same`, `differ`).  *image*: a symmetry maps one to the other (`Subject.carries`).  *definite*: it is a
strict maximum, or a saddle (`Subject.check_maximum`, `Subject.check_saddle`).  *value*: return, entropy and J
lie in what a certificate encloses them by (`Subject.values`, `check_within`).
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from certify.checker.numbers.interval import ONE, UNIT, ZERO, Interval, log, total
from certify.checker.reading.automorphism import read_generators
from certify.checker.reading.envelope import MAX_INTEGER, Failed, array, integer, pair
from certify.checker.reading.game import Game
from certify.checker.reading.process import build_process
from certify.checker.stationary.equations import Equations, log_of, policy_over, rows_of, scaled
from certify.checker.stationary.equivariance import entry_images
from certify.checker.stationary.krawczyk import RatioBox, Rows, lies_within, read_box, verify_krawczyk
from certify.checker.stationary.rate import is_definite, tangent_form

Measured = tuple[Interval, Fraction]  # a quantity, and the unit that it is measured in


@dataclass(frozen=True)
class Enclosed:
    """At every beta of [low, high] `box` holds exactly one stationary policy; it is nondegenerate, and its
    log-ratios lie in `image`.  Without a box: the policy of `image` is stationary, and no more."""

    low: Fraction
    high: Fraction
    box: RatioBox | None
    image: Rows

    @cached_property
    def policy(self) -> tuple[Rows, Rows]:
        """(pi, -log pi) over the image."""
        return policy_over(self.image)


def same(first: Enclosed, second: Enclosed) -> bool:
    """Whether at a beta that they share the two certainly hold the same policy: one image lies in the other box, so
    that each box holds the policy of that image, and no other."""
    meet = first.low <= second.high and second.low <= first.high
    pairs = ((first.image, second.box), (second.image, first.box))
    return meet and any(box is not None and lies_within(image, box) for image, box in pairs)


def differ(first: Enclosed, second: Enclosed) -> bool:
    """Whether some log pi(a|x) - log pi(b|x) certainly differs between the two."""
    for one, other in zip(first.image, second.image, strict=True):
        for a in range(len(one)):
            for b in range(a):
                p, q = one[a] - one[b], other[a] - other[b]
                if p.hi < q.lo or q.hi < p.lo:
                    return True
    return False


class Subject:
    """What the facts are about: a game, its process, and the unit of a certificate's boxes."""

    def __init__(self, game: Game, clustering: bool, unit_bits: Any, where: str) -> None:
        self.unit_bits = integer(unit_bits, f"{where}.unit_bits", 1, 180)  # digits behind the binary point
        self.game, self.process = game, build_process(game, clustering)
        self.rows = rows_of(self.process)
        self.meant: list[tuple[int, ...]] = [self.process.meant[t][i][k] for i, t, k in self.rows]

    def gathered(self, policy: Rows) -> Rows:
        """The policy of the game: what each legal action of a row has by all its names, 0 at illegal ones."""
        found = []
        for row, meant in zip(policy, self.meant, strict=True):
            shares = [total(p for p, named in zip(row, meant, strict=True) if named == a) for a in range(len(row))]
            shares = [Interval(p.lo, min(p.hi, ONE)) for p in shares]
            found.append([UNIT if set(meant) == {a} else p for a, p in enumerate(shares)])
        return found

    def enclosed(
        self, data: Any, betas: tuple[Fraction, ...], where: str, orbit: dict[Any, Any] | None = None, **named: Any
    ) -> Enclosed:
        """The fact that a box {"reference", "centre", "radius", "inverse"} holds one policy, with `orbit` one among
        those that are equal on orbits of entries; `named`: the step that fails otherwise."""
        box, inverse, groups = read_box(data, self.process, self.unit_bits, where, orbit)
        try:
            return Enclosed(min(betas), max(betas), box, verify_krawczyk(self.process, betas, box, inverse, groups))
        except Failed as failure:
            raise Failed(failure.why, **(named or {"step": where})) from None

    def check_maximum(self, found: Enclosed, where: str) -> None:
        """`Failed` unless the policy is a strict local maximum (format, section 7.3)."""
        if not is_definite(self.process, found.policy, found.low, Fraction(0)):
            raise Failed("it is not shown to be a strict local maximum", step=where)

    def check_saddle(self, found: Enclosed, direction: Any, where: str) -> None:
        """`Failed` unless J increases along the direction (format, section 7.3)."""
        middle, spread = tangent_form(self.process, found.policy, found.low, Fraction(0))
        at = f"{where}.direction"
        u = [integer(x, at, -MAX_INTEGER, MAX_INTEGER) for x in array(direction, at, len(middle))]
        if not leads_uphill((middle, spread), u):
            raise Failed("its direction is not shown to lead uphill: not a saddle", step=where)

    def carries(self, generator: Any, first: Enclosed, second: Enclosed, where: str) -> bool:
        """Whether an automorphism certainly maps the first policy to the second."""
        points, (g,) = read_generators(self.game, [generator], where)
        moved = [[ZERO] * len(row) for row in first.image]
        for (x, a), (y, b) in entry_images(self.process, self.game, points, g):
            # the share of an action is split evenly among its names, of which there may be more at y than at x
            here, there = self.meant[x].count(a), [c for c, named in enumerate(self.meant[y]) if named == b]
            for c in there:
                moved[y][c] = first.image[x][a] + log_of(Fraction(here, len(there)))
        return second.box is not None and lies_within(moved, second.box)

    def values(self, policy: tuple[Rows, Rows], low: Fraction, high: Fraction) -> dict[str, Measured]:
        """Expected return, weighted entropy (minus KL for the objective kl), and J over the policies and the
        temperatures from `low` to `high`."""
        reference, unit = [0] * len(self.rows), self.unit
        reward = Equations(self.process, reference, policy, 1 / unit, slopes=False, entropies=False).value()
        entropy = Equations(self.process, reference, policy, Fraction(0), slopes=False, entropies=True).value()
        if self.game.kl or (not self.game.flows_back and self.game.reference):
            # -KL = entropy + what the reference pays - log of the number of actions
            for t, counts in enumerate(self.process.actions):
                for i, count in enumerate(counts):
                    full = log(Interval.of(Fraction(count)))
                    entropy = entropy - scaled(full, self.game.weights[i] * self.game.discount**t)
        value = reward + scaled(entropy, low / unit).hull(scaled(entropy, high / unit))
        return {"return": (reward, unit), "entropy": (entropy, Fraction(1)), "J": (value, unit)}

    @cached_property
    def unit(self) -> Fraction:
        """The largest payoff: what returns are measured in, so that their scale does not matter."""
        return max(abs(r) for depth in self.process.reward for row in depth for r in row) or Fraction(1)


def leads_uphill(form: tuple[list[list[int]], list[int]], u: list[int]) -> bool:
    """Whether minus the Hessian, a `tangent_form`, is certainly negative along u."""
    middle, spread = form
    along = sum(x * sum(map(int.__mul__, row, u)) for x, row in zip(u, middle, strict=True))
    return along + sum(radius * x * x for radius, x in zip(spread, u, strict=True)) < 0


def check_within(found: Measured, claimed: Any, what: str, where: str, **named: Any) -> tuple[Fraction, Fraction]:
    """The two ends claimed, which must enclose what was found; `named`: the step that fails otherwise."""
    low, high = pair(claimed, where)
    value, unit = found
    if not value.within(low / unit, high / unit):
        raise Failed(f"the {what} is not shown to lie in its enclosure", **named)
    return low, high
