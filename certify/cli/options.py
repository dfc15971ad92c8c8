"""Options of commands: one object carries them all, files that will be written are looked at first."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from certify.certificates.writing import checked_target
from certify.checker.reading.envelope import read_file
from certify.cli.output import UNDECIDED, print_json
from certify.errors import InputError
from certify.games import Game, load
from certify.games.objective import OBJECTIVES, with_reference
from certify.games.readers.textfile import parse_json, read_text

Options = TypeVar("Options")
Answer = TypeVar("Answer")
Loaded = TypeVar("Loaded")
_LEAST = 1e-3  # seconds: what is left of a limit stays positive


def out_of_time(reason: str, *, as_json: bool) -> NoReturn:
    """Say what stage the time went into, and exit as undecided."""
    if as_json:
        print_json({"status": "undecided", "reason": reason})
    else:
        print(f"undecided: {reason}")
    sys.exit(UNDECIDED)


def reading(limit: float | None, read: Callable[[], Loaded]) -> tuple[Loaded, float | None]:
    """What `read` returns, within the limit, and the seconds that are left of it; raises `OutOfTime`.

    >>> reading(None, lambda: 7)
    (7, None)
    """
    from certify.run import Run

    run = Run.lasting(limit)
    with run.stage("reading the game"):
        found = read()
    return found, None if limit is None else max(run.left(), _LEAST)


def collected(kind: Callable[..., Options]) -> Callable[[Callable[[Options], Answer]], Callable[..., Answer]]:
    """For the function of a command, below its click decorators: it takes one `kind` of all options.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Given:
    ...     game: str
    ...     horizon: int
    >>> @collected(Given)
    ... def command(given: Given) -> str:
    ...     return f"{given.game} {given.horizon}"
    >>> command(game="climbing", horizon=1)
    'climbing 1'
    """

    def decorate(function: Callable[[Options], Answer]) -> Callable[..., Answer]:
        @functools.wraps(function)
        def call(**given: Any) -> Answer:
            spare_inputs()
            from certify.run import OutOfTime

            try:
                return function(kind(**given))
            except OutOfTime as over:  # of a command that has nothing to keep
                out_of_time(str(over), as_json=bool(given.get("as_json")))

        return call

    return decorate


class Steps(click.ParamType[int | str]):
    """A number of steps, or `inf` for every one."""

    name = "integer | inf"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """As click does for integers; `inf` stays what it is."""
        try:
            return "inf" if value == "inf" else click.INT.convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is neither a whole number nor inf.", param, ctx)


class OutputFile(click.ParamType[Path]):
    """A file that a command will write: whether it can is asked before anything is computed."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; raises `InputError` where no file can be written there."""
        return checked_target(value)


def spare_inputs() -> None:
    """Refuse to write a file of the current command over one that it reads."""
    context = click.get_current_context(silent=True)
    if context is None:
        return
    outputs = {p.name for p in context.command.params if isinstance(p.type, OutputFile)}
    for name in outputs:
        target = context.params.get(name)
        for other, given in context.params.items():
            for value in given if isinstance(given, tuple) else (given,):
                if (
                    other != name
                    and isinstance(target, Path)
                    and isinstance(value, (str, Path))
                    and _same(value, target)
                ):
                    raise InputError(str(target), "would be overwritten, and is read too", "name another file")


def _same(value: str | Path, target: Path) -> bool:
    try:
        return Path(value).resolve() == target.resolve() and (target.exists() or isinstance(value, Path))
    except (OSError, ValueError):
        return False


def existing_file(name: str) -> Path:
    """The path of a certificate that is there; raises `InputError` where nothing or a directory is."""
    path = Path(name)
    try:
        trouble = "a directory" if path.is_dir() else "" if path.exists() else "no such file"
    except (OSError, ValueError) as error:
        trouble = getattr(error, "strerror", None) or str(error)
    if trouble:
        raise InputError(name or "''", trouble, "give the path of a certificate, which `-o FILE` of a command writes")
    return path


def read_certificate(name: str) -> dict[str, Any]:
    """The JSON object in a certificate file, within the checker's limits; raises `InputError`."""
    existing_file(name)
    try:
        return read_file(name)
    except ValueError as error:
        raise InputError(name, str(error).removeprefix(f"{name}: "), "give a certificate file, unaltered") from None


SET = click.option(
    "--set", "values", multiple=True, metavar="NAME=VALUE", help="A value for a parameter of a .json game; repeat it."
)


OBJECTIVE = click.option(
    "--objective",
    default="entropy",
    show_default=True,
    help=f"{' | '.join(OBJECTIVES)}: what is paid beside the reward (docs/objectives.md).",
)
REFERENCE = click.option(
    "--reference", type=click.Path(path_type=Path), help="Reference policy for kl (.json; docs/objectives.md)."
)


MEMORY = click.option(
    "--memory", metavar="SIZE", help="Of one process at most, like 1GB; depths are gone through in pieces."
)


@dataclass(frozen=True)
class OfAGame:
    """What commands about one game take, as click names it."""

    game: str | None
    horizon: int | str | None
    discount: str | None
    values: tuple[str, ...]
    objective: str
    reference: Path | None


def loaded_game(given: OfAGame, rows: str = "exact") -> Game:
    """The game of a command, with the reference that is asked for."""
    assert given.game is not None
    horizon = None if isinstance(given.horizon, str) else given.horizon
    loaded = load(given.game, horizon, given.discount, rows, named_values(given.values, "--set"))
    if given.reference is None:
        return loaded
    if given.objective != "kl":
        raise InputError("--reference", "it is read for the objective kl only", "add --objective kl")
    return with_reference(loaded, parse_json(read_text(given.reference), str(given.reference)), str(given.reference))


def named_values(pairs: Sequence[str], option: str) -> dict[str, str]:
    """What `NAME=VALUE` pairs give, each name once; raises `InputError` that names the option.

    >>> named_values(["eps=1/10"], "--set")
    {'eps': '1/10'}
    """
    given: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InputError(option, f"{pair!r}", "write it as name=value")
        if key in given:
            raise InputError(option, f"{key!r} is given twice", "give it once")
        given[key] = value
    return given


def idle(names: Sequence[str], why: str) -> list[str]:
    """Notes on those of the options (by parameter name) that were given on the command line and do nothing.

    >>> idle(["width"], "at one temperature")  # outside of a command nothing was given
    []
    """
    context = click.get_current_context(silent=True)
    if context is None:
        return []
    given = [p for p in context.command.params if p.name in names]
    return [
        f"{max(p.opts, key=len)} does nothing {why}"
        for p in given
        if context.get_parameter_source(p.name or "") is click.core.ParameterSource.COMMANDLINE
    ]
