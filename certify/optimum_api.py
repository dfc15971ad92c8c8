"""`certify.optimum`: the unique stationary policy at one temperature or along an interval of them,
enclosed and checked; below the threshold the branch that continues it (theory, sections 2, 4, 5, 7).

As everywhere, what is proposed here becomes a result only once the independent checker accepts it.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from certify import checker
from certify.api import ThresholdResult, save_document, threshold as find_threshold
from certify.bounds.arb_evaluate import arb_evaluate
from certify.bounds.arb_numbers import arb_ends, to_arb, working_precision
from certify.bounds.enclosure import Enclosure
from certify.bounds.policy import PolicyBox, layout_of
from certify.certificates.optimum import Enclosed, optimum_certificate
from certify.checker import krawczyk
from certify.checker.entropy_arithmetic import BITS
from certify.checker.envelope import Failed, read_file
from certify.checker.game import read_game
from certify.checker.process import build_process
from certify.errors import InputError, Undecided
from certify.exact import parse_rational
from certify.games import Game, game_sha256, load
from certify.games.canonical import game_to_json
from certify.games.histories import History, histories
from certify.games.tree import DEFAULT_MAX_ENTRIES, Tree, unroll
from certify.symmetry.evidence import map_to_json
from certify.symmetry.group import symmetries
from certify.symmetry.histories import fixed_subspace
from certify.uniqueness.approx_rate import approx_rate
from certify.uniqueness.greedy import GreedyRow, greedy_return, greedy_rows
from certify.uniqueness.pieces import UNIT_BITS, Image, Path, Piece, Stopped

Progress = Callable[[str], None]
Policy = dict[str, dict[str, Enclosure]]

_PRECISION = 320      # of the balls in which enclosures are computed
_DIGITS = 80          # binary digits behind the leading one that enclosures keep
_MOST_DIGITS = 160    # behind the point
_SLACK = Fraction(1, 2**190)
_RATE_LOGITS = 700    # of the whole table: for larger ones no rate is computed
_ABOVE = Fraction(15, 16)    # of the threshold's beta: where the principal branch is begun
_RATE_PART = 1 - 2.0**-18   # of the float rate that is claimed first


@dataclass(frozen=True)
class PathPiece:
    """Enclosures that hold for every temperature in `alpha`."""

    alpha: Enclosure
    value: Enclosure
    return_: Enclosure
    entropy: Enclosure
    policy: Policy = field(repr=False)


@dataclass(frozen=True)
class Tie:
    """Actions of equal probability at `infoset`: `proved` by the `orbit` of (infoset, action) that
    symmetries exchange, or undecided (then `orbit` is empty)."""

    infoset: str
    actions: tuple[str, ...]
    proved: bool
    orbit: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class OptimumResult:
    """What `optimum` found; enclosures have `Fraction` ends.

    status : "proved" (the checker accepted the certificate) or "undecided" (`reason` says why).
    kind : "unique", or "principal branch" (the branch of stationary policies that continues the
    unique one from large temperatures without degenerating: others may exist).
    alpha : the temperatures; lower = upper for one; of a path that could not be followed to its end
    (`reason`), those that were reached.  value : J_alpha.  return_ : the expected return.
    entropy : the weighted entropy.  policy : per infoset and action; over an interval of
    temperatures all of these hold for the whole interval, and `pieces` are sharper.
    rate : a lower bound on the exponential rate of the softmax flow near the policy.
    greedy : per infoset the actions tied for the maximum; greedy_gap : by how much every other action
    is less probable; ties; greedy_return : exact, tied actions played equally often.
    reached : the smallest temperature to which the branch was followed.
    """

    status: str
    kind: str
    alpha: Enclosure
    value: Enclosure | None = None
    return_: Enclosure | None = None
    entropy: Enclosure | None = None
    policy: Policy = field(default_factory=dict, repr=False)
    rate: Fraction | None = None
    greedy: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    greedy_gap: dict[str, Fraction | None] = field(default_factory=dict, repr=False)
    greedy_return: Fraction | None = None
    ties: tuple[Tie, ...] = ()
    pieces: tuple[PathPiece, ...] = field(default=(), repr=False)
    alpha_star: Fraction | None = None
    reached: Fraction | None = None
    game_sha256: str = ""
    horizon: int = 0
    seconds: float = 0.0
    engine: str = ""
    reason: str = ""
    document: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def radius(self) -> Fraction | None:
        """The largest half-width of a probability's enclosure."""
        widths = [p.upper - p.lower for row in self.policy.values() for p in row.values()]
        return max(widths) / 2 if widths else None

    def save(self, path: str | os.PathLike[str]) -> FilePath:
        """Write the certificate as JSON; raises `InputError` where there is none or it cannot be written."""
        return save_document(self.document, path)


