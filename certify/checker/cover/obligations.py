"""What has to be verified of a cover, in order, and by how many processes.

A step leaves of a box what its log ratios allow, whether they hold or not.  So `cover` walks the tree on
the strength of what is claimed, and writes down as *claims* all that must hold for it to be right.  No claim
waits for the verdict on another: engines verify many at a time, processes share them.  If all hold, then by
induction along the tree every box contains what it should.  If not, the first in order that is not shown is
named: every box before it is that of a check step by step, which would have stopped there.
"""

import itertools
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from typing import NamedTuple

from certify.checker.reading.envelope import Failed


class StepClaim(NamedTuple):
    """Every log ratio of the step, in units of 2^unit, bounds all stationary policies in the box at every beta."""

    box: object
    betas: tuple
    step: object
    unit: int


class WeighedClaim(NamedTuple):
    """Every bound of the weighed step bounds all stationary policies in the box at every beta between the ends."""

    box: object
    betas: tuple
    step: object


class DefiniteClaim(NamedTuple):
    """The form of section 4.5 is positive definite on the box at every beta (modulus and own: section 6)."""

    box: object
    betas: tuple
    modulus: Fraction | None = None
    own: bool = False


Claim = StepClaim | WeighedClaim | DefiniteClaim


def verify_all(walk, engine, workers=1, progress=None):
    """Has every claim of `walk()` verified, which yields pairs (where, claim); raises `Failed` for the first
    that is not shown, or where the walk itself does.

    `where` is a dict that names the claim.  Each of the processes walks for itself (walking is cheap) and verifies
    its share of the batches: whatever their number, the batches and so the verdicts are the same.
    """
    if workers == 1:
        found = [_share(walk, engine, 0, 1, progress)]
    else:
        with ProcessPoolExecutor(workers - 1) as pool:
            others = [pool.submit(_share, walk, engine, number, workers) for number in range(1, workers)]
            try:
                found = [_share(walk, engine, 0, workers, progress), *(other.result() for other in others)]
            except BaseException:  # out of time, or interrupted: the pool would wait for the others' shares
                for process in list(pool._processes.values()):
                    process.kill()
                raise
    failures = [failure for failure in found if failure is not None]
    if failures:
        _, where, why = min(failures, key=lambda failure: failure[0])
        raise Failed(why, **where)


def _share(walk, engine, mine, of, progress=None):
    """None, or (position in order, where, why) of the first failure among every `of`-th batch and in the walk."""
    claims, position, failure = walk(), 0, None
    for number in itertools.count():
        batch = []
        try:
            for entry in itertools.islice(claims, engine.batch):
                batch.append(entry)
        except Failed as raised:  # what comes before is verified all the same
            failure = position + len(batch), raised.where, raised.why
        if batch and number % of == mine:
            if (found := engine.verify([claim for _, claim in batch])) is not None:
                return position + found[0], batch[found[0]][0], found[1]
            if progress:
                progress("verified up to " + ", ".join(f"{key} {value}" for key, value in batch[-1][0].items()))
        position += len(batch)
        if len(batch) < engine.batch:
            return failure
