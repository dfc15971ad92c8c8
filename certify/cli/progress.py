"""One line that says what a long command is doing: seconds, time left, the best bracket so far, the stage.

On a terminal it is rewritten in place after two seconds and gone at the end.  Where stderr is a pipe or a file,
a line is written every ten seconds, none by commands that end before and none beside `--json`.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

QUIET, EVERY = 2.0, 10.0  # seconds before the line is shown on a terminal, and between two lines elsewhere
_REFRESH = 4  # times a second


class Progress:
    """A context in which a `certify.run.Watcher` is told what goes on; it never writes to stdout by itself.

    >>> with Progress() as progress:
    ...     progress("covering")
    ...     progress.bracket(12.5, 12.0)
    ...     progress.line()
    '0 s; one policy from alpha = 12.5 on, several at 12 (ratio 1.042); covering'
    """

    def __init__(self) -> None:
        context = click.get_current_context(silent=True)
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._silent = not self._terminal and bool(context is not None and context.params.get("as_json"))
        self._stage, self._began, self._deadline = "", time.monotonic(), math.inf
        self._above: float | None = None
        self._below: float | None = None
        self._over, self._lock = threading.Event(), threading.Lock()
        self._thread: threading.Thread | None = None
        self._live: Live | None = None

    def __call__(self, text: str) -> None:
        """Say what is being done now."""
        self._stage = text

    def until(self, deadline: float) -> None:
        """Say when the run ends, on the clock of `time.monotonic`."""
        self._deadline = deadline

    def bracket(self, above: float | None, below: float | None) -> None:
        """Say from which temperature on the search has one policy, and at which several; not checked yet."""
        self._above, self._below = above, below

    def line(self) -> str:
        """What there is to say now."""
        now = time.monotonic()
        found = []
        if self._above is not None:
            found.append(f"one policy from alpha = {self._above:.6g} on")
        if self._below is not None:
            found.append(f"several at {self._below:.6g}")
        bracket = ", ".join(found)
        if self._above is not None and self._below is not None and self._below > 0:
            bracket += f" (ratio {self._above / self._below:.4g})"
        left = "" if self._deadline == math.inf else f", at most {_seconds(max(0.0, self._deadline - now))} left"
        # the stage comes last: it is what a narrow terminal may cut
        return "; ".join(part for part in (_seconds(now - self._began) + left, bracket, self._stage) if part)

    def print(self, text: str) -> None:
        """Print a result on stdout while the line is shown."""
        with self._lock:
            if self._live is None:
                print(text, flush=True)
                return
            self._live.stop()
            print(text, flush=True)
            self._live.start()

    def __enter__(self) -> Progress:
        if not self._silent:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if self._live is not None:
            self._live.stop()

    def _watch(self) -> None:
        if not self._terminal:
            while not self._over.wait(EVERY):
                print(self.line(), file=sys.stderr, flush=True)
            return
        if self._over.wait(QUIET):
            return
        from rich.console import Console
        from rich.live import Live

        console = Console(file=sys.stderr, highlight=False)
        with self._lock:
            if self._over.is_set():
                return
            self._live = Live(
                console=console,
                get_renderable=self._shown,
                refresh_per_second=_REFRESH,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def _shown(self) -> Text:
        from rich.text import Text

        return Text(self.line(), style="dim", no_wrap=True, overflow="ellipsis")


def _seconds(value: float) -> str:
    """A time for a person.

    >>> _seconds(7.2), _seconds(125), _seconds(7300)
    ('7 s', '2 min 5 s', '2 h 1 min')
    """
    whole = int(value)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
