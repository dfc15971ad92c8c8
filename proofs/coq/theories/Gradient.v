(** The policy gradient theorem with entropies: the logit derivatives of J vanish exactly where
    alpha kappa_x (ln p_a - ln p_b) = q_a - q_b at every decision point x; then x plays softmax(q / (alpha kappa_x)). *)
From Coq Require Import Reals QArith Qreals List Bool Lia Lra Arith FunctionalExtensionality.
From Coquelicot Require Import Coquelicot.
Require Import Certify.Sums Certify.Game Certify.Expr.
Import ListNotations.
Local Open Scope R_scope.

(** * Softmax *)
Definition Zs (z : nat -> R) m := rsum m (fun b => exp (z b)).
Lemma Zs_pos z m : (0 < m)%nat -> 0 < Zs z m. Proof. intros. apply rsum_pos; auto. intros; apply exp_pos. Qed.
Lemma soft_dist G z x : (0 < A G x)%nat -> Sums.dist (A G x) (soft G z x).
Proof.
  intros HA. pose proof (Zs_pos (z x) _ HA). split. intros; apply Rdiv_lt_0_compat; auto; apply exp_pos.
  unfold soft. fold (Zs (z x) (A G x)). rewrite (rsum_ext _ _ (fun k => / Zs (z x) (A G x) * exp (z x k))) by (intros; unfold Rdiv; ring). rewrite rsum_scal. apply Rinv_l. apply Rgt_not_eq. assumption.
Qed.
Lemma ln_soft G z x a : (0 < A G x)%nat -> ln (soft G z x a) = z x a - ln (Zs (z x) (A G x)).
Proof. intros HA. pose proof (Zs_pos (z x) _ HA). unfold soft. fold (Zs (z x) (A G x)). unfold Rdiv. rewrite ln_mult, ln_exp, ln_Rinv; auto. apply exp_pos. apply Rinv_0_lt_compat; auto. Qed.
Lemma soft_other G z x a t y : y <> x -> soft G (upd z x a t) y = soft G z y.
Proof. intros Hy. unfold soft, upd. apply functional_extensionality; intros k. destruct (Nat.eqb_spec y x); [lia|reflexivity]. Qed.
Lemma rsum_upd m (f : nat -> R -> R) (z : nat -> R) a t : (a < m)%nat ->
  rsum m (fun b => f b (if (b =? a)%nat then t else z b)) = rsum m (fun b => f b (z b)) - f a (z a) + f a t.
Proof.
  induction m; [lia|]. intros Ha. cbn [rsum]. destruct (Nat.eq_dec a m) as [->|].
  - rewrite Nat.eqb_refl. rewrite (rsum_ext m _ (fun b => f b (z b))). ring. intros b Hb. destruct (Nat.eqb_spec b m); [lia|reflexivity].
  - rewrite IHm by lia. destruct (Nat.eqb_spec m a); [lia|]. ring.
Qed.

Section Gradient.
Variable G : game.
Notation T := (expr (root G)).
Notation AG := (A G).
Definition q_of al p x b := ev AG 1 al p (dev x b T).
Definition kappa p x := ev AG 1 1 p (kap x T).
Theorem logit_gradient al z x a : (a < AG x)%nat -> wf AG T = true ->
  let p := soft G z in let q := q_of al p x in let k := al * kappa p x in
  let adv := fun b => q b - k * ln (p x b) in
  is_derive (fun t => J G al (soft G (upd z x a t)) (root G)) (z x a) (p x a * (adv a - rsum (AG x) (fun b => p x b * adv b))).
