"""The file: a model in the words of `proofs/coq/theories/Models.v`, the data of the check, and the theorem."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from fractions import Fraction

from certify.coq.approx_search import Array, Cover, Piece
from certify.coq.model import Tree, renaming
from certify.games.canonical import game_sha256
from certify.games.model import Game
from certify.symmetry.maps import GameMap

PRECISION = 30  # bits of the interval arithmetic
CARRIERS = {"z": "CertifyZ", "bignums": "CertifyBig"}  # the build of the library that a file uses


def coq_file(
    tree: Tree, cover: Cover, alpha_star: Fraction, carrier: str = "bignums", symmetries: Sequence[GameMap] = ()
) -> str:
    """The text of the file that states and proves uniqueness for every alpha from `alpha_star` on, and that the
    unique policy is fixed by the `symmetries`.

    >>> from certify.coq.approx_search import Search, approx_cover
    >>> from certify.coq.model import equations, unroll
    >>> from certify.games import builtin
    >>> tree = unroll(builtin("lever:2"))
    >>> cover = approx_cover(Search(tree, equations(tree)), Fraction(1))
    >>> coq_file(tree, cover, Fraction(1)).splitlines()[-2]
    'Proof. exact (check_game_sound _ _ _ _ _ ok). Qed.'
    """
    engine = CARRIERS[carrier]
    hints = _list(f"({_list(f'({x}, {k})' for x, k in own)}, {_list(map(str, order))})" for own, order in tree.hints)
    pieces = ";\n  ".join(_piece(tree, piece) for piece in cover.pieces)
    return f"""(* {_comment(tree.game.name)}: exactly one stationary policy for every alpha >= {alpha_star}.
   Game SHA-256 {game_sha256(tree.game)}.
   The model and the theorem at the end are what a reader has to read; hints and pieces are data of the check. *)
From Coq Require Import Reals QArith List.
Require Import Certify.Game Certify.Models Certify.Normal {engine}.Enclosure {engine}.Check.
Import ListNotations.
Open Scope Q_scope.

{_model(tree)}
Definition alpha_star : R := ({_real(alpha_star)})%R.

