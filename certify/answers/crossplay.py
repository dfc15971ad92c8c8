"""`certify.cross_play`: self-play and cross-play at one temperature, equal above the threshold, a certified gap
below it (docs/theory/symmetry.md, docs/theory/objective.md).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypedDict, Unpack

from certify.answers.check import check
from certify.answers.optimum_threshold import given_threshold
from certify.answers.threshold import threshold as find_threshold
from certify.bounds.policy_table import as_policy
from certify.crossplay.study import CrossPlayStudy, in_original_units, study, study_policies
from certify.errors import InputError
from certify.exact import positive_number, whole_number
from certify.games import Game, as_game
from certify.games.objective import for_objective
from certify.games.tree import unroll
from certify.games.units import divided, unit_of
from certify.run import OutOfTime, Progress, Run, quiet

DEFAULT_SECONDS = 60.0
_HOTTEST = Fraction(10**300)  # runs are in floats


class CrossPlayOptions(TypedDict, total=False):
    """What `cross_play` takes beside the game and the temperature, all of it optional.

    horizon : of a sequential game.  objective : "entropy", "kl" or "local", as for `certify.threshold`.
    policies : policy tables (files, or what `certify.tabulate` gives) whose teams are asked about, instead of
    stationary policies that are looked for.  certificate : the file of a threshold
    certificate, which is checked first; computed if needed and None.  starts, seed : of the float runs.
    time_limit : seconds for everything together.  memory : of the search for a threshold at most, like "1 GB".
    progress : called with a line now and then.
    """

    horizon: int | None
    objective: str
    policies: Sequence[Any]
    certificate: str | os.PathLike[str] | None
    starts: int
    seed: int
    time_limit: Fraction | float | str
    memory: int | str | None
    progress: Progress


@dataclass(frozen=True)
class _Options:
    """The same with its defaults; an option of another name is a `TypeError`."""

    horizon: int | None = None
    objective: str = "entropy"
    policies: Sequence[Any] = ()
    certificate: str | os.PathLike[str] | None = None
    starts: int = 24
    seed: int = 0
    time_limit: Fraction | float | str = DEFAULT_SECONDS
    memory: int | str | None = None
    progress: Progress = quiet


def cross_play(game: Any, alpha: Fraction | float | str, **options: Unpack[CrossPlayOptions]) -> CrossPlayStudy:
    """Certified self-play and cross-play returns of stationary policies, or of the given ones, at `alpha`.

    Parameters
    ----------
    game : a `Game`, a path, the name of a built-in, or payoffs as nested lists or an array.
    alpha : an exact temperature.
    options : see `CrossPlayOptions`.

    Raises `InputError` for bad input, and `Undecided` where a single given policy has too many images.

    >>> cross_play("lever:2", "1/4").relation, cross_play("lever:2", 1).relation
    ('gap', 'equal')
    """
    asked = _Options(**options)
    played = for_objective(as_game(game, asked.horizon), asked.objective)
    temperature = positive_number(alpha, "alpha", "temperature")
    seconds = float(positive_number(asked.time_limit, "--time-limit", "number of seconds"))
    starts, seed = whole_number(asked.starts, "--starts"), whole_number(asked.seed, "--seed", 0)
    unit = unit_of(played)
    in_units, alpha_in_units = divided(played, unit), temperature / unit
    if not 1 / _HOTTEST <= alpha_in_units <= _HOTTEST:
        raise InputError("alpha", "out of range", "use a temperature within a factor of 1e300 of the payoffs")
    run = Run.lasting(seconds, progress=asked.progress)
    known: Fraction | None = None

    def threshold(asked_about: Game) -> Fraction | None:
        if known is not None:
            return known
        run.check()
        return find_threshold(
            asked_about, objective=asked.objective, time_limit=run.left(), memory=asked.memory, progress=asked.progress
        ).alpha_star

    try:
        if asked.policies:
            with run.stage("comparing the policies given"):
                tree = unroll(in_units, cluster=False)
                boxes = [as_policy(tree, policy) for policy in asked.policies]
                found = study_policies(in_units, alpha_in_units, boxes)
        else:
            if asked.certificate is not None:
                with run.stage("checking the threshold certificate"):
                    known = proved_threshold(played, asked.certificate) / unit
            asked.progress("looking for stationary policies")
            found = study(in_units, alpha_in_units, starts=starts, seed=seed, run=run, threshold=threshold)
    except OutOfTime as over:
        found = CrossPlayStudy("undecided", None, None, None, None, {}, reason=str(over))
    return in_original_units(found, unit)


def proved_threshold(game: Game, path: str | os.PathLike[str]) -> Fraction:
    """The alpha_star that the certificate in a file proves for `game`; raises `InputError` where it proves none."""
    found = given_threshold(game, path)
    if not check(path).valid:
        mend = "make one by `certify threshold GAME -o CERT.json`"
        raise InputError(str(path), "not a valid threshold certificate", mend)
    return found.alpha_star
