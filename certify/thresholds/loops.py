"""When the compiled loops of a search are made, and whether they are used: the first use of a version of them compiles
for about a minute (docs/thresholds.md#compiled-loops), which a short run would miss.

Where nothing is kept yet, arrays search; loops are made once that has taken a while and much time is left.  Both find
the same, so nothing rigorous hangs on it, nor what is found, only how fast.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from certify.games.builtin import builtin
from certify.games.tree import unroll
from certify.run import Run
from certify.thresholds.compiled import compiler
from certify.thresholds.index_tables import Plan

COMPILING = 60.0  # seconds that it takes, about
_WORTH = 4 * COMPILING  # seconds that a search must have for it ...
_WAIT = COMPILING / 3  # ... and must have taken by then: a small game is done before
HOW = "the search ran in numpy; `certify compile` makes its compiled loops, once: they are several times as fast"
_found = threading.Event()  # made or loaded in this process, or in the one that it was forked from


def ready() -> bool:
    """Whether loops can be used at once."""
    if not _found.is_set() and compiler.is_complete():
        _found.set()
    return _found.is_set()


def make() -> None:
    """Compile or load everything that searches call: all of it on a small game, for machine code is made at a first
    call."""
    from certify.thresholds.compiled import stationary
    from certify.thresholds.compiled.batch import batches_for
    from certify.thresholds.compiled.step import CompiledStep

    plan, beta = Plan(unroll(builtin("dectiger", 2))), 0.001
    shapes = [[(level.classes[i], level.action_counts[i]) for level in plan.levels] for i in range(plan.agents)]
    box = [[(np.zeros(shape), np.ones(shape)) for shape in row] for row in shapes]
    batches_for(plan).contracted(box, (beta, beta), (0.0, 0.0, 0.0, 0.0, 1.0), (1, True), Run())
    stationary.approx_stationary(plan, beta, plan.tree.uniform(), rounds=1)
    step = CompiledStep(plan, [[(low[None], high[None]) for low, high in row] for row in box], np.array([beta]))
    for i in range(plan.agents):
        for t in range(plan.horizon):
            step.log_ratio_bounds(i, t)
    step.form(own=True)
    compiler.mark_complete()
    _found.set()


class Loops:
    """Whether compiled loops are used for one plan.  A helper process is told by the process that asks it, and makes
    them only where that has much time left."""

    def __init__(self, run: Run) -> None:
        self._run, self._began = run, time.monotonic()
        self._used, self._worth = ready(), run.left() > _WORTH

    def __getstate__(self) -> dict[str, Any]:
        worth = self._worth if self._run is None else self._run.left() > _WORTH
        return {"_run": None, "_began": 0.0, "_used": self._used, "_worth": worth}

    @property
    def refused(self) -> bool:
        """Whether there is no time to make them."""
        return not (self._used or self._worth)

    def used(self) -> bool:
        """Whether they are used from now on; makes them where it is time to."""
        if self._run is None:  # a helper: the other process decides
            return self._used and (ready() or (self._worth and self._make()))
        if not self._used and self._worth and time.monotonic() - self._began > _WAIT:
            self._used = ready() or self._make()
        return self._used

    def _make(self) -> bool:
        """Whether they could be made."""
        run = self._run or Run()
        run.progress("compiling the loops of the search: about a minute, once")
        try:
            with run.stage("compiling the loops of the search"):
                make()
        except OSError as error:  # a full disk, say
            run.progress(f"the loops of the search cannot be compiled here ({error}): going on in numpy")
            self._worth = False
            return False
        return True
