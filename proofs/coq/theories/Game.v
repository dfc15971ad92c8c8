(** What a reader has to trust: cooperative games as trees, the entropy-regularised objective, and what
    "stationary" and "exactly one" mean.  Everything else in this library is proved from these lines. *)
From Coq Require Import Reals QArith Qreals List.
Require Import Certify.Sums.
Import ListNotations.
Local Open Scope R_scope.

(** A policy gives the probability of action [k] at decision point [x]: [p x k].  Decision points are numbered. *)
Definition policy := nat -> nat -> R.

(** A game tree: a payoff; a sum of parts (chance nodes are sums whose probabilities are multiplied into the payoffs
    and weights below them); decision point [x], whose entropy counts with weight [w], and one part for every action.
    [X] names the decision points: numbers in a [game], histories while a model is being unrolled. *)
Inductive tree (X : Type) := Pay (q : Q) | Sum (l : list (tree X)) | Act (x : X) (w : Q) (l : list (tree X)).
Arguments Pay {X} q. Arguments Sum {X} l. Arguments Act {X} x w l.

(** [actions]: how many actions each decision point has. *)
Record game := Game { actions : list nat; root : tree nat }.
Definition points G := length (actions G).
Definition A G x := nth x (actions G) O.

(** J: the expected payoff plus alpha times the expected weighted entropies. *)
Fixpoint J G (alpha : R) (p : policy) (t : tree nat) : R :=
  match t with
  | Pay q => Q2R q
  | Sum l => fold_right (fun t s => J G alpha p t + s) 0 l
  | Act x w l => alpha * Q2R w * H (A G x) (p x)
      + (fix go k l := match l with [] => 0 | t :: l' => p x k * J G alpha p t + go (S k) l' end) O l
  end.

(** Policies are softmax of logits [z]. *)
Definition soft G (z : policy) : policy := fun x a => exp (z x a) / rsum (A G x) (fun b => exp (z x b)).
(** The logits [z] with the one at (x, a) replaced by [t]. *)
Definition upd (z : policy) x a t : policy := fun y k => if ((y =? x) && (k =? a))%nat%bool then t else z y k.

(** Stationary: the softmax of logits at which every partial derivative of J vanishes. *)
Definition stationary G alpha (p : policy) := exists z,
  (forall x a, (x < points G)%nat -> (a < A G x)%nat -> p x a = soft G z x a) /\
  (forall x a, (x < points G)%nat -> (a < A G x)%nat ->
     derivable_pt_lim (fun t => J G alpha (soft G (upd z x a t)) (root G)) (z x a) 0).

Definition same G (p q : policy) := forall x a, (x < points G)%nat -> (a < A G x)%nat -> p x a = q x a.
Definition at_most_one G alpha := forall p q, stationary G alpha p -> stationary G alpha q -> same G p q.
Definition exactly_one G alpha := exists p, stationary G alpha p /\ forall q, stationary G alpha q -> same G q p.
