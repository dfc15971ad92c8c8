"""What passes between the checker and its kinds: a `Run` goes in, a `Proof` comes out, and here alone it
is put into the sentence of a `Verdict`."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from certify.checker.reading.envelope import Failed, Malformed, printable
from certify.checker.reading.game import Game

BUDGET = 300.0  # seconds, where nobody says otherwise


class Costly(Malformed):
    """A file that is refused for the work that it would be: no verdict."""


class Unable(Malformed):
    """A proof that the engine asked for cannot verify: no verdict."""


@dataclass
class Run:
    """How to check: the engine asked for and, once one has verified a cover, the one that did; `progress`
    is called with a line now and then; `workers` processes share a cover; `budget`: seconds of this process that
    the work may be estimated at, and may take."""

    wanted: str = "auto"
    workers: int = 1
    progress: Callable[[str], object] | None = None
    engine: str = "stdlib"
    budget: float = BUDGET
    began: float = field(default_factory=time.process_time)

    def tell(self, text: str) -> None:
        """Reports how far the check is; `Costly` where the budget is spent."""
        if self.progress is not None:
            self.progress(text)
        if time.process_time() - self.began > self.budget:
            raise Costly("proof", f"{text}: the budget of {self.budget:g} s is spent")

    def spend(self, seconds: float) -> None:
        """`Costly` where the estimate of some work is beyond the budget."""
        if seconds > self.budget:
            raise Costly("proof", f"about {seconds:.0f} s of work, more than the budget of {self.budget:g} s")


@dataclass(frozen=True)
class Proof:
    """What was established: conclusions in words of the checker's own, about a game (or about what the first
    conclusion names), with its own or every horizon, and the number of steps verified."""

    conclusions: tuple[str, ...]
    steps: int
    game: Game | None = None
    every_horizon: bool = False


@dataclass(frozen=True)
class Verdict:
    """What a check found.  `failed_step` names the step that did not verify, and why."""

    valid: bool
    claim: str
    steps: int
    failed_step: dict[str, Any] | None
    engine: str

    def as_dict(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return asdict(self)


def verdict_of(kind: str, check: Callable[[Any, Run], Proof], certificate: Any, run: Run) -> Verdict:
    """The `Verdict` on a certificate of which `check` makes a `Proof` or raises `Failed`."""
    try:
        proof = check(certificate, run)
    except Failed as failure:
        return Verdict(False, kind, 0, failure.as_dict(), run.engine)
    return Verdict(True, sentence(proof), proof.steps, None, run.engine)


def sentence(proof: Proof) -> str:
    """One line.  The only words of others in it are the game's name: printable, short, and between quotes."""
    about = ""
    if proof.game is not None:
        objective = ", with KL to its reference" if proof.game.kl else ""
        if not proof.game.flows_back:
            objective = ", with the local bonus (pi is the softmax of the reward to go over alpha w)"
        horizon = "every horizon" if proof.every_horizon else f"horizon {proof.game.horizon}"
        about = f"game {printable(proof.game.name, 80)!r}, {horizon}{objective}: "
    return printable(about + "; ".join(proof.conclusions))
