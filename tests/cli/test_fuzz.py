"""Every command with generated good, odd and broken input, in process.

What must hold: no traceback and no internal failure; exit 1 only with a refutation that is printed; bad input in one
line of stderr and nothing on stdout; with `--json` one JSON value; no limit of time overrun; no file lost or altered
that was only read.  300 cases in `make test`, 10,000 in `make test-all`.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from certify.cli.main import COMMANDS, cli, main

PROGRESS = re.compile(r"^\d+ (?:s|min|h)\b.*\n", re.MULTILINE)  # what a long command says every ten seconds
LIMIT = "1"  # seconds, for every command that knows a limit
GRACE = 6.0  # beyond 1.1 times the limit, in CPU seconds: reading, checking and a busy machine's share
BUILT_IN = [
    "lever:2",
    "lever:2:1/2",
    "lever:3:9/10",
    "matching-pennies",
    "climbing",
    "match:2x2x2",
    "dectiger",
    "lever:0",
]
NUMBERS = [
    "1", "1/2", "2", "0.75", "1e-3", "0", "-1", "1/0", "x", "", "1e400", "1e-400", "1e401", "nan", "inf", "½", "１",
    "9" * 500, " 3 ", "1:2", "2:1", "1e-30:1", "0x10", "1_000", "--", "+1",
]  # fmt: skip
GOOD = {
    "alpha": ["1", "2", "3/4", "1/2:1", "20"], "rtol": ["1/10", "1/2"], "discount": ["1/2", "1", "0.9"],
    "step": ["1/10", "1"], "steps": ["0:1/10", "1/10:1"], "eta_limit": ["1", "64"], "width": ["1/5", "1"],
    "duration": ["1/10", "1"], "alpha_min": ["1/10", "1"], "modulus_at": ["2", "20"], "eps_texts": ["1/5", "0.28"],
    "logp_error": ["0", "1e-6"], "max_nodes": ["10", "1000"], "eps_low": ["1/5"], "eps_high": ["1/5"], "eps": ["1/5"],
}  # fmt: skip
WHOLE = ["1", "2", "3", "0", "-1", "x", "", "1e3", "99999999999999999999", "1.5"]
TEXTS = [
    "",
    "x",
    "é",
    "\x00",
    "\ud800",
    "a b",
    "-",
    "--json",
    "π",
    "x" * 5000,
    "eps=1/2",
    "eps=",
    "=",
    "a=b=c",
    "{}",
    "[]",
]
LISTS = [
    "1/4,3/4", "1/2,1/2", "1,0", "[1, 0]", "[]", "{}", "1", "[[1]]", '{"logits": [0, 1]}', '{"states": []}', "1/4,3/4,",
    '{"states": [{"logits": ["1e400", 0], "weight": 1}]}', "0,1", "-1/100,1/100", "1e-400,1", "nan,1", "[true, null]",
    '{"logits": [0, 100000]}', "1/3,1/3,1/3", "[1, -1, 0]", '{"probabilities": ["1/2", 0.5]}', "9/10,1/10",
]  # fmt: skip


SWAP = '{"actions": {"agent1": {"0": "1", "1": "0"}, "agent2": {"0": "1", "1": "0"}}}'
DOCUMENTS = [
    "{}", "[]", "[[1, 0], [0, 1]]", "[[1], [2, 3]]", '{"agents": {"agent1": "agent2", "agent2": "agent1"}}', "00" * 32,
    '{"agents": 3}', "", "null", "x", SWAP, '{"actions": {"agent1": {"0": "1", "1": "0"}}}', "[[1, 2], [3, 4]]",
    "[[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]]",
]  # fmt: skip


@dataclass
class Case:
    """Arguments, and the files that they name."""

    arguments: list[str]
    files: dict[str, bytes] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)


def scaled(draw: st.DrawFn) -> Any:
    """A payoff of any size and form."""
    return draw(
        st.one_of(
            st.integers(-3, 3),
            st.sampled_from(
                ["1/2", "-7/3", 0.1, 1e300, -1e-300, "1e400", "1e-400", "2", "1 - eps", "", None, True, [], "x"]
            ),
        )
    )


def game_file(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file that may be a game: native JSON, .dpomdp, Gambit's, cut, in odd encodings, or nothing of the kind."""
    kind = draw(st.sampled_from(["payoff", "payoff", "scale", "parametric", "dpomdp", "gambit", "garbage"]))
    name = draw(st.sampled_from(["game.json", "g é.json", "game.JSON"]))
    if kind == "payoff":
        rows, columns = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        document: Any = {"kind": "one-shot", "payoff": [[scaled(draw) for _ in range(columns)] for _ in range(rows)]}
        if draw(st.booleans()):
            document["payoff"] = [[draw(st.integers(-2, 2)) for _ in range(columns)] for _ in range(rows)]
    elif kind == "scale":
        unit = draw(st.sampled_from(["1e-400", "1e-30", "1e-9", "1e9", "1e300", "1e309", "1e400"]))
        document = {"kind": "one-shot", "payoff": [[unit, 0], [0, unit]]}
    elif kind == "parametric":
        document = {
            "kind": "one-shot",
            "payoff": [
                [1, 0],
                [0, draw(st.sampled_from(["1 - eps", "eps/2", "1/eps", "eps**3", "delta", "eps - eps"]))],
            ],
            "parameters": {
                "eps": draw(st.sampled_from([["0 < eps", "eps < 1"], [], ["eps < 0", "eps > 1"], ["eps"], [1]]))
            },
        }
    elif kind == "dpomdp":
        name = draw(st.sampled_from(["g.dpomdp", "g.dpomdp.gz", "g.nfg"]))
        head = "agents: 2\ndiscount: 1.0\nvalues: reward\nstates: a b\nstart: 0.5 0.5\n"
        body = "actions:\nl r\nl r\nobservations:\no p\no p\nT: * :\nuniform\nO: * :\nuniform\nR: l l : * : * : * : 1\n"
        text = head + body
        content = text.encode()
        return name, mangled(draw, content)
    elif kind == "gambit":
        return gambit_file(draw)
    else:
        return name, draw(st.binary(max_size=40))
    document |= draw(
        st.sampled_from([{}, {}, {}, {"discount": "1/2"}, {"name": "a\nb"}, {"agents": ["x", "x"]}, {"kind": 3}])
    )
    return name, mangled(
        draw, json.dumps(document).encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-16", "utf-8-sig"])))
    )


