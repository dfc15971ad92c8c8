"""The command group: every bad input ends in one line and exit code 2, never in a traceback."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

# Small matrices by the thousand: threads of BLAS only wait for each other.  `--workers` adds processes.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from certify.cli.output import BAD_INPUT
from certify.errors import InputError

INTERRUPTED = 130

# command -> (module, object): loaded when it is called, so that each starts as fast as it can
_COMMANDS = {
    "threshold": ("certify.cli.threshold", "threshold"),
    "check": ("certify.cli.certificates", "check"),
    "optimum": ("certify.cli.optimum", "optimum"),
    "policy": ("certify.cli.optimum", "policy"),
    "show": ("certify.cli.certificates", "show"),
    "plot": ("certify.cli.plot", "plot"),
    "games": ("certify.cli.games", "games"),
    "symmetries": ("certify.cli.symmetries", "symmetries"),
    "crossplay": ("certify.cli.crossplay", "crossplay"),
    "entropy": ("certify.cli.entropy", "entropy"),
    "claims": ("certify.cli.claims", "claims"),
    "sign": ("certify.cli.sign", "sign"),
}


class _Commands(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[name]
        return getattr(importlib.import_module(module), attribute)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="certify")
def cli() -> None:
    """Machine-checkable certificates for learning in cooperative games."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with the code of the interface."""
    try:
        code = cli.main(args=None if arguments is None else list(arguments), standalone_mode=False)
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
    sys.exit(code if isinstance(code, int) else 0)


def _stop(message: str) -> None:
    print(" ".join(message.split()), file=sys.stderr)
    sys.exit(BAD_INPUT)
