(* lever:2: exactly one stationary policy for every alpha >= 101/200.
   Game SHA-256 3143cd3aabba9e5a2561ead5bd45bc96ba1442b94ea42b6ed6f69281349c6b56.
   The model and the theorem at the end are what a reader has to read; hints and pieces are data of the check. *)
From Coq Require Import Reals QArith List.
Require Import Certify.Game Certify.Models Certify.Normal CertifyZ.Enclosure CertifyZ.Check.
Import ListNotations.
Open Scope Q_scope.

Definition payoffs : tensor :=
  Axis [Axis [Leaf 1; Leaf 0]; Axis [Leaf 0; Leaf 1]].
Definition game : Game.game := tensor_game [2; 2]%nat [1; 1] payoffs.

Definition alpha_star : R := (101 / 200)%R.

Definition hints : hint := ([([], [1]); ([], [0])])%nat.
Definition pieces : list piece := [mkpiece (50 # 101) 2 ([[65536; 65543]; [65536; 65543]])%Z ([[[]; [[0; 1065894]; [0; 135863]]]; [[]; [[0; 135863]; [0; 1065894]]]])%Z;
  mkpiece (67108864019 # 54223962112) 2 ([[65536; 65543]; [65536; 65543]])%Z ([[[]; [[0; 1447269]; [0; 759616]]]; [[]; [[0; 759616]; [0; 1447269]]]])%Z;
  mkpiece (200 # 101) 457 ([[65536; 65543]; [65536; 65543]])%Z ([[[]; [[0; 2980782]; [0; 2399892]]]; [[]; [[0; 2399892]; [0; 2980782]]]])%Z].
Lemma ok : check_game (F.PtoP 30) game hints pieces (101 # 200) = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

Theorem unique : forall alpha : R, (alpha_star <= alpha)%R -> exactly_one game alpha.
Proof. exact (check_game_sound _ _ _ _ _ ok). Qed.
Print Assumptions unique.

(* for every decision point its image and the images of its actions *)
Require Import Certify.Symmetry.
Definition generators : list renaming := ([[(0, [1; 0]); (1, [1; 0])];
  [(1, [0; 1]); (0, [0; 1])]])%nat.
Lemma generators_ok : forallb (symmetry_ok game) generators = true.
Proof. vm_cast_no_check (eq_refl true). Qed.
Theorem equivariant : forall (alpha : R) p, (alpha_star <= alpha)%R -> stationary game alpha p ->
  forall s, In s generators -> fixed_by game s p.
Proof.
  intros alpha p Ha Hp s Hs.
  exact (unique_fixed game s (proj1 (forallb_forall _ _) generators_ok s Hs) alpha p (unique alpha Ha) Hp).
Qed.
Print Assumptions equivariant.
