"""`certify entropy`: what one policy-gradient step certainly does to the entropy, and the tables,
bounds and proofs that go with it (docs/theory/entropy.md; interface).

Exit codes: 0 proved, 1 refuted, 2 bad input (`InputError`, turned into one line by the caller),
3 undecided.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import click

from certify.answers.entropy import DEFAULT_ETA_LIMIT, StepReport, entropy_path, step_report
from certify.certificates.entropy import clipping_certificate, controller_certificate, table_certificate
from certify.certificates.writing import save_document, save_text
from certify.cli.entropy_batch import batch_command
from certify.cli.entropy_flow import flow_command
from certify.cli.options import OutputFile, collected, named_values
from certify.cli.output import print_json
from certify.entropy.algorithms import ALGORITHMS, find_algorithm
from certify.entropy.clipping_bound import clipping_bound, ppo_overshoot
from certify.entropy.controller_proofs import Proof, prove_adapo, prove_target_entropy, prove_zeta, refute_two_cycle
from certify.entropy.controllers import AdapoController, TargetEntropyController, ZetaController
from certify.entropy.enclosure import RationalEnclosure, working_precision
from certify.entropy.formats import FloatFormat, find_format
from certify.entropy.plots import plot_bias, plot_change
from certify.entropy.policy import (
    Policy,
    StatePolicy,
    advantages_from_json,
    numbers,
    policy_from_json,
    read_json_argument,
)
from certify.entropy.rounded_update import RoundedUpdate, rounded_update
from certify.errors import InputError, Undecided
from certify.exact import decimal_text, parse_rational, rational_text, significant_text
from certify.reports.style import styled as in_style

_EXIT = {"proved": 0, "refuted": 1, "undecided": 3}
_BITS = 80  # significant bits of the ends that are printed
_LARGEST_BINADE = 20  # beyond, a rounding error is a factor of more than a thousand digits
_EPS = (Fraction(1, 10), Fraction(1, 5), Fraction(7, 25))


@dataclass(frozen=True)
class EntropyOptions:
    """The options of `certify entropy`, as click names them."""

    policy: str | None
    advantages: str | None
    algorithm: str | None
    params: tuple[str, ...]
    step: str | None
    steps: str | None
    eta_limit: str
    claim: str | None
    output: Path | None
    plot: Path | None
    as_json: bool


@click.group(invoke_without_command=True, help=__doc__.split("\n\n")[0])
@click.option("--policy", metavar="P", help="File or inline list: probabilities, or an object with logits or states.")
@click.option("--advantages", metavar="A", help="File or inline list: one number per action.")
@click.option("--algorithm", metavar="NAME", help="One of: " + ", ".join(ALGORITHMS) + ".")
@click.option("--param", "params", multiple=True, metavar="K=V", help="A parameter of the algorithm.")
@click.option("--step", metavar="ETA", help="One step size.")
@click.option("--steps", metavar="LO:HI", help="Every step size in an interval.")
@click.option(
    "--eta-limit",
    default=str(DEFAULT_ETA_LIMIT),
    show_default=True,
    metavar="ETA",
    help="Where the search for the largest step with the same sign ends (at least the last step).",
)
@click.option("--claim", type=click.Choice(["increases", "decreases"]), help="Prove or refute this sign.")
@click.option("-o", "--output", type=OutputFile(), help="Write the certificate of the sign.")
@click.option("--plot", type=OutputFile(), help="Draw the entropy change against the step size.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@collected(EntropyOptions)
def entropy(given: EntropyOptions) -> None:
    """The entropy change of one step, unless a subcommand is called."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    lower, upper = _step_interval(given.step, given.steps)
    name = _needed(given.algorithm, "--algorithm")
    parameters = named_values(given.params, "--param")
    read = _policy(_needed(given.policy, "--policy"))
    rows = _advantages(_needed(given.advantages, "--advantages"), read, name)
    limit = parse_rational(given.eta_limit, "--eta-limit")
    try:
        report = step_report(read, rows, name, parameters, lower, upper, limit)
    except Undecided as reason:
        _finish({"status": "undecided", "reason": str(reason)}, [f"undecided: {reason}"], given.as_json, 3)
    status = _claimed(report, given.claim)
    data = {**report.to_json(), "status": status, "certificate": None}
    if given.output is not None and report.certificate() is not None:
        _write(given.output, report.certificate())
        data["certificate"] = str(given.output)
    if given.plot is not None:
        with working_precision():
            in_style(plot_change)(entropy_path(read, rows, name, parameters), Fraction(0), upper, given.plot, name)
    _finish(data, _lines(report, status, given.claim), given.as_json, _EXIT[status])