def gambit_file(draw: st.DrawFn) -> tuple[str, bytes]:
    """A table or a tree in Gambit's formats: a team game, with a potential, or neither."""
    numbers = [draw(st.sampled_from(["0", "1", "-2", "1/2", "2.5", "1e300", "1/0"])) for _ in range(4)]
    other = draw(st.sampled_from([numbers, numbers, ["1", "0", "0", "2"]]))
    pays = [f"{u} {v}" for u, v in zip(numbers, other, strict=True)]
    if draw(st.booleans()):
        text = f'NFG 1 R "g" {{ "a" "b" }} {{ 2 2 }}\n{" ".join(pays)}\n'
        return draw(st.sampled_from(["g.nfg", "g.efg"])), mangled(draw, text.encode())
    leaves = [f't "" {k + 1} "" {{ {pay} }}\n' for k, pay in enumerate(pays)]
    sets = draw(st.sampled_from([("1", "1"), ("1", "2")]))
    sides = [f'p "" 2 {k} "" {{ "l" "r" }} 0\n' for k in sets]
    text = 'EFG 2 R "g" { "a" "b" }\np "" 1 1 "" { "l" "r" } 0\n'
    text += sides[0] + leaves[0] + leaves[1] + sides[1] + leaves[2] + leaves[3]
    return "g.efg", mangled(draw, text.encode())