Proof.
  intros Ha W p q k adv.
  set (Z0 := rsum (AG x) (fun b => exp (z x b))). set (M0 := rsum (AG x) (fun b => exp (z x b) * (q b - k * z x b))).
  assert (Zp : 0 < Z0) by (apply rsum_pos; [lia|intros; apply exp_pos]).
  set (Zt := fun t => Z0 - exp (z x a) + exp t). set (Mt := fun t => M0 - exp (z x a) * (q a - k * z x a) + exp t * (q a - k * t)).
  assert (Zpt : forall t, 0 < Zt t).
  { intros t. unfold Zt, Z0. rewrite <- (rsum_upd (AG x) (fun _ u => exp u) (z x) a t Ha). apply rsum_pos; [lia|intros; apply exp_pos]. }
  assert (E : forall t, J G al (soft G (upd z x a t)) (root G) = Mt t / Zt t + k * ln (Zt t)).
  { intros t. rewrite J_expr. set (pt := soft G (upd z x a t)).
    assert (EZ : rsum (AG x) (fun b => exp (upd z x a t x b)) = Zt t).
    { unfold Zt, Z0. rewrite <- (rsum_upd (AG x) (fun _ u => exp u) (z x) a t Ha). apply rsum_ext. intros b Hb. unfold upd. rewrite Nat.eqb_refl. cbn [andb]. destruct (b =? a)%nat; reflexivity. }
    assert (Ep : forall b, pt x b = exp (upd z x a t x b) / Zt t) by (intros; unfold pt, soft; rewrite EZ; reflexivity).
    assert (S1 : rsum (AG x) (pt x) = 1).
    { rewrite (rsum_ext _ _ (fun b => / Zt t * exp (upd z x a t x b))) by (intros; rewrite Ep; unfold Rdiv; ring). rewrite rsum_scal, EZ. apply Rinv_l, Rgt_not_eq, Zpt. }
    rewrite (ev_dec AG 1 al pt x T S1 W).
    assert (Eq : forall b, (b < AG x)%nat -> ev AG 1 al pt (dev x b T) = q b). { intros b Hb. apply (ev_noocc AG 1 al x). apply (occ_dev AG); auto. intros y Hy. apply soft_other; auto. }
    assert (Ek : ev AG 1 1 pt (kap x T) = kappa p x). { apply (ev_noocc AG 1 1 x). apply occ_kap. intros y Hy. apply soft_other; auto. }
    rewrite Ek. fold k. unfold H. rewrite <- rsum_scal, <- rsum_plus.
    assert (El : forall b, ln (pt x b) = upd z x a t x b - ln (Zt t)).
    { intros b. rewrite Ep. unfold Rdiv. rewrite ln_mult, ln_exp, ln_Rinv; auto. apply exp_pos. apply Rinv_0_lt_compat; auto. }
    rewrite (rsum_ext _ _ (fun b => / Zt t * (exp (upd z x a t x b) * (q b - k * upd z x a t x b)) + k * ln (Zt t) * pt x b)).
    2:{ intros b Hb. rewrite Eq by auto. rewrite El. rewrite Ep at 1 2. rewrite Ep. unfold Rdiv. ring. }
    rewrite rsum_plus, !rsum_scal, S1, Rmult_1_r. unfold Rdiv. rewrite (Rmult_comm (/ Zt t)). f_equal. f_equal. unfold Mt, M0.
    rewrite <- (rsum_upd (AG x) (fun b u => exp u * (q b - k * u)) (z x) a t Ha). apply rsum_ext. intros b Hb. unfold upd. rewrite Nat.eqb_refl. cbn [andb]. destruct (b =? a)%nat; reflexivity. }
  apply is_derive_ext with (fun t => Mt t / Zt t + k * ln (Zt t)). intros t; symmetry; apply E.
  assert (Elp : forall b, ln (p x b) = z x b - ln Z0).
  { intros b. unfold p, soft. fold Z0. unfold Rdiv. rewrite ln_mult, ln_exp, ln_Rinv; auto. apply exp_pos. apply Rinv_0_lt_compat; auto. }
  assert (EA : rsum (AG x) (fun b => p x b * adv b) = M0 / Z0 + k * ln Z0).
  { assert (S1 : rsum (AG x) (p x) = 1). { unfold p, soft. fold Z0. rewrite (rsum_ext _ _ (fun b => / Z0 * exp (z x b))) by (intros; unfold Rdiv; ring). rewrite rsum_scal. apply Rinv_l. apply Rgt_not_eq, Zp. }
    rewrite (rsum_ext _ _ (fun b => / Z0 * (exp (z x b) * (q b - k * z x b)) + k * ln Z0 * p x b)).
    rewrite rsum_plus, !rsum_scal, S1. fold M0. unfold Rdiv; ring.
    intros b Hb. unfold adv. rewrite Elp. unfold p, soft. fold Z0. unfold Rdiv. ring. }
  rewrite EA. unfold adv. rewrite Elp. unfold p, soft. fold Z0.
  unfold Mt, Zt. auto_derive.
  - pose proof (Zpt (z x a)). unfold Zt in *. repeat split; auto. apply Rgt_not_eq; auto.
  - replace (Z0 - exp (z x a) + exp (z x a)) with Z0 by ring. field. apply Rgt_not_eq, Zp.
