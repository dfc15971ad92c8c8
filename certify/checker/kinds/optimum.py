"""Enclosures of the unique stationary policy, or of the branch that continues it, at one temperature or along an
interval of them (format, section 8).

Verified: the embedded threshold; a Krawczyk step for every piece; that the pieces of a branch
belong together; every enclosure, recomputed; the rate; ties by symmetry; the greedy return, exactly.
"""

from fractions import Fraction
from functools import cached_property
from typing import Any

from certify.checker.kinds.step_size import step_at
from certify.checker.kinds.threshold import check_threshold
from certify.checker.numbers.interval import ONE, ZERO, Interval
from certify.checker.reading.automorphism import read_generators
from certify.checker.reading.envelope import (
    Failed,
    Malformed,
    array,
    boolean,
    envelope,
    integer,
    pair,
    rational,
    record,
)
from certify.checker.reading.game import game_of
from certify.checker.reading.process import Process, build_process
from certify.checker.stationary.equations import rows_of
from certify.checker.stationary.equivariance import orbits
from certify.checker.stationary.facts import Enclosed, Subject, check_within, same
from certify.checker.stationary.rate import check_size, is_definite, rows_in
from certify.checker.verdict import Proof, Run

_SHARED = ("format", "version", "game", "game_sha256", "objective")  # with the threshold inside
ENCLOSURES = {"value": "J", "return": "return", "entropy": "entropy"}
_UNIQUE = "the one stationary policy"
_BRANCH = "the stationary policy on the branch that continues the unique one without degenerating"
MAX_PIECES = 20_000
MAX_UNIFORM = 2_000_000  # probabilities times rewards, where the uniform policy is shown to be stationary


def check_optimum(certificate: Any, run: Run) -> Proof:
    """The `Proof` of a certificate of kind "optimum"; raises `Failed` or `Malformed`."""
    return _Optimum(certificate, run).proof()