def mangled(draw: st.DrawFn, content: bytes) -> bytes:
    """The content, mostly as it is, else cut or with one byte altered."""
    how = draw(st.sampled_from(["", "", "", "cut", "byte", "cr"]))
    if how == "cut":
        return content[: draw(st.integers(0, len(content)))]
    if how == "byte" and content:
        at = draw(st.integers(0, len(content) - 1))
        return content[:at] + bytes([draw(st.integers(0, 255))]) + content[at + 1 :]
    return content.replace(b"\n", b"\r") if how == "cr" else content


@cache
def certificates() -> dict[str, bytes]:
    """One small valid certificate of each kind that a command writes."""
    recipes = {
        "structural": "threshold lever:2 --method structural -o out",
        "cover": "threshold lever:2:1/2 --method localisation --rtol 1/10 -o out",
        "parameters": "threshold --structural n=2,h=2,actions=2,return=0:1 -o out",
        "optimum": "optimum lever:2 --alpha 1 -o out",
        "symmetry": "symmetries lever:2 -o out",
        "sign": "entropy --policy 1/4,3/4 --advantages 1,0 --algorithm reinforce --step 1/10 -o out",
        "flow": "entropy flow lever:2 --alpha 1 -o out",
    }
    found = {}
    for name, line in recipes.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "c.json"
            code, _, err = run([str(path) if part == "out" else part for part in line.split()])
            assert code == 0, err
            found[name] = path.read_bytes()
    return found


def certificate_file(draw: st.DrawFn) -> tuple[str, bytes]:
    """A certificate: as it is, mangled, or with one value of its JSON replaced."""
    content = certificates()[draw(st.sampled_from(sorted(certificates())))]
    if draw(st.booleans()):
        document = json.loads(content)
        place: Any = document
        for _ in range(draw(st.integers(1, 5))):
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if not isinstance(place[key], (dict, list)) or draw(st.integers(0, 4)) == 0:
                place[key] = draw(
                    st.sampled_from([None, 0, -1, "", "1/0", "1/3", [], {}, True, "x", 10**70, "9" * 3000, 1.5])
                )
                break
            place = place[key]
        return "c.json", json.dumps(document).encode()
    return "c.json", mangled(draw, content)


def policy_file(draw: st.DrawFn) -> tuple[str, bytes]:
    """A table of a policy as .json or .npz, for two agents with two actions, or nearly."""
    if draw(st.booleans()):
        rows = draw(st.sampled_from([["1/2", "1/2"], [0.5, 0.5], [1, 0], [0.3, 0.6], ["x", 1], [1], []]))
        keys = draw(st.sampled_from([["agent1:", "agent2:"], ["agent1:"], ["x"], []]))
        return "p.json", json.dumps({key: {str(a): p for a, p in enumerate(rows)} for key in keys}).encode()
    file = io.BytesIO()
    kind = draw(st.sampled_from([np.float64, np.float32, np.float16, np.int64]))
    np.savez(file, **{name: np.full((1, draw(st.integers(1, 3))), 0.5).astype(kind) for name in ("agent2", "agent1")})
    return "p.npz", mangled(draw, file.getvalue())


def dump_file(draw: st.DrawFn) -> tuple[str, bytes]:
    """A training batch, or nearly."""
    n = draw(st.integers(0, 4))
    value = st.sampled_from([-0.5, -1.0, 0.0, 1.0, math.nan, math.inf, -1e30, 1e-30])
    columns: dict[str, Any] = {}
    for name in draw(
        st.lists(
            st.sampled_from(
                ["logp_train", "logp_old", "entropy", "advantage", "mask", "seq_id", "group_id", "reward", "x"]
            ),
            unique=True,
        )
    ):
        kind = draw(st.sampled_from([np.float64, np.float32, np.float16, np.int64, bool]))
        with np.errstate(all="ignore"):
            columns[name] = np.array([draw(value) for _ in range(n)]).astype(kind)
    if draw(st.booleans()):
        columns["logits"] = np.array([[draw(value) for _ in range(3)] for _ in range(n)], dtype=np.float32)
    file = io.BytesIO()
    np.savez(file, **columns)
    return "d.npz", mangled(draw, file.getvalue())


