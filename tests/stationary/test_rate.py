"""The form of `rate` against second differences of J, in the checker's own long intervals."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from pathlib import Path

import pytest

from certify.checker.numbers.interval import ONE, Interval
from certify.checker.reading.game import read_game
from certify.checker.stationary import rate as checker
from certify.checker.stationary.equations import Equations, Rows, policy_over
from certify.checker.stationary.facts import Subject

FOLDER = Path(__file__).resolve().parent.parent / "certificates" / "optimum" / "valid"


def gap(name: str) -> float:
    """The largest difference, over directions, between the form with rate 1/3 and second differences of J."""
    data = json.loads((FOLDER / name).read_text())
    subject = Subject(read_game(data["game"]), True, data["proof"]["unit_bits"], "proof")
    piece = data["proof"]["pieces"][-1]
    beta = Fraction(piece.pop("beta")[0])
    found = subject.enclosed(piece, (beta,), "proof")
    middle, _ = checker.tangent_form(subject.process, found.policy, beta, Fraction(1, 3))
    rng, rows, worst = random.Random(name), found.image, 0.0
    for _ in range(6):
        logits = [[rng.randrange(-9, 10) for _ in row[1:]] for row in rows]
        u = [x for row in logits for x in row]
        whole = [[*row, -sum(row)] for row in logits]

        def value(step: Fraction, whole: list[list[int]] = whole) -> Fraction:
            moved: Rows = [
                [Interval.of(Fraction((z.lo + z.hi) // 2, ONE) + step * x) for z, x in zip(*pair, strict=True)]
                for pair in zip(rows, whole, strict=True)
            ]
            policy = policy_over(moved)
            return Fraction(Equations(subject.process, [0] * len(rows), policy, beta, slopes=False).value().lo, ONE)

        h = Fraction(1, 1 << 40)
        second = (value(h) - 2 * value(Fraction(0)) + value(-h)) / h**2
        size = sum(x * x for row in whole for x in row)
        form = Fraction(sum(x * sum(map(int.__mul__, row, u)) for x, row in zip(u, middle, strict=True)), 1 << 100)
        worst = max(worst, float(abs(form + second + beta * Fraction(1, 3) * size)) / size)
    return worst


@pytest.mark.parametrize("name", ["two_steps.json", "branch.json"])
def test_the_form_is_minus_the_second_derivative(name: str) -> None:
    assert gap(name) < 1e-9


def test_a_wrong_weight_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Falsification: the comparison notices reach weights that are off by a thousandth."""
    right = checker._reach

    def wrong(equations: Equations) -> list[Interval]:
        return [x + Interval(x.lo // 1000, x.hi // 1000) for x in right(equations)]

    monkeypatch.setattr(checker, "_reach", wrong)
    assert gap("two_steps.json") > 1e-6
