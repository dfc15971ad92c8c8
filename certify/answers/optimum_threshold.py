"""The threshold certificate that a certified optimum rests on: the one given, or the cheapest that reaches."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify.answers.ladder import Question
from certify.answers.threshold import answered
from certify.answers.threshold_result import ThresholdResult
from certify.certificates.threshold import cover_certificate, with_ascent
from certify.certificates.units import restated
from certify.errors import InputError
from certify.games import Game, game_sha256
from certify.games.objective import named_in_certificates
from certify.games.readers.textfile import parse_json, read_text
from certify.games.tree import Tree
from certify.memory import NO_BOUND, Memory
from certify.run import OutOfTime, Run
from certify.thresholds.cover import Stalled, find_cover
from certify.thresholds.index_tables import Plan
from certify.thresholds.room import check_room
from certify.thresholds.shapes import shape_of
from certify.thresholds.step_rule import timed
from certify.thresholds.step_size import sizes_of, step_size

_BELOW = Fraction(9, 10)  # of the temperature asked for: no threshold below it is looked for
_RTOL = Fraction(1, 20)  # of a threshold that is only the start of a branch
_COVER_PART = 0.25  # of the time, for one attempt to cover everything from the temperature on
_SHARPER_PART = 0.5  # of the rest, for a threshold as near as it comes


@dataclass(frozen=True)
class KnownThreshold:
    """A threshold certificate of the game, and its alpha_star."""

    document: dict[str, Any]
    alpha_star: Fraction

    def divided(self, game: Game, unit: Fraction) -> KnownThreshold:
        """The same about `game`, whose payoffs are those of this one divided by `unit`."""
        return KnownThreshold(restated(self.document, game, 1 / unit), self.alpha_star / unit)


def find_threshold(
    tree: Tree, alpha: Fraction, max_entries: int, run: Run, memory: Memory = NO_BOUND
) -> KnownThreshold:
    """A threshold that reaches down to `alpha` if one is found; otherwise the lowest.

    Raises `InputError` where none is proved, and `OutOfTime`.
    """
    game = tree.game
    question = Question(game, "structural", _RTOL, (), alpha * _BELOW, max_entries, memory)
    found = answered(question, run)
    if found.alpha_star is None or found.alpha_star > alpha:
        run.progress(f"covering every temperature from {float(alpha):.6g} on")
        part = run.part(_COVER_PART)
        try:
            with part.stage("covering every temperature"):
                plan = timed(check_room(Plan(tree, memory)), part)
                cover = cover_certificate(game, find_cover(plan, 1 / alpha, run=part), [])
                ascent = step_size(shape_of(game), sizes_of(game), alpha) if game.flows_back else None
                return KnownThreshold(with_ascent(cover, ascent), alpha)
        except (Stalled, OutOfTime, InputError):
            run.check()  # over altogether, or only this attempt
        sharper = answered(replace(question, method="auto"), run.part(_SHARPER_PART))
        if found.alpha_star is None or (sharper.alpha_star is not None and sharper.alpha_star < found.alpha_star):
            found = sharper
    if found.document is None or found.alpha_star is None:
        if run.left() <= 0:
            raise OutOfTime(found.reason)
        raise InputError(game.name, f"no threshold was proved ({found.reason})", "give one by --threshold")
    return KnownThreshold(found.document, found.alpha_star)


def given_threshold(game: Game, given: Any) -> KnownThreshold:
    """The threshold in a result, a document or a file.

    Raises `InputError` for what is no threshold certificate, or one of another game.
    """
    where, document = "threshold", given
    if isinstance(given, ThresholdResult):
        document = given.document
    elif isinstance(given, (str, os.PathLike)):
        where = str(given)
        document = parse_json(read_text(Path(given)), where)
    if not isinstance(document, dict) or document.get("kind") != "threshold":
        raise InputError(where, "not a threshold certificate", "give one that `certify threshold -o` wrote")
    if document.get("game_sha256") != game_sha256(game):
        if isinstance(document.get("claim"), dict) and document["claim"].get("horizons") == "all":
            mend = "give one for this horizon, by `certify threshold GAME --horizon N -o CERT.json`"
            raise InputError(where, "a certificate for every horizon", mend)
        raise InputError(where, "a certificate of another game", "name the game, horizon and discount that it is about")
    if document.get("objective") != (wanted := named_in_certificates(game)):
        raise InputError(
            where, f"a certificate for the objective {document.get('objective')!r}", f"give one for {wanted!r}"
        )
    try:
        return KnownThreshold(document, Fraction(document["claim"]["alpha_star"]))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        raise InputError(
            where, "no alpha_star in its claim", "give a certificate that `certify threshold` wrote, unaltered"
        ) from None
