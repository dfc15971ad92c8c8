"""Coq runs on a file: the library is built in a temporary folder, the file on top of it, and its theorem is asked for.

What is reported rests on Coq alone: a file of our own states the theorem with the library's definitions by their full
names (so that a file cannot redefine `exactly_one`) and prints its assumptions, which are compared with the library's
allowed-z.txt or allowed-big.txt.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from certify.errors import InputError

CARRIERS = {"CertifyZ": "z", "CertifyBig": "big"}  # logical name of the build -> its make target
PACKAGES = "coq libcoq-stdlib libcoq-bignums libcoq-interval libcoq-coquelicot libcoq-flocq"
# The claims in the library's words, in a file that knows nothing of the one under question.
_MEANING = """Require Import Reals. Require Certify.Game Certify.Symmetry.
Definition unique (game : Certify.Game.game) (alpha_star : R) :=
  forall alpha : R, (alpha_star <= alpha)%R -> Certify.Game.exactly_one game alpha.
Definition equivariant game (alpha_star : R) (generators : list Certify.Symmetry.renaming) :=
  forall (alpha : R) p, (alpha_star <= alpha)%R -> Certify.Game.stationary game alpha p ->
  forall s, List.In s generators -> Certify.Symmetry.fixed_by game s p.
"""
_QUESTION = """Require Import Reals. Require {meaning} {name}.
Check ({name}.unique : {meaning}.unique {name}.game {name}.alpha_star).
Eval cbv delta [{name}.alpha_star] in {name}.alpha_star.
Print Assumptions {name}.unique.
"""
_EQUIVARIANT = """Require {meaning} {name}.
Check ({name}.equivariant : {meaning}.equivariant {name}.game {name}.alpha_star {name}.generators).
Print Assumptions {name}.equivariant.
"""


@dataclass(frozen=True)
class Answer:
    """What Coq says about a file: accepted or not, the alpha from which on, what it assumes, or why not; and whether it
    also proves that the policy is fixed by the file's generators."""

    valid: bool
    alpha_star: str | None
    assumptions: tuple[str, ...]
    carrier: str | None
    why: str | None
    equivariant: bool = False


def library() -> Path:
    """The folder of the Coq library: $CERTIFY_COQ, or what lies in the installed package or the checkout.

    >>> (library() / "theories" / "Game.v").exists()
    True
    """
    named = os.environ.get("CERTIFY_COQ")
    places = [Path(named)] if named else []
    package = Path(__file__).resolve().parents[1]
    places += [package / "_proofs" / "coq", package.parent / "proofs" / "coq"]
    for place in places:
        if (place / "theories" / "Game.v").is_file():
            return place
    raise InputError("Coq", "the library proofs/coq is not here", "name its folder in CERTIFY_COQ")


def allowed(carrier: str) -> frozenset[str]:
    """The assumptions that a file over this carrier may rest on.

    >>> "Classical_Prop.classic" in allowed("CertifyZ")
    True
    """
    return frozenset((library() / f"allowed-{CARRIERS[carrier]}.txt").read_text(encoding="utf-8").split())


def missing() -> str | None:
    """Why Coq cannot be used here, in one line; None where it can.

    >>> why = missing()
    >>> why is None or "Coq" in why
    True
    """
    if shutil.which("coqc") is None or shutil.which("make") is None:
        return f"Coq is not installed; on Debian and Ubuntu: apt install make {PACKAGES}"
    where = subprocess.run(["coqc", "-where"], capture_output=True, text=True, check=False).stdout.strip()
    for package in ("Interval", "Coquelicot", "Flocq", "Bignums"):
        if not (Path(where) / "user-contrib" / package).is_dir():
            return f"Coq's library {package} is not installed; on Debian and Ubuntu: apt install {PACKAGES}"
    return None


def build_library(folder: Path, target: str = "all") -> None:
    """Build the library in `folder`; `RuntimeError` with Coq's words if it does not build."""
    for part in ("common", "z", "big"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    run = subprocess.run(
        ["make", "-s", "-C", str(library()), f"BUILD={folder}", target], capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise RuntimeError(f"the Coq library does not build: {_last_words(run.stderr)}")


def check_file(path: Path, built: Path | None = None, report: Callable[[str], None] = lambda text: None) -> Answer:
    """Let Coq check the file; `built` is a folder in which the library is built already.

    Raises `InputError` where the file cannot be read or names none of the two builds of the library.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            str(path), f"cannot be read ({type(error).__name__})", "name a file of certify export"
        ) from None
    carrier = next((name for name in CARRIERS if f"{name}.Check" in text), None)
    if carrier is None:
        raise InputError(str(path), "no file of `certify export --coq`", "give the .v file that certify export wrote")
    with tempfile.TemporaryDirectory(prefix="certify-coq-") as scratch:
        folder = Path(scratch)
        if built is None:
            built = folder / "library"
            report("building the library")
            build_library(built, CARRIERS[carrier])
        report("Coq at work")
        return _ask(text, carrier, folder, built)


def _ask(text: str, carrier: str, folder: Path, built: Path) -> Answer:
    names = ["-Q", str(built / "common"), "Certify", "-Q", str(built / "z"), "CertifyZ"]
    names += ["-Q", str(built / "big"), "CertifyBig", "-R", str(folder / "file"), ""]
    (folder / "file").mkdir()
    (folder / "file" / "certified_game.v").write_text(text, encoding="utf-8")
    equivariant = "Theorem equivariant" in text
    meaning = f"meaning_{secrets.token_hex(8)}"  # a name that no file can have foreseen
    questions = {"question": _QUESTION} | ({"symmetries": _EQUIVARIANT} if equivariant else {})
    (folder / "file" / f"{meaning}.v").write_text(_MEANING, encoding="utf-8")
    for name, question in questions.items():
        asked = question.format(name="certified_game", meaning=meaning)
        (folder / "file" / f"{name}.v").write_text(asked, encoding="utf-8")
    output = ""
    found: set[str] = set()
    for name in (meaning, "certified_game", *questions):
        run = subprocess.run(
            ["coqc", "-q", "-w", "none", *names, str(folder / "file" / f"{name}.v")],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            return Answer(False, None, (), carrier, _last_words(run.stderr))
        if name in questions:
            output += run.stdout
            found.update(assumptions(run.stdout))
    assumed = tuple(sorted(found))
    star = re.search(r"= \(?([0-9]+ */ *[0-9]+|[0-9]+)\)?(?:%R)?\s*: R", output)
    extra = sorted(set(assumed) - allowed(carrier))
    why = f"it assumes more than it may: {', '.join(extra)}" if extra else None
    stated = star.group(1).replace(" ", "").removesuffix("/1") if star else None
    return Answer(not extra, stated, assumed, carrier, why, equivariant and not extra)


def assumptions(output: str) -> Iterator[str]:
    """The names in an answer to `Print Assumptions`; a line that is no axiom is a name of its own.

    >>> list(assumptions("Axioms:\\nClassical_Prop.classic : forall P : Prop, P \\\\/ ~ P\\nx\\n  : nat"))
    ['Classical_Prop.classic', 'x']
    """
    _, found, rest = output.partition("Axioms:\n")
    if not found:
        return
    for line in rest.splitlines():
        if line and not line[0].isspace():
            yield line.split(" :")[0].strip()


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    at = max((i for i, line in enumerate(lines) if line.startswith(("Error", "File"))), default=0)
    return " ".join(lines[at:])[:300] or "no reason given"
