(** Finite sums, distributions, entropy: elementary facts that everything else uses. *)
From Coq Require Import Reals ZArith List Bool Lia Lra Arith.
Import ListNotations.
Open Scope R_scope.

(** * Finite sums *)
Fixpoint rsum (n : nat) (f : nat -> R) : R := match n with O => 0 | S k => rsum k f + f k end.
Lemma rsum_ext n f g : (forall i, (i < n)%nat -> f i = g i) -> rsum n f = rsum n g.
Proof. induction n; simpl; intros H; [reflexivity|]. rewrite IHn, (H n); auto. Qed.
Lemma rsum_le n f g : (forall i, (i < n)%nat -> f i <= g i) -> rsum n f <= rsum n g.
Proof. induction n; simpl; intros H; [lra|]. apply Rplus_le_compat; auto. Qed.
Lemma rsum_plus n f g : rsum n (fun i => f i + g i) = rsum n f + rsum n g.
Proof. induction n; simpl; [lra|]. rewrite IHn; lra. Qed.
Lemma rsum_minus n f g : rsum n (fun i => f i - g i) = rsum n f - rsum n g.
Proof. induction n; simpl; [lra|]. rewrite IHn; lra. Qed.
Lemma rsum_scal n c f : rsum n (fun i => c * f i) = c * rsum n f.
Proof. induction n; simpl; [lra|]. rewrite IHn; lra. Qed.
Lemma rsum_0 n f : (forall i, (i < n)%nat -> 0 <= f i) -> 0 <= rsum n f.
Proof. induction n; simpl; intros H; [lra|]. pose proof (H n ltac:(lia)). pose proof (IHn ltac:(auto)). lra. Qed.
Lemma rsum_zero n f : (forall i, (i < n)%nat -> f i = 0) -> rsum n f = 0.
Proof. induction n; simpl; intros H; [lra|]. rewrite IHn, H; auto; lra. Qed.
Lemma rsum_pos n f : (0 < n)%nat -> (forall i, (i < n)%nat -> 0 < f i) -> 0 < rsum n f.
Proof. destruct n; [lia|]. intros _ H. simpl. assert (0 <= rsum n f) by (apply rsum_0; intros; apply Rlt_le; apply H; lia). pose proof (H n ltac:(lia)). lra. Qed.
Lemma rsum_abs n f : Rabs (rsum n f) <= rsum n (fun i => Rabs (f i)).
Proof. induction n; simpl. rewrite Rabs_R0; lra. eapply Rle_trans; [apply Rabs_triang|]. lra. Qed.
Lemma rsum_swap n m f : rsum n (fun i => rsum m (fun j => f i j)) = rsum m (fun j => rsum n (fun i => f i j)).
Proof. induction n; simpl. symmetry; apply rsum_zero; auto. rewrite IHn, <- rsum_plus. reflexivity. Qed.

Lemma rsum_shift n f : rsum (S n) f = f O + rsum n (fun i => f (S i)).
Proof. induction n; simpl in *; [lra|]. rewrite IHn. lra. Qed.
Lemma rsum_le_one n (f : nat -> R) x : (x < n)%nat -> (forall y, (y < n)%nat -> 0 <= f y) -> f x <= rsum n f.
Proof.
  intros Hx H. induction n; [lia|]. cbn [rsum]. assert (0 <= rsum n f) by (apply rsum_0; auto). destruct (Nat.eq_dec x n) as [->|]; [lra|].
  specialize (IHn ltac:(lia) ltac:(auto)). specialize (H n ltac:(lia)). lra.
Qed.
Lemma rsum_pick m a v : (a < m)%nat -> rsum m (fun k => if (k =? a)%nat then v k else 0) = v a.
Proof.
  induction m; [lia|]. intros Ha. cbn [rsum]. destruct (Nat.eqb_spec m a) as [->|].
  - rewrite rsum_zero. ring. intros i Hi. destruct (Nat.eqb_spec i a); [lia|reflexivity].
  - rewrite IHm by lia. ring.
