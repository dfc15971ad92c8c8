"""Coq's kernel accepts what we export and nothing that was tampered with."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from fractions import Fraction

import pytest

from certify.coq import building
from certify.coq.approx_search import Search, approx_cover
from certify.coq.model import equations, unroll
from certify.coq.writing import coq_file
from certify.games import builtin
from certify.games.model import Game
from certify.symmetry import symmetries
from certify.symmetry.maps import GameMap


def exported(game, alpha, carrier="bignums", symmetries=()):
    tree = unroll(game)
    cover = approx_cover(Search(tree, equations(tree)), 1 / Fraction(alpha))
    assert cover.reached >= 1 / Fraction(alpha), f"only {float(1 / cover.reached)} was reached"
    return coq_file(tree, cover, Fraction(alpha), carrier, symmetries)


def asked(text, tmp_path, library):
    path = tmp_path / "game.v"
    path.write_text(text, encoding="utf-8")
    return building.check_file(path, library)


def test_nothing_in_the_library_is_assumed():
    files = sorted(building.library().glob("*/*.v"))
    assert len(files) >= 10
    for path in files:
        text = re.sub(r"\(\*.*?\*\)", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for word in ("Admitted", "admit", "Axiom", "Parameter", "Conjecture", "bypass_check", "Unset"):
            assert not re.search(rf"\b{word}\b", text), f"{path.name}: {word}"


@pytest.mark.parametrize("carrier", ["z", pytest.param("bignums", marks=pytest.mark.slow)])
def test_two_levers(carrier, tmp_path, coq_library):
    answer = asked(exported(builtin("lever:2"), "4/5", carrier), tmp_path, coq_library)
    assert answer.valid, answer.why
    assert answer.alpha_star == "4/5"
    assert set(answer.assumptions) <= building.allowed(answer.carrier)
    assert ("PrimInt63.int" in answer.assumptions) == (carrier == "bignums")


@pytest.mark.slow
def test_three_agents(tmp_path, coq_library):
    answer = asked(exported(builtin("match:3x3x3"), "1"), tmp_path, coq_library)
    assert answer.valid, answer.why


@pytest.mark.slow
@pytest.mark.parametrize(("name", "alpha"), [("lever:3", "1"), ("dectiger", "100")])
def test_the_policy_is_fixed_by_the_generators(name, alpha, tmp_path, coq_library):
    game = builtin(name)
    generators = symmetries(game).generators
    assert generators
    answer = asked(exported(game, alpha, symmetries=generators), tmp_path, coq_library)
    assert answer.valid, answer.why
    assert answer.equivariant


@pytest.mark.slow
def test_a_map_that_is_no_symmetry_is_refused(tmp_path, coq_library):
    game = builtin("lever:3:1/2")
    swap = GameMap((0, 1), (0,), ((0, 2, 1), (0, 2, 1)), ((0,), (0,)))
    answer = asked(exported(game, "2", symmetries=[swap]), tmp_path, coq_library)
    assert not answer.valid


def chsh():
    """Two agents see a bit each; they are paid for a match, unless both bits are 1: then for a mismatch."""
    paid = {((a + b) % 2 == x * y, x, y, a, b) for x in (0, 1) for y in (0, 1) for a in (0, 1) for b in (0, 1)}
    return Game(
        name="bits",
        agents=("a", "b"),
        states=("00", "01", "10", "11"),
        actions=(("0", "1"), ("0", "1")),
        observations=(("0", "1"), ("0", "1")),
        start=tuple((2 * x + y, (x, y), Fraction(1, 4)) for x in (0, 1) for y in (0, 1)),
        transition={},
        emission={},
        reward={(2 * x + y, (a, b)): Fraction(1) for won, x, y, a, b in paid if won},
        horizon=1,
    )


@pytest.mark.slow
def test_a_bayesian_game_with_four_decision_points(tmp_path, coq_library):
    assert len(unroll(chsh()).points) == 4
    answer = asked(exported(chsh(), "3/5"), tmp_path, coq_library)
    assert answer.valid, answer.why


@pytest.mark.slow
def test_the_bayesian_game_near_its_threshold(tmp_path, coq_library):
    answer = asked(exported(chsh(), "51/100"), tmp_path, coq_library)
    assert answer.valid, answer.why


@pytest.mark.slow
def test_discount_and_unequal_weights(tmp_path, coq_library):
    game = replace(builtin("recycling", horizon=2), discount=Fraction(9, 10), weights=(Fraction(1), Fraction(3, 2)))
    answer = asked(exported(game, "19/10"), tmp_path, coq_library)
    assert answer.valid, answer.why


@pytest.mark.slow
def test_two_steps(tmp_path, coq_library):
    answer = asked(exported(builtin("two-stage-lever"), "20"), tmp_path, coq_library)
    assert answer.valid, answer.why


TAMPERED = {
    "payoff": lambda text: text.replace("Leaf 1; Leaf 0", "Leaf 9; Leaf 0", 1),
    "alpha": lambda text: text.replace("(3 # 5) = true", "(1 # 5) = true").replace("(3 / 5)%R", "(1 / 5)%R"),
    "alpha of the theorem only": lambda text: text.replace("(3 / 5)%R", "(1 / 5)%R"),
    "last piece dropped": lambda text: re.sub(r";\n  mkpiece[^\n]*\]\.\n", "].\n", text),
    "first piece repeated": lambda text: re.sub(
        r"(: list piece := \[)(mkpiece[^\n]*;\n).*?\]\.\n", r"\1\2\2].\n", text, flags=re.S
    ).replace(";\n].", "]."),
    "no rounds": lambda text: re.sub(r"mkpiece (\([0-9# ]+\)) [0-9]+", r"mkpiece \1 0", text),
    "no pieces": lambda text: re.sub(
        r"pieces : list piece := \[.*?\]\.\nLemma", "pieces : list piece := [].\nLemma", text, flags=re.S
    ),
    "weight": lambda text: text.replace("[1; 1] payoffs", "[1; (1 # 100)] payoffs"),
    "own exactly_one": lambda text: text.replace(
        "Theorem unique", "Definition exactly_one (g : Game.game) (a : R) := True.\nTheorem unique"
    ).replace("exact (check_game_sound _ _ _ _ _ ok)", "exact (fun _ _ => I)"),
    "own library": lambda text: (
        text.replace(
            "Theorem unique",
            "Module Certify. Module Game. Definition exactly_one {T : Type} (g : T) (a : R) := True.\n"
            "End Game. End Certify.\n"
            "Theorem unique",
        )
        .replace("exactly_one game alpha.", "Certify.Game.exactly_one game alpha.")
        .replace("exact (check_game_sound _ _ _ _ _ ok)", "exact (fun _ _ => I)")
    ),
    "axiom": lambda text: (
        text.replace("(3 / 5)%R", "(1 / 5)%R")
        .replace("Theorem unique", "Axiom cheat : False.\nTheorem unique")
        .replace("exact (check_game_sound _ _ _ _ _ ok)", "destruct cheat")
    ),
    "admitted": lambda text: text.replace("(3 / 5)%R", "(1 / 5)%R").replace(
        "Proof. exact (check_game_sound _ _ _ _ _ ok). Qed.", "Admitted."
    ),
}


QUICK = ("payoff", "alpha of the theorem only", "last piece dropped", "own library")  # a kind each


@pytest.mark.parametrize(
    "attack", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in sorted(TAMPERED)]
)
def test_a_tampered_file_is_refused(attack, tmp_path, coq_library):
    text = exported(builtin("lever:2"), "3/5")
    tampered = TAMPERED[attack](text)
    assert tampered != text
    answer = asked(tampered, tmp_path, coq_library)
    assert not answer.valid
    assert answer.why


def as_coq(e):
    if e[0] == "c":
        return f"Cst ({e[1].numerator} # {e[1].denominator})"
    if e[0] == "e":
        return f"Ent ({e[1].numerator} # {e[1].denominator}) {e[2]}"
    if e[0] == "+":
        return f"Add ({as_coq(e[1])}) ({as_coq(e[2])})"
    return f"Avg {e[1]} [{'; '.join(as_coq(f) for f in e[2])}]"


@pytest.mark.parametrize(
    "name", ["match:2x3x2", *(pytest.param(name, marks=pytest.mark.slow) for name in ("dectiger", "tiny-hanabi:E"))]
)
def test_coq_unrolls_and_normalises_as_the_search_does(name, tmp_path, coq_library):
    """The model's text, unrolled by Coq, gives exactly the equations that the search works with."""
    tree = unroll(builtin(name))
    system = equations(tree)
    text = exported(builtin(name), 200)
    text = text[: text.index("Definition pieces")]
    pairs = [(x, a, b, e) for x, row in enumerate(system.numerators) for (a, b), e in row.items()]
    goals = [f"N_ Q {x} {a} {b} = {as_coq(e)}" for x, a, b, e in pairs]
    goals.append("compile_ok game hints = true")
    goals += [f"D_ Q {x} = {as_coq(e)}" for x, e in enumerate(system.denominators)]
    text = text.replace("Require Import Certify.Game", "Require Import Certify.Expr Certify.Game", 1)
    text += "Definition Q := Eval vm_compute in compile game hints.\n"
    text += "\n".join(f"Goal ({goal})%nat. Proof. reflexivity. Qed." for goal in goals)
    path = tmp_path / "mirror.v"
    path.write_text(text, encoding="utf-8")
    names = [f"-Q {coq_library}/{part} {name}" for part, name in [("common", "Certify"), ("big", "CertifyBig")]]
    run = subprocess.run(
        ["coqc", "-w", "none", *" ".join(names).split(), str(path)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-500:]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "horizon", "alpha"),
    [
        ("climbing", None, "42/5"),
        ("lever:10:9/10", None, "47/200"),
        ("dectiger", 2, "60"),
        ("recycling", 2, "23/10"),
        ("broadcast-channel", 2, "27/25"),
        ("tiny-hanabi:E", None, "12"),
    ],
)
def test_larger_games(name, horizon, alpha, tmp_path, coq_library):
    game = builtin(name, horizon=horizon) if horizon else builtin(name)
    answer = asked(exported(game, alpha), tmp_path, coq_library)
    assert answer.valid, answer.why