class Branch:
    """A branch of stationary policies that begins at the unique one, and what is enclosed of it: what kinds about it
    share.  `claim` and `proof` name the fields of a certificate's two parts."""

    unique = False

    def __init__(self, certificate: Any, run: Run, claim: tuple[str, ...], proof: tuple[str, ...]) -> None:
        envelope(certificate, ("objective", "game", "game_sha256", "claim", "proof"))
        self.certificate, self.run = certificate, run
        self.claim = record(certificate["claim"], "claim", claim)
        self.given = record(certificate["proof"], "proof", ("unit_bits", "threshold", "pieces", "generators", *proof))

    def begun(self) -> int:
        """The game, the threshold, the pieces and the generators; the number of steps."""
        self.game = game_of(self.certificate)
        steps, self.alpha_star = self._threshold()
        self.subject = Subject(self.game, True, self.given["unit_bits"], "proof")
        self.pieces = self._pieces(self.alpha_star)
        self.points, self.generators = read_generators(self.game, self.given["generators"], "proof.generators")
        return steps + len(self.pieces)

    def _threshold(self) -> tuple[int, Fraction]:
        """The steps and alpha* of the embedded threshold, once that is verified."""
        part = self.given["threshold"]
        if not isinstance(part, dict) or any(key in part for key in (*_SHARED, "kind")):
            what = f"not the rest of a threshold certificate, without {', '.join(_SHARED)}, kind"
            raise Malformed("proof.threshold", what)
        whole = {**{key: self.certificate[key] for key in _SHARED}, "kind": "threshold", **part}
        try:
            steps = check_threshold(whole, self.run).steps
        except Failed as failure:
            raise Failed(f"the threshold does not verify: {failure.as_dict()}", step="threshold") from None
        self.ascent = part["claim"].get("ascent")
        return steps, rational(part["claim"]["alpha_star"], "proof.threshold.claim.alpha_star")

    def _pieces(self, alpha_star: Fraction) -> list[Enclosed]:
        """Every piece holds one nondegenerate stationary policy at each of its betas: of the unique
        one's branch.  That begins where the policy is unique, and goes on from piece to piece."""
        entries = array(self.given["pieces"], "proof.pieces")
        if len(entries) > MAX_PIECES:
            raise Malformed("proof.pieces", f"more than {MAX_PIECES} pieces")
        found: list[Enclosed] = []
        for k, data in enumerate(entries):
            where = f"proof.pieces[{k}]"
            plain = isinstance(data, dict) and "uniform" in data
            record(data, where, ("beta", "uniform") if plain else ("beta", "reference", "centre", "radius", "inverse"))
            low, high = pair(data["beta"], f"{where}.beta")
            if not 0 <= low <= high:
                raise Malformed(f"{where}.beta", "not two betas, the smaller first")
            box = {key: value for key, value in data.items() if key != "beta"}
            if plain:
                piece = self._uniform(data["uniform"], (low, high), where, step="piece", piece=k)
            else:
                piece = self.subject.enclosed(box, (low, high), where, step="piece", piece=k)
            if self.unique and high * alpha_star > 1:
                raise Failed(f"it reaches below the threshold {alpha_star}", step="piece", piece=k)
            if not self.unique and k == 0 and low * alpha_star > 1:
                raise Failed("the branch does not begin where the policy is unique", step="piece", piece=k)
            if not self.unique and k > 0 and not same(found[-1], piece):
                why = "it is not shown to hold the same policy as the piece before it, at a beta that they share"
                raise Failed(why, step="piece", piece=k)
            found.append(piece)
            self.run.tell(f"piece {k + 1} of {len(entries)}")
        return found

    def _uniform(self, given: Any, betas: tuple[Fraction, Fraction], where: str, **failing: Any) -> Enclosed:
        """The fact that the uniform policy is stationary at every beta: no action of any row changes the return, and
        none the entropies that follow, all of which are the largest (format, section 8.2)."""
        process = self.subject.process
        if given is not True:
            raise Malformed(f"{where}.uniform", "not true")
        if not self.unique:
            raise Failed("the branch is followed by boxes, not by the uniform policy", **failing)
        if any(odds != 1 for depth in process.odds for agent in depth for row in agent for odds in row):
            raise Failed("the uniform policy is no reference here", **failing)
        counts = [process.actions[t][i] for i, t, _ in self.subject.rows]
        if sum(counts) * sum(len(row) for depth in process.reward for row in depth) > MAX_UNIFORM:
            raise Failed("the game is too large to show that the uniform policy is stationary", **failing)
        table = [[Fraction(1, count)] * count for count in counts]
        for x, count in enumerate(counts):
            deviations = ([Fraction(int(a == b)) for b in range(count)] for a in range(count))
            if len({exact_return(process, [*table[:x], row, *table[x + 1 :]]) for row in deviations}) > 1:
                raise Failed(f"the uniform policy is not stationary: the actions of row {x} differ", **failing)
        return Enclosed(*betas, None, [[ZERO] * count for count in counts])

    def enclosure(self, data: Any, where: str, ends: tuple[Fraction, Fraction], **failing: Any) -> Enclosed:
        """The piece that `data` is about, once what it says of the temperatures between the `ends` is verified."""
        low, high = ends
        last = self.pieces[integer(data["piece"], f"{where}.piece", 0, len(self.pieces) - 1)]
        if not (0 < low <= high and last.low * high <= 1 <= last.high * low):
            raise Failed("the temperatures are not those of the piece", **failing)
        table = array(data["policy"], f"{where}.policy", len(self.subject.rows))
        for x, (row, claimed) in enumerate(zip(self.subject.gathered(last.policy[0]), table, strict=True)):
            for p, entry in zip(row, array(claimed, f"{where}.policy[{x}]", len(row)), strict=True):
                what = f"probability in row {x}"
                check_within((p, Fraction(1)), entry, what, f"{where}.policy[{x}]", **failing)
        values = self.subject.values(last.policy, low, high)
        for name, quantity in ENCLOSURES.items():
            check_within(values[quantity], data[name], name, f"{where}.{name}", **failing)
        return last

    @cached_property
    def orbit(self) -> dict[Any, Any]:
        """Entries that the generators exchange (equivariance)."""
        return orbits(self.subject.process, self.game, self.points, self.generators)

    def greedy(self, claim: Any, at: str, last: Enclosed) -> None:
        """The most probable actions of every row, and their return."""
        record(claim, at, ("rows", "return"))
        policy = self.subject.gathered(last.policy[0])
        table, decided = [], True
        for x, data in enumerate(array(claim["rows"], f"{at}.rows", len(self.subject.rows))):
            where = f"{at}.rows[{x}]"
            record(data, where, ("actions", "tied", "gap"))
            row = policy[x]
            best = [integer(a, where, 0, len(row) - 1) for a in array(data["actions"], where)]
            if not best or best != sorted(set(best)):
                raise Malformed(where, "not ascending actions")
            legal = [a for a, named in enumerate(self.subject.meant[x]) if named == a]
            if not set(best) <= set(legal):
                raise Failed("an illegal action", step="greedy", row=x)
            tied = boolean(data["tied"], f"{where}.tied")
            _check_gap({a: row[a] for a in legal}, best, data["gap"], x, where)
            if tied and len({self.orbit[x, a] for a in best}) > 1:
                raise Failed("no symmetry shows that the actions are tied", step="greedy", row=x)
            decided = decided and (tied or len(best) == 1)
            table.append([Fraction(int(a in best), len(best)) for a in range(len(row))])
        if claim["return"] is not None:
            if not decided:
                raise Failed("a return where ties are undecided", step="greedy")
            if rational(claim["return"], f"{at}.return") != exact_return(self.subject.process, table):
                raise Failed("it is not the return of the greedy policy", step="greedy")