def _step_interval(step: str | None, steps: str | None) -> tuple[Fraction, Fraction]:
    if step is not None and steps is not None:
        raise InputError("--step", "beside --steps", "give one of them")
    if step is None and steps is None:
        raise InputError("certify entropy", "needs a step size", "give either --step ETA or --steps LO:HI")
    if step is not None:
        eta = parse_rational(step, "--step")
        return eta, eta
    parts = steps.split(":")
    if len(parts) != 2:
        raise InputError("--steps", f"{steps!r}", "write it as LO:HI, like 0:1/100")
    return parse_rational(parts[0], "--steps"), parse_rational(parts[1], "--steps")


def _needed(value: str | None, name: str) -> str:
    if value is None:
        raise InputError("certify entropy", f"{name} is missing", f"add {name}")
    return value


def _policy(text: str) -> Policy:
    return policy_from_json(read_json_argument(text, "policy"), "policy")


def _advantages(text: str, policy: Policy, algorithm: str) -> tuple:
    data = read_json_argument(text, "advantages")
    if find_algorithm(algorithm).per_sequence:
        return (numbers(data, "advantages"),)
    return advantages_from_json(data, policy)


def _claimed(report: StepReport, claim: str | None) -> str:
    """The answer to `--claim`: refuted where the opposite is proved on part of the steps."""
    if claim is None or report.sign.status == "proved":
        return "refuted" if claim is not None and report.sign.sign != claim else report.sign.status
    return "refuted" if report.sign.witness is not None else "undecided"


def _decimal(value: RationalEnclosure) -> str:
    return f"[{significant_text(value.lower, 15, up=False)}, {significant_text(value.upper, 15, up=True)}]"


def _lines(report: StepReport, status: str, claim: str | None) -> list[str]:
    p, s = report.persistence, report.sign
    steps = (
        f"the step {rational_text(s.steps.lower)}"
        if s.steps.exact
        else f"every step from {rational_text(s.steps.lower)} to {rational_text(s.steps.upper)}"
    )
    lines = [
        f"{report.algorithm} (averaged over {report.average})",
        f"entropy       {_decimal(report.entropy)}",
        f"dH/dη at 0    {_decimal(report.first_order)}",
        f"change        {_decimal(report.change)} for {steps}",
    ]
    if s.status == "proved":
        lines.append(f"sign          the entropy {s.sign} for {steps}: proved")
    else:
        lines.append(f"sign          undecided: {s.reason}")
    if claim is not None:
        lines.append(f"claim         {claim}: {status}")
    if p.eta_max is not None:
        more = " and for every larger step" if p.forever else " (the limit of the search)" if p.limited else ""
        more += f"; the other sign is proved at {_up(p.reversed_at)}" if p.reversed_at is not None else ""
        lines.append(f"η_max         the entropy {p.sign} for every step in (0, {_down(p.eta_max)}]{more}")
    else:
        lines.append(f"η_max         none: {p.reason}")
    return lines


def _down(value: Fraction) -> str:
    return significant_text(value, 12, up=False)


def _up(value: Fraction) -> str:
    return significant_text(value, 12, up=True)


def _write(path: Path, data: dict) -> None:
    save_text(json.dumps(data, indent=1) + "\n", path)


def _finish(data: Any, lines: list[str], as_json: bool, code: int) -> NoReturn:
    if as_json:
        print_json(data)
    else:
        print("\n".join(lines))
    raise click.exceptions.Exit(code)


@entropy.command("algorithms")
@click.option("--json", "as_json", is_flag=True)
def algorithms_command(as_json: bool) -> None:
    """The algorithms, their definitions, sources and parameters."""
    data = [
        {
            "name": a.name,
            "definition": a.definition,
            "source": a.source,
            "parameters": {k: p.meaning for k, p in a.parameters.items()},
        }
        for a in ALGORITHMS.values()
    ]
    lines = [
        line
        for a in data
        for line in (
            f"{a['name']}: {a['definition']}  [{a['source']}]",
            *(f"    {k}: {m}" for k, m in a["parameters"].items()),
        )
    ]
    _finish(data, lines, as_json, 0)


@entropy.command("controllers")
@click.option("--limits", metavar="NAME:K=V,...", help="One controller, like zeta:zeta_min=1/1000,zeta_max=10 ...")
@click.option("-o", "--output", type=OutputFile(), help="... whose certificate of range and saturation to write.")
@click.option("--json", "as_json", is_flag=True)
def controllers_command(limits: str | None, output: Path | None, as_json: bool) -> None:
    """Prove the invariants of the ζ, ε_high and target-entropy controllers with z3."""
    if (limits is None) != (output is None):
        raise InputError("--limits", "without -o, or -o without --limits", "give both, or none")
    if limits is not None and output is not None:
        save_document(controller_certificate(_controller(limits)), output)
    proofs = [("zeta", p) for p in prove_zeta()] + [("adapo", p) for p in prove_adapo()]
    proofs += [("target", p) for p in prove_target_entropy()]
    data = {
        "status": _together([p for _, p in proofs]),
        "proofs": [{"controller": c, **p.__dict__} for c, p in proofs],
        "counterexample": refute_two_cycle().__dict__,
    }
    lines = [f"{c:6} {p.name:14} {p.status:9} {p.statement}" for c, p in proofs]
    lines.append(
        f"zeta   {data['counterexample']['name']}: {data['counterexample']['status']}, "
        f"{data['counterexample']['witness']}"
    )
    _finish(data, lines, as_json, _EXIT[data["status"]])