Qed.

(** * Stationarity as equations *)
Definition balanced al p := (forall x, (x < points G)%nat -> Sums.dist (AG x) (p x)) /\
  forall x a b, (x < points G)%nat -> (a < AG x)%nat -> (b < AG x)%nat ->
    al * kappa p x * (ln (p x a) - ln (p x b)) = q_of al p x a - q_of al p x b.
Hypothesis W : wf AG T = true.
Hypothesis HA : forall x, (x < points G)%nat -> (0 < AG x)%nat.
(** expressions see a policy only where the game has decision points *)
Fixpoint inrange e := match e with Cst _ => true | Ent _ y => (y <? points G)%nat | Add e f => inrange e && inrange f
  | Avg y l => (y <? points G)%nat && forallb inrange l end.
Hypothesis R0 : inrange T = true.
Lemma inrange_dev x a e : inrange e = true -> inrange (dev x a e) = true.
Proof.
  induction e as [q|q y|e f IHe IHf|y l IH] using ex_ind'; cbn [inrange dev]; auto.
  - destruct (y =? x)%nat; auto.
  - rewrite !andb_true_iff. cbn [inrange]. intros [H1 H2]. rewrite IHe, IHf; auto.
  - rewrite andb_true_iff, forallb_forall. intros [H1 H2]. rewrite List.Forall_forall in IH. destruct (y =? x)%nat.
    + destruct (Nat.ltb_spec a (length l)). apply H2, nth_In; auto. rewrite nth_overflow; auto.
    + cbn [inrange]. rewrite H1. cbn [andb]. apply forallb_forall. intros e He. apply in_map_iff in He as [u [<- Hu]]. auto.
Qed.
Lemma inrange_kap x e : inrange e = true -> inrange (kap x e) = true.
Proof.
  induction e as [q|q y|e f IHe IHf|y l IH] using ex_ind'; cbn [inrange kap]; auto.
  - destruct (y =? x)%nat; auto.
  - rewrite !andb_true_iff. cbn [inrange]. intros [H1 H2]. rewrite IHe, IHf; auto.
  - rewrite andb_true_iff, forallb_forall. intros [H1 H2]. rewrite List.Forall_forall in IH. destruct (y =? x)%nat; auto.
    cbn [inrange]. rewrite H1. cbn [andb]. apply forallb_forall. intros e He. apply in_map_iff in He as [u [<- Hu]]. auto.
Qed.
Lemma ev_same rho eta p q e : inrange e = true -> wf AG e = true -> same G p q -> ev AG rho eta p e = ev AG rho eta q e.
Proof.
  intros HR HW HS. revert HR HW. induction e as [c|c y|e f IHe IHf|y l IH] using ex_ind'; cbn [inrange wf]; intros HR HW.
  - reflexivity.
  - cbn [ev]. f_equal. apply Nat.ltb_lt in HR. unfold H. apply rsum_ext. intros k Hk. rewrite HS; auto.
  - apply andb_true_iff in HR as [R1 R2]. apply andb_true_iff in HW as [W1 W2]. cbn [ev]. rewrite IHe, IHf; auto.
  - apply andb_true_iff in HR as [R1 R2]. apply Nat.ltb_lt in R1. rewrite forallb_forall in R2. apply wf_avg in HW as [W1 W2]. rewrite List.Forall_forall in IH.
    rewrite !ev_avg. apply rsum_ext. intros k Hk. assert (Hi : In (nth k l e0) l) by auto using nth_In. rewrite HS by (auto; lia). rewrite IH; auto. apply W2; auto.
