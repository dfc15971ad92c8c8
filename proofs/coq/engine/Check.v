(** The checker: localisation of the log-ratios, then a contraction of the difference of two solutions. *)
From Coq Require Import Reals QArith Qreals List Bool Lia Lra Arith.
From Interval Require Import Xreal Basic Sig Interval Float_full.
Require Import Certify.Sums Certify.Game Certify.Expr Certify.Gradient Certify.Exist Certify.Normal CARRIER.Enclosure.
Import ListNotations.
Local Open Scope R_scope.

(** one temperature interval: upper end of beta, number of localisation rounds, weights of the norm, preconditioner *)
Record piece := Piece { hi : Q; rounds : nat; ys : list (list Q); pre : list (list (list (list Q))) }.
(** the same with integers: weights over 2^16, preconditioner over 2^20 *)
Definition rows (d : positive) := map (map (fun z : Z => Qmake z d)).
Definition mkpiece (hi : Q) (rounds : nat) (ys : list (list Z)) (pre : list (list (list (list Z)))) :=
  Piece hi rounds (rows 65536 ys) (map (map (rows 1048576)) pre).

Section Check.
Variable prec : F.precision.
Variable G : game.
Variable Q_ : equations.
Notation n := (points G).
Notation A x := (Game.A G x).
Notation AA := (Game.A G).
Definition at3 (L : list (list (list I.type))) x a b := nth b (nth a (nth x L []) []) I.nai.
Definition one := ratio prec 1.
Definition wf_game := alltab n (fun x => (0 <? A x)%nat && wfx n AA (D_ Q_ x) && alltab (A x) (fun a => alltab (A x) (fun b => wfx n AA (N_ Q_ x a b)))).
Definition unit := I.join I.zero one.
Definition pol_of L := tab n (fun x => tab (A x) (fun a => I.meet unit (I.inv prec (isum prec (tab (A x) (fun b => I.exp prec (at3 L x b a))))))).
(** beta lies between two ends, and everything is affine in beta: enclose at both ends, take the hull *)
Definition both (B : I.type * I.type) (f : I.type -> I.type) := I.join (f (fst B)) (f (snd B)).
Definition step B P L := let Dn := tab n (fun x => ieval prec one P (D_ Q_ x)) in let M := tab n (fun x => tab (A x) (fun a => tab (A x) (fun b => if (a <? b)%nat then I.meet (at3 L x a b) (I.div prec (both B (fun B => ieval prec B P (N_ Q_ x a b))) (nth x Dn I.nai)) else I.nai))) in
  tab n (fun x => tab (A x) (fun a => tab (A x) (fun b => if (a <? b)%nat then at3 M x a b else if (b <? a)%nat then I.neg (at3 M x b a) else I.zero))).
Definition nai3 : list (list (list I.type)) := tab n (fun x => tab (A x) (fun a => tab (A x) (fun b => I.nai))).
Fixpoint loc B (k : nat) : list (list (list I.type)) * list (list I.type) := match k with
  | O => let L := step B (tab n (fun x => tab (A x) (fun a => I.join I.zero (ratio prec 1)))) nai3 in (L, pol_of L)
  | S k => let (L, P) := loc B k in let L' := step B P L in (L', pol_of L') end.