def json_file(draw: st.DrawFn) -> tuple[str, bytes]:
    """A small JSON document: a map, a matrix of returns, a key, or none of them."""
    text = draw(st.sampled_from(DOCUMENTS))
    return "x.json", text.encode()


def odd_path(draw: st.DrawFn) -> tuple[str, bytes]:
    """A path that is none."""
    return draw(
        st.sampled_from(["", ".", "missing.json", "a\0b", "no/such/folder/x", "x" * 300, "/dev/null", "é.json"])
    ), b""


FILES: dict[str, Callable[[st.DrawFn], tuple[str, bytes]]] = {
    "game": game_file, "certificate": certificate_file, "table": policy_file, "policy": policy_file,
    "policies": policy_file, "dump": dump_file, "threshold": certificate_file, "candidate": json_file,
    "runs": json_file, "key": json_file, "signature": json_file, "gram": json_file, "features": json_file,
    "checkpoint": json_file,
    "folder": json_file,
}  # fmt: skip
WORDS: dict[str, list[str]] = {
    "method": ["structural", "windows", "localisation", "search", "auto", "magic"],
    "rows": ["exact", "renormalise", "x"],
    "engine": ["auto", "stdlib", "fast", "x"],
    "states": ["reachable", "all", "x"],
    "algorithm": ["reinforce", "natural", "rloo", "grpo", "ppo", "x", ""],
    "claim": ["increases", "decreases", "x"],
    "parameters": ["n=2,h=1,actions=2,return=0:1", "n=2,h=1,actions=2,return=1:0", "n=3,h=2,actions=2,return=0:9"],
    "values": ["eps=1/4", "eps=2", "eps", "x=1", "eps=1e400"],
    "params": ["beta=1", "group=2", "x=1", "x", "epsilon=1/5", "lam=1e400"],
    "format_name": ["bfloat16", "float16", "x", "float32"],
    "binades": ["-1:0", "0:-1", "x", "-99:99"],
    "counted": ["x", "999", "-999"],
    "recipe": ["verl", "trl", "gspo", "x", ""],
    "workers": ["1", "1", "0", "x", "-1"],
    "processes": ["1", "0", "x"],
    "max_entries": ["100", "100000", "0", "1", "x", "-5"],
    "flow_steps": ["1", "3", "0", "x", "-1"],
    "starts": ["1", "2", "0", "x"],
    "dask": ["nonsense", ""],
    "seed": ["0", "1", "-1", "99999999999999999999", "x"],
    "ids": ["1", "nope", "", "é"],
    "carrier": ["z", "bignums", "x"],
}  # fmt: skip
DROPPED = {"update", "accelerate", "help", "version"}


def value_of(draw: st.DrawFn, parameter: click.Parameter, case: Case) -> str:
    """A value for one parameter, with the file that it names."""
    name = parameter.name or ""
    if isinstance(parameter.type, click.ParamType) and parameter.type.name == "file":
        target = draw(
            st.sampled_from(["out.json", "out.svg", "out.v", "out", "old.json", "", "no/x.json", ".", "x" * 300])
        )
        if target == "old.json":
            case.files.setdefault(target, b"what was there before")
        case.outputs.add(target)
        return target
    if name == "game" and draw(st.booleans()):
        return draw(st.sampled_from(BUILT_IN))
    if name in FILES and draw(st.integers(0, 5)):
        path, content = FILES[name](draw)
        case.files[path] = content
        return path
    if name in FILES:
        return odd_path(draw)[0]
    if name in WORDS:
        return draw(st.sampled_from(WORDS[name]))
    if name in ("policy", "advantages"):
        return draw(st.sampled_from(LISTS))
    if draw(st.integers(0, 9)) < 7:
        return draw(st.sampled_from(GOOD.get(name, ["1", "2"])))
    whole = isinstance(parameter.type, click.types.IntParamType)
    return draw(st.sampled_from(WHOLE if whole else [*NUMBERS, *TEXTS] if draw(st.integers(0, 3)) == 0 else NUMBERS))


