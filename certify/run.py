"""One piece of work and what bounds it: the clock, the helpers, the file that keeps it, whoever watches.

A `Run` travels through every search instead of its five parts.  Each stage of a computation asks the
clock through it; where the time is over, or somebody interrupts, the stage ends and whoever began it
goes on with what is proved.  Nothing rigorous depends on a run: it decides how far a search gets.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any, Protocol, runtime_checkable

from certify.checkpoint import Checkpoint
from certify.errors import InputError

Progress = Callable[[str], None]
_GUARD = (
    "call certify under `if __name__ == '__main__':` where processes are spawned, use fewer workers where memory ends"
)
_MOMENT = 0.01  # seconds until an alarm that rings during an import, or while a stage begins or ends, rings again
_EARLY = 0.001  # seconds by which a timer may ring before its time
_AGAIN = 1.0  # seconds until an alarm rings again that nobody heard: Python swallows what is raised in a `__del__`
_PATIENCE = 0.5  # seconds in which processes that are no longer needed may end by themselves


class OutOfTime(Exception):
    """The run is over: its limit has passed, or it was interrupted."""


@runtime_checkable
class Watcher(Protocol):
    """A progress that wants to know more than words: until when the run may last, and what it has found.

    Nothing of it is proved before the checker has agreed: it is for a line that somebody watches.
    """

    def __call__(self, text: str) -> None:
        """Be told in words what is going on."""

    def until(self, deadline: float) -> None:
        """Be told when the run ends, on the clock of `time.monotonic`."""

    def bracket(self, above: float | None, below: float | None) -> None:
        """Be told the best temperatures so far: unique from `above` on, several policies at `below`."""


def quiet(text: str) -> None:
    """The progress of a run that nobody watches."""


@dataclass
class _State:
    """What a run and all its parts share."""

    stage: str = ""
    interrupted: bool = False
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True, eq=False)
class Run:
    """How long a search may take and who takes part.

    deadline : on the clock of `time.monotonic`.  workers : processes.  executor : who takes batches of
    boxes off this process, or None.  checkpoint : keeps what a long search has found.  progress : is
    told in words what is going on.

    >>> run = Run.lasting(600)
    >>> 500 < run.left() <= 600, 250 < run.part(0.5).left() <= 300, Run().left()
    (True, True, inf)
    """

    deadline: float = math.inf
    workers: int = 1
    executor: Executor | None = None
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    progress: Progress = quiet
    _state: _State = field(default_factory=_State, repr=False)

    @classmethod
    def lasting(cls, seconds: float | None, *, workers: int = 1, progress: Progress = quiet) -> Run:
        """A run that may take so many seconds from now on (None: as long as it likes)."""
        deadline = math.inf if seconds is None else time.monotonic() + seconds
        if isinstance(progress, Watcher):
            progress.until(deadline)
        return cls(deadline, workers=workers, progress=progress)

    def part(self, share: float, *, least: float = 0.0) -> Run:
        """The same run, but only for a share of the time that is left, or `least` seconds."""
        return self.within(max(least, share * self.left()))

    def within(self, seconds: float) -> Run:
        """The same run, but only for so many seconds."""
        return replace(self, deadline=min(self.deadline, time.monotonic() + seconds))

    def left(self) -> float:
        """Seconds that are left: 0 from the deadline on, and after an interruption."""
        return 0.0 if self.interrupted else max(0.0, self.deadline - time.monotonic())

    @property
    def limited(self) -> bool:
        """Whether there is a deadline at all."""
        return self.deadline < math.inf

    @property
    def interrupted(self) -> bool:
        """Whether somebody has interrupted this run or a part of it."""
        return self._state.interrupted

    def interrupt(self) -> None:
        """Note an interruption that was caught: from now on nothing is left of the time."""
        self._state.interrupted = True

    def found(self, *, above: float | None = None, below: float | None = None) -> None:
        """Tell a `Watcher` a temperature from which on the search sees one policy, or at which it sees several.

        >>> class Line:
        ...     def __call__(self, text): ...
        ...     def until(self, deadline): ...
        ...     def bracket(self, above, below):
        ...         print(above, below)
        >>> run = Run(progress=Line())
        >>> run.found(above=2.0)
        2.0 None
        >>> run.found(above=3.0, below=1.5)
        2.0 1.5
        """
        state = self._state
        state.above = min((a for a in (above, state.above) if a is not None), default=None)
        state.below = max((b for b in (below, state.below) if b is not None), default=None)
        if isinstance(self.progress, Watcher):
            self.progress.bracket(state.above, state.below)

    def check(self) -> None:
        """Raise `OutOfTime` where the run is over."""
        if self.left() <= 0:
            raise OutOfTime(self.reason())

    def reason(self) -> str:
        """Why the run ends here, in words.

        >>> Run.lasting(0).reason()
        'out of time'
        """
        why = "interrupted" if self.interrupted else "out of time"
        return f"{why} while {self._state.stage}" if self._state.stage else why

    def stage(self, name: str) -> contextlib.AbstractContextManager[None]:
        """What is done inside: `name` completes "out of time while ...".

        Raises `OutOfTime` at the deadline: in the main thread wherever the work then is, elsewhere as
        soon as the work itself asks (`check`).  An interruption is noted and raised as `OutOfTime` too,
        so that one clause keeps what is proved; a second one finds nobody who catches it.

        >>> run = Run.lasting(0.01)
        >>> try:
        ...     with run.stage("counting"):
        ...         while True:
        ...             pass
        ... except OutOfTime as over:
        ...     print(over)
        out of time while counting
        """
        return _Stage(self, name)


class _Stage:
    """`Run.stage`: a class, since the block of a generator that is interrupted as it begins would be left late."""

    def __init__(self, run: Run, name: str) -> None:
        self.run, self.name = run, name
        self.frame: FrameType | None = None  # whose block it is, as long as the timer knows of it

    def __enter__(self) -> None:
        self.before, self.run._state.stage = self.run._state.stage, self.name
        try:
            self.run.check()
            if _TIMER and self.run.limited and threading.current_thread() is threading.main_thread():
                self.frame = sys._getframe(1)
                _under_way.append(weakref.ref(self, _dropped))
                _arm()
        except BaseException as error:
            self.__exit__(type(error), error)
            raise

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        try:
            if self.frame is not None:
                _leave(self)
        except KeyboardInterrupt as pressed:
            _leave(self)
            error = pressed
        if isinstance(error, KeyboardInterrupt):
            self.run.interrupt()
        reason, self.run._state.stage = self.run.reason(), self.before
        if isinstance(error, KeyboardInterrupt) or (isinstance(error, OutOfTime) and not error.args):
            raise OutOfTime(reason) from None


_TIMER = hasattr(signal, "setitimer")
# the stages of the main thread that have a deadline, the outermost first
_under_way: list[weakref.ref[_Stage]] = []
_theirs: list[Any] = [None, math.inf, 0.0]  # a stranger's handler, when it will be called, and how often then
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_under_way.clear)  # timers are not inherited


def _leave(stage: _Stage) -> None:
    """It is over."""
    stage.frame, known = None, weakref.ref(stage)
    if known in _under_way:
        _under_way.remove(known)
    _arm()


def _dropped(_: weakref.ref[_Stage]) -> None:
    """An interruption came as `__exit__` was called: it has not run, and never will."""
    _arm()


_WHOLE = ("importlib._bootstrap", f"{os.sep}numba{os.sep}", f"{os.sep}llvmlite{os.sep}")
_UNHEARD = tuple(call.__code__ for call in (_Stage.__enter__, _Stage.__exit__, _dropped))


def _due() -> float:
    """The first deadline."""
    return min((stage.run.deadline for known in _under_way if (stage := known()) is not None), default=math.inf)


def _arm() -> None:
    """Set the timer for the first deadline, or give it back; where this is cut short, calling it again mends it.

    A stranger's alarm that comes earlier stays; a later one rings afterwards.
    """
    if not _TIMER or threading.current_thread() is not threading.main_thread():
        return
    _under_way[:] = [known for known in _under_way if known() is not None]
    handler, now = signal.getsignal(signal.SIGALRM), time.monotonic()
    due, ours = _due(), handler is _ring
    if not ours:
        left, again = signal.getitimer(signal.ITIMER_REAL)
        _theirs[:] = handler, now + left if left else math.inf, again
    handler, until, again = _theirs
    if due < until and handler is not None:
        signal.signal(signal.SIGALRM, _ring)
        signal.setitimer(signal.ITIMER_REAL, max(due - now, 1e-6), _AGAIN)
    elif ours:
        signal.setitimer(signal.ITIMER_REAL, max(until - now, _MOMENT) if until < math.inf else 0.0, again)
        signal.signal(signal.SIGALRM, handler)


def _ring(number: int, frame: FrameType | None) -> None:
    """Raise `OutOfTime` where a deadline has passed, or ring again a moment later where that would do harm."""
    if _due() > time.monotonic() + _EARLY:
        _arm()
    elif _harmful(frame):
        signal.setitimer(signal.ITIMER_REAL, _MOMENT, _AGAIN)
    else:
        raise OutOfTime


def _harmful(frame: FrameType | None) -> bool:
    """Whether blocks are begun or left here, or a module is imported or compiled, which would stay half of it."""
    if frame is not None and frame.f_code.co_filename == contextlib.__file__:
        return True
    first = _under_way[0]()
    outermost = first.frame if first is not None else None
    while frame is not None and frame is not outermost:
        if frame.f_code in _UNHEARD or any(part in frame.f_code.co_filename for part in _WHOLE):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def helpers(workers: int) -> Iterator[Executor | None]:
    """`workers` processes, None for one; those that still work when the block is left are ended."""
    if workers == 1:
        yield None
        return
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        # this process was spawned and imports the script that began it: the script has no guard
        raise SystemExit(1)
    # an interruption is for this process, which then tells the others to stop
    pool = ProcessPoolExecutor(workers, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN))
    try:
        yield pool
    except BrokenProcessPool:
        raise InputError("--workers", "a helper process ended too early", _GUARD) from None
    finally:
        processes = list((pool._processes or {}).values())  # before Python 3.14 there is no public way to end them
        try:
            pool.shutdown(wait=False, cancel_futures=True)
            until = time.monotonic() + _PATIENCE
            for process in processes:
                process.join(max(0.0, until - time.monotonic()))
        finally:  # an alarm, or another interruption, ends the waiting only
            for process in processes:
                if process.is_alive():
                    process.terminate()
