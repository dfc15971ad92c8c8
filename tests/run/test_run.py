"""A run ends where its limit is, or where somebody interrupts, and says at which stage."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from random import Random
from types import SimpleNamespace

import pytest

import certify
import certify.answers.drafts
from certify.run import OutOfTime, Run, helpers
from certify.thresholds.cover_tree import Node
from certify.thresholds.localisation import Localisation


@pytest.fixture
def heard() -> Iterator[None]:
    """Interruptions are heard even where the suite runs in the background of a shell, which has them ignored."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


def busy(seconds=60.0):
    """An alarm ends it, like any work of the main thread."""
    time.sleep(seconds)


def test_a_stage_that_never_asks_is_ended_at_the_deadline():
    began = time.monotonic()
    with pytest.raises(OutOfTime, match="out of time while counting"), Run.lasting(0.2).stage("counting"):
        busy()
    assert time.monotonic() - began < 50


def test_an_inner_deadline_comes_first_and_the_outer_one_still_rings():
    run = Run.lasting(1.5)
    with pytest.raises(OutOfTime, match="the whole"), run.stage("the whole"):
        with pytest.raises(OutOfTime, match="a part"), run.within(0.2).stage("a part"):
            busy()
        busy()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_alarm_that_rings_as_a_stage_begins_or_ends_is_over_with_it():
    """A limit of some microseconds passes anywhere; whatever happens, nothing rings afterwards."""
    handler, random = signal.getsignal(signal.SIGALRM), Random(1)
    for _ in range(5000):
        run = Run.lasting(random.random() * 4e-5)
        with contextlib.suppress(OutOfTime), run.stage("the whole"), run.part(random.random()).stage("a part"):
            pass
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        assert signal.getsignal(signal.SIGALRM) == handler


def test_the_alarm_of_others_is_left_alone():
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with Run.lasting(30).stage("waiting"):
            busy(0.4)
        assert rung
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_in_another_thread_the_work_asks_itself():
    ended = []

    def work():
        run = Run.lasting(0.1)
        try:
            with run.stage("asking"):
                while True:
                    run.check()
        except OutOfTime as over:
            ended.append(str(over))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(100)
    assert ended == ["out of time while asking"]


@pytest.mark.usefixtures("heard")
def test_an_interruption_leaves_nothing_of_the_time():
    run = Run()
    with pytest.raises(OutOfTime, match="interrupted while working"), run.stage("working"):
        os.kill(os.getpid(), signal.SIGINT)
        busy(5)
    assert run.interrupted and run.part(0.5).left() == 0
    with pytest.raises(OutOfTime):
        run.check()


def test_helpers_that_still_work_are_ended():
    began = time.monotonic()
    with helpers(2) as pool:
        pool.submit(time.sleep, 600)
        time.sleep(0.2)
    assert time.monotonic() - began < 120


@pytest.fixture(scope="module")
def imported():
    """Everything that these calls import: no limit cuts an import in two, and its time is not the search's."""
    certify.threshold("lever:2", rtol="1/2")
    certify.optimum("lever:2", 1)


@pytest.mark.parametrize("limit", [0.5, pytest.param(2.0, marks=pytest.mark.slow)])
def test_the_limit_of_a_threshold_holds(limit, imported):
    """Within 10 % and some seconds of the processor: a busy machine makes it longer for everybody."""
    began = time.process_time()
    result = certify.threshold("dectiger", horizon=3, time_limit=limit)
    assert time.process_time() - began <= 1.1 * limit + 3
    assert result.status == "proved" or "out of time while" in result.reason


def test_the_limit_of_an_optimum_holds(imported):
    began = time.process_time()
    result = certify.optimum("dectiger", 45, horizon=3, time_limit=1)
    assert time.process_time() - began <= 4.1
    assert result.status == "proved" or "out of time while" in result.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["threshold", "dectiger", "--horizon", "3"], ["optimum", "dectiger", "--horizon", "3", "--alpha", "9:20"]],
)
def test_one_interruption_ends_a_command(command):
    process = subprocess.Popen(
        [sys.executable, "-c", "from certify.cli import main; main()", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(6)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 10, "a second on an idle machine"
    assert "Traceback" not in err and ("alpha*" in out or "interrupted" in out + err)


def test_an_alarm_that_a_destructor_swallowed_rings_again() -> None:
    """Python prints what is raised in a `__del__`, and goes on."""

    class Slow:
        def __init__(self, limit: float) -> None:
            self.limit = limit

        def __del__(self) -> None:
            busy(self.limit + 0.2)

    heard = []
    hook, sys.unraisablehook = sys.unraisablehook, heard.append
    try:
        for limit in (0.1, 1, 5, 25):  # where the machine halts for a while, the alarm may ring before
            with pytest.raises(OutOfTime), Run.lasting(limit).stage("waiting"):
                Slow(limit)
                busy()
            if heard:
                break
    finally:
        sys.unraisablehook = hook
    assert heard


def test_the_structural_threshold_is_checked_before_what_takes_all_the_time(monkeypatch):
    """A matrix of 300 by 300 was "undecided" after 40 s: its structural threshold was checked last, after the time."""

    def nothing_left(self, choice, run):
        raise OutOfTime("out of time while checking")

    monkeypatch.setattr(certify.answers.drafts.Drafts, "_certified", nothing_left)
    result = certify.threshold("lever:3", method="auto", time_limit=30, rtol="1/2")
    assert result.status == "proved" and result.method.startswith("structural")
    assert "out of time" in result.reason


def test_a_check_that_takes_too_long_leaves_time_for_a_cheaper_one(monkeypatch):
    """The sharpest of two certificates is never done; the other one is what counts."""

    def certified(self, choice, run):
        while choice.alpha_star == 1:
            time.sleep(0.01)
        return choice, None

    monkeypatch.setattr(certify.answers.drafts.Drafts, "_certified", certified)
    sharp, cheap = SimpleNamespace(alpha_star=1), SimpleNamespace(alpha_star=2)
    ladder = SimpleNamespace(proposals=[cheap, sharp], below=None, notes=(), question=None)
    drafts = certify.answers.drafts.Drafts(ladder, Run.lasting(4))
    assert drafts.best() is cheap
    assert drafts.notes == ["out of time while checking the certificate of alpha* = 1"]


def test_a_check_that_would_take_longer_than_what_is_left_is_not_begun(monkeypatch):
    """Of three covers the sharpest is never done; the next has as many steps, so time is kept for the third."""
    tried = []

    def certified(self, choice, run):
        tried.append(choice.alpha_star)
        while choice.alpha_star < 3:
            time.sleep(0.01)
        return choice, None

    monkeypatch.setattr(certify.answers.drafts.Drafts, "_certified", certified)
    covers = [
        Localisation(Fraction(alpha), [Node(None, Fraction(0), Fraction(1), steps=[{}] * steps)])
        for alpha, steps in ((1, 1000), (2, 900), (3, 10))
    ]
    ladder = SimpleNamespace(proposals=covers, below=None, notes=(), question=None)
    drafts = certify.answers.drafts.Drafts(ladder, Run.lasting(4))
    assert drafts.best() is covers[2]
    assert tried == [1, 3]
    assert drafts.notes[1] == "no time left to check alpha* = 2"
