"""The controllers run exactly and their invariants hold for all parameters; every proof fails on a
controller that is mutated in the matching place."""

import random
from fractions import Fraction

import pytest

from certify.entropy.controller_proofs import prove_adapo, prove_zeta, refute_two_cycle
from certify.entropy.controllers import AdapoController, ZetaController, adapo_step, choose, closed_loop, zeta_above
from certify.errors import InputError


def verdicts(proofs):
    return {p.name: p.status for p in proofs}


def test_all_invariants_are_proved():
    assert set(verdicts(prove_zeta()).values()) == {"proved"}
    assert set(verdicts(prove_adapo()).values()) == {"proved"}


def no_flip(zeta, low, high, if_=choose):
    """Halves for ever instead of becoming −ζ_min."""
    return if_(zeta > 0, zeta / 2, if_(zeta < 0, if_(2 * zeta < -high, -high, 2 * zeta), -low))


def no_saturation(zeta, low, high, if_=choose):
    """Doubles beyond −ζ_max."""
    return if_(zeta > 0, if_(zeta / 2 < low, -low, zeta / 2), if_(zeta < 0, 2 * zeta, -low))


def flips_to_the_wrong_sign(zeta, low, high, if_=choose):
    """Becomes +ζ_min, where it then stays."""
    return if_(
        zeta > 0, if_(zeta / 2 < low, low, zeta / 2), if_(zeta < 0, if_(2 * zeta < -high, -high, 2 * zeta), -low)
    )


def zero_stays(zeta, low, high, if_=choose):
    """0 is a fixed point."""
    return if_(zeta > 0, if_(zeta / 2 < low, -low, zeta / 2), if_(2 * zeta < -high, -high, 2 * zeta))


def slow_growth(zeta, low, high, if_=choose):
    """Grows by half instead of doubling."""
    return if_(
        zeta > 0,
        if_(zeta / 2 < low, -low, zeta / 2),
        if_(zeta < 0, if_(3 * zeta / 2 < -high, -high, 3 * zeta / 2), -low),
    )


def slow_decay(zeta, low, high, if_=choose):
    """Shrinks by a quarter instead of halving."""
    return if_(
        zeta > 0,
        if_(3 * zeta / 4 < low, -low, 3 * zeta / 4),
        if_(zeta < 0, if_(2 * zeta < -high, -high, 2 * zeta), -low),
    )


def lazy_below(zeta, low, high, if_=choose):
    """The other side of a controller that only reacts above its target."""
    return zeta


def jumps_down_out_of_range(zeta, low, high, if_=choose):
    """Below target it behaves as above, and overshoots."""
    return -no_saturation(-zeta, low, high, if_)


@pytest.mark.parametrize(
    ("above", "below", "broken"),
    [
        (no_flip, None, "range above"),
        (no_saturation, None, "range above"),
        (zeta_above, jumps_down_out_of_range, "range below"),
        (flips_to_the_wrong_sign, None, "falls above"),
        (zero_stays, None, "falls above"),
        (zeta_above, lazy_below, "rises below"),
        (zeta_above, lazy_below, "mirror"),
        (slow_decay, None, "countdown"),
        (slow_growth, None, "buildup"),
        (slow_growth, None, "two-cycle"),
    ],
)
def test_a_mutated_zeta_controller_is_refuted(above, below, broken):
    found = {p.name: p for p in prove_zeta(above, below)}[broken]
    assert found.status == "refuted" and found.witness


def unlimited(eps, below, change, least, most, if_=choose):
    return if_(below, eps + change, eps - change)


def upside_down(eps, below, change, least, most, if_=choose):
    return adapo_step(eps, below == False, change, least, most, if_)


def hurried(eps, below, change, least, most, if_=choose):
    return adapo_step(eps, below, 2 * change, least, most, if_)


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        (unlimited, "range"),
        (upside_down, "rises below"),
        (upside_down, "falls above"),
        (hurried, "progress"),
        (hurried, "amplitude"),
    ],
)
def test_a_mutated_adapo_controller_is_refuted(rule, broken):
    assert verdicts(prove_adapo(rule))[broken] == "refuted"