Qed.
Lemma wf_dev x a e : wf AG e = true -> (a < AG x)%nat -> wf AG (dev x a e) = true.
Proof.
  intros HW Ha. revert HW. induction e as [c|c y|e f IHe IHf|y l IH] using ex_ind'; intros HW; cbn [dev]; auto.
  - destruct (y =? x)%nat; auto.
  - cbn [wf] in *. apply andb_true_iff in HW as [W1 W2]. rewrite IHe, IHf; auto.
  - pose proof HW as HW'. apply wf_avg in HW' as [W1 W2]. rewrite List.Forall_forall in IH. destruct (Nat.eqb_spec y x) as [->|Hne].
    + apply W2, nth_In. lia.
    + cbn [wf]. rewrite map_length, W1, Nat.eqb_refl. cbn [andb]. apply forallb_forall. intros e He. apply in_map_iff in He as [u [<- Hu]].
      destruct (W2 u Hu) as [O1 O2]. rewrite IH by auto. rewrite andb_true_r. apply negb_true_iff. clear - O1 Hne.
      induction u as [c|c y'|e f IHe IHf|y' l' IH] using ex_ind'; cbn [dev occ] in *; auto.
      * destruct (y' =? x)%nat; auto.
      * apply orb_false_iff in O1 as [O1 O2]. cbn [occ]. rewrite IHe, IHf; auto.
      * apply orb_false_iff in O1 as [O1 O2]. rewrite List.Forall_forall in IH. destruct (y' =? x)%nat.
        -- destruct (Nat.ltb_spec a (length l')). apply (existsb_nth' (occ y)); auto. rewrite nth_overflow; auto.
        -- cbn [occ]. rewrite O1. cbn [orb]. destruct (existsb (occ y) (map (dev x a) l')) eqn:E; auto.
           apply existsb_exists in E as [v [Hv Ev]]. apply in_map_iff in Hv as [w [<- Hw]]. rewrite IH in Ev; auto.
           destruct (occ y w) eqn:E2; auto. rewrite <- O2. symmetry. apply existsb_exists. exists w; auto.
Qed.
Lemma wf_kap x e : wf AG e = true -> wf AG (kap x e) = true.
Proof.
  induction e as [c|c y|e f IHe IHf|y l IH] using ex_ind'; intros HW; cbn [kap]; auto.
  - destruct (y =? x)%nat; auto.
  - cbn [wf] in *. apply andb_true_iff in HW as [W1 W2]. rewrite IHe, IHf; auto.
  - pose proof HW as HW'. apply wf_avg in HW' as [W1 W2]. rewrite List.Forall_forall in IH. destruct (Nat.eqb_spec y x) as [->|Hne]; auto.
    cbn [wf]. rewrite map_length, W1, Nat.eqb_refl. cbn [andb]. apply forallb_forall. intros e He. apply in_map_iff in He as [u [<- Hu]].
    destruct (W2 u Hu) as [O1 O2]. rewrite IH by auto. rewrite andb_true_r. apply negb_true_iff. clear - O1.
    induction u as [c|c y'|e f IHe IHf|y' l' IH] using ex_ind'; cbn [kap occ] in *; auto.
    * destruct (y' =? x)%nat; auto.
    * apply orb_false_iff in O1 as [O1 O2]. rewrite IHe, IHf; auto.
    * apply orb_false_iff in O1 as [O1 O2]. rewrite List.Forall_forall in IH. destruct (y' =? x)%nat; auto. cbn [occ]. rewrite O1. cbn [orb].
      destruct (existsb (occ y) (map (kap x) l')) eqn:E; auto.
      apply existsb_exists in E as [v [Hv Ev]]. apply in_map_iff in Hv as [w [<- Hw]]. rewrite IH in Ev; auto.
      destruct (occ y w) eqn:E2; auto. rewrite <- O2. symmetry. apply existsb_exists. exists w; auto.
Qed.

Lemma adv_flat m p f : Sums.dist m p -> (forall a, (a < m)%nat -> p a * (f a - rsum m (fun b => p b * f b)) = 0) -> forall a b, (a < m)%nat -> (b < m)%nat -> f a = f b.
Proof.
  intros [Hp _] HE a b Ha Hb. pose proof (HE a Ha) as E1. pose proof (HE b Hb) as E2. pose proof (Hp a Ha). pose proof (Hp b Hb).
  apply Rmult_integral in E1 as [E1|E1]; [lra|]. apply Rmult_integral in E2 as [E2|E2]; lra.
Qed.
Theorem stationary_balanced al p : stationary G al p -> balanced al p.
Proof.
  intros [z [Hz Hd]]. assert (HS : same G p (soft G z)) by (intros x a Hx Ha; apply Hz; auto). split.
  - intros x Hx. pose proof (soft_dist G z x (HA x Hx)) as [D1 D2]. split.
    + intros k Hk. rewrite Hz; auto.
    + rewrite <- D2. apply rsum_ext. intros; apply Hz; auto.
  - intros x a b Hx Ha Hb. pose proof (soft_dist G z x (HA x Hx)) as Dz.
    assert (E : forall a, (a < AG x)%nat -> soft G z x a * ((q_of al (soft G z) x a - al * kappa (soft G z) x * ln (soft G z x a)) - rsum (AG x) (fun b => soft G z x b * (q_of al (soft G z) x b - al * kappa (soft G z) x * ln (soft G z x b)))) = 0).
    { intros c Hc. specialize (Hd x c Hx Hc). pose proof (logit_gradient al z x c Hc W) as Hg. cbv zeta in Hg. apply is_derive_Reals in Hg. exact (uniqueness_limite _ _ _ _ Hg Hd). }
    pose proof (adv_flat (AG x) (soft G z x) (fun a => q_of al (soft G z) x a - al * kappa (soft G z) x * ln (soft G z x a)) Dz E a b Ha Hb) as EE. cbn beta in EE.
    replace (kappa p x) with (kappa (soft G z) x). replace (q_of al p x a) with (q_of al (soft G z) x a). replace (q_of al p x b) with (q_of al (soft G z) x b).
    rewrite !Hz by auto. lra.
    all: symmetry; unfold q_of, kappa; apply ev_same; auto using inrange_dev, inrange_kap, wf_dev, wf_kap.
Qed.
Theorem balanced_stationary al p : balanced al p -> stationary G al p.
Proof.
  intros [Hd HE]. exists (fun x a => ln (p x a)).
  assert (HS : forall x a, (x < points G)%nat -> (a < AG x)%nat -> p x a = soft G (fun x a => ln (p x a)) x a).
  { intros x a Hx Ha. destruct (Hd x Hx) as [D1 D2]. unfold soft. rewrite (rsum_ext _ _ (p x)) by (intros; apply exp_ln; auto). rewrite D2, exp_ln by auto. field. }
  split; [exact HS|]. set (z := fun x a => ln (p x a)) in *. intros x a Hx Ha. apply is_derive_Reals.
  pose proof (logit_gradient al z x a Ha W) as Hg. cbv zeta in Hg.
  refine (eq_ind _ (fun v => is_derive _ _ v) Hg 0 _). cbn beta. match goal with |- ?v = _ => change (@eq R v 0) end.
  assert (HS' : same G p (soft G z)) by exact HS.
  assert (EQ : forall b, (b < AG x)%nat -> q_of al (soft G z) x b - al * kappa (soft G z) x * ln (soft G z x b) = q_of al p x a - al * kappa p x * ln (p x a)).
  { intros b Hb. rewrite <- (HS x b Hx Hb). replace (kappa (soft G z) x) with (kappa p x). replace (q_of al (soft G z) x b) with (q_of al p x b).
    specialize (HE x a b Hx Ha Hb). lra. all: unfold q_of, kappa; apply ev_same; auto using inrange_dev, inrange_kap, wf_dev, wf_kap. }
  rewrite (rsum_ext (AG x) _ (fun b => (q_of al p x a - al * kappa p x * ln (p x a)) * soft G z x b)) by (intros b Hb; rewrite EQ by auto; ring).
  rewrite rsum_scal. destruct (soft_dist G z x (HA x Hx)) as [_ ->]. rewrite EQ by auto. ring.
Qed.
(** Where kappa is positive (it is the discounted weighted probability of reaching x without own choices), x plays a softmax. *)
Theorem stationary_softmax al p x a : stationary G al p -> 0 < al -> (x < points G)%nat -> (a < AG x)%nat -> 0 < kappa p x ->
  p x a = exp (q_of al p x a / (al * kappa p x)) / rsum (AG x) (fun b => exp (q_of al p x b / (al * kappa p x))).
Proof.
  intros Hs Hal Hx Ha Hk. destruct (stationary_balanced al p Hs) as [Hd HE]. rewrite (softmax_inv (AG x) (p x) a (Hd x Hx) Ha).
  assert (Hk' : 0 < al * kappa p x) by (apply Rmult_lt_0_compat; auto).
  rewrite (rsum_ext _ (fun b => exp (ln (p x b) - ln (p x a))) (fun b => / exp (q_of al p x a / (al * kappa p x)) * exp (q_of al p x b / (al * kappa p x)))).
  - rewrite rsum_scal. rewrite Rinv_mult, Rinv_inv. reflexivity.
  - intros b Hb. specialize (HE x b a Hx Hb Ha). rewrite <- exp_Ropp, <- exp_plus. f_equal. apply Rmult_eq_reg_l with (al * kappa p x); [|lra]. rewrite HE. field. lra.
Qed.
End Gradient.