def optimum(game: Game | str, alpha: Fraction | int | str | tuple, *, horizon: int | None = None,
            threshold: ThresholdResult | dict | str | os.PathLike[str] | None = None, time_limit: float = 300.0,
            width: Fraction | str = Fraction(1, 20), max_entries: int = DEFAULT_MAX_ENTRIES,
            progress: Progress = lambda text: None) -> OptimumResult:
    """The certified stationary policy at `alpha`.

    Parameters
    ----------
    game : a `Game`, a path or the name of a built-in (then with `horizon`).
    alpha : an exact temperature, or two (a pair, or text "LO:HI") for the path between them.
    threshold : a threshold certificate of this game (a result, a document, a path); computed if None.
    time_limit : seconds.  width : of a probability's enclosure along a path, at most.

    Raises `InputError` for bad input and for a threshold of another game.

    >>> result = optimum("lever:3:1/2", Fraction(1))
    >>> result.status, result.kind, result.greedy["agent1:"], result.greedy_return
    ('proved', 'unique', ('0', '1'), Fraction(1, 2))
    """
    began = time.monotonic()
    game = load(game, horizon=horizon) if isinstance(game, str) else game
    low, high = read_temperatures(alpha)
    widest = parse_rational(width, "width")
    if not 0 < widest <= 1:
        raise InputError("width", f"{width}", "use a number in (0, 1]")
    tree = unroll(game, max_entries=max_entries)
    document, alpha_star = _threshold(game, low, threshold, time_limit / 2, max_entries, progress)
    search = _Search(tree, document, alpha_star, low, high, float(widest), began + time_limit, progress)
    return replace(search.result(), alpha_star=alpha_star, game_sha256=game_sha256(game), horizon=game.horizon,
                   seconds=time.monotonic() - began)


def read_temperatures(alpha: Any) -> tuple[Fraction, Fraction]:
    """The smallest and the largest temperature that "A", "LO:HI", a number or a pair of them means."""
    parts = alpha.split(":") if isinstance(alpha, str) else alpha if isinstance(alpha, (tuple, list)) else [alpha]
    if len(parts) not in (1, 2):
        raise InputError("alpha", f"{alpha!r}", "give one temperature, or two as LO:HI")
    numbers = [parse_rational(part, "alpha") for part in parts]
    if not 0 < numbers[0] <= numbers[-1]:
        raise InputError("alpha", f"{alpha}", "use positive temperatures, the smaller one first")
    return numbers[0], numbers[-1]


def _threshold(game: Game, alpha: Fraction, given: Any, time_limit: float, max_entries: int,
               progress: Progress) -> tuple[dict[str, Any], Fraction]:
    """A threshold certificate of `game` and its alpha_star; the cheapest that reaches `alpha`, if any does."""
    if given is not None:
        return _given_threshold(game, given)
    found = find_threshold(game, method="structural", progress=progress)
    if found.status == "proved" and found.alpha_star > alpha:
        sharper = find_threshold(game, rtol=Fraction(1, 20), time_limit=time_limit, max_entries=max_entries, progress=progress)
        if sharper.status == "proved" and sharper.alpha_star < found.alpha_star:
            found = sharper
    if found.status != "proved":
        raise InputError(game.name, f"no threshold was proved ({found.reason})", "give one by --threshold")
    return found.document, found.alpha_star


def _given_threshold(game: Game, given: Any) -> tuple[dict[str, Any], Fraction]:
    where, document = "threshold", given
    if isinstance(given, ThresholdResult):
        document = given.document
    elif isinstance(given, (str, os.PathLike)):
        where = str(given)
        try:
            document = read_file(given)
        except ValueError as error:
            raise InputError(where, str(error).removeprefix(f"{where}: "), "give a certificate that `certify threshold` wrote") from None
    if not isinstance(document, dict) or document.get("kind") != "threshold":
        raise InputError(where, "not a threshold certificate", "give one that `certify threshold -o` wrote")
    if document.get("game_sha256") != game_sha256(game):
        raise InputError(where, "a certificate of another game", "name the game, horizon and discount that it is about")
    try:
        return document, parse_rational(document["claim"]["alpha_star"], where)
    except (KeyError, TypeError):
        raise InputError(where, "no alpha_star in its claim", "give a certificate that `certify threshold` wrote, unaltered") from None