class _Optimum(Branch):
    def __init__(self, certificate: Any, run: Run) -> None:
        super().__init__(certificate, run, ("alpha", "branch", "pieces", "rate", "greedy"), ())
        self.low, self.high = pair(self.claim["alpha"], "claim.alpha")
        if not 0 < self.low <= self.high:
            raise Malformed("claim.alpha", "not two positive temperatures, the smaller first")
        if self.claim["branch"] not in ("unique", "principal"):
            raise Malformed("claim.branch", 'neither "unique" nor "principal"')
        self.unique = self.claim["branch"] == "unique"

    def proof(self) -> Proof:
        """Verifies everything in order."""
        steps = self.begun()
        last = self._enclosures()
        steps += len(self.claim["pieces"])
        at = f"alpha = {self.low}" if self.low == self.high else f"every alpha in [{self.low}, {self.high}]"
        which, part = _UNIQUE if self.unique else _BRANCH, self.given["threshold"]
        if self.unique and "original" in part:  # verified with the threshold
            which += f", at lambda = 1/alpha the one logit QRE of the original game (sha256 {part['original_sha256']}),"
        text = f"at {at}, {which} lies in the boxes given"
        for what in ("rate", "greedy"):
            if self.claim[what] is not None and (self.low < self.high or len(self.claim["pieces"]) != 1):
                raise Malformed(f"claim.{what}", "given for an interval of temperatures")
        if self.claim["greedy"] is not None:
            self.greedy(self.claim["greedy"], "claim.greedy", last)
            steps += 1
        if self.claim["rate"] is not None:
            rate = self._rate(last)
            flow = "softmax flow" if self.game.flows_back else "plain flow of the local bonus, once near,"
            text += f", and the {flow} approaches it at an exponential rate of at least {rate}"
            if self.ascent is not None:
                step = step_at(self.ascent, self.alpha_star, self.low)
                text += f"; a step {step} of gradient ascent by a factor of {1 - step * rate}, up to any larger one"
            steps += 1
        return Proof((text,), steps, self.game)

    def _enclosures(self) -> Enclosed:
        """Everything claimed of the policies lies in its enclosure; returns the piece of the last one."""
        reached = self.low
        last = None
        for k, data in enumerate(array(self.claim["pieces"], "claim.pieces")):
            where, failing = f"claim.pieces[{k}]", {"step": "enclosure", "piece": k}
            record(data, where, ("alpha", "piece", "policy", *ENCLOSURES))
            low, high = pair(data["alpha"], f"{where}.alpha")
            if low > reached:
                raise Failed(f"no enclosure between {reached} and {low}", **failing)
            reached = max(reached, high)
            last = self.enclosure(data, where, (low, high), **failing)
        if last is None or reached < self.high:
            raise Failed(f"no enclosure beyond {reached}", step="enclosure")
        return last

    def _rate(self, last: Enclosed) -> Fraction:
        """The rate of the softmax flow on the whole table of the game, AOH by AOH."""
        rate = rational(self.claim["rate"], "claim.rate")
        if rate <= 0:
            raise Failed("not positive", step="rate")
        check_size(self.subject.process)
        process = build_process(self.game, clustering=False)
        rows = rows_in(process, self.subject.process)
        pi, minus_log = ([part[x] for x in rows] for part in last.policy)
        if not is_definite(process, (pi, minus_log), 1 / self.low, rate):
            raise Failed(f"the eigenvalues of minus the Hessian are not shown to be at least {rate}", step="rate")
        return rate


def _check_gap(row: dict[int, Interval], best: list[int], gap: Any, x: int, where: str) -> None:
    """Every other legal action is less probable than each of the best, by at least the gap."""
    others = [p.hi for a, p in row.items() if a not in best]
    if not others:
        if gap is not None:
            raise Malformed(f"{where}.gap", "a gap where all actions are tied")
        return
    least = Fraction(min(row[a].lo for a in best) - max(others), ONE)
    if not 0 < rational(gap, f"{where}.gap") <= least:
        raise Failed("the gap to the next action is not shown", step="greedy", row=x)


def exact_return(process: Process, table: list[list[Fraction]]) -> Fraction:
    """The expected discounted return of exact policies (per row and action), a `Fraction`."""
    row = {name: x for x, name in enumerate(rows_of(process))}
    later: list[Fraction] = []
    for t in reversed(range(process.horizon)):
        values = []
        for e, classes in enumerate(process.joint[t]):
            pi = [table[row[i, t, k]] for i, k in enumerate(classes)]
            value = Fraction(0)
            for number, a in enumerate(process.joint_actions[t]):
                weight = Fraction(1)
                for p, action in zip(pi, a, strict=True):
                    weight *= p[action]
                if weight:
                    following = process.following[t][e][number] if later else ()
                    after = sum((p * later[to] for to, p in following), Fraction(0))
                    value += weight * (process.reward[t][e][number] + process.discount * after)
            values.append(value)
        later = values
    return sum((p * v for p, v in zip(process.start, later, strict=True)), Fraction(0))
