"""The Python calls behind the commands: results are frozen, exact numbers are `Fraction`s.

What a search proposes becomes a result only after the independent checker has accepted the
certificate: nothing is ever reported as proved on the word of the code that found it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify import checker
from certify.certificates import threshold as certificates
from certify.errors import InputError
from certify.exact import parse_rational
from certify.games import Game, game_sha256, load
from certify.games.tree import DEFAULT_MAX_ENTRIES, Tree, unroll
from certify.symmetry.evidence import evidence
from certify.uniqueness import structural
from certify.uniqueness.concavity import strong_concavity
from certify.uniqueness.localisation import Localisation, localise
from certify.uniqueness.plan import Plan

METHODS = ("auto", "structural", "localisation", "search")
Progress = Callable[[str], None]


def _quiet(text: str) -> None:
    """The progress of a call that nobody watches."""


@dataclass(frozen=True)
class ThresholdResult:
    """What `threshold` found.

    status : "proved" (the checker accepted the certificate) or "undecided" (`reason` says why).
    alpha_star : uniqueness is proved for every alpha >= alpha_star.  alpha_multiple : at least two
    stationary policies are proved to exist there (None: none was proved).  ratio : their quotient.
    modulus : a certified lower bound on alpha - lambda_max(M) at alpha_star, on the region named in
    the certificate.  forms : alpha_star of every structural form that was tried.
    """

    status: str
    alpha_star: Fraction | None
    alpha_multiple: Fraction | None
    method: str
    game_sha256: str | None
    horizon: int
    policy_parameters: int | None
    seconds: float
    modulus: Fraction | None = None
    forms: dict[str, Fraction] = field(default_factory=dict)
    reason: str = ""
    engine: str = ""
    document: dict[str, Any] | None = field(default=None, repr=False)
    certificate: str | None = None

    @property
    def ratio(self) -> float | None:
        if self.alpha_star is None or self.alpha_multiple is None:
            return None
        return float(self.alpha_star / self.alpha_multiple)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the certificate as JSON; raises `InputError` where there is none or it cannot be written."""
        return save_document(self.document, path)