class _Search:
    """Proposals for one tree and one interval of temperatures, and the certificate made of them."""

    def __init__(self, tree: Tree, threshold: dict[str, Any], alpha_star: Fraction, low: Fraction, high: Fraction,
                 widest: float, deadline: float, progress: Progress) -> None:
        self.tree, self.threshold, self.alpha_star = tree, threshold, alpha_star
        self.low, self.high, self.widest, self.deadline, self.progress = low, high, widest, deadline, progress
        self.unique, self.point = low >= alpha_star, low == high
        try:
            self.process = build_process(read_game(game_to_json(tree.game)))
        except Failed as large:
            raise InputError(tree.game.name, str(large), "use a shorter horizon") from None
        self.path = Path(tree, self._prove)
        self.layout = layout_of(tree)
        self.histories = [histories(tree, i) for i in range(tree.number_of_agents)]

    def _prove(self, piece: dict[str, Any]) -> Image | None:
        """The checker's image of a proposed piece, None where it does not verify."""
        data = {key: value for key, value in piece.items() if key != "beta"}
        try:
            box, inverse = krawczyk.read_box(data, self.process, UNIT_BITS, "piece")
            image = krawczyk.verify_krawczyk(self.process, [Fraction(b) for b in piece["beta"]], box, inverse)
        except (Failed, checker.Malformed):
            return None
        return [[(Fraction(z.lo, 1 << BITS), Fraction(z.hi, 1 << BITS)) for z in row] for row in image]

    def result(self) -> OptimumResult:
        kind = "unique" if self.unique else "principal branch"
        blank = OptimumResult("undecided", kind, Enclosure(self.low, self.high))
        if self.path.eq.size > krawczyk.MAX_COORDINATES:
            return replace(blank, reason=f"{self.path.eq.size} log-ratios, a Krawczyk step is made for at most {krawczyk.MAX_COORDINATES}")
        shortened = ""
        try:
            pieces, last = self._pieces()
        except Stopped as stopped:
            reached = 1 / stopped.reached
            why = (f"{stopped.why}; followed down to alpha = {float(reached):.6g}, "
                   f"uniqueness is proved from {float(self.alpha_star):.6g} on")
            if self.point or reached >= self.high:
                return replace(blank, reached=reached, reason=why)
            pieces, last, shortened, self.low = stopped.pieces, None, why, reached  # what is proved of the path
            blank = replace(blank, alpha=Enclosure(self.low, self.high))
        if self.point:
            enclosed = [self._enclosed(len(pieces) - 1, pieces[-1])]
        else:
            enclosed = [self._enclosed(k, p) for k, p in enumerate(pieces) if p.low < p.high and p.high > 1 / self.high][::-1]
        generators, orbit = self._symmetries(enclosed[0]) if self.point else ((), None)
        rows = greedy_rows(_ends(enclosed[0]), orbit) if self.point else None
        exact = greedy_return(self.tree, rows) if rows else None
        proposal = {"alpha": (self.low, self.high), "unique": self.unique, "greedy": rows, "greedy_return": exact,
                    "generators": [map_to_json(g) for g in generators]}
        rate = self._approx_rate(last) if self.point else None
        for part in (_RATE_PART, 0.5, None):
            claimed = None if rate is None or part is None or rate <= 0 else Fraction(f"{rate * part:.9g}")
            document = optimum_certificate(self.tree.game, self.threshold, pieces, enclosed, rate=claimed, **proposal)
            self.progress("checking the certificate")
            verdict = checker.check_certificate(json.loads(json.dumps(document)), progress=self.progress)
            if verdict.valid or claimed is None or verdict.failed_step.get("step") != "rate":
                break
        if not verdict.valid:
            return replace(blank, engine=verdict.engine, reason=f"the checker does not confirm the search: {verdict.failed_step}")
        return self._proved(replace(blank, reason=shortened), enclosed, rows, orbit, exact, claimed, verdict.engine, document)

    def _pieces(self) -> tuple[list[Piece], np.ndarray]:
        """The pieces of the certificate, and the log-ratios of the policy at the smallest temperature in floats."""
        # a little above the threshold, where the policy may be degenerate
        first = 1 / self.high if self.unique else min(1 / self.high, _ABOVE / self.alpha_star)
        goal = 1 / self.low
        z = self.path.start(first)
        if z is None:
            raise Stopped(first, "no stationary policy was found in floats", [])
        if first == goal:
            return [self._narrow(goal, z)], z
        if self.point or not self.unique:
            pieces = self._chain(first, min(goal, 1 / self.high), z, math.inf) if first < 1 / self.high else []
            if pieces:
                z = self._floats(pieces[-1])
            if not self.point:
                try:
                    tail = self._chain(1 / self.high, goal, z, self.widest)
                except Stopped as stopped:
                    raise Stopped(stopped.reached, stopped.why, pieces + stopped.pieces) from None
                return pieces + tail, z
            return [*pieces[:-1], self._narrow(goal, z)], z
        return self._chain(first, goal, z, self.widest), z

    def _chain(self, low: Fraction, high: Fraction, z: np.ndarray, widest: float) -> list[Piece]:
        return self.path.chain(low, high, z, linked=not self.unique, widest=widest, deadline=self.deadline, progress=self.progress)

    def _narrow(self, beta: Fraction, z: np.ndarray) -> Piece:
        piece = self.path.point(beta, z)
        if piece is None:
            raise Stopped(beta, "no narrow box around the policy is proved", [])
        return piece

    def _floats(self, piece: Piece) -> np.ndarray:
        """The middle of a piece as log-ratios against the last action."""
        flat = [float((low + high) / 2) - float(sum(row[-1])) / 2 for row in piece.image for low, high in row]
        return np.array(flat)[self.path.eq.entry]

    def _enclosed(self, number: int, piece: Piece) -> Enclosed:
        """Enclosures over one piece, rounded outwards to short dyadics."""
        policy = _policy(piece.image)
        ends = [np.array([p[k] for row in policy for p in row], dtype=object) for k in range(2)]
        high = self.high if piece.low == 0 else min(self.high, 1 / piece.low)
        low = max(self.low, 1 / piece.high)
        box = PolicyBox(*(self.layout.nested(end) for end in ends))
        found = arb_evaluate(self.tree, box, low, precision=_PRECISION)
        reward, entropy = arb_ends(found.reward), arb_ends(found.entropy)
        if reward is None or entropy is None:
            raise Undecided("an evaluation is not finite: the policy is too close to the boundary")
        value = (reward[0] + low * entropy[0], reward[1] + high * entropy[1])
        return Enclosed(number, low, high, *(Enclosure(*outward(*pair)) for pair in (value, reward, entropy)),
                        [[Enclosure(*p) for p in row] for row in policy])

    def _symmetries(self, enclosed: Enclosed) -> tuple[tuple, list[list[int]] | None]:
        """Generators and the orbits of entries, where they could explain a tie."""
        if all(len(row.actions) == 1 for row in greedy_rows(_ends(enclosed))):
            return (), None
        self.progress("looking for symmetries that explain ties")
        generators = symmetries(self.tree.game, max_nodes=20_000).generators
        entry = fixed_subspace(self.tree, generators).entry_orbit
        ends = [*self.layout.row_start.tolist(), self.layout.size]
        return generators, [entry[a:b].tolist() for a, b in zip(ends, ends[1:], strict=False)]

    def _approx_rate(self, z: np.ndarray) -> float | None:
        if self.tree.policy_parameters > _RATE_LOGITS:
            return None
        policy = self.path.eq.nested(z)
        raw = unroll(self.tree.game, cluster=False)
        table = raw.uniform()
        for i, rows in enumerate(self.histories):
            for mine, other in zip(histories(raw, i), rows, strict=True):
                table[i][mine.depth][mine.class_index] = policy[i][other.depth][other.class_index]
        return approx_rate(raw, table, self.low)

    def _proved(self, blank: OptimumResult, enclosed: list[Enclosed], rows: list[GreedyRow] | None, orbit: Any,
                exact: Fraction | None, rate: Fraction | None, engine: str, document: dict[str, Any]) -> OptimumResult:
        pieces = tuple(PathPiece(Enclosure(e.low, e.high), e.value, e.reward, e.entropy, self._by_name(e.policy)) for e in enclosed)
        reason = blank.reason
        if self.point and rate is None:
            reason = (f"no rate: {self.tree.policy_parameters} logits, the limit is {_RATE_LOGITS}"
                      if self.tree.policy_parameters > _RATE_LOGITS else "no positive rate is proved")
        result = replace(
            blank, status="proved", value=_hull([p.value for p in pieces]), return_=_hull([p.return_ for p in pieces]),
            entropy=_hull([p.entropy for p in pieces]), rate=rate, engine=engine, document=document, reached=self.low,
            pieces=pieces, reason=reason, greedy_return=exact,
            policy={key: {a: _hull([p.policy[key][a] for p in pieces]) for a in row} for key, row in pieces[0].policy.items()})
        if rows is None:
            return result
        best = self._by_name([[a in row.actions for a in range(len(policy))] for row, policy in zip(rows, enclosed[0].policy)])
        gaps = {key: rows[x].gap for _, key, x in self._infosets()}
        return replace(result, greedy={key: tuple(a for a, kept in row.items() if kept) for key, row in best.items()},
                       greedy_gap=gaps, ties=self._ties(rows, orbit))

    def _infosets(self) -> list[tuple[History, str, int]]:
        """(history, key, row of the clustered tree) of every AOH, agent by agent."""
        return [(x, x.key, self.layout.rows[i, x.depth].start + x.class_index) for i, listed in enumerate(self.histories) for x in listed]

    def _names(self, history: History) -> list[str]:
        i = history.aoh.agent
        return [self.tree.game.actions[i][a] for a in self.tree.game.actions_at(i, history.depth)]

    def _by_name(self, table: list[list[Any]]) -> dict[str, dict[str, Any]]:
        """Rows of the clustered tree as {infoset: {action: entry}} over all AOHs."""
        return {key: dict(zip(self._names(history), table[x], strict=True)) for history, key, x in self._infosets()}

    def _ties(self, rows: list[GreedyRow], orbit: list[list[int]] | None) -> tuple[Tie, ...]:
        """Rows with several greedy actions, once per class, under the key of its first AOH."""
        found, seen = [], set()
        named = {x: (key, self._names(history)) for history, key, x in reversed(self._infosets())}
        for _, key, x in self._infosets():
            row = rows[x]
            if len(row.actions) > 1 and x not in seen:
                seen.add(x)
                names = named[x][1]
                members = ()
                if row.tied:
                    number = orbit[x][row.actions[0]]
                    members = tuple((named[y][0], named[y][1][a]) for y in sorted(named) for a, k in enumerate(orbit[y]) if k == number)
                found.append(Tie(key, tuple(names[a] for a in row.actions), row.tied, members))
        return tuple(found)