@pytest.mark.parametrize("ratio", [Fraction(1), Fraction(3, 2), Fraction(2), Fraction(7), Fraction(8), Fraction(10000)])
def test_saturation_time_by_running(ratio):
    controller = ZetaController(Fraction(1, 1000), ratio / 1000)
    rng = random.Random(4)
    starts = [Fraction(0), controller.zeta_min, controller.zeta_max]
    starts += [
        controller.zeta_min + (controller.zeta_max - controller.zeta_min) * Fraction(rng.random()) for _ in range(200)
    ]
    slowest = 0
    for start in starts:
        zeta, steps = start, 0
        while zeta != -controller.zeta_max:
            before, zeta = zeta, controller.step(zeta, 1)
            assert zeta < before and controller.zeta_min <= abs(zeta) <= controller.zeta_max
            assert controller.step(-before, -1) == -zeta
            steps += 1
        slowest = max(slowest, steps)
    assert slowest == controller.saturation_steps()  # the bound is attained, by ζ_max itself
    assert controller.step(Fraction(1, 100), 0) == Fraction(1, 100)


def test_threshold_plant_ends_in_a_two_cycle():
    controller = ZetaController(Fraction(1, 1000), Fraction(10))
    rng = random.Random(6)
    for _ in range(300):
        start = (
            Fraction(rng.choice((-1, 1)))
            * Fraction(1, 1000)
            * 2 ** rng.randint(0, 13)
            * Fraction(rng.randint(10, 12), 10)
        )
        cycle = closed_loop(controller, min(start, controller.zeta_max), Fraction(rng.uniform(-9, 9)))
        low, high = sorted(cycle.states)
        assert len(cycle.states) == 2
        # amplitude: a factor of 2, or the jump across 0, or half the limit
        assert (
            high == 2 * low
            or low == 2 * high
            or low == -high
            or {low, high} == {-controller.zeta_max, -controller.zeta_max / 2}
        )


def test_a_plant_beyond_the_range_saturates():
    controller = ZetaController(Fraction(1), Fraction(8))
    assert closed_loop(controller, Fraction(2), Fraction(100)).states == (8,)
    assert closed_loop(controller, Fraction(2), Fraction(-100)).states == (-8,)


def test_three_cycle_where_the_range_is_narrower_than_a_doubling():
    assert refute_two_cycle().status == "refuted"
    cycle = closed_loop(ZetaController(Fraction(3), Fraction(4)), Fraction(3), Fraction(3))
    assert sorted(cycle.states) == [-3, 3, 4] and cycle.amplitude == 7


def test_starting_values_outside_the_range():
    controller = ZetaController(Fraction(1), Fraction(8))
    # above ζ_max a state below target falls instead of rising
    assert controller.step(Fraction(20), -1) == 8
    # within (0, ζ_min) a state below target may stay outside the range
    assert controller.step(Fraction(1, 4), -1) == Fraction(1, 2)
    assert controller.step(Fraction(1, 4), 1) == -1


def test_adapo_runs_and_saturates():
    controller = AdapoController(Fraction(1, 100), Fraction(1, 5), Fraction(1, 3))
    eps, steps = controller.least, 0
    while eps != controller.most:
        eps, steps = controller.step(eps, -1), steps + 1
    assert steps == controller.saturation_steps() == 14
    assert controller.step(eps, 0) == eps
    cycle = closed_loop(controller, controller.least, Fraction(1, 4))
    assert len(cycle.states) == 2 and cycle.amplitude == controller.change


@pytest.mark.parametrize(
    "arguments", [(Fraction(0), Fraction(1)), (Fraction(2), Fraction(1)), (Fraction(-1), Fraction(1))]
)
def test_bad_limits(arguments):
    with pytest.raises(InputError):
        ZetaController(*arguments)


def test_bad_adapo_limits():
    for arguments in ((0, 0, 1), (1, 2, 1), (1, -1, 1)):
        with pytest.raises(InputError):
            AdapoController(*map(Fraction, arguments))
