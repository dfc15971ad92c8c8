"""Checks certificates of kind "optimum": enclosures of the unique stationary policy, or of the branch
that continues it, at one temperature or along an interval of them (format, section 8).

Verified: the embedded threshold; a Krawczyk step for every piece; that the pieces of a branch
belong together; every enclosure, recomputed; the rate; ties by symmetry; the greedy return, exactly.
"""

from fractions import Fraction

from certify.checker.numbers.interval import BITS
from certify.checker.reading.envelope import Failed, Malformed, array, integer, rational, record, sha256
from certify.checker.reading.game import read_game
from certify.checker.reading.process import build_process
from certify.checker.stationary.equations import Equations, policy_over, rows_of, scaled
from certify.checker.stationary.equivariance import orbits, read_generators
from certify.checker.stationary.krawczyk import lies_within, read_box, read_unit, verify_krawczyk
from certify.checker.stationary.rate import check_rate, check_size, rows_in

_FIELDS = ("format", "version", "kind", "game", "game_sha256", "objective", "claim", "proof")
_SHARED = ("format", "version", "game", "game_sha256", "objective")  # with the threshold inside
_CLAIM = ("alpha", "branch", "pieces", "rate", "greedy")
_PROOF = ("unit_bits", "threshold", "pieces", "generators")
_ENCLOSURES = ("value", "return", "entropy")
MAX_PIECES = 20_000


def check_optimum(certificate, check_threshold, progress=None):
    """(claim, steps) of a certificate that verifies; raises `Failed` or `Malformed`.

    `check_threshold(certificate)` is the verdict on a threshold certificate.
    """
    return _Check(certificate, check_threshold, progress).run()


