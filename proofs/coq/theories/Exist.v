(** At every temperature there is a stationary policy: a maximum of J on a large box of logits. *)
From Coq Require Import Reals QArith Qreals List Bool Lia Lra Arith FunctionalExtensionality.
Require Import Certify.Sums Certify.Game Certify.Expr Certify.Gradient.
Import ListNotations.
Local Open Scope R_scope.

(** * A Lipschitz function attains its maximum on a box *)
Lemma upd_same z x a t : upd z x a t x a = t.
Proof. unfold upd. rewrite !Nat.eqb_refl. reflexivity. Qed.
Lemma upd_other z x a t y k : (y, k) <> (x, a) -> upd z x a t y k = z y k.
Proof. intros HH. unfold upd. destruct (Nat.eqb_spec y x), (Nat.eqb_spec k a); cbn; auto. subst. congruence. Qed.
Section Max.
Variables (M L : R) (f : policy -> R).
Hypothesis M0 : 0 <= M.
Hypothesis L0 : 0 <= L.
Definition box (z : policy) := forall x a, - M <= z x a <= M.
Hypothesis Lip : forall z x a t, box z -> - M <= t <= M -> Rabs (f z - f (upd z x a t)) <= L * Rabs (z x a - t).
Definition off (l : list (nat * nat)) (z0 z : policy) := forall x a, ~ In (x, a) l -> z x a = z0 x a.
Lemma box_upd z x a t : box z -> - M <= t <= M -> box (upd z x a t).
Proof. intros H Ht y k. unfold upd. destruct ((y =? x) && (k =? a))%nat%bool; auto. Qed.
Lemma maxN l : NoDup l -> forall z0, box z0 -> exists z, box z /\ off l z0 z /\ forall z', box z' -> off l z0 z' -> f z' <= f z.
Proof.
  induction l as [|[x a] l IH]; intros ND z0 Hz0.
  - exists z0. split; [auto|split]. intros x a _; auto. intros z' _ H. replace z' with z0; [lra|].
    apply functional_extensionality; intros x; apply functional_extensionality; intros a. symmetry; apply H; auto.
  - apply NoDup_cons_iff in ND as [Hn ND]. specialize (IH ND).
    set (cl := fun t => Rmax (- M) (Rmin M t)).
    assert (Hcl : forall t, - M <= cl t <= M). { intros t. unfold cl. split. apply Rmax_l. apply Rmax_lub. lra. apply Rmin_l. }
    assert (Hid : forall t, - M <= t <= M -> cl t = t). { intros t Ht. unfold cl. rewrite Rmin_right, Rmax_right; lra. }
    set (S := fun t v => exists z, box z /\ off l (upd z0 x a (cl t)) z /\ v = f z).
    assert (HS : forall t, exists z, box z /\ off l (upd z0 x a (cl t)) z /\ forall z', box z' -> off l (upd z0 x a (cl t)) z' -> f z' <= f z).
    { intros t. apply IH. apply box_upd; auto. }
    assert (HB : forall t, bound (S t)). { intros t. destruct (HS t) as [z [_ [_ H]]]. exists (f z). intros v [z' [B' [O' ->]]]. auto. }
    assert (HE : forall t, exists v, S t v). { intros t. destruct (HS t) as [z [B [Of _]]]. exists (f z). exists z; auto. }
    set (g := fun t => proj1_sig (completeness (S t) (HB t) (HE t))).
    assert (Hg : forall t, exists z, box z /\ off l (upd z0 x a (cl t)) z /\ g t = f z /\ forall z', box z' -> off l (upd z0 x a (cl t)) z' -> f z' <= g t).
    { intros t. destruct (HS t) as [z [B [Of Mx]]]. exists z. unfold g. destruct (completeness (S t) (HB t) (HE t)) as [m [U1 U2]]. cbn [proj1_sig].
      assert (E : m = f z). { apply Rle_antisym. apply U2. intros v [z' [B' [O' ->]]]; auto. apply U1. exists z; auto. }
      split; [auto|split; [auto|split; [auto|]]]. intros z' B' O'. rewrite E. auto. }
    assert (HL1 : forall t t', - M <= t <= M -> - M <= t' <= M -> g t - g t' <= L * Rabs (t - t')).
    { intros t t' Ht Ht'. destruct (Hg t) as [z [B [Of [E _]]]]. destruct (Hg t') as [_ [_ [_ [_ Mx]]]]. rewrite (Hid t Ht) in Of. rewrite (Hid t' Ht') in Mx.
      assert (Ez : z x a = t) by (rewrite Of by auto; apply upd_same).
      assert (H1 : f (upd z x a t') <= g t').
      { apply Mx. apply box_upd; auto. intros y k Hy. unfold upd at 1 2. destruct ((y =? x) && (k =? a))%nat%bool eqn:Eq; auto. rewrite Of by auto. unfold upd. rewrite Eq. reflexivity. }
      pose proof (Lip z x a t' B Ht') as H2. rewrite Ez in H2. pose proof (Rle_abs (f z - f (upd z x a t'))). lra. }
    assert (HgC : forall t, g t = g (cl t)).
    { intros t. destruct (Hg t) as [z [B [Of [E Mx]]]]. destruct (Hg (cl t)) as [z' [B' [O' [E' Mx']]]]. rewrite (Hid (cl t)) in O', Mx' by auto. apply Rle_antisym. rewrite E; auto. rewrite E'; auto. }
    assert (HcL : forall t t', Rabs (cl t - cl t') <= Rabs (t - t')).
    { intros t t'. unfold cl, Rmax, Rmin, Rabs. repeat (destruct Rle_dec || destruct Rcase_abs); lra. }
    assert (HL : forall t t', Rabs (g t - g t') <= L * Rabs (t - t')).
    { intros t t'. rewrite (HgC t), (HgC t'). pose proof (HL1 (cl t) (cl t') (Hcl t) (Hcl t')) as H1. pose proof (HL1 (cl t') (cl t) (Hcl t') (Hcl t)) as H2.
      rewrite (Rabs_minus_sym (cl t') (cl t)) in H2. assert (L * Rabs (cl t - cl t') <= L * Rabs (t - t')) by (apply Rmult_le_compat_l; auto). apply Rabs_le. lra. }
    destruct (continuity_ab_maj g (- M) M) as [ts [Mx Hts]]. lra.
    { intros c _ eps He. exists (eps / (L + 1)). split. apply Rdiv_lt_0_compat; lra. intros t [_ Ht]. unfold dist, R_met, R_dist in *; cbn in *.
      eapply Rle_lt_trans. apply HL. unfold R_dist in Ht. apply Rle_lt_trans with (L * (eps / (L + 1))). apply Rmult_le_compat_l; lra.
      apply Rmult_lt_reg_r with (L + 1). lra. replace (L * (eps / (L + 1)) * (L + 1)) with (L * eps) by (field; lra). nra. }
    destruct (Hg ts) as [z [B [Of [E _]]]]. rewrite (Hid ts Hts) in Of. exists z. split; [auto|split].
    + intros y k Hy. rewrite Of by (intros Hi; apply Hy; right; auto). apply upd_other. intros Eq. apply Hy. left; auto.
    + intros z' B' O'. rewrite <- E. apply Rle_trans with (g (z' x a)); [|apply Mx; auto].
      destruct (Hg (z' x a)) as [_ [_ [_ [_ Mz]]]]. rewrite Hid in Mz by auto. apply Mz; auto. intros y k Hy.
      destruct (Nat.eq_dec y x) as [->|N1]. destruct (Nat.eq_dec k a) as [->|N2]. rewrite upd_same; auto.
      all: rewrite upd_other by congruence; apply O'; intros [Eq|Hi]; [congruence|auto].
Qed.
End Max.

(** * Lipschitz bounds *)
Lemma lnZ_lip m z z' D : (0 < m)%nat -> (forall b, (b < m)%nat -> Rabs (z b - z' b) <= D) -> Rabs (ln (Zs z m) - ln (Zs z' m)) <= D.
Proof.
  assert (H1 : forall z z', (0 < m)%nat -> (forall b, (b < m)%nat -> Rabs (z b - z' b) <= D) -> ln (Zs z m) <= ln (Zs z' m) + D).
  { clear z z'. intros z z' Hm H. replace D with (ln (exp D)) by apply ln_exp. rewrite <- ln_mult by (try apply exp_pos; apply Zs_pos; auto).
    assert (HZ : Zs z m <= Zs z' m * exp D).
    { unfold Zs. rewrite Rmult_comm, <- rsum_scal. apply rsum_le. intros b Hb. rewrite <- exp_plus. specialize (H b Hb). pose proof (Rle_abs (z b - z' b)).
      destruct (Req_dec (z b) (D + z' b)) as [->|]; [lra|]. apply Rlt_le, exp_increasing. lra. }
    destruct (Rle_lt_or_eq_dec _ _ HZ) as [Hl|He]; [|rewrite He; lra].
    apply Rlt_le, ln_increasing; auto. apply Zs_pos; auto. }
  intros Hm H. pose proof (H1 z z' Hm H). assert (H' : forall b, (b < m)%nat -> Rabs (z' b - z b) <= D) by (intros; rewrite Rabs_minus_sym; auto). pose proof (H1 z' z Hm H'). apply Rabs_le. lra.
Qed.
Lemma lnsoft_lip G z z' x a D : (a < A G x)%nat -> (forall b, (b < A G x)%nat -> Rabs (z x b - z' x b) <= D) -> Rabs (ln (soft G z x a) - ln (soft G z' x a)) <= 2 * D.
Proof.
  intros Ha H. rewrite !ln_soft by lia. pose proof (lnZ_lip (A G x) (z x) (z' x) D ltac:(lia) H) as H1. specialize (H a Ha).
  replace (z x a - ln (Zs (z x) (A G x)) - (z' x a - ln (Zs (z' x) (A G x)))) with ((z x a - z' x a) + - (ln (Zs (z x) (A G x)) - ln (Zs (z' x) (A G x)))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra.
Qed.
Lemma soft_lip p r D : 0 < p <= 1 -> 0 < r <= 1 -> Rabs (ln p - ln r) <= D -> Rabs (p - r) <= D.
Proof.
  intros Hp Hr H. pose proof (ln_bound p r ltac:(lra) ltac:(lra)) as H1. pose proof (ln_bound r p ltac:(lra) ltac:(lra)) as H2.
  assert (H3 : - D <= ln p - ln r <= D). { pose proof (Rle_abs (ln p - ln r)). pose proof (Rle_abs (- (ln p - ln r))) as H4. rewrite Rabs_Ropp in H4. lra. }
  apply Rabs_le. nra.
Qed.


(** every decision has a positive entropy weight *)
Fixpoint wpos (t : tree nat) := match t with Pay _ => true | Sum l => forallb wpos l | Act _ w l => (0 <? Qnum w)%Z && forallb wpos l end.
Lemma Q2R_pos w : (0 <? Qnum w)%Z = true -> 0 < Q2R w.
Proof. intros E. apply Z.ltb_lt in E. unfold Q2R. apply Rmult_lt_0_compat. apply IZR_lt; auto. apply Rinv_0_lt_compat, IZR_lt. lia. Qed.
Lemma Rabs_sum_le a b c d : Rabs a <= c -> Rabs b <= d -> Rabs (a + b) <= c + d.
Proof. intros. eapply Rle_trans; [apply Rabs_triang|]. lra. Qed.

Section Ex.
Variable G : game.
Notation n := (points G). Notation AG := (A G). Notation T := (expr (root G)).
Hypothesis HA : forall x, (x < n)%nat -> (0 < AG x)%nat.
Hypothesis W : wf AG T = true.
Hypothesis R0 : inrange G T = true.
Hypothesis WP : wpos (root G) = true.
Definition ok (p : policy) := forall x, (x < n)%nat -> dist (AG x) (p x).
Lemma ok_unit p x k : ok p -> (x < n)%nat -> (k < AG x)%nat -> 0 <= p x k <= 1.
Proof. intros Hp Hx Hk. destruct (Hp x Hx) as [H1 H2]. split. apply Rlt_le; auto. apply dist_le1 with (AG x); auto. Qed.
Lemma ok_soft z : ok (soft G z).
Proof. intros x Hx. apply soft_dist; auto. Qed.

Section Alpha.
Variable al : R.
Lemma ev_bd e : inrange G e = true -> wf AG e = true -> exists B, 0 <= B /\ forall p, ok p -> Rabs (ev AG 1 al p e) <= B.
Proof.
  induction e as [c|c x|e f IHe IHf|x l IH] using ex_ind'; intros HR HW.
  - exists (Rabs (1 * Q2R c)). split. apply Rabs_pos. intros; cbn [ev]; lra.
  - cbn [inrange] in HR. apply Nat.ltb_lt in HR. exists (Rabs (al * Q2R c) * ln (INR (AG x))).
    assert (Hl : 0 <= ln (INR (AG x))).
    { rewrite <- ln_1. destruct (Req_dec (INR (AG x)) 1) as [->|Hn]; [lra|]. apply Rlt_le, ln_increasing. lra. pose proof (le_INR 1 (AG x) ltac:(apply HA; auto)) as E. cbn in E. lra. }
    split. apply Rmult_le_pos; auto. apply Rabs_pos.
    intros p Hp. cbn [ev]. rewrite Rabs_mult. apply Rmult_le_compat_l. apply Rabs_pos. destruct (H_range (AG x) (p x)) as [E1 E2]; auto. rewrite Rabs_right; lra.
  - cbn [inrange wf] in *. apply andb_true_iff in HR as [R1 R2]. apply andb_true_iff in HW as [W1 W2]. destruct (IHe R1 W1) as [B1 [P1 H1]]. destruct (IHf R2 W2) as [B2 [P2 H2]]. exists (B1 + B2). split. lra.
    intros p Hp. cbn [ev]. apply Rabs_sum_le; auto.
  - cbn [inrange] in HR. apply andb_true_iff in HR as [R1 R2]. apply Nat.ltb_lt in R1. rewrite forallb_forall in R2. apply wf_avg in HW as [W1 W2]. rewrite List.Forall_forall in IH.
    destruct (fchoice (length l) (fun k B => 0 <= B /\ forall p, ok p -> Rabs (ev AG 1 al p (nth k l e0)) <= B) 0) as [B HB]. { intros k Hk. apply IH; auto using nth_In. apply W2; auto using nth_In. }
    exists (rsum (length l) B). split. apply rsum_0; intros; apply HB; auto.
    intros p Hp. rewrite ev_avg. eapply Rle_trans; [apply rsum_abs|]. apply rsum_le. intros k Hk. destruct (HB k Hk) as [B0 H1]. specialize (H1 p Hp).
    rewrite Rabs_mult. destruct (ok_unit p x k Hp R1 ltac:(lia)). rewrite Rabs_right by lra. pose proof (Rabs_pos (ev AG 1 al p (nth k l e0))). nra.
Qed.
Lemma ev_lip e : inrange G e = true -> wf AG e = true -> exists L, 0 <= L /\ forall p q d, ok p -> ok q -> 0 <= d ->
  (forall x k, (x < n)%nat -> (k < AG x)%nat -> Rabs (p x k - q x k) <= d) -> (forall x, (x < n)%nat -> Rabs (H (AG x) (p x) - H (AG x) (q x)) <= d) ->
  Rabs (ev AG 1 al p e - ev AG 1 al q e) <= L * d.
Proof.
  induction e as [c|c x|e f IHe IHf|x l IH] using ex_ind'; intros HR HW.
  - exists 0. split. lra. intros. cbn [ev]. rewrite Rminus_eq_0, Rabs_R0. lra.
  - cbn [inrange] in HR. apply Nat.ltb_lt in HR. exists (Rabs (al * Q2R c)). split. apply Rabs_pos.
    intros p q d Hp Hq Hd _ HH. cbn [ev]. rewrite <- Rmult_minus_distr_l, Rabs_mult. apply Rmult_le_compat_l; auto. apply Rabs_pos.
  - cbn [inrange wf] in *. apply andb_true_iff in HR as [R1 R2]. apply andb_true_iff in HW as [W1 W2]. destruct (IHe R1 W1) as [B1 [P1 H1]]. destruct (IHf R2 W2) as [B2 [P2 H2]]. exists (B1 + B2). split. lra.
    intros p q d Hp Hq Hd Hk HH. cbn [ev]. replace (ev AG 1 al p e + ev AG 1 al p f - (ev AG 1 al q e + ev AG 1 al q f)) with ((ev AG 1 al p e - ev AG 1 al q e) + (ev AG 1 al p f - ev AG 1 al q f)) by ring.
    rewrite Rmult_plus_distr_r. apply Rabs_sum_le; auto.
  - pose proof HR as HR'. pose proof HW as HW'. cbn [inrange] in HR'. apply andb_true_iff in HR' as [R1 R2]. apply Nat.ltb_lt in R1. rewrite forallb_forall in R2. apply wf_avg in HW' as [W1 W2]. rewrite List.Forall_forall in IH.
    destruct (fchoice (length l) (fun k B => 0 <= B /\ forall p, ok p -> Rabs (ev AG 1 al p (nth k l e0)) <= B) 0) as [B HB]. { intros k Hk. apply ev_bd; auto using nth_In. apply W2; auto using nth_In. }
    destruct (fchoice (length l) (fun k L => 0 <= L /\ forall p q d, ok p -> ok q -> 0 <= d -> (forall x k, (x < n)%nat -> (k < AG x)%nat -> Rabs (p x k - q x k) <= d) ->
      (forall x, (x < n)%nat -> Rabs (H (AG x) (p x) - H (AG x) (q x)) <= d) -> Rabs (ev AG 1 al p (nth k l e0) - ev AG 1 al q (nth k l e0)) <= L * d) 0) as [L HL]. { intros k Hk. apply IH; auto using nth_In. apply W2; auto using nth_In. }
    exists (rsum (length l) (fun k => L k + B k)). split. apply rsum_0; intros k Hk. destruct (HL k Hk), (HB k Hk). lra.
    intros p q d Hp Hq Hd HH HE. rewrite !ev_avg, <- rsum_minus, Rmult_comm, <- rsum_scal. eapply Rle_trans; [apply rsum_abs|]. apply rsum_le. intros k Hk.
    destruct (HB k Hk) as [B0 H1]. destruct (HL k Hk) as [L1 H2]. specialize (H1 q Hq). specialize (H2 p q d Hp Hq Hd HH HE). specialize (HH x k R1 ltac:(lia)). destruct (ok_unit p x k Hp R1 ltac:(lia)) as [P0 P1].
    set (u := ev AG 1 al p (nth k l e0)) in *. set (v := ev AG 1 al q (nth k l e0)) in *.
    replace (p x k * u - q x k * v) with (p x k * (u - v) + (p x k - q x k) * v) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult, (Rabs_right (p x k)) by lra.
    pose proof (Rabs_pos (u - v)). pose proof (Rabs_pos v). pose proof (Rabs_pos (p x k - q x k)). nra.
Qed.
(** advantages are at most a constant times the weight with which x is reached *)
Lemma adv_bound x t : (x < n)%nat -> inrange G (expr t) = true -> wf AG (expr t) = true -> wpos t = true ->
  exists C, 0 <= C /\ forall p, ok p -> 0 <= ev AG 1 1 p (kap x (expr t)) /\ forall a b, (a < AG x)%nat -> (b < AG x)%nat ->
    Rabs (ev AG 1 al p (dev x a (expr t)) - ev AG 1 al p (dev x b (expr t))) <= C * ev AG 1 1 p (kap x (expr t)).
Proof.
  intros Hx. induction t as [c|l IH|y w l IH] using tree_ind'; intros HR HW HP; try rewrite List.Forall_forall in IH.
  - exists 0. split. lra. intros p Hp. cbn [expr kap dev]. rewrite ev_e0. split. lra. intros. rewrite Rminus_eq_0, Rabs_R0. lra.
  - cbn [wpos] in HP. rewrite forallb_forall in HP. cbn [expr] in *. induction l as [|t l IHl].
    + exists 0. split. lra. intros p Hp. cbn [fold_right kap dev e0]. change (Cst 0) with e0. rewrite ev_e0. split. lra. intros. rewrite Rminus_eq_0, Rabs_R0. lra.
    + cbn [fold_right inrange wf] in *. apply andb_true_iff in HR as [R1 R2]. apply andb_true_iff in HW as [W1 W2].
      destruct (IH t (or_introl eq_refl) R1 W1 (HP t (or_introl eq_refl))) as [C1 [P1 H1]].
      destruct IHl as [C2 [P2 H2]]; auto. { intros; apply IH; auto. right; auto. } { intros; apply HP; right; auto. }
      exists (C1 + C2). split. lra. intros p Hp. destruct (H1 p Hp) as [K1 D1]. destruct (H2 p Hp) as [K2 D2]. cbn [kap dev ev]. split. lra.
      intros a b Ha Hb. specialize (D1 a b Ha Hb). specialize (D2 a b Ha Hb).
      match goal with |- Rabs (?u + ?v - (?u' + ?v')) <= _ => replace (u + v - (u' + v')) with ((u - u') + (v - v')) by ring end.
      eapply Rle_trans; [apply Rabs_triang|]. nra.
  - cbn [wpos] in HP. apply andb_true_iff in HP as [HP1 HP]. apply Q2R_pos in HP1. rewrite forallb_forall in HP.
    cbn [expr inrange] in HR. rewrite !andb_true_iff in HR. destruct HR as [R1 [_ R2]]. apply Nat.ltb_lt in R1. rewrite forallb_forall in R2.
    cbn [expr] in HW. change (wf AG (Add (Ent w y) (Avg y (map expr l)))) with (wf AG (Avg y (map expr l))) in HW. apply wf_avg in HW as [W1 W2].
    assert (HI : forall k, (k < length (map expr l))%nat -> In (nth k (map expr l) e0) (map expr l)) by (intros; apply nth_In; auto).
    cbn [expr]. destruct (Nat.eq_dec y x) as [->|Hne].
    + destruct (fchoice (length (map expr l)) (fun k B => 0 <= B /\ forall p, ok p -> Rabs (ev AG 1 al p (nth k (map expr l) e0)) <= B) 0) as [B HB].
      { intros k Hk. apply ev_bd. apply R2; auto. apply W2; auto. }
      set (S := rsum (length (map expr l)) B). assert (S0 : 0 <= S) by (apply rsum_0; intros; apply HB; auto).
      exists (2 * S / Q2R w). split. apply Rmult_le_pos. lra. apply Rlt_le, Rinv_0_lt_compat; auto.
      intros p Hp. cbn [kap dev]. rewrite Nat.eqb_refl. cbn [ev e0]. rewrite Q2R_0. split. lra.
      intros a b Ha Hb. replace (2 * S / Q2R w * (1 * Q2R w + 1 * 0)) with (S + S) by (field; lra).
      assert (E : forall k, (k < AG x)%nat -> Rabs (ev AG 1 al p (nth k (map expr l) e0)) <= S).
      { intros k Hk. rewrite <- W1 in Hk. destruct (HB k Hk) as [_ E]. specialize (E p Hp). pose proof (rsum_le_one (length (map expr l)) B k Hk ltac:(intros; apply HB; auto)). unfold S. lra. }
      pose proof (E a Ha) as Ea. pose proof (E b Hb) as Eb.
      match goal with |- Rabs (?c + ?u - (?c + ?v)) <= _ => replace (c + u - (c + v)) with (u + - v) by ring end.
      apply Rabs_sum_le; auto. rewrite Rabs_Ropp. auto.
    + destruct (fchoice (length l) (fun k C => 0 <= C /\ forall p, ok p -> 0 <= ev AG 1 1 p (kap x (nth k (map expr l) e0)) /\ forall a b, (a < AG x)%nat -> (b < AG x)%nat ->
        Rabs (ev AG 1 al p (dev x a (nth k (map expr l) e0)) - ev AG 1 al p (dev x b (nth k (map expr l) e0))) <= C * ev AG 1 1 p (kap x (nth k (map expr l) e0))) 0) as [C HC].
      { intros k Hk. assert (Hk' : (k < length (map expr l))%nat) by (rewrite map_length; auto). specialize (HI k Hk'). rewrite nth_indep with (d' := expr (Pay 0)) in HI |- * by auto. rewrite map_nth in HI |- *.
        apply IH; auto using nth_In. apply W2; auto. }
      exists (rsum (length l) C). split. apply rsum_0; intros; apply HC; auto.
      intros p Hp. assert (E : (y =? x)%nat = false) by (apply Nat.eqb_neq; auto). cbn [kap dev ev]. rewrite E. rewrite ev_e0.
      assert (E1 : ev AG 1 1 p (Avg y (map (kap x) (map expr l))) = rsum (length l) (fun k => p y k * ev AG 1 1 p (kap x (nth k (map expr l) e0)))).
      { rewrite ev_avg, !map_length. apply rsum_ext. intros k Hk. rewrite nth_map_ex by (rewrite map_length; auto). reflexivity. }
      rewrite E1, Rplus_0_l. assert (Hu : forall k, (k < length l)%nat -> 0 <= p y k) by (intros k Hk; rewrite map_length in W1; apply ok_unit; auto; lia).
      split. apply rsum_0. intros k Hk. destruct (HC k Hk) as [_ D]. apply Rmult_le_pos; auto. apply D; auto.
      intros a b Ha Hb. assert (E2 : forall a, ev AG 1 al p (Avg y (map (dev x a) (map expr l))) = rsum (length l) (fun k => p y k * ev AG 1 al p (dev x a (nth k (map expr l) e0)))).
      { intros c. rewrite ev_avg, !map_length. apply rsum_ext. intros k Hk. rewrite nth_map_ex by (rewrite map_length; auto). reflexivity. }
      rewrite !E2. match goal with |- Rabs (?c + ?u - (?c + ?v)) <= _ => replace (c + u - (c + v)) with (u - v) by ring end.
      rewrite <- rsum_minus, <- rsum_scal. eapply Rle_trans; [apply rsum_abs|]. apply rsum_le. intros k Hk. destruct (HC k Hk) as [C0 D]. destruct (D p Hp) as [K0 D1]. specialize (D1 a b Ha Hb).
      rewrite <- Rmult_minus_distr_l, Rabs_mult, (Rabs_right (p y k)) by (specialize (Hu k Hk); lra).
      pose proof (rsum_le_one (length l) C k Hk ltac:(intros; apply HC; auto)). specialize (Hu k Hk).
      replace (rsum (length l) C * (p y k * ev AG 1 1 p (kap x (nth k (map expr l) e0)))) with (p y k * (rsum (length l) C * ev AG 1 1 p (kap x (nth k (map expr l) e0)))) by ring.
      apply Rmult_le_compat_l; auto. eapply Rle_trans; [exact D1|]. apply Rmult_le_compat_r; auto.
Qed.
Lemma J_lip M : 0 <= M -> exists L, 0 <= L /\ forall z x a t, box M z -> - M <= t <= M -> Rabs (ev AG 1 al (soft G z) T - ev AG 1 al (soft G (upd z x a t)) T) <= L * Rabs (z x a - t).
Proof.
  intros HM. destruct (ev_lip T R0 W) as [L1 [P1 H1]].
  set (C := fun x => 2 * M + Rabs (ln (Zs (fun _ => 0) (AG x)))).
  assert (HC : forall x, 0 <= C x). { intros x. unfold C. pose proof (Rabs_pos (ln (Zs (fun _ => 0) (AG x)))). lra. }
  set (K := rsum n (fun x => INR (AG x) * (2 + 2 * C x))).
  assert (Kt : forall x, 0 <= INR (AG x) * (2 + 2 * C x)). { intros x. apply Rmult_le_pos. apply pos_INR. specialize (HC x). lra. }
  assert (K0 : 0 <= K) by (apply rsum_0; auto).
  exists (L1 * (2 + K)). split. apply Rmult_le_pos; lra.
  intros z x a t Hz Ht. set (D := Rabs (z x a - t)). set (z' := upd z x a t).
  assert (D0 : 0 <= D) by apply Rabs_pos.
  assert (HD : forall y b, Rabs (z y b - z' y b) <= D). { intros y b. unfold z', upd. destruct (Nat.eqb_spec y x), (Nat.eqb_spec b a); cbn; subst; try (rewrite Rminus_eq_0, Rabs_R0; auto). unfold D; lra. }
  assert (Hl : forall y b, (b < AG y)%nat -> Rabs (ln (soft G z y b) - ln (soft G z' y b)) <= 2 * D) by (intros; apply lnsoft_lip; auto).
  assert (Hs : forall y b, (b < AG y)%nat -> Rabs (soft G z y b - soft G z' y b) <= 2 * D).
  { intros y b Hb. pose proof (soft_dist G z y ltac:(lia)) as d1. pose proof (soft_dist G z' y ltac:(lia)) as d2. apply soft_lip; auto; split; try (apply d1; auto); try (apply d2; auto); eapply dist_le1; eauto. }
  assert (E2 : forall y, (y < n)%nat -> Rabs (H (AG y) (soft G z y) - H (AG y) (soft G z' y)) <= INR (AG y) * (2 + 2 * C y) * D).
  { intros y Hy. unfold H. rewrite <- rsum_minus. eapply Rle_trans; [apply rsum_abs|].
    replace (INR (AG y) * (2 + 2 * C y) * D) with (rsum (AG y) (fun _ => (2 + 2 * C y) * D)).
    2:{ rewrite rsum_const. ring. }
    apply rsum_le. intros b Hb. destruct (ok_unit (soft G z) y b (ok_soft z) Hy Hb) as [u0 u1]. specialize (Hl y b Hb). specialize (Hs y b Hb).
    assert (Hlq : Rabs (ln (soft G z' y b)) <= C y).
    { rewrite ln_soft by lia. unfold C. pose proof (lnZ_lip (AG y) (z' y) (fun _ => 0) M ltac:(lia)) as H3.
      assert (Hb' : forall b, (b < AG y)%nat -> Rabs (z' y b - 0) <= M). { intros c _. rewrite Rminus_0_r. apply Rabs_le. apply box_upd; auto. }
      specialize (H3 Hb'). specialize (Hb' b Hb). rewrite Rminus_0_r in Hb'.
      replace (z' y b - ln (Zs (z' y) (AG y))) with (z' y b + - (ln (Zs (z' y) (AG y)) - ln (Zs (fun _ => 0) (AG y))) + - ln (Zs (fun _ => 0) (AG y))) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. rewrite Rabs_Ropp. lra. }
    replace (- (soft G z y b * ln (soft G z y b)) - - (soft G z' y b * ln (soft G z' y b)))
     with (- (soft G z y b * (ln (soft G z y b) - ln (soft G z' y b))) + - ((soft G z y b - soft G z' y b) * ln (soft G z' y b))) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_Ropp, !Rabs_mult, (Rabs_right (soft G z y b)) by lra.
    pose proof (Rabs_pos (ln (soft G z y b) - ln (soft G z' y b))). pose proof (Rabs_pos (ln (soft G z' y b))). pose proof (Rabs_pos (soft G z y b - soft G z' y b)). nra. }
  rewrite Rmult_assoc. apply H1; auto using ok_soft.
  - apply Rmult_le_pos; lra.
  - intros y k Hy Hk. specialize (Hs y k Hk). nra.
  - intros y Hy. specialize (E2 y Hy). pose proof (rsum_le_one n (fun x => INR (AG x) * (2 + 2 * C x)) y Hy (fun i _ => Kt i)) as E3. cbn beta in E3. fold K in E3. nra.
Qed.
End Alpha.

Theorem stationary_exists alpha : 0 < alpha -> exists p, stationary G alpha p.
Proof.
  intros Ha.
  destruct (fchoice n (fun x C => 0 <= C /\ forall p, ok p -> 0 <= ev AG 1 1 p (kap x T) /\ forall a b, (a < AG x)%nat -> (b < AG x)%nat ->
    Rabs (ev AG 1 alpha p (dev x a T) - ev AG 1 alpha p (dev x b T)) <= C * ev AG 1 1 p (kap x T)) 0) as [C HC]. { intros x Hx. apply adv_bound; auto. }
  set (M := rsum n (fun x => C x / alpha)).
  assert (Hterm : forall x, (x < n)%nat -> 0 <= C x / alpha). { intros x Hx. destruct (HC x Hx). apply Rmult_le_pos; auto. apply Rlt_le, Rinv_0_lt_compat; auto. }
  assert (M0 : 0 <= M) by (apply rsum_0; auto).
  assert (HM : forall x, (x < n)%nat -> C x / alpha <= M) by (intros x Hx; apply (rsum_le_one n (fun x => C x / alpha)); auto).
  destruct (J_lip alpha M M0) as [L [L0 HLip]].
  set (coords := nodup (fun a b : nat * nat => match a, b with (x, y), (u, v) => ltac:(decide equality; apply Nat.eq_dec) end) (flat_map (fun x => map (fun a => (x, a)) (seq 0 (AG x))) (seq 0 n))).
  assert (Hco : forall x a, (x < n)%nat -> (a < AG x)%nat -> In (x, a) coords).
  { intros x a Hx Hax. apply nodup_In. apply in_flat_map. exists x. split. apply in_seq; lia. apply in_map. apply in_seq; lia. }
  destruct (maxN M L (fun z => ev AG 1 alpha (soft G z) T) M0 L0 HLip coords (NoDup_nodup _ _) (fun _ _ => 0)) as [z [Bz [_ Mz]]]. { intros x a; lra. }
  exists (soft G z). apply balanced_stationary; auto. split. { apply ok_soft. }
  set (p := soft G z). assert (Hp0 : ok p) by apply ok_soft.
  assert (Main : forall x, (x < n)%nat -> 0 < kappa G p x -> forall a, (a < AG x)%nat -> alpha * kappa G p x * (ln (p x a) - ln (p x O)) = q_of G alpha p x a - q_of G alpha p x O).
  { intros x Hx Kp. pose proof (HA x Hx) as A0. set (w := alpha * kappa G p x). assert (Hw : 0 < w) by (apply Rmult_lt_0_compat; auto).
    set (c := fun a => (q_of G alpha p x a - q_of G alpha p x O) / w).
    assert (Hc : forall b, (b < AG x)%nat -> - M <= c b <= M).
    { intros b Hb. destruct (HC x Hx) as [C0 D]. destruct (D p Hp0) as [_ D1]. specialize (D1 b O Hb A0). fold (q_of G alpha p x b) (q_of G alpha p x O) in D1. fold (kappa G p x) in D1.
      specialize (HM x Hx). assert (E : Rabs (c b) <= M).
      { unfold c, Rdiv. rewrite Rabs_mult, (Rabs_right (/ w)) by (apply Rle_ge, Rlt_le, Rinv_0_lt_compat; auto). apply Rle_trans with (C x / alpha); auto.
        apply Rmult_le_reg_r with w; auto. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra. eapply Rle_trans; [exact D1|]. unfold w. right. field. lra. }
      split. pose proof (Rle_abs (- c b)) as E2. rewrite Rabs_Ropp in E2. lra. pose proof (Rle_abs (c b)). lra. }
    set (z1 := fun y k => if (y =? x)%nat then (if (k <? AG x)%nat then c k else z y k) else z y k).
    assert (Hrow : forall k, (k < AG x)%nat -> soft G z1 x k = exp (c k) / rsum (AG x) (fun b => exp (c b))).
    { intros k Hk. unfold soft, z1. rewrite Nat.eqb_refl. destruct (Nat.ltb_spec k (AG x)); [|lia]. f_equal. apply rsum_ext. intros b Hb. destruct (Nat.ltb_spec b (AG x)); [reflexivity|lia]. }
    assert (Hoth : forall y, y <> x -> soft G z1 y = p y). { intros y Hy. unfold p, soft, z1. apply functional_extensionality. intros k. destruct (Nat.eqb_spec y x); [lia|reflexivity]. }
    assert (B1 : box M z1). { intros y k. unfold z1. destruct (y =? x)%nat; auto. destruct (Nat.ltb_spec k (AG x)); auto. }
    assert (HJ : ev AG 1 alpha (soft G z1) T <= ev AG 1 alpha p T).
    { set (z2 := fun y k => if ((y <? n) && (k <? AG y))%nat%bool then z1 y k else 0).
      assert (E : ev AG 1 alpha (soft G z1) T = ev AG 1 alpha (soft G z2) T).
      { apply (ev_same G); auto. intros y k Hy Hk. unfold soft, z2. destruct (Nat.ltb_spec y n); [|lia]. destruct (Nat.ltb_spec k (AG y)); [|lia]. cbn [andb]. f_equal. apply rsum_ext. intros b Hb. destruct (Nat.ltb_spec b (AG y)); [reflexivity|lia]. }
      rewrite E. apply Mz.
      - intros y k. unfold z2. destruct ((y <? n) && (k <? AG y))%nat%bool; auto. lra.
      - intros y k Hy. unfold z2. destruct (Nat.ltb_spec y n), (Nat.ltb_spec k (AG y)); cbn; auto. exfalso; auto. }
    set (r := soft G z1 x). assert (Hr : dist (AG x) r) by (apply soft_dist; auto). assert (Hp : dist (AG x) (p x)) by (apply Hp0; auto).
    set (Zc := rsum (AG x) (fun b => exp (c b))). assert (Z0 : 0 < Zc) by (apply rsum_pos; auto; intros; apply exp_pos).
    assert (Hlr : forall k, (k < AG x)%nat -> ln (r k) = c k - ln Zc).
    { intros k Hk. unfold r. rewrite Hrow by auto. fold Zc. unfold Rdiv. rewrite ln_mult, ln_exp, ln_Rinv; auto. apply exp_pos. apply Rinv_0_lt_compat; auto. }
    assert (KL : rsum (AG x) (fun k => p x k * (ln (p x k) - ln (r k))) <= 0).
    { rewrite (ev_dec AG 1 alpha (soft G z1) x), (ev_dec AG 1 alpha p x) in HJ by (auto; try apply Hr; try apply Hp).
      assert (EQ : forall b, (b < AG x)%nat -> ev AG 1 alpha (soft G z1) (dev x b T) = q_of G alpha p x b).
      { intros b Hb. apply (ev_noocc AG 1 alpha x). apply (occ_dev AG); auto. apply Hoth. }
      assert (EK : ev AG 1 1 (soft G z1) (kap x T) = kappa G p x). { apply (ev_noocc AG 1 1 x). apply occ_kap. apply Hoth. }
      rewrite EK in HJ. change (ev AG 1 1 p (kap x T)) with (kappa G p x) in HJ. fold w in HJ. fold r in HJ.
      set (q0 := q_of G alpha p x O) in *.
      rewrite (rsum_ext _ (fun a => r a * ev AG 1 alpha (soft G z1) (dev x a T)) (fun k => w * (r k * c k) + q0 * r k)) in HJ.
      2:{ intros k Hk. rewrite EQ by auto. unfold c. field. lra. }
      rewrite (rsum_ext _ (fun a => p x a * ev AG 1 alpha p (dev x a T)) (fun k => w * (p x k * c k) + q0 * p x k)) in HJ.
      2:{ intros k Hk. fold (q_of G alpha p x k). unfold c. field. lra. }
      rewrite !rsum_plus, !rsum_scal in HJ. pose proof Hr as [_ Sr]. pose proof Hp as [_ Sp]. rewrite Sr, Sp in HJ. unfold H in HJ.
      assert (E1 : rsum (AG x) (fun k => r k * c k) + rsum (AG x) (fun k => - (r k * ln (r k))) = ln Zc).
      { rewrite <- rsum_plus. rewrite (rsum_ext _ _ (fun k => ln Zc * r k)). rewrite rsum_scal, Sr. ring. intros k Hk. rewrite Hlr by auto. ring. }
      assert (E2 : rsum (AG x) (fun k => p x k * c k) + rsum (AG x) (fun k => - (p x k * ln (p x k))) = ln Zc - rsum (AG x) (fun k => p x k * (ln (p x k) - ln (r k)))).
      { rewrite <- rsum_plus. rewrite (rsum_ext _ _ (fun k => ln Zc * p x k - p x k * (ln (p x k) - ln (r k)))). rewrite rsum_minus, rsum_scal, Sp. ring. intros k Hk. rewrite Hlr by auto. ring. }
      set (KLv := rsum (AG x) (fun k => p x k * (ln (p x k) - ln (r k)))) in *.
      apply Rmult_le_reg_l with w; auto. nra. }
    pose proof (gibbs (AG x) (p x) r Hp Hr KL) as E.
    intros a Hax. rewrite (E a Hax), (E O A0), !Hlr by auto. unfold c. field. lra. }
  intros x a b Hx Hax Hbx. destruct (HC x Hx) as [C0 D]. destruct (D p Hp0) as [K0 D1]. fold (kappa G p x) in K0, D1.
  destruct (Req_dec (kappa G p x) 0) as [E|E].
  - specialize (D1 a b Hax Hbx). rewrite E in *. fold (q_of G alpha p x a) (q_of G alpha p x b) in D1. rewrite Rmult_0_r in *. rewrite Rmult_0_l.
    destruct (Req_dec (q_of G alpha p x a - q_of G alpha p x b) 0) as [|Hn]; [lra|]. apply Rabs_pos_lt in Hn. lra.
  - pose proof (Main x Hx ltac:(lra) a Hax). pose proof (Main x Hx ltac:(lra) b Hbx). lra.
Qed.
End Ex.