def _controller(text: str) -> Any:
    """The controller that `--limits` names."""
    kinds = {"zeta": ZetaController, "adapo": AdapoController, "target": TargetEntropyController}
    name, _, rest = text.partition(":")
    if name not in kinds:
        raise InputError("--limits", f"{name!r} is unknown", f"use one of {', '.join(kinds)}")
    given = named_values(tuple(part.strip() for part in rest.split(",") if part.strip()), "--param")
    names = [f.name for f in fields(kinds[name])]
    if set(given) != set(names):
        raise InputError("--limits", text, f"give {', '.join(names)}")
    return kinds[name](**{key: parse_rational(value, f"--limits {key}") for key, value in given.items()})


def _together(proofs: list[Proof]) -> str:
    found = {p.status for p in proofs}
    return "refuted" if "refuted" in found else "undecided" if "undecided" in found else "proved"


@dataclass(frozen=True)
class PrecisionOptions:
    """The options of `certify entropy precision`, as click names them."""

    format_name: str
    eps_texts: tuple[str, ...]
    binades: str
    counted: tuple[int, ...]
    policy: str | None
    advantages: str | None
    output: Path | None
    plot: Path | None
    as_json: bool


@entropy.command("precision")
@click.option("--format", "format_name", default="bfloat16", show_default=True, help="bfloat16 or float16.")
@click.option("--eps", "eps_texts", multiple=True, help="Clip ranges ε [default: 0.1, 0.2, 0.28].")
@click.option("--binades", default="-8:5", show_default=True, metavar="LO:HI", help="Binades [−2^(k+1), −2^k).")
@click.option("--count", "counted", multiple=True, type=int, metavar="K", help="Round all float32 numbers of binade K.")
@click.option("--policy", help="Also the entropy bias of a clipped update on this policy.")
@click.option("--advantages", help="The advantages of that update.")
@click.option("-o", "--output", type=OutputFile(), help="Write the table's certificate.")
@click.option("--plot", type=OutputFile(), help="Draw the bias per binade.")
@click.option("--json", "as_json", is_flag=True)
@collected(PrecisionOptions)
def precision_command(given: PrecisionOptions) -> None:
    """Rounding of log-probabilities and ratios: bias and clip crossings per binade."""
    format_ = find_format(given.format_name)
    if format_.bits != 16:
        raise InputError("--format", f"{given.format_name} has too many codes for a table", "use bfloat16 or float16")
    eps = tuple(parse_rational(e, "--eps") for e in given.eps_texts) or _EPS
    if any(not 0 < e < 1 for e in eps):
        raise InputError("--eps", f"{min(eps)} to {max(eps)}", "use clip ranges between 0 and 1")
    exponents = _binades(given.binades, format_)
    data: dict[str, Any] = table_certificate(format_, eps, exponents, given.counted)
    table, lines = data, _table_lines(data, eps)
    if given.policy is not None:
        found = _rounded(given.policy, _needed(given.advantages, "--advantages"), format_, eps[-1])
        data = {
            **data,
            "update": {
                "exact": found.exact.outward(_BITS).texts(),
                "rounded": found.rounded.outward(_BITS).texts(),
                "bias": found.bias.outward(_BITS).texts(),
                "sign": found.sign,
                "factors": [f.outward(_BITS).texts() for f in found.factors],
            },
        }
        lines.append(
            f"clipped update at ε={rational_text(eps[-1])}: first-order entropy change "
            f"{_decimal(found.exact)}, by rounding {found.sign} {_decimal(found.bias)}"
        )
    if given.plot is not None:
        in_style(plot_bias)(format_, exponents, given.counted, given.plot)
    if given.output is not None:
        _write(given.output, table)
    _finish({"status": "proved", **data}, lines, given.as_json, 0)


def _binades(text: str, format_: FloatFormat) -> range:
    try:
        low, high = (int(part) for part in text.split(":"))
    except ValueError:
        raise InputError("--binades", f"{text!r}", "write it as LO:HI, like -8:5") from None
    largest = min(format_.largest_exponent, _LARGEST_BINADE)
    if not format_.smallest_exponent <= low <= high <= largest:
        raise InputError("--binades", text, f"stay within {format_.smallest_exponent}:{largest}")
    return range(low, high + 1)