def outward(low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
    """Dyadic ends around [low, high] with about `_DIGITS` binary digits, a little apart from exact numbers:
    a checker's arithmetic rounds those too.

    >>> low, high = outward(Fraction(1, 3), Fraction(1, 3))
    >>> low < Fraction(1, 3) < high, high - low < Fraction(1, 10**24)
    (True, True)
    """
    size = max(abs(low), abs(high))
    lead = math.frexp(float(size))[1] if size and float(size) else 0
    scale = Fraction(2) ** min(_DIGITS - lead, _MOST_DIGITS)
    return Fraction(math.floor((low - _SLACK) * scale)) / scale, Fraction(math.ceil((high + _SLACK) * scale)) / scale


def _policy(image: Image) -> list[list[tuple[Fraction, Fraction]]]:
    """Ends of pi(a) = 1 / sum_b exp(z_b - z_a) over log-ratios, rounded outwards."""
    rows = []
    with working_precision(_PRECISION):
        for row in image:
            found = []
            for a, (low, high) in enumerate(row):
                others = [z for b, z in enumerate(row) if b != a]
                least = 1 / sum((to_arb(z[1] - low).exp() for z in others), to_arb(Fraction(1)))
                most = 1 / sum((to_arb(z[0] - high).exp() for z in others), to_arb(Fraction(1)))
                ends = outward(arb_ends(least)[0], arb_ends(most)[1])
                found.append((max(Fraction(0), ends[0]), min(Fraction(1), ends[1])) if others else (Fraction(1), Fraction(1)))
            rows.append(found)
    return rows


def _ends(enclosed: Enclosed) -> list[list[tuple[Fraction, Fraction]]]:
    return [[(p.lower, p.upper) for p in row] for row in enclosed.policy]


def _hull(parts: list[Enclosure]) -> Enclosure:
    return Enclosure(min(p.lower for p in parts), max(p.upper for p in parts))
