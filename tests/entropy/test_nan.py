"""No nan passes for an enclosure, and no ball turns into one by being squared."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import arb

import certify.entropy.sign as sign_module
from certify.answers.entropy import entropy_path, step_report
from certify.bounds.arb_numbers import float_ends, power, square
from certify.bounds.enclosure import Enclosure
from certify.checker import check_certificate
from certify.entropy import advantages_from_json, policy_from_json, working_precision
from certify.entropy.enclosure import enclosure, sign_of
from certify.errors import Undecided

NAN = float("nan")


def report(policy, advantages, algorithm, upper, lower=Fraction(0)):
    read = policy_from_json(policy)
    return step_report(read, advantages_from_json(advantages, read), algorithm, {}, lower, Fraction(upper))


def test_the_operator_is_still_a_trap():
    """The day python-flint mends it, this test says so and the rule may go."""
    assert not (arb(0, 1) ** 2).is_finite()


def test_squares_and_powers_contain_every_value():
    rng = np.random.default_rng(0)
    with working_precision():
        for mid, rad, n in zip(rng.normal(size=500), rng.exponential(size=500), rng.integers(0, 8, 500), strict=True):
            mid = Fraction(0) if n % 3 == 0 else Fraction(float(mid))
            x = arb(0, float(rad)) + arb(float(mid))
            for t in (-1, Fraction(-1, 3), 0, Fraction(1, 2), 1):
                y = mid + t * Fraction(float(rad))
                assert enclosure(square(x)).contains(y * y)
                assert enclosure(power(x, int(n))).contains(y ** int(n))
            assert enclosure(square(x)).lower >= -Fraction(1, 10**8) * enclosure(square(x)).upper


def test_nan_is_no_enclosure():
    for lower, upper in ((NAN, 1.0), (0.0, NAN), (np.array([0.0, NAN]), np.ones(2)), (0.0, np.array([NAN]))):
        with pytest.raises(Undecided, match="nan"):
            Enclosure(lower, upper)
    assert Enclosure(-np.inf, np.inf).contains(0)
    with pytest.raises(Undecided):
        enclosure(arb("nan"))
    assert float_ends(arb("nan")) == (-np.inf, np.inf)
    assert sign_of(arb("nan")) is None


def test_a_state_whose_actions_are_worth_the_same_does_not_hide_the_other():
    policy = {
        "states": [
            {"logits": ["493/500", "1313/1000", "539/1000"], "weight": "1/3"},
            {"logits": ["2327/1000", "-1237/500", "142/125"]},
        ]
    }
    rows = {"states": [["-9/10", "-9/10", "-9/10"], ["-9/10", "-9/10", "-5/2"]]}
    found = report(policy, rows, "rloo", "51/100")
    assert found.sign.status == "proved" and found.sign.sign == "decreases"
    assert Fraction(-654, 10000) < found.change.lower < Fraction(-653, 10000)
    assert 0 <= found.change.upper < Fraction(1, 10**12)


def test_advantages_around_zero():
    """Enclosures with midpoint exactly 0: natural, steps up to 1/100."""
    found = report(["1/4", "1/4", "1/2"], [["-1/100", "1/100"]] * 3, "natural", "1/100")
    assert Fraction(-12, 10000) < found.change.lower < 0 < found.change.upper < Fraction(12, 10000)


def test_long_steps_are_settled():
    policy = [
        "160756/1118427", "861919/3355281", "932740/3355281", "58536/372809", "551530/3355281",
    ]  # fmt: skip
    found = report(policy, ["-4/5", "1/5", "1/5", "-5/2", "12/5"], "natural", 100)
    assert found.sign.sign == "decreases" and found.persistence.forever


@pytest.mark.parametrize("algorithm", ["natural", "reinforce", "rloo", "entropy-bonus"])
def test_one_repeated_advantage_is_no_step_at_all(algorithm):
    parameters = {"coefficient": "0"} if algorithm == "entropy-bonus" else {}
    read = policy_from_json(["42363/42366", "3/42366"])
    rows = advantages_from_json(["-7/10", "-7/10"], read)
    found = step_report(read, rows, algorithm, parameters, Fraction(0), Fraction(10))
    assert "exactly 0" in found.sign.reason and found.change.exact


def test_more_bits_where_the_first_ones_do_not_reach():
    tiny = f"1/{10**45}"
    found = report(["1/4", "1/4", "1/2"], ["0", "0", tiny], "natural", 1)
    assert found.sign.sign == "decreases"


def test_the_range_is_two_per_cent_wide_at_most():
    """Against 401 proved values; and never beyond what an entropy can be."""
    rng = np.random.default_rng(3)
    for _ in range(30):
        n = int(rng.integers(2, 9))
        counts = rng.integers(1, 1000, n)
        policy = [f"{c}/{counts.sum()}" for c in counts]
        advantages = [f"{a}/10" for a in rng.integers(-30, 31, n)]
        found = report(policy, advantages, "natural", int(rng.choice([1, 10, 100])))
        read = policy_from_json(policy)
        with working_precision():
            path = entropy_path(read, advantages_from_json(advantages, read), "natural", {})
            top = found.sign.steps.upper
            values = [enclosure(path.change_at(top * k / 400)) for k in range(401)]
        least, most = min(v.lower for v in values), max(v.upper for v in values)
        assert found.change.width <= Fraction(103, 100) * (most - least) + Fraction(1, 10**12)
        assert found.change.lower >= -found.entropy.upper - Fraction(1, 10**30)


def test_where_the_sweep_stops_the_lemma_on_large_steps_goes_on(monkeypatch):
    """A sweep that may use three pieces only stops early; what is left falls, and the checker agrees."""
    monkeypatch.setattr(sign_module, "_PIECES", 3)
    found = report(["1/2", "3/10", "1/5"], ["5", "3", "2"], "natural", 1000)
    assert found.sign.sign == "decreases" and found.sign.pieces[-1].rule == "tail"
    assert check_certificate(found.certificate()).valid
