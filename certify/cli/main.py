"""The command group: bad input ends in one line and exit code 2, a failure of certify itself in one line and exit
code 4 with the traceback in a file; neither ends in a traceback.
"""

from __future__ import annotations

import difflib
import errno
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

import click

# Small matrices by the thousand: threads of BLAS only wait for each other.  `--workers` adds processes.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from certify.cli.failure import printable_streams, quiet_alarms, report_failure
from certify.cli.output import BAD_INPUT, FAILED
from certify.cli.suggest import suggestions
from certify.cli.tasks import EXAMPLES, grouped
from certify.errors import InputError

INTERRUPTED = 130
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # of the device behind stdout

# command -> (module, object, what the list of commands says): a module is loaded when its command is
# called, so that each starts as fast as it can and `--help` loads none of them
COMMANDS = {
    "threshold": ("certify.cli.threshold", "threshold", "A temperature above which one stationary policy exists."),
    "check": ("certify.cli.certificates", "check", "Verify a certificate with the independent checker."),
    "export": ("certify.cli.export", "export", "A threshold certificate as a theorem for Coq."),
    "optimum": ("certify.cli.optimum", "optimum", "Enclose the stationary policy at a temperature."),
    "anneal": ("certify.cli.anneal", "anneal", "How far down all runs stay together as the temperature falls."),
    "policy": ("certify.cli.optimum", "policy", "How far a given policy is from the stationary one."),
    "show": ("certify.cli.show", "show", "A certificate in words, as a page, as a theorem."),
    "plot": ("certify.cli.plot", "plot", "The picture of a certificate."),
    "games": ("certify.cli.games", "games", "The built-in games with sizes and sources."),
    "symmetries": ("certify.cli.symmetries", "symmetries", "The automorphism group of a game."),
    "crossplay": ("certify.cli.crossplay", "crossplay", "Certified self-play and cross-play returns."),
    "entropy": ("certify.cli.entropy", "entropy", "What a policy-gradient step does to the entropy."),
    "claims": ("certify.cli.claims", "claims", "Run the proofs of both papers' claims."),
    "sign": ("certify.cli.sign", "sign", "Sign a certificate, or verify a signature."),
    "compile": ("certify.cli.compilation", "compilation", "Make the compiled loops of searches, once."),
    "completion": ("certify.cli.completion", "completion", "Completion for bash, zsh or fish."),
}


class _Commands(click.Group):
    """Commands by name, loaded one at a time."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        if name in EXAMPLES and not command.epilog:
            command.epilog = f"\b\nExample:\n  {EXAMPLES[name]}"
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and args[0][:1] != "-":
            fitting = suggestions(args[0], tuple(COMMANDS))
            if fitting is not None:
                if len(args) > 1:
                    raise click.UsageError(f"{args[0]!r} is no command: name one first; certify {args[0]} lists some")
                click.echo(fitting)
                context.exit()
        near = (
            []
            if not args or args[0] in COMMANDS or args[0][:1] == "-"
            else difflib.get_close_matches(args[0], COMMANDS)
        )
        if near:
            raise click.UsageError(
                f"No such command {args[0]!r}. Did you mean {' or '.join(map(repr, near))}?", context
            )
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """By task, an example under each; the list itself loads no command."""
        widest = max(map(len, COMMANDS))
        for task, names in grouped(list(COMMANDS)).items():
            formatter.write(f"\n{task}:\n")
            for name in names:
                formatter.write(f"  {name:<{widest}}  {COMMANDS[name][2]}\n")
                if name in EXAMPLES:
                    formatter.write(f"  {'':<{widest}}  {EXAMPLES[name]}\n")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="certify")
def cli() -> None:
    """Machine-checkable certificates for learning in cooperative games.

    `certify GAME` suggests what fits a game, `certify COMMAND --help` explains a command.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with the code of the interface."""
    printable_streams()
    if not sys.warnoptions:  # what numerical libraries murmur is no part of an answer
        warnings.simplefilter("ignore")
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it has to look for fonts, slowly, once on a machine
    given = sys.argv[1:] if arguments is None else list(arguments)
    if any("\0" in argument for argument in given):
        _stop(f"{next(a for a in given if chr(0) in a)!r}: a zero byte; leave it out")
    try:
        with quiet_alarms():
            code = cli.main(args=given, prog_name="certify", standalone_mode=False)
    except InputError as error:
        _stop(str(error))
    except click.ClickException as error:
        _stop(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        print("certify: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except MemoryError:
        _stop("certify: out of memory; use a shorter horizon or a smaller --max-entries")
    except OSError as error:
        if error.filename is None and error.errno in FULL:
            _stop(f"certify: the answer cannot be written ({error.strerror}); make room for it")
        if not any(argument and argument in str(error.filename) for argument in given):
            _fail(error, given)
        _stop(f"{error.filename}: {error.strerror or error}; name a file that can be used")  # the user named it
    except Exception as error:  # whatever it is: exit code 1 would say "refuted"
        _fail(error, given)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(error: Exception, given: Sequence[str]) -> NoReturn:
    print(report_failure(error, given), file=sys.stderr)
    sys.exit(FAILED)


def _stop(message: str) -> NoReturn:
    line = " ".join(message.split())
    print("".join(c if c.isprintable() else ascii(c)[1:-1] for c in line), file=sys.stderr)
    sys.exit(BAD_INPUT)
