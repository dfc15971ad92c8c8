(** Two distributions are joined by a softmax path; on it an expectation and an entropy have a mean value. *)
From Coq Require Import Reals ZArith List Bool Lia Lra Arith.
Require Import Certify.Sums.
Local Open Scope R_scope.

(** * The covariance identity along the softmax path *)
Lemma dlim_rsum n (f f' : nat -> R -> R) s : (forall k, (k < n)%nat -> derivable_pt_lim (f k) s (f' k s)) ->
  derivable_pt_lim (fun s => rsum n (fun k => f k s)) s (rsum n (fun k => f' k s)).
Proof.
  induction n; simpl; intros H. apply derivable_pt_lim_const.
  apply (derivable_pt_lim_plus (fun s => rsum n (fun k => f k s)) (f n)); auto.
Qed.
Lemma dlim_expaff a b s : derivable_pt_lim (fun s => exp (a + s * b)) s (exp (a + s * b) * b).
Proof.
  apply (derivable_pt_lim_comp (fun s => a + s * b) exp); [|apply derivable_pt_lim_exp].
  assert (H : derivable_pt_lim (fun s => a + s * b) s (0 + (1 * b + id s * 0))).
  { apply (derivable_pt_lim_plus (fun _ => a) (fun s => s * b)); [apply derivable_pt_lim_const|].
    apply (derivable_pt_lim_mult id (fun _ => b)); [apply derivable_pt_lim_id|apply derivable_pt_lim_const]. }
  replace (0 + (1 * b + id s * 0)) with b in H by ring. exact H.
Qed.
Lemma cov_mvt n p q f : (0 < n)%nat -> dist n p -> dist n q -> exists r s, 0 <= s <= 1 /\ dist n r /\
  (forall a b, (a < n)%nat -> (b < n)%nat -> ln (r a) - ln (r b) = s * (ln (p a) - ln (p b)) + (1 - s) * (ln (q a) - ln (q b))) /\
  rsum n (fun k => p k * f k) - rsum n (fun k => q k * f k)
   = rsum n (fun k => r k * (f k - rsum n (fun j => r j * f j)) * (ln (p k) - ln (q k))).
Proof.
  intros Hn [Hp Sp] [Hq Sq].
  set (D := fun k => ln (p k) - ln (q k)). set (t := fun k s => exp (ln (q k) + s * D k)).
  set (Z := fun s => rsum n (fun k => t k s)). set (N := fun s => rsum n (fun k => f k * t k s)).
  set (Z' := fun s => rsum n (fun k => t k s * D k)). set (N' := fun s => rsum n (fun k => f k * (t k s * D k))).
  assert (Zp : forall s, 0 < Z s) by (intros; apply rsum_pos; auto; intros; apply exp_pos).
  assert (dZ : forall s, derivable_pt_lim Z s (Z' s)).
  { intros s. apply (dlim_rsum n t (fun k s => t k s * D k)). intros. apply dlim_expaff. }
  assert (dN : forall s, derivable_pt_lim N s (N' s)).
  { intros s. apply (dlim_rsum n (fun k s => f k * t k s) (fun k s => f k * (t k s * D k))). intros.
    apply (derivable_pt_lim_scal (t k) (f k)). apply dlim_expaff. }
  destruct (MVT_cor2 (fun s => N s / Z s) (fun s => (N' s * Z s - Z' s * N s) / Rsqr (Z s)) 0 1 ltac:(lra)) as [s [Hs1 Hs2]].
  { intros s _. apply (derivable_pt_lim_div N Z); auto. apply Rgt_not_eq, Zp. }
  exists (fun k => t k s / Z s), s. split; [lra|].
  assert (t1 : forall k, (k < n)%nat -> t k 1 = p k). { intros k Hk. unfold t, D. replace (ln (q k) + 1 * (ln (p k) - ln (q k))) with (ln (p k)) by ring. apply exp_ln; auto. }
  assert (t0 : forall k, (k < n)%nat -> t k 0 = q k). { intros k Hk. unfold t, D. rewrite Rmult_0_l, Rplus_0_r. apply exp_ln; auto. }
  assert (S1 : rsum n (fun k => t k s / Z s) = 1).
  { rewrite (rsum_ext _ _ (fun k => / Z s * t k s)) by (intros; unfold Rdiv; ring). rewrite rsum_scal. fold (Z s). apply Rinv_l, Rgt_not_eq, Zp. }
  repeat split.
  - intros k Hk. apply Rdiv_lt_0_compat; [apply exp_pos|apply Zp].
  - exact S1.
  - intros a b Ha Hb.
    assert (L : forall k, ln (t k s / Z s) = ln (q k) + s * D k + ln (/ Z s)).
    { intros k. unfold Rdiv. rewrite ln_mult; [unfold t; rewrite ln_exp; reflexivity|apply exp_pos|apply Rinv_0_lt_compat, Zp]. }
    rewrite !L. unfold D. ring.
  - replace (rsum n (fun k => p k * f k)) with (N 1 / Z 1).
    replace (rsum n (fun k => q k * f k)) with (N 0 / Z 0).
    + rewrite Hs1. fold D. rewrite Rminus_0_r, Rmult_1_r.
      assert (E : rsum n (fun j => t j s / Z s * f j) = N s / Z s).
      { rewrite (rsum_ext _ _ (fun k => / Z s * (f k * t k s))) by (intros; unfold Rdiv; ring). rewrite rsum_scal. fold (N s). unfold Rdiv; ring. }
      rewrite E.
      rewrite (rsum_ext _ _ (fun k => / Z s * (f k * (t k s * D k)) - (N s / Z s * / Z s) * (t k s * D k))) by (intros; unfold D, Rdiv; ring).
      rewrite rsum_minus, !rsum_scal. fold (N' s). fold (Z' s). unfold Rsqr. field. apply Rgt_not_eq, Zp.
    + unfold N, Z. rewrite (rsum_ext _ (fun k => t k 0) q) by auto. rewrite Sq. unfold Rdiv; rewrite Rinv_1, Rmult_1_r. apply rsum_ext; intros; rewrite t0 by auto; ring.
    + unfold N, Z. rewrite (rsum_ext _ (fun k => t k 1) p) by auto. rewrite Sp. unfold Rdiv; rewrite Rinv_1, Rmult_1_r. apply rsum_ext; intros; rewrite t1 by auto; ring.
Qed.


Lemma ent_mvt n p q : (0 < n)%nat -> dist n p -> dist n q -> exists r s, 0 <= s <= 1 /\ dist n r /\
  (forall a b, (a < n)%nat -> (b < n)%nat -> ln (r a) - ln (r b) = s * (ln (p a) - ln (p b)) + (1 - s) * (ln (q a) - ln (q b))) /\
  H n p - H n q = - rsum n (fun k => r k * rsum n (fun j => r j * (ln (r k) - ln (r j))) * (ln (p k) - ln (q k))).
Proof.
  intros Hn [Hp Sp] [Hq Sq].
  set (D := fun k => ln (p k) - ln (q k)). set (th := fun k s => ln (q k) + s * D k). set (t := fun k s => exp (th k s)).
  set (Z := fun s => rsum n (fun k => t k s)). set (N := fun s => rsum n (fun k => th k s * t k s)).
  set (Z' := fun s => rsum n (fun k => t k s * D k)). set (N' := fun s => rsum n (fun k => D k * t k s + th k s * (t k s * D k))).
  assert (Zp : forall s, 0 < Z s) by (intros; apply rsum_pos; auto; intros; apply exp_pos).
  assert (dth : forall k s, derivable_pt_lim (th k) s (D k)).
  { intros k s. assert (E : derivable_pt_lim (fun s => ln (q k) + s * D k) s (0 + (1 * D k + id s * 0))).
    { apply (derivable_pt_lim_plus (fun _ => ln (q k)) (fun s => s * D k)); [apply derivable_pt_lim_const|].
      apply (derivable_pt_lim_mult id (fun _ => D k)); [apply derivable_pt_lim_id|apply derivable_pt_lim_const]. }
    replace (0 + (1 * D k + id s * 0)) with (D k) in E by ring. exact E. }
  assert (dt : forall k s, derivable_pt_lim (t k) s (t k s * D k)) by (intros; apply (derivable_pt_lim_comp (th k) exp); [apply dth|apply derivable_pt_lim_exp]).
  assert (dZ : forall s, derivable_pt_lim Z s (Z' s)) by (intros s; apply (dlim_rsum n t (fun k s => t k s * D k)); auto).
  assert (dN : forall s, derivable_pt_lim N s (N' s)).
  { intros s. apply (dlim_rsum n (fun k s => th k s * t k s) (fun k s => D k * t k s + th k s * (t k s * D k))). intros. apply (derivable_pt_lim_mult (th k) (t k)); auto. }
  (* H along the path = ln Z - N / Z *)
  destruct (MVT_cor2 (fun s => ln (Z s) - N s / Z s) (fun s => / Z s * Z' s - (N' s * Z s - Z' s * N s) / Rsqr (Z s)) 0 1 ltac:(lra)) as [s [Hs1 Hs2]].
  { intros s _. apply (derivable_pt_lim_minus (fun s => ln (Z s)) (fun s => N s / Z s)).
    - apply (derivable_pt_lim_comp Z ln); auto. apply derivable_pt_lim_ln; auto.
    - apply (derivable_pt_lim_div N Z); auto. apply Rgt_not_eq, Zp. }
  exists (fun k => t k s / Z s), s. split; [lra|].
  assert (L : forall k, ln (t k s / Z s) = th k s + ln (/ Z s)).
  { intros k. unfold Rdiv. rewrite ln_mult; [unfold t; rewrite ln_exp; reflexivity|apply exp_pos|apply Rinv_0_lt_compat, Zp]. }
  assert (S1 : rsum n (fun k => t k s / Z s) = 1).
  { rewrite (rsum_ext _ _ (fun k => / Z s * t k s)) by (intros; unfold Rdiv; ring). rewrite rsum_scal. fold (Z s). apply Rinv_l, Rgt_not_eq, Zp. }
  split; [split; [intros; apply Rdiv_lt_0_compat; [apply exp_pos|apply Zp]|exact S1]|]. split.
  { intros a b Ha Hb. rewrite !L. unfold th, D. ring. }
  assert (t1 : forall k, (k < n)%nat -> t k 1 = p k). { intros k Hk. unfold t, th, D. replace (ln (q k) + 1 * (ln (p k) - ln (q k))) with (ln (p k)) by ring. apply exp_ln; auto. }
  assert (t0 : forall k, (k < n)%nat -> t k 0 = q k). { intros k Hk. unfold t, th, D. rewrite Rmult_0_l, Rplus_0_r. apply exp_ln; auto. }
  assert (Z1 : Z 1 = 1) by (unfold Z; rewrite (rsum_ext _ (fun k => t k 1) p); auto).
  assert (Z0 : Z 0 = 1) by (unfold Z; rewrite (rsum_ext _ (fun k => t k 0) q); auto).
  assert (EH : H n p - H n q = ln (Z 1) - N 1 / Z 1 - (ln (Z 0) - N 0 / Z 0)).
  { rewrite Z1, Z0, ln_1. unfold Rdiv. rewrite Rinv_1, !Rmult_1_r.
    replace (N 1) with (- H n p). replace (N 0) with (- H n q). ring.
    - unfold H, N. replace (- rsum n (fun k => - (q k * ln (q k)))) with (-1 * rsum n (fun k => - (q k * ln (q k)))) by ring. rewrite <- rsum_scal. apply rsum_ext. intros k Hk. rewrite (t0 k Hk). unfold th. ring.
    - unfold H, N. replace (- rsum n (fun k => - (p k * ln (p k)))) with (-1 * rsum n (fun k => - (p k * ln (p k)))) by ring. rewrite <- rsum_scal. apply rsum_ext. intros k Hk. rewrite (t1 k Hk). unfold th, D. ring. }
  rewrite EH, Hs1.
  assert (EN : rsum n (fun j => t j s / Z s * th j s) = N s / Z s).
  { rewrite (rsum_ext _ _ (fun k => / Z s * (th k s * t k s))) by (intros; unfold Rdiv; ring). rewrite rsum_scal. fold (N s). unfold Rdiv; ring. }
  assert (EI : forall k, rsum n (fun j => t j s / Z s * (ln (t k s / Z s) - ln (t j s / Z s))) = th k s - N s / Z s).
  { intros k. rewrite (rsum_ext _ _ (fun j => th k s * (t j s / Z s) - t j s / Z s * th j s)) by (intros; rewrite !L; ring). rewrite rsum_minus, rsum_scal, S1, EN. ring. }
  rewrite (rsum_ext n (fun k => t k s / Z s * rsum n (fun j => t j s / Z s * (ln (t k s / Z s) - ln (t j s / Z s))) * (ln (p k) - ln (q k)))
     (fun k => / Z s * (D k * t k s + th k s * (t k s * D k)) - (/ Z s + N s / Z s * / Z s) * (t k s * D k))).
  2:{ intros k Hk. rewrite EI. fold (D k). unfold Rdiv. ring. }
  rewrite rsum_minus, !rsum_scal. fold (N' s). fold (Z' s). unfold Rsqr. field. apply Rgt_not_eq, Zp.
Qed.
