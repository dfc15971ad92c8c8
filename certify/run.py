"""One piece of work and what bounds it: the clock, the helpers, the file that keeps it, whoever watches.

A `Run` travels through every search instead of its five parts.  Each stage of a computation asks the
clock through it; where the time is over, or somebody interrupts, the stage ends and whoever began it
goes on with what is proved.  Nothing rigorous depends on a run: it decides how far a search gets.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Protocol, runtime_checkable

from certify.checkpoint import Checkpoint
from certify.errors import InputError

Progress = Callable[[str], None]
_GUARD = (
    "call certify under `if __name__ == '__main__':` where processes are spawned, use fewer workers where memory ends"
)
_MOMENT = 0.01  # seconds until an alarm that rings during an import, or while a stage begins or ends, rings again
_UNHEARD = (__file__, contextlib.contextmanager.__code__.co_filename)  # where stages begin and end
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

    >>> run = Run.lasting(60)
    >>> 59 < run.left() <= 60, 29 < run.part(0.5).left() <= 30, Run().left()
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

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
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
        state, before = self._state, self._state.stage
        state.stage = name
        try:
            self.check()
            with _Alarm(self.deadline):
                yield
        except KeyboardInterrupt:
            self.interrupt()
            raise OutOfTime(self.reason()) from None
        except OutOfTime as over:
            raise (over if over.args else OutOfTime(self.reason())) from None
        finally:
            state.stage = before


class _Alarm:
    """Raise `OutOfTime` in the main thread at `deadline`; elsewhere, and without interval timers, do nothing.

    An earlier alarm that is set already, ours or a stranger's, stays; a later one rings afterwards.

    It never rings while stages begin or end (`_UNHEARD`), nor after it: raised there, the exception would
    leave the timer running, and it would ring again and again in whatever the process does next.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.over = True

    def __enter__(self) -> None:
        usable = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
        self.waiting = signal.getitimer(signal.ITIMER_REAL)[0] if usable else 0.0
        self.began = time.monotonic()
        seconds = self.deadline - self.began
        if not usable or self.deadline == math.inf or 0 < self.waiting <= seconds:
            return
        self.over, self.handler = False, signal.signal(signal.SIGALRM, self.ring)
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6), _AGAIN)

    def __exit__(self, *_: object) -> None:
        if self.over:
            return
        self.over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.handler)
        if self.waiting:
            left = self.waiting - (time.monotonic() - self.began)
            signal.setitimer(signal.ITIMER_REAL, max(1e-6, left), _AGAIN)

    def ring(self, number: int, frame: FrameType | None) -> None:
        """Raise, or ring again a moment later where an exception would do harm."""
        unheard = frame is not None and frame.f_code.co_filename in _UNHEARD
        inner = frame
        while inner is not None and not unheard:  # a module that is half imported would stay so
            unheard, inner = "importlib._bootstrap" in inner.f_code.co_filename, inner.f_back
        if self.over:
            return
        if unheard:
            signal.setitimer(signal.ITIMER_REAL, _MOMENT, _AGAIN)
            return
        raise OutOfTime


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
        pool.shutdown(wait=False, cancel_futures=True)
        until = time.monotonic() + _PATIENCE
        for process in processes:
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.terminate()
