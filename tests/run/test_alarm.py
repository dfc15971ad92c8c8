"""The alarm of stages: whatever is interrupted where, nothing rings afterwards, and strangers get theirs."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import certify.run
from certify.run import OutOfTime, Run, helpers

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers on this system")


@pytest.fixture
def theirs() -> Iterator[list[bool]]:
    """A stranger's handler that notes when it is called."""
    rung: list[bool] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
    yield rung
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def nested() -> None:
    """Stages one in another and one after another."""
    run = Run.lasting(60)
    with run.stage("the whole"):
        with contextlib.suppress(OutOfTime), run.part(0.5).stage("a part"):
            pass
        with run.within(70).stage("a longer part"):
            pass


class At:
    """Does something as the k-th line (or call) of `certify/run.py` begins."""

    def __init__(self, k: int, what: Any) -> None:
        self.left, self.what = k, what

    def __call__(self, frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename != certify.run.__file__:
            return None
        if event in ("call", "line"):
            self.left -= 1
            if self.left == -1:
                self.what()
        return self


def press() -> None:
    raise KeyboardInterrupt


def ring() -> None:
    """The time is over, here and now."""
    over = certify.run.time.monotonic() + 100
    certify.run.time = Later(over)  # type: ignore[attr-defined]
    try:
        signal.raise_signal(signal.SIGALRM)
    finally:
        certify.run.time = time  # type: ignore[attr-defined]


class Later:
    """A clock that has gone on."""

    def __init__(self, now: float) -> None:
        self.monotonic = lambda: now


@pytest.mark.parametrize("what", [press, ring])
@pytest.mark.parametrize("waiting", [0.0, 500.0])
def test_cut_short_at_any_line_nothing_rings_afterwards(what: Any, waiting: float, theirs: list[bool]) -> None:
    handler, tracer = signal.getsignal(signal.SIGALRM), sys.gettrace()
    for k in count():
        signal.setitimer(signal.ITIMER_REAL, waiting)
        at = At(k, what)
        sys.settrace(at)
        try:
            nested()
        except (KeyboardInterrupt, OutOfTime):
            pass
        finally:
            sys.settrace(tracer)
        left, again = signal.getitimer(signal.ITIMER_REAL)
        assert signal.getsignal(signal.SIGALRM) is handler, k
        assert again == 0 and (waiting - 160 < left <= waiting if waiting else left == 0), (k, left, again)
        assert not certify.run._under_way, k
        if at.left >= 0:
            break
        theirs.clear()
    assert k > 100


def test_a_later_alarm_of_others_rings_once(theirs: list[bool]) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    with pytest.raises(OutOfTime), Run.lasting(0.05).stage("waiting"):
        time.sleep(20)
    until = time.monotonic() + 20
    while not theirs and time.monotonic() < until:
        time.sleep(0.05)
    assert theirs == [True]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_generator_that_is_closed_late_sets_no_alarm_again() -> None:
    def walking() -> Iterator[int]:
        with Run.lasting(50).stage("walking"):
            yield 1

    with Run.lasting(60).stage("the whole"):
        walk = walking()
        assert next(walk) == 1
    assert signal.getitimer(signal.ITIMER_REAL)[0] > 0  # its own
    walk.close()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_script_that_is_imported_hears_its_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only imports that began within the stage are not cut in two."""
    lines = [
        "from certify.run import OutOfTime, Run",
        "import time",
        "try:",
        "    with Run.lasting(0.1).stage('counting'):",
        "        time.sleep(100)",  # no loop: interrupted as it jumps back, Python 3.13.0 leaves it by no handler
        "    ENDED = None",
        "except OutOfTime as over:",
        "    ENDED = str(over)",
    ]
    (tmp_path / "a_script_of_certify.py").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert importlib.import_module("a_script_of_certify").ENDED == "out of time while counting"
    del sys.modules["a_script_of_certify"]


def test_processes_know_nothing_of_the_stages_of_their_parent() -> None:
    with Run.lasting(60).stage("the whole"), helpers(2) as pool:
        assert pool is not None
        assert pool.submit(eval, "__import__('certify.run').run._under_way").result(60) == []


def runs(process: Any) -> bool:
    """Whether the system knows it still: `is_alive` errs where another thread has collected its exit code."""
    process.is_alive()  # collects it, if nobody has
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, 0)
        return True
    return False


def test_helpers_end_though_the_alarm_rings_while_they_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def rings(*_: object) -> None:
        raise OutOfTime

    processes: list[Any] = []
    with pytest.raises(OutOfTime), monkeypatch.context() as patched, helpers(2) as pool:
        assert pool is not None
        pool.submit(time.sleep, 100)
        processes += (pool._processes or {}).values()  # type: ignore[attr-defined]
        patched.setattr(type(processes[0]), "join", rings)
    until = time.monotonic() + 60
    while any(map(runs, processes)) and time.monotonic() < until:
        time.sleep(0.05)
    assert processes and not any(map(runs, processes))


@pytest.mark.parametrize("package", ["numba", "llvmlite"])
def test_what_is_being_compiled_is_finished(package: str) -> None:
    """An exception in the middle would leave the compiler without its result, now and at every later call."""
    source = (
        "def work(seconds):\n    until = now() + seconds\n    while now() < until:\n        pass\n    return 'done'\n"
    )
    path = str(Path("site-packages") / package / "core" / "compiler.py")
    scope: dict[str, Any] = {"now": time.monotonic}
    exec(compile(source, path, "exec"), scope)
    done = None
    with contextlib.suppress(OutOfTime), Run.lasting(0.1).stage("compiling"):
        done = scope["work"](0.4)
        while True:
            pass
    assert done == "done"
