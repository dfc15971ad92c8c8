"""`python -m certify.checker CERT.json [--json] [--engine auto|stdlib|fast] [--workers N]`: exit 0 valid,
1 invalid (which step, why), 2 malformed or beyond the budget, 3 the engine asked for is not
installed or cannot verify such a proof, 4 an internal failure."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence

from certify.checker.check import ENGINES, check_file
from certify.checker.reading.envelope import Malformed
from certify.checker.verdict import BUDGET, Costly, Unable


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks the certificate that the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m certify.checker", description="Check a certificate.")
    parser.add_argument("certificate", help="a certificate file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="which arithmetic verifies the steps")
    parser.add_argument("--workers", type=_positive, default=1, metavar="N", help="processes that share a cover")
    parser.add_argument("--budget", type=float, default=BUDGET, metavar="S", help="seconds of work at most")
    options = parser.parse_args(arguments)
    try:
        progress = _progress() if sys.stderr.isatty() else None
        verdict = check_file(options.certificate, options.engine, progress, options.workers, options.budget)
    except Unable as error:
        if options.json:
            print(json.dumps({"valid": False, "undecided": str(error)}))
        else:
            print(f"undecided: {error}", file=sys.stderr)
        return 3
    except Malformed as error:
        if options.json:
            print(json.dumps({"valid": False, "malformed": str(error)}))
        else:
            print(f"{'no verdict' if isinstance(error, Costly) else 'malformed'}: {error}", file=sys.stderr)
        return 2
    except ImportError as error:
        print(f"the fast engine needs numpy and python-flint ({error}); take --engine stdlib", file=sys.stderr)
        return 3
    except Exception as error:  # Python's own exit code would say "invalid"
        print(f"an internal failure of the checker, no verdict: {type(error).__name__}: {error}", file=sys.stderr)
        return 4
    if options.json:
        print(json.dumps(verdict.as_dict()))
    elif verdict.valid:
        print(f"valid ({verdict.engine} engine, {verdict.steps} steps): {verdict.claim}")
    else:
        failed = dict(verdict.failed_step or {})
        why = failed.pop("why", "")
        place = ", ".join(f"{key} {value}" for key, value in failed.items())
        print(f"invalid ({verdict.engine} engine), {place}: {why}")
    return 0 if verdict.valid else 1


def _positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


def _progress() -> Callable[[str], None]:
    """Prints a line on stderr at most once a second, the first after two seconds."""
    last = time.monotonic() + 1

    def report(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= 1:
            last = time.monotonic()
            print(text, file=sys.stderr)

    return report


if __name__ == "__main__":
    sys.exit(main())
