"""The same equations for a generic interval solver: what it says at two temperatures, and how long it takes.

    pip install codac
    python benchmarks/interval_solver.py [--timeout SECONDS] [--width WIDTH] [GAME ...]

Codac (C++, https://codac.io) paves the box of policies of a one-shot game for
pi = softmax(beta Q / w): forward-backward and centred-form contractors, iterated and bisected until
the boxes left over are narrower than WIDTH.  Once a little above the certified alpha* (one cluster
of boxes is expected) and once a little below alpha_multiple (at least two).

The two answers differ in kind.  The solver treats one temperature at a time; its clusters hold every
stationary policy but are not proved to hold one, or only one; nobody checks its work.  `certify`
covers the half-line alpha >= alpha*, proves what it says at both ends, and has the certificate
checked; its seconds contain all of that.  Sequential games are left out: their equations would have
to be written by hand.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import itertools
import math
import operator
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import certify
from certify.errors import InputError
from certify.games.model import Game

GAMES = ("lever:2", "lever:3", "climbing", "penalty:-10", "lever:4", "lever:5", "match:2x2x2")
TIMEOUT = 60.0  # seconds per temperature
WIDTH = 1e-3  # of the boxes at which bisection ends
_LARGEST_VECTOR = 10  # equations that one of Codac's functions takes
BESIDE = Fraction(1, 1000)  # how far above alpha_star and below alpha_multiple, relatively


@dataclass(frozen=True)
class Paving:
    """What the solver leaves: `boxes` in `clusters` of neighbours, the widest `widest` wide."""

    alpha: float
    boxes: int
    clusters: int
    widest: float
    seconds: float
    complete: bool

    @property
    def conclusion(self) -> str:
        """What the boxes that are left say about the number of stationary policies."""
        if not self.boxes:
            return "none: impossible"  # a stationary policy always exists
        if not self.complete:
            return "stopped by the time-out"
        return f"{self.clusters} cluster{'' if self.clusters == 1 else 's'}"


def missing() -> str | None:
    """Why there is nothing to compare with, or None."""
    return None if importlib.util.find_spec("codac") else "the interval solver is not installed (pip install codac)"


def suits(game: Game) -> bool:
    """Whether the equations below are this game's: one step, nothing observed before it."""
    return game.horizon == 1 and not any(o for _, o, _ in game.start)


def equations(game: Game, alpha: Fraction):
    """(functions, dimension): all are 0 at the stationary policies; unknown are all probabilities
    but each agent's last.

    Written with differences of Q, which is what a careful user would do: p_a = 1 / sum_b exp(beta (Q_b - Q_a) / w).
    """
    import codac

    sizes = [len(game.actions_at(i, 0)) for i in range(game.number_of_agents)]
    x = codac.VectorVar(sum(sizes) - len(sizes))
    free, policies = iter(range(sum(sizes) - len(sizes))), []
    for size in sizes:
        first = [x[next(free)] for _ in range(size - 1)]
        policies.append([*first, 1 - _sum(first)])
    payoff = {a: sum(p * game.reward.get((s, a), 0) for s, _, p in game.start) for a in game.joint_actions_at(0)}
    actions = [game.actions_at(i, 0) for i in range(len(sizes))]
    residuals = []
    for i, own in enumerate(policies):
        others = [k for k in range(len(sizes)) if k != i]

        def exponent(a: int, b: int, i: int = i, others: list[int] = others):
            """beta (Q_a - Q_b) / w_i."""
            terms = []
            for rest in itertools.product(*(range(sizes[k]) for k in others)):
                joint = dict(zip(others, rest, strict=True))
                gain, loss = (payoff[tuple(actions[k][joint.get(k, c)] for k in range(len(sizes)))] for c in (a, b))
                if gain != loss:
                    scale = (gain - loss) / (alpha * game.weights[i])
                    weight = math.prod((policies[k][c] for k, c in joint.items()), start=1)
                    terms.append(_interval(scale) * weight)
            return _sum(terms)

        for a in range(sizes[i] - 1):
            powers = [codac.exp(e) if (e := exponent(b, a)) is not None else 1 for b in range(sizes[i]) if b != a]
            residuals.append(own[a] - 1 / (1 + _sum(powers)))
    parts = [residuals[k : k + _LARGEST_VECTOR] for k in range(0, len(residuals), _LARGEST_VECTOR)]
    return [codac.AnalyticFunction([x], codac.vec(*part)) for part in parts], len(residuals)


