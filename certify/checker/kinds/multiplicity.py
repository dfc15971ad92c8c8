"""Verifies that several stationary policies exist at one temperature (format, section 7).

Two disjoint boxes of log-ratios, each with a Krawczyk step, or one such box around a saddle: the
flow started uphill of it ends in another stationary policy (docs/theory/convergence.md#theorem-a).
"""

from dataclasses import dataclass
from fractions import Fraction

from certify.checker.numbers.interval import Interval
from certify.checker.numbers.positive_definite import positive_definite
from certify.checker.reading.envelope import MAX_INTEGER, Failed, Malformed, array, integer, rational, record, sha256
from certify.checker.reading.game import read_game
from certify.checker.reading.process import build_process
from certify.checker.stationary.equations import policy_over
from certify.checker.stationary.equivariance import entry_images, read_generators
from certify.checker.stationary.krawczyk import lies_within, read_box, read_unit, verify_krawczyk
from certify.checker.stationary.rate import tangent_form

_ENVELOPE = ("format", "version", "kind", "objective", "game", "game_sha256", "claim", "proof")
_BOX = ("reference", "centre", "radius", "inverse")
_LABELS = {"maximum": "a strict local maximum", "saddle": "a saddle", None: "unlabelled"}


@dataclass(frozen=True)
class Multiple:
    """What was verified.

    alpha : several stationary policies exist there.  two_maxima : two strict local maxima exist there
    (None: not claimed).  kinds : the labels of the enclosed policies at `alpha`; one policy is always
    a saddle.  linked : whether a symmetry maps the first to the second.  steps : boxes verified.
    """

    alpha: Fraction
    two_maxima: Fraction | None
    kinds: tuple
    linked: bool
    steps: int

    def claim(self):
        """The sentence that is proved."""
        text = f"at alpha = {self.alpha} there are at least two stationary policies, "
        if len(self.kinds) == 2:
            text += f"both enclosed ({' and '.join(_LABELS[kind] for kind in self.kinds)})"
            text += "; a symmetry maps the first to the second" if self.linked else ""
        else:
            text += "one of them enclosed, a saddle"
        if self.two_maxima is not None:
            text += f"; at alpha = {self.two_maxima} there are at least two strict local maxima"
        return text


def check_multiplicity_certificate(certificate):
    """(claim, steps) of a certificate of kind "multiplicity" that verifies; raises `Malformed` or `Failed`."""
    record(certificate, "certificate", _ENVELOPE, ("consequences", "search"))
    if certificate["objective"] != "visitation":
        raise Malformed("certificate.objective", 'not "visitation"')
    claim = record(certificate["claim"], "claim", ("alpha_multiple", "alpha_two_maxima"))
    alpha = rational(claim["alpha_multiple"], "claim.alpha_multiple")
    two = None if claim["alpha_two_maxima"] is None else rational(claim["alpha_two_maxima"], "claim.alpha_two_maxima")
    game = read_game(certificate["game"])
    if not isinstance(certificate["game_sha256"], str):
        raise Malformed("certificate.game_sha256", "not a string")
    if sha256(certificate["game"]) != certificate["game_sha256"]:
        raise Failed("it is not the hash of the game", step="game_sha256")
    found = check_multiplicity(certificate["game"], certificate["proof"], game=game)
    if (found.alpha, found.two_maxima) != (alpha, two):
        raise Failed("the temperatures of the claim are not those of the proof", step="claim")
    return f"game {game.name}, horizon {game.horizon}: {found.claim()}", found.steps + 1


def check_multiplicity(game_data, evidence, *, game=None, process=None, where="proof"):
    """What `evidence` proves about the game with the canonical form `game_data`: a `Multiple`; raises
    `Malformed` or `Failed`.

    `game` = `read_game(game_data)` and `process` = `build_process(game, evidence["clustering"])` save the work
    where they are at hand.
    """
    record(evidence, where, ("clustering", "unit_bits", "witness", "two_maxima"))
    if not isinstance(evidence["clustering"], bool):
        raise Malformed(f"{where}.clustering", "neither true nor false")
    game = read_game(game_data) if game is None else game
    process = build_process(game, evidence["clustering"]) if process is None else process
    unit_bits = read_unit(evidence["unit_bits"], f"{where}.unit_bits")

    def read(data, where):
        return _Witness(game_data, game, process, unit_bits, data, where)

    witness = read(evidence["witness"], f"{where}.witness")
    maxima, steps = None, len(witness.kinds)
    if evidence["two_maxima"] == "witness":
        maxima = witness
    elif evidence["two_maxima"] is not None:
        maxima = read(evidence["two_maxima"], f"{where}.two_maxima")
        steps += len(maxima.kinds)
    if maxima is not None and maxima.kinds != ("maximum", "maximum"):
        raise Failed("not two policies that are labelled maxima", step=maxima.where)
    return Multiple(witness.alpha, None if maxima is None else maxima.alpha, witness.kinds, witness.linked, steps)


