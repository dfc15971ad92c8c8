"""Entropy certificates and their checker: every file under `certificates/entropy/` gets its verdict, the
files are what the generator makes, and no mutation of a valid file makes the checker crash."""

import copy
import json
import random
from fractions import Fraction
from pathlib import Path

import mpmath
import pytest
from entropy_certificates import FOLDER, everything
from entropy_instances import random_advantages, random_policy, row

from certify.answers.entropy import step_report
from certify.certificates.entropy import table_certificate
from certify.checker import check_certificate
from certify.checker.entropy.input import sqrt
from certify.checker.numbers import interval as entropy_arithmetic
from certify.checker.numbers.interval import ONE, Interval, Unbounded
from certify.entropy.algorithms import ALGORITHMS
from certify.entropy.formats import BFLOAT16

FILES = {folder: sorted((FOLDER / folder).glob("entropy_*.json")) for folder in ("valid", "invalid", "malformed")}


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", FILES["valid"], ids=name)
def test_valid_files_check(path):
    verdict = check_certificate(read(path))
    assert verdict.valid and verdict.failed_step is None and verdict.steps >= 1


@pytest.mark.parametrize("path", FILES["invalid"], ids=name)
def test_attacked_files_are_rejected_with_the_step(path):
    verdict = check_certificate(read(path))
    assert not verdict.valid and verdict.failed_step["step"] and verdict.failed_step["why"]


@pytest.mark.parametrize("path", FILES["malformed"], ids=name)
def test_malformed_files_raise(path):
    with pytest.raises(ValueError, match=r".+"):
        check_certificate(read(path))


def test_the_files_are_those_that_the_generator_makes():
    for folder, files in everything().items():
        assert {p.stem for p in FILES[folder]} == set(files)
        for path in FILES[folder]:
            if not path.stem.startswith("entropy_batch"):  # their last digits follow the order of summation
                assert read(path) == files[path.stem], path.stem


@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - {"gspo"}))
def test_every_algorithm_is_checked_on_random_instances(algorithm):
    rng = random.Random(20)
    extra = {
        "reinforce-sample": {"action": "1"},
        "shared": {"action": "1", "gram": ["3/4"]},
        "repo": {"beta": "1/3"},
        "grpo": {"group_size": "3"},
        "grpo-population": {"group_size": "3"},
    }.get(algorithm, {})
    proved = 0
    for _ in range(12):
        policy = (random_policy(rng, rng.randint(2, 6)),)
        advantages = (random_advantages(rng, policy[0].size),)
        certificate = step_report(policy, advantages, algorithm, extra, Fraction(0), Fraction(1, 20)).certificate()
        if certificate is not None:
            certificate = json.loads(json.dumps(certificate))
            assert check_certificate(certificate).valid
            certificate["claim"]["sign"] = {"increases": "decreases", "decreases": "increases"}[
                certificate["claim"]["sign"]
            ]
            assert not check_certificate(certificate).valid
            proved += 1
    assert proved >= 6


def test_gspo_certificate():
    sequences = '[{"tokens": [[0, 0], [0, 1]]}, {"tokens": [[0, 2]], "old_log_probabilities": ["-1/2"]}]'
    policy = (random_policy(random.Random(3), 3),)
    certificate = step_report(
        policy,
        (row(1, "1/2"),),
        "gspo",
        {"sequences": sequences, "eps_low": "1", "eps_high": "9"},
        Fraction(0),
        Fraction(1, 10),
    ).certificate()
    assert check_certificate(json.loads(json.dumps(certificate))).valid


def test_bfloat16_table_certificate():
    certificate = json.loads(
        json.dumps(table_certificate(BFLOAT16, (Fraction(1, 10), Fraction(1, 5), Fraction(7, 25)), range(-8, 6), (5,)))
    )
    assert certificate["nonpositive"] == 32_641 and certificate["above_minus_64"] == 17_023
    assert len(certificate["cells"]) == 509 and check_certificate(certificate).valid
    for k in (0, 250, 508):  # a bias claimed too small, at any cell
        broken = copy.deepcopy(certificate)
        bias = broken["cells"][k]["log_bias"]["both"]
        bias[:] = [str(Fraction(end) - max(abs(Fraction(end)), Fraction(1)) / 2**20) for end in bias]
        assert not check_certificate(broken).valid


def nodes(data, at=()):
    yield at
    if isinstance(data, dict | list):
        for key in data if isinstance(data, dict) else range(len(data)):
            yield from nodes(data[key], (*at, key))


@pytest.mark.parametrize("path", [p for p in FILES["valid"] if "table" not in p.stem], ids=name)
def test_mutations_never_crash_the_checker(path):
    original, rng = read(path), random.Random(path.stem)
    junk = [
        None,
        True,
        -1,
        10**9,
        1.5,
        "",
        "x",
        "1/0",
        "-1/2",
        "0",
        "1" * 5000,
        [],
        {},
        [[]],
        ["1", "0"],
        {"states": []},
    ]
    places = [p for p in nodes(original) if p]
    for _ in range(120):
        data = copy.deepcopy(original)
        *way, last = rng.choice(places)
        target = data
        for key in way:
            target = target[key]
        target[last] = rng.choice(junk)
        try:
            assert isinstance(check_certificate(data).valid, bool)
        except ValueError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("function", ["exp", "log", "sqrt"])
def test_checker_arithmetic_holds_the_true_value(function):
    rng = random.Random(function)
    for _ in range(400):
        x = Fraction(rng.randint(1, 10**20), 10 ** rng.randint(15, 24))
        if function == "exp":
            x = rng.choice((-1, 1)) * x / 1000
        low, high = x, x + rng.choice((Fraction(0), Fraction(1, 10**6)))
        found = (sqrt if function == "sqrt" else getattr(entropy_arithmetic, function))(Interval.of(low, high))
        with mpmath.workprec(700):
            for end in (low, high):
                value = getattr(mpmath, function)(mpmath.mpf(end.numerator) / end.denominator)
                assert mpmath.mpf(found.lo) / ONE <= value <= mpmath.mpf(found.hi) / ONE
            if low == high:
                assert found.hi - found.lo <= 2**40 * max(1, int(value))


def test_checker_arithmetic_out_of_range():
    with pytest.raises(Unbounded):
        entropy_arithmetic.log(Interval.of(0))
    with pytest.raises(Unbounded):
        entropy_arithmetic.exp(Interval.of(10**9))
    with pytest.raises(Unbounded):
        Interval.of(1) / Interval.of(-1, 1)
    assert entropy_arithmetic.exp(Interval.of(-(10**9))).hi == 1