class _Check:
    def __init__(self, certificate, check_threshold, progress):
        record(certificate, "certificate", _FIELDS, ("consequences", "search"))
        if certificate["objective"] != "visitation":
            raise Malformed("certificate.objective", 'not "visitation"')
        self.certificate, self.check_threshold, self.progress = certificate, check_threshold, progress
        self.claim = record(certificate["claim"], "claim", _CLAIM)
        self.proof = record(certificate["proof"], "proof", _PROOF)
        self.low, self.high = _pair(self.claim["alpha"], "claim.alpha")
        if not 0 < self.low <= self.high:
            raise Malformed("claim.alpha", "not two positive temperatures, the smaller first")
        if self.claim["branch"] not in ("unique", "principal"):
            raise Malformed("claim.branch", 'neither "unique" nor "principal"')
        self.unique = self.claim["branch"] == "unique"
        self.game = read_game(certificate["game"])
        self.steps = 0

    def run(self):
        if sha256(self.certificate["game"]) != self.certificate["game_sha256"]:
            raise Failed("it is not the hash of the game", step="game_sha256")
        alpha_star = self._threshold()
        self.process = build_process(self.game)
        self.rows = rows_of(self.process)
        self._pieces(alpha_star)
        self._enclosures()
        self._greedy()
        self._rate()
        return self._sentence(), self.steps

    def _threshold(self):
        """alpha* of the embedded threshold, once that is verified."""
        part = self.proof["threshold"]
        if not isinstance(part, dict) or any(key in part for key in (*_SHARED, "kind")):
            raise Malformed(
                "proof.threshold", f"not the rest of a threshold certificate, without {', '.join(_SHARED)}, kind"
            )
        verdict = self.check_threshold({**{key: self.certificate[key] for key in _SHARED}, "kind": "threshold", **part})
        if not verdict.valid:
            raise Failed(f"the threshold does not verify: {verdict.failed_step}", step="threshold")
        self.steps += verdict.steps
        return rational(part["claim"]["alpha_star"], "proof.threshold.claim.alpha_star")

    def _pieces(self, alpha_star):
        """Every piece holds one nondegenerate stationary policy at each of its betas: of the unique
        one's branch."""
        unit_bits = read_unit(self.proof["unit_bits"], "proof.unit_bits")
        self.pieces = []  # (low beta, high beta, box, image)
        for k, data in enumerate(array(self.proof["pieces"], "proof.pieces")):
            where = f"proof.pieces[{k}]"
            if k >= MAX_PIECES or not isinstance(data, dict) or "beta" not in data:
                raise Malformed(where, "not a piece with its betas, or too many of them")
            low, high = _pair(data["beta"], f"{where}.beta")
            if not 0 <= low <= high:
                raise Malformed(f"{where}.beta", "not two betas, the smaller first")
            box, inverse = read_box(
                {key: value for key, value in data.items() if key != "beta"}, self.process, unit_bits, where
            )
            try:
                image = verify_krawczyk(self.process, (low, high), box, inverse)
            except Failed as failure:
                raise Failed(failure.why, step="piece", piece=k) from None
            if self.unique and high * alpha_star > 1:
                raise Failed(f"it reaches below the threshold {alpha_star}", step="piece", piece=k)
            if not self.unique:
                self._link(k, low, high, box, image, alpha_star)
            self.pieces.append((low, high, box, image))
            self.steps += 1
            if self.progress is not None:
                self.progress(f"piece {k + 1} of {len(self.proof['pieces'])}")

    def _link(self, k, low, high, box, image, alpha_star):
        """The first piece reaches a beta at which the policy is unique; a later one shares a beta with
        the piece before it, and one of the two images lies in the other box, so that at this beta the
        two hold the same policy."""
        if not self.pieces:
            if low * alpha_star > 1:
                raise Failed("the branch does not begin where the policy is unique", step="piece", piece=k)
            return
        before_low, before_high, before_box, before_image = self.pieces[-1]
        if low > before_high or before_low > high:
            raise Failed("it shares no beta with the piece before it", step="piece", piece=k)
        if not (lies_within(before_image, box) or lies_within(image, before_box)):
            raise Failed("it is not shown to hold the same policy as the piece before it", step="piece", piece=k)

    def _enclosures(self):
        reached = self.low
        for k, data in enumerate(array(self.claim["pieces"], "claim.pieces")):
            where = f"claim.pieces[{k}]"
            record(data, where, ("alpha", "piece", "policy", *_ENCLOSURES))
            low, high = _pair(data["alpha"], f"{where}.alpha")
            number = integer(data["piece"], f"{where}.piece", 0, len(self.pieces) - 1)
            beta_low, beta_high, _, image = self.pieces[number]
            if not (0 < low <= high and beta_low * high <= 1 <= beta_high * low):
                raise Failed("the temperatures are not those of the piece", step="enclosure", piece=k)
            if low > reached:
                raise Failed(f"no enclosure between {reached} and {low}", step="enclosure", piece=k)
            reached = max(reached, high)
            policy = policy_over(image)
            self._policy(data["policy"], policy[0], where)
            for name, found in zip(_ENCLOSURES, self._values(policy, low, high)):
                if not found.within(*_pair(data[name], f"{where}.{name}")):
                    raise Failed(f"the {name} is not shown to lie in its enclosure", step="enclosure", piece=k)
            self.policy = policy
            self.steps += 1
        if not self.claim["pieces"] or reached < self.high:
            raise Failed(f"no enclosure beyond {reached}", step="enclosure")

    def _policy(self, data, found, where):
        table = array(data, f"{where}.policy", len(self.rows))
        for x, row in enumerate(found):
            for a, (entry, p) in enumerate(zip(array(table[x], f"{where}.policy[{x}]", len(row)), row)):
                if not p.within(*_pair(entry, f"{where}.policy[{x}][{a}]")):
                    raise Failed(
                        f"row {x}, action {a}: the probability is not shown to lie in its enclosure",
                        step="enclosure",
                        where=where,
                    )

    def _values(self, policy, low, high):
        """J_alpha, return and entropy over the policies and temperatures."""
        reference = [0] * len(self.rows)
        reward = Equations(self.process, reference, policy, Fraction(1), slopes=False, entropies=False).value()
        entropy = Equations(self.process, reference, policy, Fraction(0), slopes=False).value()
        bonus = [scaled(entropy, alpha) for alpha in (low, high)]
        return reward + bonus[0].hull(bonus[1]), reward, entropy

    def _point(self, what):
        if self.low != self.high or len(self.claim["pieces"]) != 1:
            raise Malformed(f"claim.{what}", "given for an interval of temperatures")

    def _greedy(self):
        claim = self.claim["greedy"]
        generators = read_generators(self.proof["generators"], self.certificate["game"], "proof.generators")
        if claim is None:
            return
        self._point("greedy")
        record(claim, "claim.greedy", ("rows", "return"))
        orbit = orbits(self.process, self.game, generators) if generators else None
        table, decided = [], True
        for x, data in enumerate(array(claim["rows"], "claim.greedy.rows", len(self.rows))):
            where = f"claim.greedy.rows[{x}]"
            record(data, where, ("actions", "tied", "gap"))
            row = self.policy[0][x]
            best = [integer(a, where, 0, len(row) - 1) for a in array(data["actions"], where)]
            if not best or best != sorted(set(best)) or not isinstance(data["tied"], bool):
                raise Malformed(where, "not ascending actions and whether they are tied")
            self._gap(row, best, data["gap"], x, where)
            if data["tied"] and (orbit is None or len({orbit[x][a] for a in best}) > 1) and len(best) > 1:
                raise Failed("no symmetry shows that the actions are tied", step="greedy", row=x)
            decided = decided and (data["tied"] or len(best) == 1)
            table.append([Fraction(int(a in best), len(best)) for a in range(len(row))])
        if claim["return"] is not None:
            if not decided:
                raise Failed("a return where ties are undecided", step="greedy")
            if rational(claim["return"], "claim.greedy.return") != exact_return(self.process, table):
                raise Failed("it is not the return of the greedy policy", step="greedy")
        self.steps += 1

    def _gap(self, row, best, gap, x, where):
        """Every other action is less probable than each of the best, by at least the gap."""
        others = [p.hi for a, p in enumerate(row) if a not in best]
        if not others:
            if gap is not None:
                raise Malformed(f"{where}.gap", "a gap where all actions are tied")
            return
        least = Fraction(min(row[a].lo for a in best) - max(others), 1 << BITS)
        wanted = rational(gap, f"{where}.gap")
        if not 0 < wanted <= least:
            raise Failed("the gap to the next action is not shown", step="greedy", row=x)

    def _rate(self):
        if self.claim["rate"] is None:
            return
        self._point("rate")
        rate = rational(self.claim["rate"], "claim.rate")
        if rate <= 0:
            raise Failed("not positive", step="rate")
        check_size(self.process)
        process = build_process(self.game, clustering=False)
        rows = rows_in(process, self.process)
        check_rate(process, tuple([part[x] for x in rows] for part in self.policy), 1 / self.low, rate)
        self.steps += 1

    def _sentence(self):
        at = f"alpha = {self.low}" if self.low == self.high else f"every alpha in [{self.low}, {self.high}]"
        subject = (
            "the one stationary policy"
            if self.unique
            else "the stationary policy on the branch that continues the unique one without degenerating"
        )
        text = f"game {self.game.name}, horizon {self.game.horizon}: at {at}, {subject} lies in the boxes given"
        if self.claim["rate"] is not None:
            text += f", and the softmax flow approaches it at an exponential rate of at least {self.claim['rate']}"
        return text


def exact_return(process, table):
    """The expected discounted return of exact policies (per row and action), a `Fraction`."""
    row = {name: x for x, name in enumerate(rows_of(process))}
    later = None
    for t in reversed(range(process.horizon)):
        values = []
        for e, classes in enumerate(process.joint[t]):
            pi = [table[row[i, t, k]] for i, k in enumerate(classes)]
            value = Fraction(0)
            for number, a in enumerate(process.joint_actions[t]):
                weight = Fraction(1)
                for p, action in zip(pi, a):
                    weight *= p[action]
                if weight:
                    after = (
                        sum((p * later[to] for to, p in process.following[t][e][number]), Fraction(0)) if later else 0
                    )
                    value += weight * (process.reward[t][e][number] + process.discount * after)
            values.append(value)
        later = values
    return sum((p * v for p, v in zip(process.start, later)), Fraction(0))


def _pair(value, where):
    """Two exact numbers, not checked to be in order."""
    low, high = array(value, where, 2)
    return rational(low, where), rational(high, where)
