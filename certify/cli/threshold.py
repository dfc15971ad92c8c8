"""`certify threshold`: compute and certify alpha*."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

import click

from certify.answers import threshold as api
from certify.cli.completion import complete_game
from certify.cli.options import (
    MEMORY,
    OBJECTIVE,
    REFERENCE,
    SET,
    OfAGame,
    OutputFile,
    Steps,
    collected,
    idle,
    loaded_game,
    reading,
)
from certify.cli.output import DONE, UNDECIDED, Progress, heading, print_json, shown, styled
from certify.errors import InputError
from certify.exact import parse_rational, rational_text
from certify.games import Game
from certify.games.tree import DEFAULT_MAX_ENTRIES

_OF_A_GAME = (
    "horizon", "discount", "values", "rows", "method", "rtol", "time_limit", "modulus_at", "max_entries", "memory",
    "alpha_min", "workers", "dask", "checkpoint",
)  # fmt: skip


@dataclass(frozen=True)
class ThresholdOptions(OfAGame):
    """The options of `certify threshold`, as click names them."""

    rows: str
    method: str
    parameters: str | None
    rtol: str
    time_limit: str | None
    modulus_at: tuple[str, ...]
    max_entries: int
    memory: str | None
    alpha_min: str | None
    workers: int
    dask: str | None
    checkpoint: Path | None
    output: Path | None
    as_json: bool


@click.command()
@click.argument("game", shell_complete=complete_game, required=False)
@click.option("--horizon", type=Steps(), help="Number of steps (sequential games); inf: every one at once.")
@click.option("--discount", help="Overrides the game's discount.")
@SET
@click.option("--rows", default="exact", help="exact | renormalise: rows of a file that miss 1 by rounding.")
@OBJECTIVE
@REFERENCE
@click.option("--method", default="auto", show_default=True, help="auto | structural | windows | localisation | search")
@click.option("--structural", "parameters", help="Bare parameters instead of a game: n=2,h=80,actions=20,return=0:25")
@click.option("--rtol", default="1/100", show_default=True, help="Resolution in alpha.")
@click.option("--time-limit", help="Seconds; what is proved by then is returned.")
@click.option("--modulus-at", multiple=True, help="Also certify strong concavity at this temperature.")
@click.option(
    "--max-entries", default=DEFAULT_MAX_ENTRIES, show_default=True, help="Largest depth of the tree, in numbers."
)
@MEMORY
@click.option("--alpha-min", help="Search no temperature below this (default: payoff range / 1000).")
@click.option("--workers", type=int, default=1, show_default=True, help="Processes for the search.")
@click.option(
    "--dask", metavar="ADDRESS", help="Search on the Dask cluster with this scheduler (needs the extra dask)."
)
@click.option(
    "--checkpoint",
    type=OutputFile(),
    metavar="FILE",
    help="Keep the state of the search here; go on from it where it exists.",
)
@click.option("-o", "--output", type=OutputFile(), help="Write the certificate here.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@collected(ThresholdOptions)
def threshold(given: ThresholdOptions) -> int:
    """Certify a temperature above which GAME has exactly one stationary policy."""
    if (given.game is None) == (given.parameters is None):
        raise InputError(
            "certify threshold",
            "one game is needed",
            "name a GAME, or give --structural n=…,h=…,actions=…,return=LOW:HIGH",
        )
    if given.workers < 1:
        raise InputError("--workers", str(given.workers), "use at least 1")
    limit = None if given.time_limit is None else parse_rational(given.time_limit, "--time-limit")
    if limit is not None and limit <= 0:
        raise InputError("--time-limit", given.time_limit, "use a positive number of seconds")
    loaded, notes = None, list[str]()
    with Progress() as progress:
        if given.parameters is not None:
            notes = idle(_OF_A_GAME, "beside --structural")
            result = api.structural_threshold(given.parameters, progress)
        else:
            every = given.horizon == api.EVERY
            one = replace(given, horizon=1) if every else given
            loaded, left = reading(None if limit is None else float(limit), lambda: loaded_game(one, given.rows))
            result = api.threshold(
                loaded,
                horizon=api.EVERY if every else None,
                objective=given.objective,
                method=given.method,
                rtol=given.rtol,
                time_limit=left,
                modulus_at=list(given.modulus_at),
                max_entries=given.max_entries,
                memory=given.memory,
                workers=given.workers,
                alpha_min=given.alpha_min,
                executor=None if given.dask is None else _dask(given.dask),
                checkpoint=given.checkpoint,
                progress=progress,
            )
    if notes:
        result = replace(result, reason="; ".join(filter(None, [result.reason, *notes])))
    path = None
    if given.output is not None and result.document is not None:
        path = str(result.save(given.output))
    if given.as_json:
        original = result.potential_of
        print_json(
            {
                "status": result.status,
                "alpha_star": result.alpha_star,
                "alpha_multiple": result.alpha_multiple,
                "ratio": result.ratio,
                "alpha_two_maxima": result.alpha_two_maxima,
                "objective": result.objective,
                "step_size": result.step_size,
                "step_growth": result.step_growth,
                "method": result.method,
                "game_sha256": result.game_sha256,
                "horizon": result.horizon,
                "policy_parameters": result.policy_parameters,
                "seconds": round(result.seconds, 3),
                "certificate": path,
                "modulus": result.modulus,
                "forms": {k: rational_text(v) for k, v in result.forms.items()},
                "unverified": ["forms"],
                "engine": result.engine,
                "reason": result.reason,
                **({} if original is None else {"potential_of": asdict(original)}),
            }
        )
    else:
        _print(result, given.parameters if loaded is None else _about(loaded, result.horizon), path)
    return DONE if result.status == "proved" else UNDECIDED


def _about(game: Game, horizon: int | None) -> str:
    """Which game, with which number of steps."""
    said = heading(game)
    return said if horizon is not None else said.replace(f", horizon {game.horizon}", ", every horizon", 1)


def _dask(address: str) -> Executor:
    try:
        from dask.distributed import Client
    except ImportError:
        raise InputError("--dask", "dask is not installed", "install the extra: pip install 'certify[dask]'") from None
    try:
        return Client(address, timeout=10).get_executor()
    except (OSError, ValueError, TypeError) as error:  # TypeError: tls:// without certificates
        raise InputError(
            "--dask",
            f"no scheduler at {address} ({type(error).__name__})",
            "give the address that dask-scheduler printed",
        ) from None


def _print(result: api.ThresholdResult, about: str, path: str | None) -> None:
    """The answer for a person: every sentence follows from the certificate, or says that nobody checked it."""
    print(about)
    if result.status != "proved":
        print(styled(f"undecided: {result.reason}", "yellow"))
        _print_forms(result)
        return
    print(styled(f"alpha* = {shown(result.alpha_star, up=True)}", bold=True))
    if result.horizon is None:
        print("  with every number of steps:")
    print("  for every temperature alpha >= alpha* there is exactly one stationary policy; ", end="")
    if result.objective == "local":
        print("it is fixed by every")
        print("  symmetry of the game.  Local bonus: its flow is no gradient flow, and whether it always ends there is")
        print("  another question (docs/objectives.md).")
        for flow, data in ({} if result.document is None else result.document["flows"]).items():
            above = shown(Fraction(data["alpha"]), up=True)
            print(f"  for every alpha > {above} the {flow} gradient flow converges to it from every initialisation.")
    else:
        print("every trajectory of the")
        print("  softmax policy-gradient flow converges to it, and it is fixed by every symmetry of the game.")
    if result.alpha_multiple is not None:
        print(
            f"alpha_multiple = {shown(result.alpha_multiple, up=False)}   (ratio "
            f"{math.ceil(result.ratio * 1e6) / 1e6:.6f})"
        )
        ends = "" if result.objective == "local" else ": training can end in different policies"
        print(f"  there at least two stationary policies are proved to exist{ends}")
        if result.alpha_two_maxima is not None:
            print(f"  two strict local maxima are proved at {shown(result.alpha_two_maxima, up=False)}")
    if result.potential_of is not None:
        print(
            f"  the original game has exactly one logit QRE for every lambda from 0 to "
            f"{shown(result.potential_of.lambda_star, up=False)}"
        )
    if result.step_size is not None:
        print(f"step size = {shown(result.step_size, up=False)}")
        growth = shown(result.step_growth, up=True)
        print("  gradient ascent with this step or a smaller one converges to it at alpha*, from every initialisation;")
        print(f"  above, the inverse of the step grows by {growth} for every unit of temperature")
    if result.modulus:
        print(
            f"  strongly concave at alpha*, modulus at least {shown(result.modulus, up=False)}, on the region "
            "named in the certificate"
        )
    elif isinstance(result.modulus, Fraction):
        print("  concave at alpha*, on the region named in the certificate; no modulus above 0 is proved there")
    print(f"  method: {result.method}; checked by the {result.engine} engine; {result.seconds:.1f} s")
    _print_forms(result)
    if result.reason:
        print(f"  note: {result.reason}")
    if path is not None:
        print(f"  certificate: {path}")


def _print_forms(result: api.ThresholdResult) -> None:
    """The structural forms beside the one that the certificate holds: computed, and checked by nobody."""
    for form, alpha in result.forms.items():
        if result.method != f"structural ({form})" or alpha != result.alpha_star:
            print(f"  for comparison, not checked: structural form {form} gives alpha >= {shown(alpha, up=True)}")
