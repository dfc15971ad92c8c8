"""The branch of stationary policies that begins at the unique one, as the temperature falls, and where it first
ceases to be a nondegenerate maximum (docs/certificate-annealing.md, docs/theory/annealing.md#it-stays-a-maximum).

Verified: the threshold; the pieces, which hold nondegenerate policies, so that the unique one, a global maximum where
they begin, stays a nondegenerate maximum as far as they reach; what is said at single temperatures.  Below, for
symmetry breaking: a chain of boxes for symmetric policies goes on to a lower temperature, at which J rises along
directions that generators move.
"""

from fractions import Fraction
from typing import Any

from certify.checker.kinds.optimum import ENCLOSURES, MAX_PIECES, Branch
from certify.checker.reading.envelope import MAX_INTEGER, Failed, Malformed, array, integer, pair, rational, record
from certify.checker.stationary.equivariance import entry_images
from certify.checker.stationary.facts import Enclosed, leads_uphill, same
from certify.checker.stationary.rate import tangent_form
from certify.checker.verdict import Proof, Run

_BOX = ("beta", "reference", "centre", "radius", "inverse")
_KINDS = ("symmetry-breaking", "none-down-to")


def check_anneal(certificate: Any, run: Run) -> Proof:
    """The `Proof` of a certificate of kind "anneal"; raises `Failed` or `Malformed`."""
    return _Anneal(certificate, run).proof()


class _Anneal(Branch):
    def __init__(self, certificate: Any, run: Run) -> None:
        super().__init__(certificate, run, ("critical", "stations"), ("beyond",))
        critical = record(self.claim["critical"], "claim.critical", ("alpha", "kind", "broken"))
        self.low, self.high = pair(critical["alpha"], "claim.critical.alpha")
        self.kind, self.broken = critical["kind"], array(critical["broken"], "claim.critical.broken")
        if self.kind not in _KINDS:
            raise Malformed("claim.critical.kind", f"none of {', '.join(_KINDS)}")
        down = self.kind == "none-down-to"
        if not 0 < self.low <= self.high or (self.low == self.high) != down:
            raise Malformed("claim.critical.alpha", "not the ends of a bracket of that kind")
        if down != (not self.broken) or down != (self.given["beyond"] is None):
            raise Malformed("claim.critical.broken", "given for another kind, or missing")

    def proof(self) -> Proof:
        """Verifies everything in order."""
        steps = self.begun()
        if not self.game.flows_back:
            raise Failed("the local bonus has no J", step="objective")
        if not self.pieces or self.pieces[-1].high * self.high < 1:
            raise Failed(f"the pieces do not reach alpha = {self.high}", step="piece")
        for k, data in enumerate(array(self.claim["stations"], "claim.stations")):
            self._station(data, f"claim.stations[{k}]", k)
            steps += 1
        stays = (
            f"the stationary policy that is unique for every alpha >= {self.alpha_star} continues as a nondegenerate "
            f"maximum of J down to alpha = {self.high}"
        )
        ends: tuple[str, ...] = ()
        if self.kind == "symmetry-breaking":
            steps += self._breaking()
            moved = ", ".join(map(str, self.broken))
            ends = (
                f"between there and alpha = {self.low} it ceases to be one: at {self.low} J rises from it along "
                f"directions that generators move (number {moved} of {len(self.generators)}, from 0) and along none "
                "that all of them fix",
            )
        return Proof((stays, *ends), steps, self.game)

    def _station(self, data: Any, where: str, k: int) -> None:
        """What is said of the policy at one temperature."""
        record(data, where, ("alpha", "piece", "policy", "greedy", *ENCLOSURES))
        alpha = rational(data["alpha"], f"{where}.alpha")
        if alpha < self.high:
            raise Failed("a temperature below those that the pieces reach", step="station", station=k)
        found = self.enclosure(data, where, (alpha, alpha), step="station", station=k)
        if data["greedy"] is not None:
            self.greedy(data["greedy"], f"{where}.greedy", found)

    def _breaking(self) -> int:
        """The branch among policies that all generators fix, down to `low`, and directions uphill there."""
        beyond = record(self.given["beyond"], "proof.beyond", ("pieces", "directions"))
        if any(meant != tuple(range(len(meant))) for meant in self.subject.meant):
            raise Failed("symmetric boxes are not read where an action is illegal", step="symmetric piece")
        last = self.pieces[-1]
        entries = array(beyond["pieces"], "proof.beyond.pieces")
        if len(entries) > MAX_PIECES:
            raise Malformed("proof.beyond.pieces", f"more than {MAX_PIECES} pieces")
        for k, data in enumerate(entries):
            where = f"proof.beyond.pieces[{k}]"
            record(data, where, _BOX)
            betas = pair(data["beta"], f"{where}.beta")
            if not 0 <= betas[0] <= betas[1]:
                raise Malformed(f"{where}.beta", "not two betas, the smaller first")
            box = {name: data[name] for name in _BOX[1:]}
            piece = self.subject.enclosed(box, betas, where, self.orbit, step="symmetric piece", piece=k)
            if not same(last, piece):
                raise Failed("it is not shown to go on from the piece before it", step="symmetric piece", piece=k)
            last = piece
        if not last.low == last.high == 1 / self.low:
            raise Failed(f"the last box is not at alpha = {self.low}", step="symmetric piece")
        numbers = [integer(g, "claim.critical.broken", 0, len(self.generators) - 1) for g in self.broken]
        if numbers != sorted(set(numbers)):
            raise Malformed("claim.critical.broken", "not ascending")
        self._uphill(numbers, array(beyond["directions"], "proof.beyond.directions", len(numbers)), last)
        return len(entries) + len(numbers)

    def _uphill(self, numbers: list[int], directions: list[Any], last: Enclosed) -> None:
        """For each generator g a direction u - g u along which J rises at `low`."""
        process = self.subject.process
        form = tangent_form(process, last.policy, 1 / self.low, Fraction(0))
        widths = [len(row) - 1 for row in last.image]
        for k, (number, given) in enumerate(zip(numbers, directions, strict=True)):
            where = f"proof.beyond.directions[{k}]"
            flat = [integer(x, where, -MAX_INTEGER, MAX_INTEGER) for x in array(given, where, sum(widths))]
            rows, start = [], 0
            for width in widths:
                rows.append([*flat[start : start + width], -sum(flat[start : start + width])])
                start += width
            moved = [list(row) for row in rows]
            for (x, a), (y, b) in entry_images(process, self.game, self.points, self.generators[number]):
                moved[y][b] -= rows[x][a]
            if not leads_uphill(form, [value for row in moved for value in row[:-1]]):
                raise Failed(
                    "J is not shown to rise along a direction that the generator moves", step="direction", of=k
                )