def commands() -> dict[str, click.Command]:
    """Every command and subcommand by the words that call it."""
    context = click.Context(cli)
    found: dict[str, click.Command] = {}
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        found[name] = command
        if isinstance(command, click.Group):
            found |= {f"{name} {sub}": part for sub, part in command.commands.items()}
    return found


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """One call of one command: what it needs, mostly, and up to four of its options."""
    name = draw(st.sampled_from(sorted(commands())))
    command = commands()[name]
    case = Case(name.split())
    options = [p for p in command.params if isinstance(p, click.Option) and p.name not in DROPPED]
    needed = [p for p in options if p.required or p.name in ("policy", "advantages", "algorithm", "step", "alpha")]
    chosen = [p for p in needed if draw(st.integers(0, 9))]
    if options:
        chosen += draw(st.lists(st.sampled_from(options), max_size=4))
    for option in chosen:
        flag = draw(st.sampled_from(option.opts))
        if option.is_flag:
            case.arguments.append(flag)
        elif name == "entropy" and option.name in ("policy", "advantages"):
            case.arguments += [flag, draw(st.sampled_from(LISTS))]
        else:
            case.arguments += [flag, value_of(draw, option, case)]
    for argument in command.params:
        if isinstance(argument, click.Argument) and draw(st.integers(0, 19)):
            case.arguments.append(value_of(draw, argument, case))
    named = {p.name for p in options}
    if "time_limit" in named:  # the last one counts
        case.arguments += ["--time-limit", LIMIT]
    if "timeout" in named:
        case.arguments += ["--timeout", LIMIT]
    if "folder" in named:  # the proofs of claims are not for a fuzzer
        case.arguments += ["--proofs", "."]
    return case


def run(arguments: list[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one call."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as ended:
            code = ended.code
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode("utf-8"))  # type: ignore[attr-defined]
    assert isinstance(code, int)
    return code, texts[0], texts[1]


def judge(case: Case) -> None:
    """Run one case in a folder of its own, and assert what must hold."""
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for name, content in case.files.items():
                if name and "\0" not in name and "/" not in name and name != "." and len(name) < 200:
                    Path(name).write_bytes(content)
            before = {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}
            began = time.process_time()
            code, out, err = run(case.arguments)
            took = time.process_time() - began
            after = {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}
        finally:
            os.chdir(home)
    err = PROGRESS.sub("", err)
    if "Exception ignored in" in err and "OutOfTime" in err:  # an alarm that rang in a callback, of hypothesis say
        err = ""
    about = f"\n{case.arguments!r}\nfiles {case.files!r}\nexit {code}\nstdout {out[:2000]!r}\nstderr {err[:2000]!r}"
    assert code in (0, 1, 2, 3), about
    assert "Traceback" not in out + err, about
    if code == 2:
        assert out == "" and err.count("\n") == 1, about
    else:
        assert err == "", about
    if code == 1:
        assert any(
            word in out
            for word in (
                "refuted",
                "REFUSED",
                "INVALID",
                "NOT a signature",
                "not equivariant",
                "not a symmetry",
                '"valid": false',
            )
        ), about
    if "--json" in case.arguments and code != 2 and out[:1] in ("{", "["):
        json.loads(out)
    if "--time-limit" in case.arguments:
        assert took <= 2.2 * float(LIMIT) + GRACE, f"{took:.1f} s{about}"  # cross-play may take the limit twice
    for name, content in before.items():
        assert name in after, f"{name} was lost{about}"
        written = name in case.outputs or name in ("x.json",)  # a checkpoint or a fresh key is written in place
        assert after[name] == content or (written and code != 2), f"{name} was altered{about}"


QUICK = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@given(cases())
@QUICK
def test_no_input_breaks_a_command(case: Case) -> None:
    judge(case)


@pytest.mark.slow
@given(cases())
@settings(QUICK, max_examples=10_000, derandomize=False)
def test_no_input_breaks_a_command_in_ten_thousand(case: Case) -> None:
    judge(case)