class _Witness:
    """One temperature with its one or two policies, read and verified."""

    def __init__(self, game_data, game, process, unit_bits, data, where):
        self.process, self.where = process, where
        record(data, where, ("alpha", "policies"), ("symmetry",))
        self.alpha = rational(data["alpha"], f"{where}.alpha")
        if self.alpha <= 0:
            raise Failed("alpha is not positive", step=where)
        entries = array(data["policies"], f"{where}.policies")
        if len(entries) not in (1, 2):
            raise Malformed(f"{where}.policies", "neither one policy nor two")
        found = [self._policy(entry, unit_bits, f"{where}.policies[{k}]") for k, entry in enumerate(entries)]
        self.kinds = tuple(kind for kind, _, _ in found)
        if len(found) == 1 and self.kinds != ("saddle",):
            raise Failed("a single policy that is not a saddle", step=f"{where}.policies")
        if len(found) == 2 and not _apart(found[0][2], found[1][2]):
            raise Failed("the two policies are not shown to differ", step=f"{where}.policies")
        self.linked = data.get("symmetry") is not None
        if self.linked:
            if len(found) == 1:
                raise Malformed(f"{where}.symmetry", "given for a single policy")
            self._link(game_data, game, data["symmetry"], found[0][2], found[1][1])

    def _policy(self, data, unit_bits, where):
        """(label, box, image): the box holds exactly one stationary policy, and that lies in the image."""
        record(data, where, _BOX, ("kind", "direction"))
        kind = data.get("kind")
        if kind not in (None, "maximum", "saddle"):
            raise Malformed(f"{where}.kind", 'none of "maximum", "saddle", null')
        if (kind == "saddle") != ("direction" in data):
            raise Malformed(f"{where}.direction", "is given for saddles and for nothing else")
        box, inverse = read_box({name: data[name] for name in _BOX}, self.process, unit_bits, where)
        if not inverse:
            raise Failed("nobody has a choice", step=where)
        try:
            image = verify_krawczyk(self.process, [1 / self.alpha], box, inverse)
        except Failed as failure:
            raise Failed(failure.why, step=where) from None
        if kind is not None:
            middle, spread = tangent_form(self.process, policy_over(image), 1 / self.alpha, Fraction(0))
            if kind == "maximum":
                self._check_maximum(middle, spread, where)
            else:
                direction = array(data["direction"], f"{where}.direction", len(middle))
                u = [integer(x, f"{where}.direction", -MAX_INTEGER, MAX_INTEGER) for x in direction]
                self._check_saddle(middle, spread, u, where)
        return kind, box, image

    @staticmethod
    def _check_maximum(middle, spread, where):
        for k, radius in enumerate(spread):
            middle[k][k] -= radius
        if not positive_definite(middle):
            raise Failed("it is not shown to be a strict local maximum", step=where)

    @staticmethod
    def _check_saddle(middle, spread, u, where):
        along = sum(x * sum(map(int.__mul__, row, u)) for x, row in zip(u, middle))
        if along + sum(radius * x * x for radius, x in zip(spread, u)) >= 0:
            raise Failed("its direction is not shown to lead uphill: not a saddle", step=where)

    def _link(self, game_data, game, data, image, box):
        """That the symmetry carries the first policy into the second box, so onto the second policy."""
        where = f"{self.where}.symmetry"
        (g,) = read_generators([data], game_data, where)
        moved = [[Interval(0, 0)] * len(row) for row in image]
        for (x, a), (y, b) in entry_images(self.process, game, g):
            moved[y][b] = image[x][a]
        if not lies_within(moved, box):
            raise Failed("the image of the first policy is not within the box of the second", step=where)


def _apart(first, second):
    """Whether some log pi(a|x) - log pi(b|x) certainly differs between two images."""
    for one, other in zip(first, second):
        for a in range(len(one)):
            for b in range(a):
                p, q = one[a] - one[b], other[a] - other[b]
                if p.hi < q.lo or q.hi < p.lo:
                    return True
    return False