Qed.
Lemma fchoice {T} m (Rl : nat -> T -> Prop) (d : T) : (forall i, (i < m)%nat -> exists t, Rl i t) -> exists K, forall i, (i < m)%nat -> Rl i (K i).
Proof.
  induction m; intros H. exists (fun _ => d); intros; lia.
  destruct IHm as [K HK]. auto. destruct (H m ltac:(lia)) as [t Ht].
  exists (fun i => if (i =? m)%nat then t else K i). intros i Hi. destruct (Nat.eqb_spec i m) as [->|]; auto. apply HK; lia.
Qed.


(** * Distributions *)
(** [p] gives the actions 0, .., n-1 positive probabilities that sum to 1. *)
Definition dist n (p : nat -> R) := (forall k, (k < n)%nat -> 0 < p k) /\ rsum n p = 1.
(** Shannon entropy *)
Definition H n (p : nat -> R) := rsum n (fun k => - (p k * ln (p k))).
Lemma dist_le1 m p k : dist m p -> (k < m)%nat -> p k <= 1.
Proof.
  intros [H1 H2] Hk. rewrite <- H2. clear H2. induction m; [lia|]. cbn [rsum].
  assert (0 <= rsum m p) by (apply rsum_0; intros; apply Rlt_le, H1; lia). destruct (Nat.eq_dec k m) as [->|]; [lra|].
  specialize (IHm ltac:(auto) ltac:(lia)). pose proof (H1 m ltac:(lia)). lra.
Qed.
Lemma ln_bound p r : 0 < p -> 0 < r -> p - r <= p * (ln p - ln r).
Proof.
  intros Hp Hr. destruct (Req_dec (ln r - ln p) 0) as [E|E].
  - assert (p = r) by (apply ln_inv; auto; lra). subst. lra.
  - pose proof (exp_ineq1 _ E) as HH. unfold Rminus in HH. rewrite exp_plus, exp_Ropp, !exp_ln in HH by auto.
    apply Rmult_lt_compat_r with (r := p) in HH; auto. replace (r * / p * p) with r in HH by (field; lra). lra.
Qed.
Lemma rsum_const m c : rsum m (fun _ => c) = INR m * c.
Proof. induction m; [cbn; ring|]. cbn [rsum]. rewrite IHm, S_INR. ring. Qed.
Lemma H_range m p : (0 < m)%nat -> dist m p -> 0 <= H m p <= ln (INR m).
Proof.
  intros Hm [Hp Sp]. assert (Im : 0 < INR m) by (apply lt_0_INR; auto). split.
  - apply rsum_0. intros i Hi. pose proof (ln_bound (p i) 1 (Hp i Hi) ltac:(lra)) as E. rewrite ln_1 in E.
    assert (ln (p i) <= 0). { rewrite <- ln_1. assert (Hl : p i <= 1). { rewrite <- Sp. clear - Hi Hp. induction m; [lia|]. cbn [rsum]. assert (0 <= rsum m p) by (apply rsum_0; intros; apply Rlt_le, Hp; lia).
      destruct (Nat.eq_dec i m) as [->|]; [lra|]. specialize (IHm ltac:(auto) ltac:(lia)). pose proof (Hp m ltac:(lia)). lra. }
      destruct (Req_dec (p i) 1) as [->|]; [lra|]. apply Rlt_le, ln_increasing; auto. lra. }
    pose proof (Hp i Hi). nra.
  - assert (E : rsum m (fun k => p k - / INR m) <= rsum m (fun k => p k * (ln (p k) - ln (/ INR m)))) by (apply rsum_le; intros; apply ln_bound; auto; apply Rinv_0_lt_compat; auto).
    rewrite rsum_minus, rsum_const, Sp, Rinv_r in E by lra.
    rewrite (rsum_ext m (fun k => p k * (ln (p k) - ln (/ INR m))) (fun k => ln (INR m) * p k - - (p k * ln (p k)))) in E by (intros; rewrite ln_Rinv by auto; ring).
    rewrite rsum_minus, rsum_scal, Sp in E. unfold H. lra.
Qed.
Lemma softmax_inv m r k : dist m r -> (k < m)%nat -> r k = / rsum m (fun b => exp (ln (r b) - ln (r k))).
Proof.
  intros [Hr Sr] Hk.
  rewrite (rsum_ext _ _ (fun b => / r k * r b)). rewrite rsum_scal, Sr, Rmult_1_r, Rinv_inv; auto.
  intros i Hi. unfold Rminus. rewrite exp_plus, exp_Ropp, !exp_ln by auto. ring.
