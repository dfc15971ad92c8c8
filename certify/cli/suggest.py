"""`certify GAME` and `certify FILE`: which commands fit what was named, ready to be typed."""

from __future__ import annotations

import shlex
from pathlib import Path

from certify.cli.tasks import EXAMPLES
from certify.errors import InputError

_KINDS = (".dpomdp", ".json", ".nfg", ".efg", ".gz")
_LONG = 6  # steps: from here on a tree of histories is soon too large


def suggestions(name: str, known: tuple[str, ...]) -> str | None:
    """The commands, of those `known`, that fit a game or a certificate; None where `name` is neither.

    Raises `InputError` for a game that cannot be read.

    >>> print(suggestions("lever:2", ("threshold", "games")))
    lever:2: a game of 2 agents, one step, 2x2 actions
    <BLANKLINE>
    From which temperature on do all runs end in one policy?
      certify threshold lever:2 -o game.cert.json
    What is it called, what do its histories look like?
      certify games --aohs lever:2
    """
    path = Path(name)
    from certify.games.builtin import is_builtin

    if is_builtin(name) or name.startswith("openspiel:"):
        return _of_a_game(name, known)
    if path.suffix.lower() not in _KINDS or not path.is_file():
        return None
    if path.suffix.lower() == ".json":
        from certify.cli.options import read_certificate

        document = read_certificate(name)
        if "claim" in document or "proof" in document:
            return _lines(f"{name}: a certificate", _for_a_certificate(shlex.quote(name)), known)
    return _of_a_game(name, known)


def _of_a_game(name: str, known: tuple[str, ...]) -> str:
    from certify.games import load

    horizon = ""
    try:
        game = load(name)
    except InputError as error:
        if "no horizon" not in str(error):
            raise
        game, horizon = load(name, horizon=2), " --horizon 2"
    sizes = "x".join(str(len(actions)) for actions in game.actions)
    steps = "one step" if game.horizon == 1 else f"{game.horizon} steps{' (as many as --horizon says)' * bool(horizon)}"
    about = f"{name}: a game of {game.number_of_agents} agents, {steps}, {sizes} actions"
    return _lines(about, _for_a_game(shlex.quote(name) + horizon, game.horizon, kl=bool(game.reference)), known)


def _for_a_game(given: str, horizon: int, *, kl: bool) -> list[tuple[str, str]]:
    long = " --method windows" if horizon >= _LONG and not kl else ""
    paid = f"{given} --objective kl" if kl else given
    return [
        ("From which temperature on do all runs end in one policy?", f"threshold {paid}{long} -o game.cert.json"),
        ("Is the proof right, and what does it say?", "check game.cert.json"),
        ("Which policy is it, and what does it earn?", f"optimum {paid} --alpha 1"),
        ("How far down does it last when training cools?", f"anneal {paid}"),
        ("What do teams of different runs earn?", f"crossplay {paid} --alpha 1"),
        ("Which symmetries has it?", f"symmetries {given}"),
        ("How far is a trained policy from the limit?", f"policy {paid} --alpha 1 POLICY.json"),
        ("What is it called, what do its histories look like?", f"games --aohs {given}"),
    ]


def _for_a_certificate(given: str) -> list[tuple[str, str]]:
    return [
        ("Is it right?", f"check {given}"),
        ("What does it say?", f"show {given}"),
        ("What does it look like?", f"plot {given} -o certificate.png"),
        ("Who vouches for it?", f"sign {given} --verify {given}.sig"),
    ]


def _lines(about: str, wanted: list[tuple[str, str]], known: tuple[str, ...]) -> str:
    fitting = [(why, line) for why, line in wanted if line.split()[0] in known and line.split()[0] in EXAMPLES]
    return "\n".join([about, "", *(f"{why}\n  certify {line}" for why, line in fitting)])