Definition hints : hint := ({hints})%nat.
Definition pieces : list piece := [{pieces}].
Lemma ok : check_game (F.PtoP {PRECISION}) game hints pieces ({alpha_star.numerator} # {alpha_star.denominator}) = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

Theorem unique : forall alpha : R, (alpha_star <= alpha)%R -> exactly_one game alpha.
Proof. exact (check_game_sound _ _ _ _ _ ok). Qed.
Print Assumptions unique.
{_symmetries(tree, symmetries)}"""


def _symmetries(tree: Tree, symmetries: Sequence[GameMap]) -> str:
    if not symmetries:
        return ""
    rows = ";\n  ".join(
        _list(f"({x}, {_list(map(str, actions))})" for x, actions in renaming(tree, mapping)) for mapping in symmetries
    )
    return f"""
(* for every decision point its image and the images of its actions *)
Require Import Certify.Symmetry.
Definition generators : list renaming := ([{rows}])%nat.
Lemma generators_ok : forallb (symmetry_ok game) generators = true.
Proof. vm_cast_no_check (eq_refl true). Qed.
Theorem equivariant : forall (alpha : R) p, (alpha_star <= alpha)%R -> stationary game alpha p ->
  forall s, In s generators -> fixed_by game s p.
Proof.
  intros alpha p Ha Hp s Hs.
  exact (unique_fixed game s (proj1 (forallb_forall _ _) generators_ok s Hs) alpha p (unique alpha Ha) Hp).
Qed.
Print Assumptions equivariant.
"""


def _comment(text: str) -> str:
    return text.replace("(*", "( *").replace("*)", "* )").replace('"', "'")


def _real(q: Fraction) -> str:
    return f"{q.numerator} / {q.denominator}"


def _list(parts: Iterable[str]) -> str:
    return f"[{'; '.join(parts)}]"


def _q(q: Fraction | int) -> str:
    q = Fraction(q)
    text = f"{q.numerator}" if q.denominator == 1 else f"{q.numerator} # {q.denominator}"
    return f"({text})" if q < 0 or q.denominator != 1 else text


def _nats(numbers: Sequence[int]) -> str:
    return f"{_list(map(str, numbers))}%nat"


def _model(tree: Tree) -> str:
    game = tree.game
    weights = _list(map(_q, game.weights))
    if tree.form == "tensor":
        tensor = _tensor(game, game.start[0][0])
        sizes = [len(names) for names in game.actions]
        return (
            f"Definition payoffs : tensor :=\n  {tensor}.\n"
            f"Definition game : Game.game := tensor_game {_nats(sizes)} {weights} payoffs.\n"
        )
    if tree.form == "bayesian":
        return _bayesian(tree, weights)
    return _dec_pomdp(game, weights)


def _tensor(game: Game, state: int) -> str:
    def axis(actions: tuple[int, ...]) -> str:
        i = len(actions)
        if i == game.number_of_agents:
            return f"Leaf {_q(game.reward.get((state, actions), Fraction(0)))}"
        return f"Axis {_list(axis((*actions, a)) for a in range(len(game.actions[i])))}"

    return axis(())


def _bayesian(tree: Tree, weights: str) -> str:
    game = tree.game
    kinds = [sum(i == agent for agent, _ in tree.points) for i in range(game.number_of_agents)]
    cases = (
        f"({_q(p)}, {_nats(o or (0,) * game.number_of_agents)}, {_tensor(game, s)})" for s, o, p in sorted(game.start)
    )
    return (
        f"Definition model : bayesian := Bayesian {_nats(kinds)} {_nats([len(a) for a in game.actions])} {weights}\n"
        f"  [{(';' + chr(10) + '   ').join(cases)}].\n"
        "Definition game : Game.game := bayesian_game model.\n"
    )


def _dec_pomdp(game: Game, weights: str) -> str:
    n, states = game.number_of_agents, range(len(game.states))
    actions = sorted({a for t in range(game.horizon) for a in game.joint_actions_at(t)})
    joint = list(itertools.product(*(range(len(names)) for names in game.observations)))

    def table(rows: Iterable[tuple[tuple[int, ...], str]]) -> str:
        return "[" + ";\n   ".join(f"({_nats(key)}, {row})" for key, row in rows) + "]"

    def numbers(row: Iterable[Fraction | int]) -> str:
        return _list(map(_q, row))

    transitions, rewards, emissions = [], [], []
    for a in actions:
        rows = [dict(game.transition.get((s, a), ())) for s in states]
        transitions.append((a, _list(numbers(row.get(s2, 0) for s2 in states) for row in rows)))
        rewards.append((a, numbers(game.reward.get((s, a), 0) for s in states)))
        seen = [dict(game.emission.get((a, s2), ())) for s2 in states]
        emissions.append((a, _list(_list(f"({_nats(o)}, {_q(row[o])})" for o in joint if o in row) for row in seen)))
    starts = []
    for o in sorted({o for _, o, _ in game.start}):
        row = {s: p for s, o2, p in game.start if o2 == o}
        starts.append(f"({_nats(o or (0,) * n)}, {numbers(row.get(s, 0) for s in states)})")
    available = [_list(_nats(game.actions_at(i, t)) for i in range(n)) for t in range(game.horizon)]
    steps = available[0] if len(set(available)) == 1 else f"nth t {_list(available)} []"
    return f"""(* rows by state: probabilities of the next states *)
Definition transitions : list (list nat * list (list Q)) :=
  {table(transitions)}.
(* rows by next state: joint observations and their probabilities *)
Definition emissions : list (list nat * list (list (list nat * Q))) :=
  {table(emissions)}.
(* by state *)
Definition rewards : list (list nat * list Q) :=
  {table(rewards)}.
Definition model : decpomdp := {{|
  states := {len(game.states)}; horizon := {game.horizon}; discount := {_q(game.discount)};
  start := [{"; ".join(starts)}];
  available := fun t => {steps};
  agent_observations := {_nats([len(names) for names in game.observations])};
  weights := {weights};
  transition := fun s ja s' => nth s' (nth s (lookup [] ja transitions) []) 0;
  observation := fun ja s' jo => lookup 0 jo (nth s' (lookup [] ja emissions) []);
  reward := fun s ja => nth s (lookup [] ja rewards) 0 |}}.
Definition game : Game.game := dec_game model.
"""


def _piece(tree: Tree, piece: Piece) -> str:
    position, k = {}, 0
    for x, size in enumerate(tree.sizes):
        for a in range(1, size):
            position[x, a] = k
            k += 1

    def over(values: Array, bits: int, zero: int) -> str:
        return _list(
            _list(str(zero if a == 0 else round(float(values[position[x, a]]) * 2**bits)) for a in range(size))
            for x, size in enumerate(tree.sizes)
        )

    norm = over(piece.norm + 1e-4, 16, 2**16)
    rows = _list(
        _list("[]" if a == 0 else over(piece.preconditioner[position[x, a]], 20, 0) for a in range(size))
        for x, size in enumerate(tree.sizes)
    )
    return f"mkpiece ({piece.end.numerator} # {piece.end.denominator}) {piece.rounds} ({norm})%Z ({rows})%Z"