Qed.
Lemma gibbs m p r : dist m p -> dist m r -> rsum m (fun k => p k * (ln (p k) - ln (r k))) <= 0 -> forall k, (k < m)%nat -> p k = r k.
Proof.
  intros [Hp Sp] [Hr Sr] H k Hk.
  set (t := fun k => p k * (ln (p k) - ln (r k)) - (p k - r k)).
  assert (T0 : forall j, (j < m)%nat -> 0 <= t j) by (intros j Hj; unfold t; pose proof (ln_bound (p j) (r j) (Hp j Hj) (Hr j Hj)); lra).
  assert (TS : rsum m t <= 0). { unfold t. rewrite !rsum_minus, Sp, Sr. lra. }
  assert (Tk : t k <= 0). { clear - Hk T0 TS. assert (Hle : t k <= rsum m t). { clear TS. induction m; [lia|]. cbn [rsum]. destruct (Nat.eq_dec k m) as [->|].
      assert (0 <= rsum m t) by (apply rsum_0; auto). lra. specialize (IHm ltac:(lia) ltac:(auto)). specialize (T0 m ltac:(lia)). lra. } lra. }
  destruct (Req_dec (ln (r k) - ln (p k)) 0) as [E|E]. apply ln_inv; auto; lra.
  exfalso. pose proof (exp_ineq1 _ E) as H1. unfold Rminus in H1. rewrite exp_plus, exp_Ropp, !exp_ln in H1 by auto. pose proof (Hp k Hk).
  apply Rmult_lt_compat_r with (r := p k) in H1; auto. replace (r k * / p k * p k) with (r k) in H1 by (field; lra). unfold t in Tk. lra.
Qed.
Lemma argmax n (f : nat -> R) : (0 < n)%nat -> exists k, (k < n)%nat /\ forall j, (j < n)%nat -> f j <= f k.
Proof.
  induction n; [lia|]. intros _. destruct n.
  - exists O. split; [lia|]. intros j Hj. replace j with O by lia. lra.
  - destruct (IHn ltac:(lia)) as [k [Hk H]]. destruct (Rle_dec (f k) (f (S n))).
    + exists (S n). split; [lia|]. intros j Hj. destruct (Nat.eq_dec j (S n)) as [->|]; [lra|]. specialize (H j ltac:(lia)). lra.
    + exists k. split; [lia|]. intros j Hj. destruct (Nat.eq_dec j (S n)) as [->|]; [lra|]. apply H; lia.
Qed.
Lemma half_osc n (c D : nat -> R) O : (0 < n)%nat -> rsum n c = 0 ->
  (forall a b, (a < n)%nat -> (b < n)%nat -> Rabs (D a - D b) <= O) ->
  Rabs (rsum n (fun k => c k * D k)) <= / 2 * rsum n (fun k => Rabs (c k)) * O.
Proof.
  intros Hn Hc HD.
  destruct (argmax n D Hn) as [k [Hk HM]]. destruct (argmax n (fun i => - D i) Hn) as [j [Hj Hm]].
  set (mu := (D k + D j) / 2). 
  assert (HO' : D k - D j <= O) by (pose proof (Rle_abs (D k - D j)); pose proof (HD k j Hk Hj); lra).
  rewrite (rsum_ext n (fun k => c k * D k) (fun i => c i * (D i - mu) + mu * c i)) by (intros; ring).
  rewrite rsum_plus, rsum_scal, Hc, Rmult_0_r, Rplus_0_r.
  eapply Rle_trans; [apply rsum_abs|].
  replace (/ 2 * rsum n (fun k0 => Rabs (c k0)) * O) with (rsum n (fun i => (O / 2) * Rabs (c i))) by (rewrite rsum_scal; field).
  apply rsum_le. intros i Hi. rewrite Rabs_mult, Rmult_comm. apply Rmult_le_compat_r; [apply Rabs_pos|].
  specialize (HM i Hi). specialize (Hm i Hi). simpl in Hm. apply Rabs_le. unfold mu. lra.
Qed.
