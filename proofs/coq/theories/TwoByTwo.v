(** Two agents with two actions each: exactly one stationary policy for every alpha >= |a - b - c + d| / 4, the bound
    included.  No computation: the sigmoid is strictly (1/4)-Lipschitz.  Two levers: 1/2; matching pennies: 1; both are sharp. *)
From Coq Require Import Reals QArith Qreals List Bool Lia Lra Arith.
From Coquelicot Require Import Coquelicot.
Require Import Certify.Sums Certify.Game Certify.Expr Certify.Gradient Certify.Exist Certify.Models.
Import ListNotations.
Local Open Scope R_scope.

Definition sigmoid x := exp x / (1 + exp x).
Lemma sigmoid_gap x y : x < y -> exists c, x < c < y /\ (y - x) / 4 - (sigmoid y - sigmoid x) = (1 - exp c) * (1 - exp c) / (4 * (1 + exp c) * (1 + exp c)) * (y - x).
Proof.
  intros Hxy. destruct (MVT_cor2 (fun t => t / 4 - sigmoid t) (fun t => (1 - exp t) * (1 - exp t) / (4 * (1 + exp t) * (1 + exp t))) x y Hxy) as [c [Hc1 Hc2]].
  - intros c _. apply is_derive_Reals. unfold sigmoid. pose proof (exp_pos c). auto_derive. lra. field. lra.
  - exists c. split; auto. rewrite <- Hc1. lra.
Qed.
Lemma sigmoid_le x y : x < y -> sigmoid y - sigmoid x <= (y - x) / 4.
Proof.
  intros Hxy. destruct (sigmoid_gap x y Hxy) as [c [_ E]]. pose proof (exp_pos c).
  assert (0 <= (1 - exp c) * (1 - exp c) / (4 * (1 + exp c) * (1 + exp c))).
  { apply Rmult_le_pos. apply Rle_0_sqr. apply Rlt_le, Rinv_0_lt_compat. apply Rmult_lt_0_compat; lra. } nra.
Qed.
Lemma sigmoid_lt x y : x < y -> sigmoid y - sigmoid x < (y - x) / 4.
Proof.
  intros Hxy. set (m := (x + y) / 2). assert (H1 : x < m) by (unfold m; lra). assert (H2 : m < y) by (unfold m; lra).
  pose proof (sigmoid_le x m H1) as L1. pose proof (sigmoid_le m y H2) as L2.
  destruct (Rlt_le_dec (sigmoid y - sigmoid x) ((y - x) / 4)) as [|Hge]; auto. exfalso.
  assert (flat : forall c k, 0 < k -> 0 = (1 - exp c) * (1 - exp c) / (4 * (1 + exp c) * (1 + exp c)) * k -> c = 0).
  { intros c k Hk E. pose proof (exp_pos c). assert (P : 0 < / (4 * (1 + exp c) * (1 + exp c))) by (apply Rinv_0_lt_compat, Rmult_lt_0_compat; lra).
    assert (E1 : (1 - exp c) * (1 - exp c) = 0).
    { symmetry in E. apply Rmult_integral in E as [E|E]; [|lra]. apply Rmult_integral in E as [E|E]; [auto|lra]. }
    assert (E2 : exp c = 1) by nra. rewrite <- exp_0 in E2. apply exp_inv in E2. auto. }
  destruct (sigmoid_gap x m H1) as [c1 [C1 E1]]. destruct (sigmoid_gap m y H2) as [c2 [C2 E2]].
  assert (c1 = 0) by (apply (flat c1 (m - x)); lra). assert (c2 = 0) by (apply (flat c2 (y - m)); lra). lra.