def _sum(terms: list):
    """Without a leading 0, which the solver's expressions do not take; None for no terms."""
    total = None
    for term in terms:
        total = term if total is None else total + term
    return total


def _interval(number: Fraction):
    """An enclosure of a rational, so that rounding the data does not change the equations."""
    import codac

    return codac.Interval(float(number)).inflate(abs(float(number)) * 2.0**-50)


def pave(game: Game, alpha: Fraction, width: float = WIDTH, timeout: float = TIMEOUT) -> Paving:
    """Every stationary policy of `game` at `alpha` lies in the boxes that are left."""
    import codac

    functions, dimension = equations(game, alpha)
    # the centred form of Codac 2.1.2 empties boxes that hold a solution where a function is not
    # square (lever:10 at 1/4: 10 equations, 18 unknowns): there, forward-backward alone
    each = [codac.CtcInverse(f, [0.0] * f.output_size(), f.output_size() == dimension) for f in functions]
    contractor = codac.CtcFixpoint(functools.reduce(operator.and_, each))
    began, kept = time.perf_counter(), []
    pending = [codac.IntervalVector([[0, 1]] * dimension)]
    while pending and time.perf_counter() - began < timeout:  # `codac.pave` takes a time limit and overruns it
        box = contractor.contract(pending.pop())
        if box.is_empty():
            continue
        if box.max_diam() <= width:
            kept.append(box)
        else:
            pending += box.bisect(box.max_diam_index())
    seconds = time.perf_counter() - began
    left = kept + pending
    widest = max((box.max_diam() for box in left), default=0.0)
    return Paving(float(alpha), len(left), clusters(left), widest, seconds, not pending)


def clusters(boxes: list) -> int:
    """How many connected sets the boxes form."""
    groups: list[list] = []
    for box in boxes:
        near, far = [], []
        for group in groups:
            (near if any(box.intersects(other) for other in group) else far).append(group)
        groups = [*far, [box, *itertools.chain(*near)]]
    return len(groups)


def compare(
    names: Iterable[str],
    results: dict[str, certify.answers.threshold.ThresholdResult],
    width: float = WIDTH,
    timeout: float = TIMEOUT,
) -> Iterator[str]:
    """Lines of a table: the solver beside the certified brackets in `results` (made where absent)."""
    if reason := missing():
        yield f"skipped: {reason}"
        return
    yield (
        f"{'game':<16}{'alpha':>10}{'where':>22}{'boxes':>7}{'widest':>9}{'solver s':>10}  {'solver says':<24}"
        f"{'certify s, whole bracket':>24}"
    )
    for name in names:
        try:
            game = certify.load(name)
        except InputError as error:
            yield f"{name:<16}skipped: {error}"
            continue
        if not suits(game):
            yield f"{name:<16}skipped: not a one-shot game without observations"
            continue
        if name not in results:
            results[name] = certify.threshold(game, method="search", rtol="1/100", time_limit=120)
        result = results[name]
        ends = [
            ("above alpha*", result.alpha_star and result.alpha_star * (1 + BESIDE)),
            ("below alpha_multiple", result.alpha_multiple and result.alpha_multiple * (1 - BESIDE)),
        ]
        for where, alpha in ends:
            if alpha:
                found = pave(game, alpha, width, timeout)
                yield (
                    f"{name:<16}{found.alpha:>10.5g}{where:>22}{found.boxes:>7}{found.widest:>9.1e}"
                    f"{found.seconds:>10.2f}  {found.conclusion:<24}{result.seconds:>24.2f}"
                )


def main() -> None:
    """Print a row per game: what the interval solver and the search prove in the same time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("games", nargs="*", default=GAMES)
    parser.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds per temperature")
    parser.add_argument("--width", type=float, default=WIDTH, help="of the boxes at which bisection ends")
    options = parser.parse_args()
    for line in compare(options.games, {}, options.width, options.timeout):
        print(line, flush=True)


if __name__ == "__main__":
    main()