def test_two_levers_from_one_half_on_rest_on_the_reals_only(tmp_path, coq_library):
    path = tmp_path / "levers.v"
    path.write_text(
        "From Coq Require Import Reals QArith List. Require Import Certify.Game Certify.Models Certify.TwoByTwo.\n"
        "Import ListNotations.\n"
        "Check (two_levers : forall alpha, (1 / 2 <= alpha)%R -> exactly_one (matrix_game [[1; 0]; [0; 1]]%Q) alpha).\n"
        "Goal forall alpha, (49 / 100 <= alpha)%R -> exactly_one (matrix_game [[1; 0]; [0; 1]]%Q) alpha.\n"
        "Proof. Fail exact two_levers. Abort.\nPrint Assumptions two_levers.\n",
        encoding="utf-8",
    )
    run = subprocess.run(
        ["coqc", "-w", "none", "-Q", str(coq_library / "common"), "Certify", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-500:]
    assert set(building.assumptions(run.stdout)) <= building.allowed("CertifyZ")


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(building.library().glob("examples/*.v")), ids=lambda path: path.stem)
def test_the_examples(path, coq_library):
    answer = building.check_file(path, coq_library)
    assert answer.valid, answer.why
    assert answer.equivariant


@pytest.mark.slow
def test_coqchk_accepts_the_library(coq_library):
    run = subprocess.run(
        ["make", "-s", "-C", str(building.library()), f"BUILD={coq_library}", "check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-500:]