Qed.
Lemma sigmoid_abs x y : x <> y -> Rabs (sigmoid x - sigmoid y) < Rabs (x - y) / 4.
Proof.
  assert (M : forall x y, x < y -> 0 < sigmoid y - sigmoid x).
  { intros u v Huv. unfold sigmoid. pose proof (exp_pos u). pose proof (exp_pos v). pose proof (exp_increasing u v Huv).
    replace (exp v / (1 + exp v) - exp u / (1 + exp u)) with ((exp v - exp u) * / ((1 + exp v) * (1 + exp u))) by (field; lra).
    apply Rmult_lt_0_compat. lra. apply Rinv_0_lt_compat, Rmult_lt_0_compat; lra. }
  intros Hn. destruct (Rlt_le_dec x y) as [L|L].
  - pose proof (M x y L). pose proof (sigmoid_lt x y L). rewrite (Rabs_left (sigmoid x - sigmoid y)), (Rabs_left (x - y)) by lra. lra.
  - assert (L' : y < x) by lra. pose proof (M y x L'). pose proof (sigmoid_lt y x L'). rewrite !Rabs_right by lra. lra.
Qed.
Lemma dist2 p : Sums.dist 2 p -> p O = sigmoid (ln (p O) - ln (p 1%nat)) /\ p 1%nat = 1 - p O.
Proof.
  intros [Hp S]. cbn [rsum] in S. pose proof (Hp O ltac:(lia)). pose proof (Hp 1%nat ltac:(lia)). split; [|lra].
  unfold sigmoid, Rminus. rewrite exp_plus, exp_Ropp, !exp_ln by auto. replace (p 1%nat) with (1 - p O) by lra. field. lra.
Qed.

Section Game2.
Variables a b c d : Q.
Notation G := (matrix_game [[a; b]; [c; d]]).
Definition D := Q2R a - Q2R b - Q2R c + Q2R d.
Lemma Q2R_red q : Q2R (Qred (1 * q)) = Q2R q.
Proof. apply Qeq_eqR. rewrite Qred_correct. ring. Qed.
Lemma balanced2 al p : balanced G al p ->
  al * (ln (p O O) - ln (p O 1%nat)) = p 1%nat O * D + (Q2R b - Q2R d) /\ al * (ln (p 1%nat O) - ln (p 1%nat 1%nat)) = p O O * D + (Q2R c - Q2R d).
Proof.
  intros [Hd HE]. assert (D0 : Sums.dist 2 (p O)) by (apply (Hd O); cbn; lia). assert (D1 : Sums.dist 2 (p 1%nat)) by (apply (Hd 1%nat); cbn; lia).
  destruct (dist2 _ D0) as [_ S0]. destruct (dist2 _ D1) as [_ S1].
  pose proof (HE O O 1%nat ltac:(cbn; lia) ltac:(cbn; lia) ltac:(cbn; lia)) as E0. pose proof (HE 1%nat O 1%nat ltac:(cbn; lia) ltac:(cbn; lia) ltac:(cbn; lia)) as E1.
  unfold q_of, kappa in E0, E1. cbn -[Q2R Qred Rplus Rmult Rminus H] in E0, E1. rewrite !Q2R_red in E0, E1.
  assert (Q1 : Q2R 1 = 1) by (unfold Q2R; cbn; field). set (L0 := ln (p O 1%nat)) in *. set (L1 := ln (p 1%nat 1%nat)) in *. rewrite ?Q2R_0, ?Q1 in E0, E1. rewrite S1 in E0. rewrite S0 in E1. unfold D. split; lra.
Qed.
Theorem two_by_two al : 0 < al -> Rabs D / 4 <= al -> exactly_one G al.
Proof.
  intros Hal HD.
  assert (HA : forall x, (x < points G)%nat -> (0 < A G x)%nat) by (intros [|[|x]] Hx; cbn in *; lia).
  assert (W : wf (A G) (expr (root G)) = true) by reflexivity.
  assert (R0 : inrange G (expr (root G)) = true) by reflexivity.
  assert (WP : wpos (root G) = true) by reflexivity.
  destruct (stationary_exists G HA W R0 WP al Hal) as [p Hp]. exists p. split; auto. intros q Hq.
  pose proof (stationary_balanced G W HA R0 al p Hp) as Bp. pose proof (stationary_balanced G W HA R0 al q Hq) as Bq.
  destruct (balanced2 al p Bp) as [P0 P1]. destruct (balanced2 al q Bq) as [Q0 Q1]. destruct Bp as [Dp _]. destruct Bq as [Dq _].
  destruct (dist2 _ (Dp O ltac:(cbn; lia))) as [sp0 sp0']. destruct (dist2 _ (Dp 1%nat ltac:(cbn; lia))) as [sp1 sp1'].
  destruct (dist2 _ (Dq O ltac:(cbn; lia))) as [sq0 sq0']. destruct (dist2 _ (Dq 1%nat ltac:(cbn; lia))) as [sq1 sq1'].
  set (u := ln (p O O) - ln (p O 1%nat)) in *. set (v := ln (p 1%nat O) - ln (p 1%nat 1%nat)) in *.
  set (u' := ln (q O O) - ln (q O 1%nat)) in *. set (v' := ln (q 1%nat O) - ln (q 1%nat 1%nat)) in *.
  assert (Eu : al * Rabs (u - u') = Rabs D * Rabs (sigmoid v - sigmoid v')).
  { rewrite <- (Rabs_right al) at 1 by lra. rewrite <- !Rabs_mult. f_equal. rewrite <- sp1, <- sq1. lra. }
  assert (Ev : al * Rabs (v - v') = Rabs D * Rabs (sigmoid u - sigmoid u')).
  { rewrite <- (Rabs_right al) at 1 by lra. rewrite <- !Rabs_mult. f_equal. rewrite <- sp0, <- sq0. lra. }
  pose proof (Rabs_pos D) as D0. pose proof (Rabs_pos (u - u')) as U0. pose proof (Rabs_pos (v - v')) as V0.
  assert (Hv : v = v').
  { destruct (Req_dec v v') as [|Hn]; auto. exfalso. pose proof (sigmoid_abs v v' Hn) as S1. assert (V1 : 0 < Rabs (v - v')) by (apply Rabs_pos_lt; lra).
    destruct (Req_dec u u') as [E|Hu].
    - rewrite E in Ev. rewrite (Rminus_eq_0 (sigmoid u')), Rabs_R0 in Ev. nra.
    - pose proof (sigmoid_abs u u' Hu) as S2. assert (U1 : 0 < Rabs (u - u')) by (apply Rabs_pos_lt; lra).
      assert (al * Rabs (u - u') <= al * Rabs (v - v')) by (rewrite Eu; nra).
      assert (L1 : al * Rabs (v - v') <= Rabs D / 4 * Rabs (u - u')) by (rewrite Ev; nra).
      destruct (Req_dec (Rabs D) 0) as [Z|Z]. rewrite Z in Ev. nra.
      assert (al * Rabs (u - u') < Rabs D / 4 * Rabs (v - v')) by (rewrite Eu; nra). nra. }
  assert (Hu : u = u').
  { assert (E : al * Rabs (u - u') = 0) by (rewrite Eu, Hv, Rminus_eq_0, Rabs_R0; ring). apply Rmult_integral in E as [E|E]; [lra|].
    destruct (Req_dec u u') as [|Hn]; auto. assert (0 < Rabs (u - u')) by (apply Rabs_pos_lt; lra). lra. }
  intros x k Hx Hk. destruct x as [|[|x]]; [| |cbn in Hx; lia]; destruct k as [|[|k]]; cbn in Hk; try lia.
  - rewrite sp0, sq0, Hu. reflexivity.
  - rewrite sp0', sq0', sp0, sq0, Hu. reflexivity.
  - rewrite sp1, sq1, Hv. reflexivity.
  - rewrite sp1', sq1', sp1, sq1, Hv. reflexivity.
Qed.
End Game2.

(** The bound itself is included: two levers from 1/2 on, matching pennies from 1 on. *)
Theorem two_levers alpha : 1 / 2 <= alpha -> exactly_one (matrix_game [[1; 0]; [0; 1]]%Q) alpha.
Proof. intros Ha. apply two_by_two. lra. unfold D, Q2R. cbn. rewrite Rabs_right; lra. Qed.
Theorem matching_pennies alpha : 1 <= alpha -> exactly_one (matrix_game [[1; -(1)]; [-(1); 1]]%Q) alpha.
Proof. intros Ha. apply two_by_two. lra. unfold D, Q2R. cbn. rewrite Rabs_right; lra. Qed.