def save_document(document: dict[str, Any] | None, path: str | os.PathLike[str]) -> Path:
    """Write a certificate whole or not at all (a temporary file beside it, then one rename)."""
    target = Path(path)
    if document is None:
        raise InputError(str(target), "there is no certificate to write", "nothing was proved; raise the limits")
    draft = target.with_name(target.name + ".part")
    try:
        draft.write_text(json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(draft, target)
    except OSError as error:
        raise InputError(str(target), f"cannot be written ({error.strerror})", "name a file in a folder that exists") from None
    return target


def threshold(game: Game | str, *, horizon: int | None = None, method: str = "auto", rtol: Fraction | float | str = Fraction(1, 100),
              time_limit: float | None = None, modulus_at: list[Fraction | str] | None = None,
              max_entries: int = DEFAULT_MAX_ENTRIES, progress: Progress = _quiet) -> ThresholdResult:
    """A certified temperature above which the stationary policy is unique.

    Parameters
    ----------
    game : a `Game`, a path or the name of a built-in (then with `horizon`).
    method : "structural" (theory, section 6), "localisation" (sections 4, 5, 7) or "auto": the
        first, then the second where the tree fits into `max_entries` numbers; the smaller wins.
    rtol : the resolution in alpha to which localisation searches.
    time_limit : seconds; None means 300 for "auto" and no limit otherwise.
    modulus_at : further temperatures >= alpha_star at which to certify strong concavity.

    Raises `InputError` for bad input.

    >>> result = threshold("lever:2", method="structural")
    >>> result.status, result.alpha_star
    ('proved', Fraction(1, 2))
    """
    if isinstance(game, str):
        game = load(game, horizon=horizon)
    if method not in METHODS:
        raise InputError("--method", f"{method!r}", f"choose from {', '.join(METHODS)}")
    if method == "search":
        raise InputError("--method", "search is not available yet", "use auto, structural or localisation")
    tolerance = parse_rational(str(rtol), "--rtol")
    if not 0 < tolerance <= 10:
        raise InputError("--rtol", f"{rtol}", "use a number in (0, 10]")
    if time_limit is None and method == "auto":
        time_limit = 300.0
    began = time.monotonic()
    forms = structural.structural_thresholds(game)
    progress(f"structural: alpha* = {float(forms[0].alpha_star):.6g} ({forms[0].form})")
    choice: structural.Structural | Localisation = forms[0]
    tree = plan = None
    reason = ""
    if method != "structural":
        try:
            tree = unroll(game, max_entries=max_entries)
            plan = Plan(tree)
            left = None if time_limit is None else max(1.0, time_limit - (time.monotonic() - began))
            found = localise(plan, forms[0].alpha_star, rtol=float(tolerance), time_limit=left, progress=progress)
            if found is None:
                reason = "localisation proved nothing within its limits"
            elif method == "localisation" or found.alpha_star < forms[0].alpha_star:
                choice = found
        except InputError as error:
            if method == "localisation":
                raise
            reason = str(error)
    if method == "localisation" and choice is forms[0]:
        return ThresholdResult("undecided", None, None, method, game_sha256(game), game.horizon,
                               tree.policy_parameters if tree else None, time.monotonic() - began, reason=reason)
    search = {"tool": "certify", "method": method, "rtol": str(tolerance)}
    if isinstance(choice, Localisation):
        wanted = [choice.alpha_star] + [parse_rational(str(a), "--modulus-at") for a in modulus_at or []]
        if min(wanted) < choice.alpha_star:
            raise InputError("--modulus-at", f"{min(wanted)} is below alpha* = {choice.alpha_star}", "ask at temperatures above it")
        concavity = [c for a in dict.fromkeys(wanted) if (c := strong_concavity(plan, choice.nodes, a)) is not None]
        document = certificates.cover_certificate(game, choice.nodes, concavity, search=search)
        modulus = next((c.modulus for c in concavity if c.alpha == choice.alpha_star), None)
        used = "localisation"
    else:
        document = certificates.structural_certificate(game, choice, search)
        modulus, used = choice.modulus, f"structural ({choice.form})"
    document["symmetry"] = evidence(game)
    return _verified(document, ThresholdResult(
        "proved", choice.alpha_star, None, used, document["game_sha256"], game.horizon,
        _parameters(game, tree), 0.0, modulus, {s.form: s.alpha_star for s in forms}, reason), began, progress)


def structural_threshold(text: str, progress: Progress = _quiet) -> ThresholdResult:
    """The structural threshold of every game within bare parameters.

    >>> structural_threshold("n=2,h=1,actions=2,return=0:1").alpha_star
    Fraction(1, 2)
    """
    began = time.monotonic()
    shape, parameters = structural.parse_parameters(text)
    forms = sorted((structural.general(shape, form) for form in ("theorem-B", "theorem-D-prime")), key=lambda s: s.alpha_star)
    document = certificates.parameters_certificate(parameters, forms[0], {"tool": "certify", "method": "structural"})
    return _verified(document, ThresholdResult(
        "proved", forms[0].alpha_star, None, f"structural ({forms[0].form})", None, shape.horizon, None, 0.0,
        forms[0].modulus, {s.form: s.alpha_star for s in forms}), began, progress)


def _verified(document: dict[str, Any], result: ThresholdResult, began: float, progress: Progress) -> ThresholdResult:
    """`result`, if the independent checker accepts `document`; undecided otherwise."""
    progress("checking the certificate")
    verdict = checker.check_certificate(json.loads(json.dumps(document)))
    changes: dict[str, Any] = {"seconds": time.monotonic() - began, "document": document, "engine": verdict.engine}
    if not verdict.valid:
        changes |= {"status": "undecided", "alpha_star": None, "modulus": None, "document": None,
                    "reason": f"the checker does not confirm the search: {verdict.failed_step}"}
    return ThresholdResult(**{**result.__dict__, **changes})


def _parameters(game: Game, tree: Tree | None, limit: int = 200_000) -> int | None:
    """Logits of the whole table, where the tree is at hand or cheap to make."""
    if tree is None:
        try:
            tree = unroll(game, max_entries=limit)
        except InputError:
            return None
    return tree.policy_parameters


def check(path: str | os.PathLike[str], engine: str = "auto") -> checker.Verdict:
    """The independent checker's verdict on a certificate file; `InputError` if it is malformed."""
    try:
        return checker.check_file(path, engine=engine)
    except ValueError as error:
        raise InputError(str(path), str(error), "give a certificate that `certify` wrote, unaltered") from None