def _rounded(policy: str, advantages: str, format_: FloatFormat, eps: Fraction) -> RoundedUpdate:
    state = _single(policy)
    rows = advantages_from_json(read_json_argument(advantages, "advantages"), (state,))
    return rounded_update(state, rows[0], format_, eps, eps)


def _table_lines(data: dict, eps: tuple[Fraction, ...]) -> list[str]:
    lines = [
        f"{data['claim']['format']}: {data['nonpositive']} values <= 0, {data['above_minus_64']} in (-64, 0)",
        "binade  spacing  mean factor, one side  P(ratio 1 leaves [1 − ε, 1 + ε]): above / below per ε",
    ]
    for row in data["binades"]:
        crossing = "  ".join(
            f"ε={rational_text(e)}: {_short(up)} / {_short(low)}"
            for e, (up, low) in zip(eps, row["crossing"], strict=True)
        )
        lines.append(f"{row['exponent']:6}  {row['spacing']:>7}  <= {_short(row['one_side'], 12)}  {crossing}")
    for row in data["counted"]:
        lines.append(
            f"binade {row['exponent']}, all 2^23 float32 numbers: mean factor "
            f"<= {_short(row['mean_factor'], 12)}, mean error {row['mean_error']}"
        )
    for row in data["decisions"]:
        lines.append(f"ε={row['eps_low']}: RN(exp d) changes the clip decision of {len(row['changed'])} differences d")
    return lines


def _short(ends: list[str], digits: int = 5) -> str:
    return decimal_text(Fraction(ends[1]), digits, up=True)


@entropy.command("clipping")
@click.option("--old", required=True, help="The policy before the update.")
@click.option("--new", help="The policy after it.")
@click.option("--advantages", help="Instead of --new: one PPO step with these advantages ...")
@click.option("--step", help="... of this size.")
@click.option("--eps-low", default="0.2", show_default=True)
@click.option("--eps-high", default=None, help="[default: eps-low]")
@click.option("-o", "--output", type=OutputFile(), help="With --new: write the certificate of what was proved.")
@click.option("--json", "as_json", is_flag=True)
def clipping_command(old: str, new: str | None, output: Path | None, as_json: bool, **given: Any) -> None:
    """(1 − ε_low) H <= H' <= (1 + ε_high) H when all ratios are in range: premise and conclusion."""
    low = parse_rational(given["eps_low"], "--eps-low")
    high = low if given["eps_high"] is None else parse_rational(given["eps_high"], "--eps-high")
    before = _single(old)
    if new is None and output is not None:
        raise InputError("-o", "without --new", "a step of PPO has no certificate; give the new policy")
    if new is not None:
        after = _single(new)
        found = clipping_bound(before, after, low, high)
        document = clipping_certificate(before, after, low, high, found)
        if output is not None and document is not None:
            save_document(document, output)
        data = {
            "status": found.premise,
            "premise": found.premise,
            "conclusion": found.conclusion,
            "witness": found.witness,
            "before": found.before.outward(_BITS).texts(),
            "after": found.after.outward(_BITS).texts(),
            "bounds": [found.lower.outward(_BITS).texts(), found.upper.outward(_BITS).texts()],
        }
        lines = [
            f"premise (all ratios in range): {found.premise}",
            f"conclusion: {found.conclusion}",
            f"H  {_decimal(found.before)}",
            f"H' {_decimal(found.after)}",
        ]
        _finish(data, lines, as_json, _EXIT[found.premise])
    rows = advantages_from_json(
        read_json_argument(_needed(given["advantages"], "--advantages"), "advantages"), (before,)
    )
    shot = ppo_overshoot(before, rows[0], parse_rational(_needed(given["step"], "--step"), "--step"), low)
    if shot is None:
        _finish({"status": "undecided", "overshoot": None}, ["no ratio provably leaves the range"], as_json, 3)
    data = {
        "status": "proved",
        "overshoot": {
            "action": shot.action,
            "ratio": shot.ratio.outward(_BITS).texts(),
            "entropy_ratio": shot.entropy_ratio.outward(_BITS).texts(),
            "outside": shot.outside,
        },
    }
    _finish(
        data,
        [
            f"action {shot.action} leaves the range: ratio {_decimal(shot.ratio)}",
            f"H'/H {_decimal(shot.entropy_ratio)}: {shot.outside}",
        ],
        as_json,
        0,
    )


def _single(text: str) -> StatePolicy:
    states = _policy(text)
    if len(states) != 1:
        raise InputError("policy", f"{len(states)} states", "give a policy of one state here")
    return states[0]


entropy.add_command(flow_command)
entropy.add_command(batch_command)
