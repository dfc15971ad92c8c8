(* lever:3: exactly one stationary policy for every alpha >= 9/20.
   Game SHA-256 60164d563cdff293f0c7da66514d32d1f37ffb155c0545a087d9af795628aeee.
   The model and the theorem at the end are what a reader has to read; hints and pieces are data of the check. *)
From Coq Require Import Reals QArith List.
Require Import Certify.Game Certify.Models Certify.Normal CertifyZ.Enclosure CertifyZ.Check.
Import ListNotations.
Open Scope Q_scope.

Definition payoffs : tensor :=
  Axis [Axis [Leaf 1; Leaf 0; Leaf 0]; Axis [Leaf 0; Leaf 1; Leaf 0]; Axis [Leaf 0; Leaf 0; Leaf 1]].
Definition game : Game.game := tensor_game [3; 3]%nat [1; 1] payoffs.

Definition alpha_star : R := (9 / 20)%R.

Definition hints : hint := ([([], [1]); ([], [0])])%nat.
Definition pieces : list piece := [mkpiece (5 # 9) 2 ([[65536; 65543; 65543]; [65536; 65543; 65543]])%Z ([[[]; [[0; 1058341; 0]; [0; 101660; 0]]; [[0; 0; 1058341]; [0; 0; 101660]]]; [[]; [[0; 101660; 0]; [0; 1058341; 0]]; [[0; 0; 101660]; [0; 0; 1058341]]]])%Z;
  mkpiece (13421772797 # 9663676416) 2 ([[65536; 65543; 65543]; [65536; 65543; 65543]])%Z ([[[]; [[0; 1276483; 0]; [0; 539370; 0]]; [[0; 0; 1276483]; [0; 0; 539370]]]; [[]; [[0; 539370; 0]; [0; 1276483; 0]]; [[0; 0; 539370]; [0; 0; 1276483]]]])%Z;
  mkpiece (20 # 9) 78 ([[65536; 65543; 65543]; [65536; 65543; 65543]])%Z ([[[]; [[0; 1771893; 0]; [0; 1132096; 0]]; [[0; 0; 1771893]; [0; 0; 1132096]]]; [[]; [[0; 1132096; 0]; [0; 1771893; 0]]; [[0; 0; 1132096]; [0; 0; 1771893]]]])%Z].
Lemma ok : check_game (F.PtoP 30) game hints pieces (9 # 20) = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

Theorem unique : forall alpha : R, (alpha_star <= alpha)%R -> exactly_one game alpha.
Proof. exact (check_game_sound _ _ _ _ _ ok). Qed.
Print Assumptions unique.

(* for every decision point its image and the images of its actions *)
Require Import Certify.Symmetry.
Definition generators : list renaming := ([[(0, [0; 2; 1]); (1, [0; 2; 1])];
  [(0, [1; 0; 2]); (1, [1; 0; 2])];
  [(1, [0; 1; 2]); (0, [0; 1; 2])]])%nat.
Lemma generators_ok : forallb (symmetry_ok game) generators = true.
Proof. vm_cast_no_check (eq_refl true). Qed.
Theorem equivariant : forall (alpha : R) p, (alpha_star <= alpha)%R -> stationary game alpha p ->
  forall s, In s generators -> fixed_by game s p.
Proof.
  intros alpha p Ha Hp s Hs.
  exact (unique_fixed game s (proj1 (forallb_forall _ _) generators_ok s Hs) alpha p (unique alpha Ha) Hp).
Qed.
Print Assumptions equivariant.