Definition wof (y : list (list Q)) x a := nth a (nth x y []) 0%Q.
Definition prow (Y : list (list (list (list Q)))) x a := nth a (nth x Y []) [].
Definition Crows B P L := tab n (fun z => let dz := ieval prec one P (D_ Q_ z) in let sd := slope n AA prec one P (D_ Q_ z) in
   tab (A z) (fun d => let s := slope n AA prec (fst B) P (N_ Q_ z d 0) in let s' := slope n AA prec (snd B) P (N_ Q_ z d 0) in
   tab2 n AA (fun y b => I.div prec (I.sub prec (I.join (ent s y b) (ent s' y b)) (I.mul prec (at3 L z d 0) (ent sd y b))) dz))).
Definition crow (C : list (list (list (list I.type)))) z d := nth d (nth z C []) [].
Definition issum (f : nat -> nat -> I.type) := isum prec (tab n (fun y => isum prec (tab (A y) (fun k => f y k)))).
(** interval entry of I - Y (I - C) *)
Definition Eent (C : list (list (list (list I.type)))) (Yr : list (list I.type)) x a y b :=
  I.add prec (I.sub prec (if ((y =? x) && (b =? a))%nat%bool then ratio prec 1 else I.zero) (ent Yr y b))
    (issum (fun z d => I.mul prec (ent Yr z d) (ent (crow C z d) y b))).
Definition fin B P L (w : list (list Q)) Y := let C := Crows B P L in
  alltab n (fun x => alltab (A x) (fun a => (0 <? Qnum (wof w x a))%Z && ((a =? 0)%nat ||
    let Yr := tab2 n AA (fun y b => ratio prec (wof (prow Y x a) y b)) in
    match I.sign_strict (I.sub prec (issum (fun y b => if (b =? 0)%nat then I.zero else I.mul prec (I.abs (Eent C Yr x a y b)) (ratio prec (wof w y b)))) (ratio prec (wof w x a)))
    with Xlt => true | _ => false end))).
Definition check_piece (lo hi : Q) k w Y := let B := (ratio prec lo, ratio prec hi) in let LP := loc B k in fin B (snd LP) (fst LP) w Y.
Fixpoint check_chain lo l := match l with [] => true
  | c :: l' => check_piece lo (hi c) (rounds c) (ys c) (pre c) && check_chain (hi c) l' end.
Fixpoint last_hi lo l := match l with [] => lo | c :: l' => last_hi (hi c) l' end.
Definition check (cert : list piece) := wf_game && check_chain 0%Q cert.

(** * Soundness *)
Definition one_solution beta := forall p q, solves G Q_ beta p -> solves G Q_ beta q -> same G p q.
Lemma isum_correct l : forall f, (forall k, (k < length l)%nat -> cont (nth k l I.nai) (f k)) -> cont (isum prec l) (rsum (length l) f).
Proof.
  induction l; intros f H. apply czero. cbn [length]. rewrite rsum_shift. cbn [isum]. apply cadd. apply (H O); simpl; lia.
  apply IHl. intros k Hk. apply (H (S k)); simpl; lia.
Qed.
Lemma isum_tab m g f : (forall k, (k < m)%nat -> cont (g k) (f k)) -> cont (isum prec (tab m g)) (rsum m f).
Proof.
  intros H. replace (rsum m f) with (rsum (length (tab m g)) f) by (rewrite tab_length; reflexivity).
  apply isum_correct. rewrite tab_length. intros k Hk. rewrite nth_tab; auto.
Qed.
Lemma issum_correct g f : (forall y k, (y < n)%nat -> (k < A y)%nat -> cont (g y k) (f y k)) -> cont (issum g) (ssum n AA f).
Proof. intros H. apply isum_tab. intros y Hy. apply isum_tab. auto. Qed.
Lemma at3_tab f x a b : (x < n)%nat -> (a < A x)%nat -> (b < A x)%nat ->
  at3 (tab n (fun x => tab (A x) (fun a => tab (A x) (fun b => f x a b)))) x a b = f x a b.
Proof. intros. unfold at3. rewrite !nth_tab; auto. Qed.
Definition inL L (p : policy) := forall x a b, (x < n)%nat -> (a < A x)%nat -> (b < A x)%nat -> cont (at3 L x a b) (ln (p x a) - ln (p x b)).
Lemma cone : cont one 1. Proof. unfold one. replace 1 with (Q2R 1) by (unfold Q2R; cbn; field). apply cratio. Qed.
Lemma pol_of_correct L x r : (x < n)%nat -> dist (A x) r ->
  (forall a b, (a < A x)%nat -> (b < A x)%nat -> cont (at3 L x a b) (ln (r a) - ln (r b))) ->
  forall k, (k < A x)%nat -> cont (nth k (nth x (pol_of L) []) I.nai) (r k).
Proof.
  intros Hx Hr HL k Hk. unfold pol_of. rewrite !nth_tab by auto. apply I.meet_correct.
  { pose proof (dist_le1 _ _ _ Hr Hk). destruct Hr as [Hr _]. specialize (Hr k Hk). apply (contains_connected _ 0 1); [| |lra]; apply I.join_correct; [left; apply czero|right; apply cone]. }
  rewrite (softmax_inv _ _ _ Hr Hk). apply cinv.
  - apply isum_tab. intros b Hb. apply cexp. apply HL; auto.
  - apply Rgt_not_eq, rsum_pos. lia. intros; apply exp_pos.
Qed.
Lemma pol_of_length L x : (x < n)%nat -> length (nth x (pol_of L) []) = A x.
Proof. intros. unfold pol_of. rewrite nth_tab, tab_length; auto. Qed.

Hypothesis WF : wf_game = true.
Lemma wfA x : (x < n)%nat -> (0 < A x)%nat.
Proof. intros Hx. pose proof WF as H. apply alltab_spec with (i := x) in H; auto. rewrite !andb_true_iff in H. apply Nat.ltb_lt. tauto. Qed.
Lemma wfN x : (x < n)%nat -> wfx n AA (D_ Q_ x) = true.
Proof. intros Hx. pose proof WF as H. apply alltab_spec with (i := x) in H; auto. rewrite !andb_true_iff in H. tauto. Qed.
Lemma wfD x a b : (x < n)%nat -> (a < A x)%nat -> (b < A x)%nat -> wfx n AA (N_ Q_ x a b) = true.
Proof. intros Hx Ha Hb. pose proof WF as H. apply alltab_spec with (i := x) in H; auto. rewrite !andb_true_iff in H. destruct H as [_ H]. apply alltab_spec with (i := a) in H; auto. apply alltab_spec with (i := b) in H; auto. Qed.
Section Fixed.
Variables (beta bl bh s0 : R) (B : I.type * I.type).
Hypothesis HBl : cont (fst B) bl.
Hypothesis HBh : cont (snd B) bh.
Hypothesis Hs0 : 0 <= s0 <= 1.
Hypothesis Hbeta : beta = (1 - s0) * bl + s0 * bh.
Lemma both_correct P p e : (forall x, (x < n)%nat -> dist (A x) (p x)) -> polin n AA P p -> wfx n AA e = true -> cont (both B (fun B => ieval prec B P e)) (ev AA beta 1 p e).
Proof. intros Hd HP He. rewrite Hbeta, ev_affine. apply cmix; auto; apply (ieval_correct n AA); auto using wfA. Qed.
Lemma step_correct p P L : solves G Q_ beta p -> polin n AA P p -> inL L p -> inL (step B P L) p.
Proof.
  intros Hs HP HL x a b Hx Hax Hbx. unfold step. cbv zeta. rewrite at3_tab by auto.
  assert (HM : forall a b, (a < A x)%nat -> (b < A x)%nat -> cont (I.meet (at3 L x a b) (I.div prec (both B (fun B => ieval prec B P (N_ Q_ x a b))) (nth x (tab n (fun x => ieval prec one P (D_ Q_ x))) I.nai))) (ln (p x a) - ln (p x b))).
  { clear a b Hax Hbx. intros a b Hax Hbx. apply I.meet_correct. apply HL; auto.
    destruct Hs as [Hd Hs]. destruct (Hs x a b Hx Hax Hbx) as [H0 HE].
    replace (ln (p x a) - ln (p x b)) with (ev AA beta 1 p (N_ Q_ x a b) / ev AA 1 1 p (D_ Q_ x)) by (rewrite <- HE; field; lra).
    rewrite nth_tab by auto. apply cdiv; [| |lra]. apply both_correct; auto using wfD. apply (ieval_correct n AA); auto using cone, wfA, wfN. }
  destruct (Nat.ltb_spec a b). rewrite at3_tab by auto. destruct (Nat.ltb_spec a b); [auto|lia].
  destruct (Nat.ltb_spec b a). rewrite at3_tab by auto. destruct (Nat.ltb_spec b a); [|lia].
  replace (ln (p x a) - ln (p x b)) with (- (ln (p x b) - ln (p x a))) by ring. exact (I.neg_correct _ _ (HM b a Hbx Hax)).
  replace b with a by lia. rewrite Rminus_eq_0. apply czero.
Qed.
Lemma loc_correct p k : solves G Q_ beta p -> inL (fst (loc B k)) p /\ snd (loc B k) = pol_of (fst (loc B k)).
Proof.
  intros Hs. induction k; cbn [loc].
  - split; [|reflexivity]. cbn [fst]. apply step_correct; auto.
    + intros x Hx. rewrite nth_tab, tab_length by auto. split; auto. intros k Hk. rewrite nth_tab by auto.
      assert (Hd : dist (A x) (p x)) by (apply Hs; auto). destruct Hd as [H1 H2].
      assert (0 < p x k) by auto.
      assert (p x k <= 1). { rewrite <- H2. clear - Hk H1. revert Hk H1. generalize (A x). intros m. induction m; intros Hk H1; [lia|]. cbn [rsum].
        assert (0 <= rsum m (p x)) by (apply rsum_0; intros; apply Rlt_le, H1; lia). destruct (Nat.eq_dec k m) as [->|]; [lra|].
        specialize (IHm ltac:(lia) ltac:(auto)). pose proof (H1 m ltac:(lia)). lra. }
      apply (contains_connected (I.convert unit) 0 1).
      * apply I.join_correct. left. apply czero.
      * apply I.join_correct. right. apply cone.
      * lra.
    + intros x a b Hx H1 H2. unfold nai3. rewrite at3_tab by auto. apply cnai.
  - destruct (loc B k) as [L P] eqn:E. cbn [fst snd] in *. destruct IHk as [IH ->]. split; [|reflexivity].
    apply step_correct; auto. intros x Hx. split. apply pol_of_length; auto. apply pol_of_correct; auto. apply Hs; auto.
Qed.
Theorem fin_sound k w Y : fin B (snd (loc B k)) (fst (loc B k)) w Y = true -> one_solution beta.
Proof.
  intros HF p q Hp Hq.
  destruct (loc_correct p k Hp) as [Lp EP]. destruct (loc_correct q k Hq) as [Lq _].
  rewrite EP in HF. set (L := fst (loc B k)) in *. clear EP.
  assert (HW : forall x a, (x < n)%nat -> (a < A x)%nat -> 0 < Q2R (wof w x a)).
  { intros x a Hx Hax. unfold fin in HF. apply alltab_spec with (i := x) in HF; auto. apply alltab_spec with (i := a) in HF; auto. apply andb_true_iff in HF as [H _]. apply Z.ltb_lt in H. apply Q2R_pos, Z.ltb_lt; auto. }
  set (Dl := fun x a => ln (p x a) - ln (q x a)). set (dl := fun x a => Dl x a - Dl x O).
  assert (Hseg : forall x r s, (x < n)%nat -> 0 <= s <= 1 -> dist (A x) r ->
     (forall a b, (a < A x)%nat -> (b < A x)%nat -> ln (r a) - ln (r b) = s * (ln (p x a) - ln (p x b)) + (1 - s) * (ln (q x a) - ln (q x b))) ->
     forall k, (k < A x)%nat -> cont (nth k (nth x (pol_of L) []) I.nai) (r k)).
  { intros x r s Hx Hs Hr Hrs. apply pol_of_correct; auto. intros a b Hax Hbx. rewrite Hrs by auto.
    specialize (Lp x a b Hx Hax Hbx). specialize (Lq x a b Hx Hax Hbx).
    set (u := ln (p x a) - ln (p x b)) in *. set (v := ln (q x a) - ln (q x b)) in *.
    destruct (Rle_dec u v).
    - apply (contains_connected _ u v); auto. split.
      + assert (0 <= (1 - s) * (v - u)) by (apply Rmult_le_pos; lra). nra.
      + assert (0 <= s * (v - u)) by (apply Rmult_le_pos; lra). nra.
    - apply (contains_connected _ v u); auto. split.
      + assert (0 <= s * (u - v)) by (apply Rmult_le_pos; lra). nra.
      + assert (0 <= (1 - s) * (u - v)) by (apply Rmult_le_pos; lra). nra. }
  set (P := pol_of L) in *.
  destruct (fchoice n (fun z Cz => forall d, (d < A z)%nat -> (forall y b, (y < n)%nat -> (b < A y)%nat -> cont (ent (crow (Crows B P L) z d) y b) (Cz d y b)) /\
      dl z d = ssum n AA (fun y b => Cz d y b * dl y b)) (fun _ _ _ => 0)) as [C HC].
  { intros z Hz. apply (fchoice (A z) (fun d Cd => (forall y b, (y < n)%nat -> (b < A y)%nat -> cont (ent (crow (Crows B P L) z d) y b) (Cd y b)) /\
      dl z d = ssum n AA (fun y b => Cd y b * dl y b)) (fun _ _ => 0)).
    intros d Hd. pose proof (wfA z Hz) as Hz0.
    assert (HpA : forall x, (x < n)%nat -> dist (A x) (p x)) by apply Hp. assert (HqA : forall x, (x < n)%nat -> dist (A x) (q x)) by apply Hq.
    assert (HPl : forall x, (x < n)%nat -> length (nth x P []) = A x) by (intros; apply pol_of_length; auto).
    destruct (slope_correct n AA prec wfA p q P (fst B) bl HBl HpA HqA Hseg HPl (N_ Q_ z d 0) (wfD z d 0 Hz Hd Hz0)) as [cl [Hl1 Hl2]].
    destruct (slope_correct n AA prec wfA p q P (snd B) bh HBh HpA HqA Hseg HPl (N_ Q_ z d 0) (wfD z d 0 Hz Hd Hz0)) as [ch [Hh1 Hh2]].
    set (c := fun y b => (1 - s0) * cl y b + s0 * ch y b).
    assert (Hc1 : forall y, (y < n)%nat -> rsum (A y) (c y) = 0 /\ forall k, (k < A y)%nat -> cont (I.join (ent (slope n AA prec (fst B) P (N_ Q_ z d 0)) y k) (ent (slope n AA prec (snd B) P (N_ Q_ z d 0)) y k)) (c y k)).
    { intros y Hy. destruct (Hl1 y Hy) as [Sl Kl]. destruct (Hh1 y Hy) as [Sh Kh]. split. unfold c. rewrite rsum_plus, !rsum_scal, Sl, Sh. ring. intros k' Hk'. apply cmix; auto. }
    assert (Hc2 : ev AA beta 1 p (N_ Q_ z d 0) - ev AA beta 1 q (N_ Q_ z d 0) = ssum n AA (fun y k => c y k * (ln (p y k) - ln (q y k)))).
    { rewrite Hbeta, !ev_affine. unfold c. rewrite (ssum_ext n AA (fun y k => ((1 - s0) * cl y k + s0 * ch y k) * (ln (p y k) - ln (q y k))) (fun y k => (1 - s0) * (cl y k * (ln (p y k) - ln (q y k))) + s0 * (ch y k * (ln (p y k) - ln (q y k))))) by (intros; ring).
      rewrite ssum_plus, !ssum_scal, <- Hl2, <- Hh2. ring. }
    destruct (slope_correct n AA prec wfA p q P one 1 cone HpA HqA Hseg HPl (D_ Q_ z) (wfN z Hz)) as [cd [Hd1 Hd2]].
    destruct Hp as [_ Sp]. destruct Hq as [_ Sq]. destruct (Sp z d O Hz Hd Hz0) as [Dp0 Ep]. destruct (Sq z d O Hz Hd Hz0) as [Dq0 Eq]. 
    set (Dq := ev AA 1 1 q (D_ Q_ z)) in *. set (lam := ln (p z d) - ln (p z O)) in *.
    exists (fun y b => (c y b - lam * cd y b) / Dq). split.
    + intros y b Hy Hb. unfold crow, Crows. rewrite nth_tab by auto. rewrite nth_tab by auto. rewrite ent_tab2 by auto. apply cdiv; [| |lra].
      * apply csub. apply Hc1; auto. apply cmul. apply Lp; auto. apply Hd1; auto.
      * apply (ieval_correct n AA); auto using cone, wfA, wfN. apply (polin_q n AA p q P HqA Hseg HPl).
    + assert (E1 : dl z d = ((ev AA beta 1 p (N_ Q_ z d 0) - ev AA beta 1 q (N_ Q_ z d 0)) - lam * (ev AA 1 1 p (D_ Q_ z) - Dq)) / Dq).
      { rewrite <- Ep, <- Eq. unfold dl, Dl, lam. field. lra. }
      rewrite E1, Hc2. rewrite Hd2. unfold ssum. rewrite <- rsum_scal, <- rsum_minus. unfold Rdiv. rewrite Rmult_comm, <- rsum_scal. apply rsum_ext. intros y Hy. destruct (Hc1 y Hy) as [Hs _]. destruct (Hd1 y Hy) as [Hs' _].
      rewrite (rsum_ext _ (fun k0 => (c y k0 - lam * cd y k0) * / Dq * dl y k0) (fun k0 => (/ Dq * (c y k0 * Dl y k0) - (/ Dq * Dl y 0%nat) * c y k0) - (/ Dq * lam * (cd y k0 * Dl y k0) - (/ Dq * lam * Dl y 0%nat) * cd y k0))) by (intros; unfold dl; ring).
      rewrite !rsum_minus, !rsum_scal, Hs, Hs'. unfold Dl. ring. }
  assert (Hd0 : forall x, dl x O = 0) by (intros; unfold dl; ring).
  (* the largest weighted difference *)
  assert (Hdl : forall x a, (x < n)%nat -> (a < A x)%nat -> dl x a = 0).
  { destruct (Nat.eq_dec n 0) as [E0|E0]. intros; lia.
    destruct (fchoice n (fun x a => (a < A x)%nat /\ forall b, (b < A x)%nat -> Rabs (dl x b) / Q2R (wof w x b) <= Rabs (dl x a) / Q2R (wof w x a)) O) as [am Ham].
    { intros x Hx. pose proof (wfA x Hx) as H0. apply (argmax (A x) (fun a => Rabs (dl x a) / Q2R (wof w x a)) H0). }
    destruct (argmax n (fun x => Rabs (dl x (am x)) / Q2R (wof w x (am x))) ltac:(lia)) as [x [Hx Mx]]. cbn beta in Mx.
    destruct (Ham x Hx) as [Hax _]. set (a := am x) in *. set (rho := Rabs (dl x a) / Q2R (wof w x a)) in *.
    assert (Hall : forall y b, (y < n)%nat -> (b < A y)%nat -> Rabs (dl y b) <= rho * Q2R (wof w y b)).
    { intros y b Hy Hb. specialize (Mx y Hy). destruct (Ham y Hy) as [_ H1]. specialize (H1 b Hb). pose proof (HW y b Hy Hb).
      apply Rmult_le_reg_r with (/ Q2R (wof w y b)). apply Rinv_0_lt_compat; auto. rewrite Rmult_assoc, Rinv_r, Rmult_1_r by lra. unfold Rdiv in *. lra. }
    assert (Hr0 : 0 <= rho). { unfold rho. apply Rmult_le_pos. apply Rabs_pos. apply Rlt_le, Rinv_0_lt_compat; auto. }
    assert (Hra : Rabs (dl x a) = rho * Q2R (wof w x a)). { unfold rho. field. apply Rgt_not_eq, HW; auto. }
    assert (Hr : rho <= 0).
    { destruct (Nat.eq_dec a 0) as [Ea|Ea].
      - assert (E1 : Rabs (dl x a) = 0) by (rewrite Ea, Hd0; apply Rabs_R0). unfold rho. rewrite E1. unfold Rdiv. lra.
      - destruct (Rle_dec rho 0) as [|Hn]; auto. exfalso. assert (Hp0 : 0 < rho) by lra.
        set (Yx := fun y b => Q2R (wof (prow Y x a) y b)).
        set (E := fun y b => (if ((y =? x) && (b =? a))%nat%bool then 1 else 0) - Yx y b + ssum n AA (fun z d => Yx z d * C z d y b)).
        assert (ED : dl x a = ssum n AA (fun y b => E y b * dl y b)).
        { rewrite (ssum_ext n AA _ (fun y b => (if ((y =? x) && (b =? a))%nat%bool then dl y b else 0) - Yx y b * dl y b + ssum n AA (fun z d => Yx z d * (C z d y b * dl y b)))).
          2:{ intros y b Hy Hb. unfold E. rewrite (ssum_ext n AA (fun z d => Yx z d * (C z d y b * dl y b)) (fun z d => dl y b * (Yx z d * C z d y b))) by (intros; ring).
              rewrite ssum_scal. destruct ((y =? x) && (b =? a))%nat%bool; ring. }
          rewrite ssum_plus, ssum_minus, ssum_one by auto.
          rewrite (ssum_swap n AA (fun z d y b => Yx z d * (C z d y b * dl y b))).
          rewrite (ssum_ext n AA (fun z d => ssum n AA (fun y b => Yx z d * (C z d y b * dl y b))) (fun z d => Yx z d * dl z d)).
          2:{ intros z d Hz Hd. rewrite ssum_scal. f_equal. symmetry. apply HC; auto. }
          ring. }
        assert (HE : ssum n AA (fun y b => if (b =? 0)%nat then 0 else Rabs (E y b) * Q2R (wof w y b)) < Q2R (wof w x a)).
        { unfold fin in HF. apply alltab_spec with (i := x) in HF; auto. apply alltab_spec with (i := a) in HF; auto. apply andb_true_iff in HF as [_ HF].
          apply orb_true_iff in HF as [HF|HF]. apply Nat.eqb_eq in HF; lia.
          match type of HF with context [I.sign_strict ?t] => pose proof (I.sign_strict_correct t) as HS; destruct (I.sign_strict t) end; try discriminate.
          specialize (HS (Xreal (ssum n AA (fun y b => if (b =? 0)%nat then 0 else Rabs (E y b) * Q2R (wof w y b)) - Q2R (wof w x a)))). cbn [proj_val] in HS.
          destruct HS as [_ HS]; [|lra]. apply csub; [|apply cratio]. apply issum_correct. intros y b Hy Hb. destruct (b =? 0)%nat. apply czero.
          apply cmul; [|apply cratio]. apply cabs. unfold E, Eent. apply cadd.
          - apply csub. destruct ((y =? x) && (b =? a))%nat%bool. apply cone. apply czero. rewrite ent_tab2 by auto. apply cratio.
          - apply issum_correct. intros z d Hz Hd. apply cmul. rewrite ent_tab2 by auto. apply cratio. apply HC; auto. }
        assert (H1 : Rabs (dl x a) <= rho * ssum n AA (fun y b => if (b =? 0)%nat then 0 else Rabs (E y b) * Q2R (wof w y b))).
        { rewrite ED. eapply Rle_trans; [apply ssum_abs|]. rewrite <- ssum_scal. apply ssum_le. intros y b Hy Hb. destruct (Nat.eqb_spec b 0) as [->|].
          rewrite Hd0, Rmult_0_r, Rabs_R0. lra. rewrite Rabs_mult. specialize (Hall y b Hy Hb). pose proof (Rabs_pos (E y b)). nra. }
        nra. }
    intros y b Hy Hb. specialize (Hall y b Hy Hb). pose proof (HW y b Hy Hb). pose proof (Rabs_pos (dl y b)).
    assert (Rabs (dl y b) = 0) by nra. destruct (Req_dec (dl y b) 0) as [|Hn]; auto. apply Rabs_no_R0 in Hn. contradiction. }
  intros x k0 Hx Hk.
  assert (Dp : dist (A x) (p x)) by (apply Hp; auto). assert (Dq : dist (A x) (q x)) by (apply Hq; auto).
  rewrite (softmax_inv (A x) (p x) k0), (softmax_inv (A x) (q x) k0) by auto.
  f_equal. apply rsum_ext. intros b Hb. f_equal. pose proof (Hdl x b Hx Hb) as E1. pose proof (Hdl x k0 Hx Hk) as E2. unfold dl, Dl in *. lra.
Qed.
End Fixed.
Lemma chain_sound beta l : forall lo, check_chain lo l = true -> Q2R lo <= beta <= Q2R (last_hi lo l) -> l <> [] -> one_solution beta.
Proof.
  induction l as [|c l IH]; intros lo HC Hb Hn; [congruence|]. cbn [check_chain last_hi] in *. apply andb_true_iff in HC as [H1 H2].
  destruct (Rle_dec beta (Q2R (hi c))) as [Hh|Hh].
  - assert (Hm : exists s0, 0 <= s0 <= 1 /\ beta = (1 - s0) * Q2R lo + s0 * Q2R (hi c)).
    { destruct (Req_dec (Q2R lo) (Q2R (hi c))) as [E|E]. exists 0. split; lra.
      exists ((beta - Q2R lo) / (Q2R (hi c) - Q2R lo)). split; [|field; lra]. split.
      - apply Rmult_le_pos. lra. apply Rlt_le, Rinv_0_lt_compat. lra.
      - apply Rmult_le_reg_r with (Q2R (hi c) - Q2R lo). lra. unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra. }
    destruct Hm as [s0 [Hs0 Hm]].
    apply (fin_sound beta (Q2R lo) (Q2R (hi c)) s0 (ratio prec lo, ratio prec (hi c))) with (k := rounds c) (w := ys c) (Y := pre c); auto; apply cratio.
  - apply (IH (hi c)); auto. lra. intros ->. cbn in Hb. lra.
Qed.
End Check.

Lemma Q2R_le q r : (Qnum q * Zpos (Qden r) <=? Qnum r * Zpos (Qden q))%Z = true -> Q2R q <= Q2R r.
Proof. intros E. apply Qle_Rle. apply Z.leb_le in E. exact E. Qed.

(** * Certificates for games *)
(** [alpha_star] is reached by the cover: 1 <= alpha_star * (upper end of the last piece) *)
Definition reaches cert (alpha_star : Q) := (0 <? Qnum alpha_star)%Z && (Zpos (Qden (last_hi 0%Q cert)) * Zpos (Qden alpha_star) <=? Qnum (last_hi 0%Q cert) * Qnum alpha_star)%Z.
Definition check_game prec G h cert alpha_star := let Q_ := compile G h in
  compile_ok G h && wpos (root G) && reaches cert alpha_star && check prec G Q_ cert.
(** The theorem that a certificate file applies: the check computes to [true], so for every alpha from alpha_star on
    the game has exactly one stationary policy. *)
Theorem check_game_sound prec G h cert alpha_star : check_game prec G h cert alpha_star = true ->
  forall alpha, Q2R alpha_star <= alpha -> exactly_one G alpha.
Proof.
  unfold check_game, reaches, check. cbv zeta. rewrite !andb_true_iff. intros [[[HC HW] [P0 HR]] [WF HK]] alpha Ha.
  pose proof (Q2R_pos _ P0) as As0. assert (A0 : 0 < alpha) by lra.
  assert (HE : exists p, stationary G alpha p).
  { pose proof HC as HC'. unfold compile_ok, game_ok in HC'. rewrite !andb_true_iff in HC'. destruct HC' as [[[W R0] PA] _]. apply stationary_exists; auto.
    intros x Hx. apply Nat.ltb_lt, (alltab_spec (points G) (fun x => (0 <? Game.A G x)%nat)); auto. }
  destruct HE as [p Hp]. exists p. split; auto. intros q Hq.
  assert (Hb : 0 <= / alpha <= Q2R (last_hi 0%Q cert)).
  { split. apply Rlt_le, Rinv_0_lt_compat; auto. apply Rle_trans with (/ Q2R alpha_star). apply Rinv_le_contravar; auto.
    apply Z.leb_le, IZR_le in HR. rewrite !mult_IZR in HR. set (b := last_hi 0%Q cert) in *. unfold Q2R in *.
    assert (0 < IZR (Zpos (Qden b))) by (apply IZR_lt; lia). assert (0 < IZR (Zpos (Qden alpha_star))) by (apply IZR_lt; lia).
    assert (0 < IZR (Qnum alpha_star)). { apply IZR_lt. apply Z.ltb_lt in P0. auto. }
    apply Rmult_le_reg_r with (IZR (Qnum alpha_star) * IZR (Zpos (Qden b))). apply Rmult_lt_0_compat; auto.
    replace (/ (IZR (Qnum alpha_star) * / IZR (Zpos (Qden alpha_star))) * (IZR (Qnum alpha_star) * IZR (Zpos (Qden b)))) with (IZR (Zpos (Qden b)) * IZR (Zpos (Qden alpha_star))) by (field; lra).
    replace (IZR (Qnum b) * / IZR (Zpos (Qden b)) * (IZR (Qnum alpha_star) * IZR (Zpos (Qden b)))) with (IZR (Qnum b) * IZR (Qnum alpha_star)) by (field; lra). exact HR. }
  apply (chain_sound prec G (compile G h) WF (/ alpha) cert 0%Q); auto.
  - split; [|apply Hb]. unfold Q2R; cbn. lra.
  - intros ->. cbn [last_hi] in Hb. assert (0 < / alpha) by (apply Rinv_0_lt_compat; auto). replace (Q2R 0) with 0 in Hb by (unfold Q2R; cbn; lra). lra.
  - apply compile_sound; auto.
  - apply compile_sound; auto.
Qed.
