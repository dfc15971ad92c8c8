(** Interval evaluation of expressions, and slopes: eval p e - eval q e as a combination, with enclosed coefficients,
    of the differences ln p_yk - ln q_yk.  The numbers are Interval's floating-point numbers over the carrier below. *)
From Coq Require Import Reals QArith Qreals List Bool Lia Lra Arith.
From Interval Require Import Xreal Basic Sig Interval Float_full Specific_ops Specific_stdz Specific_bigint Specific_sig.
Require Import Certify.Sums Certify.Game Certify.Expr Certify.Normal Certify.Paths.
Import ListNotations.

(* the carrier: the Makefile replaces StdZRadix2 (pure Z) by BigIntRadix2 (machine integers) for the second build *)
Module F := SpecificFloat StdZRadix2.
Module I := FloatIntervalFull F.
Local Open Scope R_scope.
Notation cont i r := (contains (I.convert i) (Xreal r)).

Section Enclosure.
Variable n : nat.
Variable A : nat -> nat.
(** every decision is known and has as many parts as actions *)
Fixpoint wfx (e : ex) : bool := match e with Cst _ => true | Ent _ x => (x <? n)%nat | Add e f => wfx e && wfx f
  | Avg x l => (x <? n)%nat && (length l =? A x)%nat && forallb wfx l end.
(** * Interval evaluation *)
Variable prec : F.precision.
Definition ratio (q : Q) := I.div prec (I.fromZ prec (Qnum q)) (I.fromZ prec (Zpos (Qden q))).
Fixpoint dotc c (Ps Fs : list I.type) := match Ps, Fs with
  | P :: Ps', G :: Fs' => I.add prec (I.mul prec P (I.sub prec G c)) (dotc c Ps' Fs') | _, _ => I.zero end.
Definition feq (a b : F.type) := match F.cmp a b with Xeq => true | _ => false end.
Definition cands (Fs : list I.type) := map I.singleton (fold_right (fun b acc => if existsb (feq b) acc then acc else b :: acc) []
  (flat_map (fun G => [I.lower G; I.upper G]) Fs)).
Definition iavg Ps Fs := fold_right (fun c acc => I.meet (I.add prec c (dotc c Ps Fs)) acc) I.nai (cands Fs).
Definition ient (Px : list I.type) := I.meet (iavg Px (map (fun p => I.neg (I.ln prec p)) Px)) (I.join I.zero (I.ln prec (ratio (inject_Z (Z.of_nat (length Px)))))).
Fixpoint ieval (B : I.type) (P : list (list I.type)) e := match e with
  | Cst q => I.mul prec B (ratio q) | Ent q x => I.mul prec (ratio q) (ient (nth x P [])) | Add e f => I.add prec (ieval B P e) (ieval B P f)
  | Avg x l => iavg (nth x P []) (map (ieval B P) l) end.
Fixpoint isum (l : list I.type) := match l with [] => I.zero | x :: l' => I.add prec x (isum l') end.
(** a table over (block, action); an empty row is a row of zeros *)
Definition cell (r : list I.type) k := match r with [] => I.zero | _ => nth k r I.nai end.
Definition ent (M : list (list I.type)) y k := cell (nth y M []) k.
Definition tab2 (f : nat -> nat -> I.type) := tab n (fun y => tab (A y) (fun k => f y k)).
Definition empty (r : list I.type) := match r with [] => true | _ => false end.
Definition addrow (r s : list I.type) m := match r, s with [], _ => s | _, [] => r | _, _ => tab m (fun k => I.add prec (cell r k) (cell s k)) end.
Fixpoint slope (B : I.type) (P : list (list I.type)) e : list (list I.type) := match e with
  | Cst _ => []
  | Ent q x => let Px := nth x P [] in let Ls := map (I.ln prec) Px in let c := iavg Px Ls in
     tab n (fun y => if (y =? x)%nat then tab (A y) (fun k => I.neg (I.mul prec (ratio q) (I.mul prec (nth k Px I.nai) (I.sub prec (nth k Ls I.nai) c)))) else [])
  | Add e f => let a := slope B P e in let b := slope B P f in tab n (fun y => addrow (nth y a []) (nth y b []) (A y))
  | Avg x l => let Px := nth x P [] in let Fs := map (ieval B P) l in let Ls := map (slope B P) l in let c := iavg Px Fs in
     tab n (fun y => let rows := map (fun L => nth y L []) Ls in
       let s := if forallb empty rows then [] else tab (A y) (fun k => iavg Px (map (fun r => cell r k) rows)) in
       if (y =? x)%nat then addrow s (tab (A y) (fun k => I.mul prec (nth k Px I.nai) (I.sub prec (nth k Fs I.nai) c))) (A y) else s) end.

Lemma cadd i j a b : cont i a -> cont j b -> cont (I.add prec i j) (a + b).
Proof. intros H K. exact (I.add_correct prec i j (Xreal a) (Xreal b) H K). Qed.
Lemma csub i j a b : cont i a -> cont j b -> cont (I.sub prec i j) (a - b).
Proof. intros H K. exact (I.sub_correct prec i j (Xreal a) (Xreal b) H K). Qed.
Lemma cmul i j a b : cont i a -> cont j b -> cont (I.mul prec i j) (a * b).
Proof. intros H K. exact (I.mul_correct prec i j (Xreal a) (Xreal b) H K). Qed.
Lemma cinv i a : cont i a -> a <> 0 -> cont (I.inv prec i) (/ a).
Proof. intros H K. generalize (I.inv_correct prec i (Xreal a) H). unfold Xinv, Xinv'. destruct (is_zero_spec a); [lra|auto]. Qed.
Lemma cdiv i j a b : cont i a -> cont j b -> b <> 0 -> cont (I.div prec i j) (a / b).
Proof. intros H K L. generalize (I.div_correct prec i j (Xreal a) (Xreal b) H K). unfold Xdiv, Xdiv'. cbn. destruct (is_zero_spec b); [lra|auto]. Qed.
Lemma cexp i a : cont i a -> cont (I.exp prec i) (exp a).
Proof. intros H. exact (I.exp_correct prec i (Xreal a) H). Qed.
Lemma cabs i a : cont i a -> cont (I.abs i) (Rabs a).
Proof. intros H. exact (I.abs_correct i (Xreal a) H). Qed.
Lemma cmix i j a b s : cont i a -> cont j b -> 0 <= s <= 1 -> cont (I.join i j) ((1 - s) * a + s * b).
Proof.
  intros Hi Hj Hs. assert (Ha : cont (I.join i j) a) by (apply I.join_correct; auto). assert (Hb : cont (I.join i j) b) by (apply I.join_correct; auto).
  destruct (Rle_dec a b).
  - apply (contains_connected _ a b); auto. split; [assert (0 <= s * (b - a)) by (apply Rmult_le_pos; lra)|assert (0 <= (1 - s) * (b - a)) by (apply Rmult_le_pos; lra)]; lra.
  - apply (contains_connected _ b a); auto. split; [assert (0 <= (1 - s) * (a - b)) by (apply Rmult_le_pos; lra)|assert (0 <= s * (a - b)) by (apply Rmult_le_pos; lra)]; lra.
Qed.
Lemma czero : cont I.zero 0. Proof. rewrite I.zero_correct. cbn. lra. Qed.
Lemma cnai a : cont I.nai a. Proof. rewrite I.nai_correct. exact Logic.I. Qed.
Lemma cratio q : cont (ratio q) (Q2R q).
Proof. apply cdiv; try apply I.fromZ_correct. apply IZR_neq; lia. Qed.

Lemma dotc_correct c cr Ps : forall Fs p f, length Ps = length Fs -> cont c cr ->
  (forall k, (k < length Ps)%nat -> cont (nth k Ps I.nai) (p k)) -> (forall k, (k < length Ps)%nat -> cont (nth k Fs I.nai) (f k)) ->
  cont (dotc c Ps Fs) (rsum (length Ps) (fun k => p k * (f k - cr))).
Proof.
  induction Ps; destruct Fs; intros p f HL Hc HP HF; try discriminate. apply czero.
  cbn [length]. rewrite rsum_shift. cbn [dotc]. apply cadd.
  - apply cmul. apply (HP O); simpl; lia. apply csub; auto. apply (HF O); simpl; lia.
  - apply (IHPs Fs (fun k => p (S k)) (fun k => f (S k))); auto. intros k Hk; apply (HP (S k)); simpl; lia. intros k Hk; apply (HF (S k)); simpl; lia.
Qed.
Lemma iavg_correct m Ps Fs p f : length Ps = m -> length Fs = m -> rsum m p = 1 ->
  (forall k, (k < m)%nat -> cont (nth k Ps I.nai) (p k)) -> (forall k, (k < m)%nat -> cont (nth k Fs I.nai) (f k)) ->
  cont (iavg Ps Fs) (rsum m (fun k => p k * f k)).
Proof.
  intros L1 L2 S1 HP HF. unfold iavg.
  assert (HC : forall c, In c (cands Fs) -> exists r, cont c r).
  { intros c Hc. unfold cands in Hc. apply in_map_iff in Hc as [b [<- _]]. eexists; apply I.singleton_correct. }
  induction (cands Fs) as [|c l IH]; cbn [fold_right]; [apply cnai|].
  apply I.meet_correct; [|apply IH; intros; apply HC; right; auto].
  destruct (HC c (or_introl eq_refl)) as [r Hr].
  replace (rsum m (fun k => p k * f k)) with (r + rsum m (fun k => p k * (f k - r))).
  - apply cadd; auto. rewrite <- L1. apply dotc_correct; auto; rewrite ?L1; auto; lia.
  - rewrite (rsum_ext _ _ (fun k => p k * f k - r * p k)) by (intros; ring). rewrite rsum_minus, rsum_scal, S1. ring.
Qed.
Definition polin (P : list (list I.type)) (p : policy) := forall x, (x < n)%nat -> length (nth x P []) = A x /\
  forall k, (k < A x)%nat -> cont (nth k (nth x P []) I.nai) (p x k).
Lemma cln i r : cont i r -> 0 < r -> cont (I.ln prec i) (ln r).
Proof. intros Hc H0. generalize (I.ln_correct prec i (Xreal r) Hc). unfold Xln, Xln'. destruct (is_positive_spec r); [auto|lra]. Qed.
Lemma nth_map_I (f : I.type -> I.type) l k : (k < length l)%nat -> nth k (map f l) I.nai = f (nth k l I.nai).
Proof. intros Hk. rewrite nth_indep with (d' := f I.nai) by (rewrite map_length; auto). apply map_nth. Qed.
Lemma ient_correct m Px p : (0 < m)%nat -> length Px = m -> dist m p -> (forall k, (k < m)%nat -> cont (nth k Px I.nai) (p k)) -> cont (ient Px) (H m p).
Proof.
  intros Hm Hl Hd HP. unfold ient. apply I.meet_correct.
  - unfold H. rewrite (rsum_ext _ _ (fun k => p k * - ln (p k))) by (intros; ring). apply iavg_correct; rewrite ?map_length; auto. apply Hd.
    intros k Hk. rewrite nth_map_I by lia. apply (I.neg_correct _ (Xreal (ln (p k)))). apply cln; auto. apply Hd; auto.
  - pose proof (H_range m p Hm Hd). apply (contains_connected _ 0 (ln (INR m))); [| |lra]; apply I.join_correct; [left; apply czero|right].
    apply cln. rewrite Hl. replace (INR m) with (Q2R (inject_Z (Z.of_nat m))) by (unfold Q2R, inject_Z; cbn [Qnum Qden]; rewrite <- INR_IZR_INZ; field). apply cratio. apply lt_0_INR; auto.
Qed.
Hypothesis HA0 : forall x, (x < n)%nat -> (0 < A x)%nat.
Lemma nth_map_ieval B P l k : (k < length l)%nat -> nth k (map (ieval B P) l) I.nai = ieval B P (nth k l e0).
Proof. intros H. rewrite nth_indep with (d' := ieval B P e0) by (rewrite map_length; auto). apply map_nth. Qed.
Lemma ieval_correct B b P p e : cont B b -> (forall x, (x < n)%nat -> dist (A x) (p x)) -> polin P p -> wfx e = true -> cont (ieval B P e) (ev A b 1 p e).
Proof.
  intros HB Hd HP. induction e as [q|q x|e1 e2 IHe1 IHe2|x l IH] using ex_ind'; intros W.
  - cbn [ieval ev]. apply cmul; auto. apply cratio.
  - cbn [ieval ev]. cbn in W. apply Nat.ltb_lt in W. destruct (HP x W) as [Hl Hk]. rewrite Rmult_1_l. apply cmul. apply cratio. apply ient_correct; auto.
  - cbn in W. apply andb_true_iff in W as [W1 W2]. apply cadd; auto.
  - cbn in W. rewrite !andb_true_iff in W. destruct W as [[W1 W2] W3]. apply Nat.ltb_lt in W1. apply Nat.eqb_eq in W2.
    rewrite forallb_forall in W3. rewrite Forall_forall in IH. rewrite ev_avg. cbn [ieval].
    apply iavg_correct; rewrite ?map_length; auto.
    + rewrite W2. apply HP; auto.
    + rewrite W2. apply Hd; auto.
    + rewrite W2. apply HP; auto.
    + intros k Hk. rewrite nth_map_ieval by auto. apply IH; auto using nth_In.
Qed.

(** * Double sums over (block, action) *)
Definition ssum (f : nat -> nat -> R) := rsum n (fun y => rsum (A y) (fun k => f y k)).
Lemma ssum_ext f g : (forall y k, (y < n)%nat -> (k < A y)%nat -> f y k = g y k) -> ssum f = ssum g.
Proof. intros H. apply rsum_ext; intros; apply rsum_ext; auto. Qed.
Lemma ssum_le f g : (forall y k, (y < n)%nat -> (k < A y)%nat -> f y k <= g y k) -> ssum f <= ssum g.
Proof. intros H. apply rsum_le; intros; apply rsum_le; auto. Qed.
Lemma ssum_plus f g : ssum (fun y k => f y k + g y k) = ssum f + ssum g.
Proof. unfold ssum. rewrite <- rsum_plus. apply rsum_ext; intros; apply rsum_plus. Qed.
Lemma ssum_minus f g : ssum (fun y k => f y k - g y k) = ssum f - ssum g.
Proof. unfold ssum. rewrite <- rsum_minus. apply rsum_ext; intros; apply rsum_minus. Qed.
Lemma ssum_scal c f : ssum (fun y k => c * f y k) = c * ssum f.
Proof. unfold ssum. rewrite <- rsum_scal. apply rsum_ext; intros; apply rsum_scal. Qed.
Lemma ssum_abs f : Rabs (ssum f) <= ssum (fun y k => Rabs (f y k)).
Proof. unfold ssum. eapply Rle_trans; [apply rsum_abs|]. apply rsum_le; intros; apply rsum_abs. Qed.
Lemma ssum_rsum m f : ssum (fun y k => rsum m (fun i => f i y k)) = rsum m (fun i => ssum (f i)).
Proof. induction m; cbn [rsum]. apply rsum_zero; intros; apply rsum_zero; auto. rewrite ssum_plus, IHm. reflexivity. Qed.
Lemma ssum_swap (f : nat -> nat -> nat -> nat -> R) : ssum (fun y k => ssum (fun z d => f z d y k)) = ssum (fun z d => ssum (f z d)).
Proof.
  unfold ssum at 2 3. rewrite ssum_rsum. apply rsum_ext. intros z Hz. rewrite ssum_rsum. reflexivity.
Qed.
Lemma ssum_one x a v : (x < n)%nat -> (a < A x)%nat -> ssum (fun y k => if ((y =? x) && (k =? a))%nat%bool then v y k else 0) = v x a.
Proof.
  assert (H : forall m j w, (j < m)%nat -> rsum m (fun i => if (i =? j)%nat then w i else 0) = w j).
  { clear. induction m; intros j w Hj; [lia|]. cbn [rsum]. destruct (Nat.eqb_spec m j) as [->|].
    rewrite rsum_zero. ring. intros i Hi. destruct (Nat.eqb_spec i j); [lia|reflexivity]. rewrite IHm by lia. ring. }
  intros Hx Ha. unfold ssum. rewrite (rsum_ext n _ (fun y => if (y =? x)%nat then rsum (A y) (fun k => if (k =? a)%nat then v y k else 0) else 0)).
  rewrite H by auto. apply H; auto.
  intros y Hy. destruct (y =? x)%nat; cbn [andb]; [reflexivity|apply rsum_zero; auto].
Qed.
Lemma cell_tab m f k : (k < m)%nat -> cell (tab m f) k = f k.
Proof. intros Hk. unfold cell. destruct (tab m f) eqn:E. apply (f_equal (@length _)) in E. rewrite tab_length in E. cbn in E. lia. rewrite <- E. apply nth_tab; auto. Qed.
Lemma ent_tab2 f y k : (y < n)%nat -> (k < A y)%nat -> ent (tab2 f) y k = f y k.
Proof. intros. unfold ent, tab2. rewrite nth_tab by auto. apply cell_tab; auto. Qed.
Lemma czero_inv c : cont I.zero c -> c = 0.
Proof. rewrite I.zero_correct. cbn. lra. Qed.
Lemma cadd_row r s m k c d : (k < m)%nat -> cont (cell r k) c -> cont (cell s k) d -> cont (cell (addrow r s m) k) (c + d).
Proof.
  intros Hk Hc Hd. destruct r as [|r0 r].
  - cbn [addrow]. apply czero_inv in Hc. subst. rewrite Rplus_0_l. exact Hd.
  - destruct s as [|s0 s]; [apply czero_inv in Hd; subst; rewrite Rplus_0_r; exact Hc|]. cbn [addrow]. rewrite cell_tab by auto. apply cadd; auto.
Qed.
Lemma empty_cell r k c : empty r = true -> cont (cell r k) c -> c = 0.
Proof. destruct r; [|discriminate]. intros _. apply czero_inv. Qed.

(** * Slopes *)
Section Slope.
Variables (p q : policy) (P : list (list I.type)) (B : I.type) (b : R).
Hypothesis HB : cont B b.
Hypothesis Hp : forall x, (x < n)%nat -> dist (A x) (p x).
Hypothesis Hq : forall x, (x < n)%nat -> dist (A x) (q x).
Hypothesis HA : forall x, (x < n)%nat -> (0 < A x)%nat.
Hypothesis Hseg : forall x r s, (x < n)%nat -> 0 <= s <= 1 -> dist (A x) r ->
  (forall a b, (a < A x)%nat -> (b < A x)%nat -> ln (r a) - ln (r b) = s * (ln (p x a) - ln (p x b)) + (1 - s) * (ln (q x a) - ln (q x b))) ->
  forall k, (k < A x)%nat -> cont (nth k (nth x P []) I.nai) (r k).
Hypothesis HPl : forall x, (x < n)%nat -> length (nth x P []) = A x.
Notation Dl := (fun y k => ln (p y k) - ln (q y k)).
Lemma polin_p : polin P p.
Proof. intros x Hx. split; auto. apply (Hseg x (p x) 1); auto. lra. intros; ring. Qed.
Lemma polin_q : polin P q.
Proof. intros x Hx. split; auto. apply (Hseg x (q x) 0); auto. lra. intros; ring. Qed.
Lemma slope_correct e : wfx e = true -> exists c : nat -> nat -> R,
  (forall y, (y < n)%nat -> rsum (A y) (c y) = 0 /\ forall k, (k < A y)%nat -> cont (ent (slope B P e) y k) (c y k)) /\
  ev A b 1 p e - ev A b 1 q e = ssum (fun y k => c y k * Dl y k).
Proof.
  induction e as [m|m x|e1 e2 IHe1 IHe2|x l IH] using ex_ind'; intros W.
  - exists (fun _ _ => 0). split. intros y Hy. split. apply rsum_zero; auto. intros k Hk. cbn [slope]. unfold ent. replace (nth y [] []) with (@nil I.type) by (destruct y; reflexivity). apply czero.
    cbn [ev]. rewrite Rminus_eq_0. symmetry. apply rsum_zero; intros; apply rsum_zero; intros; ring.
  - cbn in W. apply Nat.ltb_lt in W. destruct (ent_mvt (A x) (p x) (q x)) as [r [s [Hs [Hr [Hrs HE]]]]]; auto.
    pose proof (Hseg x r s W Hs Hr Hrs) as HrP. set (El := rsum (A x) (fun j => r j * ln (r j))).
    set (g := fun k => - (Q2R m * (r k * (ln (r k) - El)))).
    exists (fun y k => if (y =? x)%nat then g k else 0). split.
    + intros y Hy. split.
      * destruct (Nat.eqb_spec y x) as [->|]; [|apply rsum_zero; auto].
        unfold g. rewrite (rsum_ext _ _ (fun k => - Q2R m * (r k * ln (r k)) - (- Q2R m * El) * r k)) by (intros; ring).
        rewrite rsum_minus, !rsum_scal. fold El. destruct Hr as [_ ->]. ring.
      * intros k Hk. cbn [slope]. unfold ent. rewrite nth_tab by auto. destruct (Nat.eqb_spec y x) as [->|]; [|apply czero]. rewrite cell_tab by auto.
        unfold g. apply (I.neg_correct _ (Xreal (Q2R m * (r k * (ln (r k) - El))))). apply cmul. apply cratio. apply cmul. apply HrP; auto.
        assert (HF : forall i, (i < A x)%nat -> cont (nth i (map (I.ln prec) (nth x P [])) I.nai) (ln (r i))).
        { intros i Hi. rewrite nth_map_I by (rewrite HPl; auto). apply cln. apply HrP; auto. apply Hr; auto. }
        apply csub; auto. unfold El. apply iavg_correct; rewrite ?map_length; auto. apply Hr.
    + cbn [ev]. rewrite Rmult_1_l, <- Rmult_minus_distr_l, HE. unfold ssum.
      assert (HS : forall mm w, (x < mm)%nat -> rsum mm (fun i => if (i =? x)%nat then w i else 0) = w x).
      { clear. induction mm; intros w Hj; [lia|]. cbn [rsum]. destruct (Nat.eqb_spec mm x) as [->|].
        rewrite rsum_zero. ring. intros i Hi. destruct (Nat.eqb_spec i x); [lia|reflexivity]. rewrite IHmm by lia. ring. }
      rewrite (rsum_ext n _ (fun y => if (y =? x)%nat then rsum (A y) (fun k => g k * Dl y k) else 0)).
      2:{ intros y Hy. destruct (y =? x)%nat; [reflexivity|apply rsum_zero; intros; ring]. }
      rewrite HS by auto. replace (Q2R m * - rsum (A x) (fun k => r k * rsum (A x) (fun j => r j * (ln (r k) - ln (r j))) * (ln (p x k) - ln (q x k))))
        with (- Q2R m * rsum (A x) (fun k => r k * rsum (A x) (fun j => r j * (ln (r k) - ln (r j))) * (ln (p x k) - ln (q x k)))) by ring.
      rewrite <- rsum_scal. apply rsum_ext. intros k Hk. unfold g.
      rewrite (rsum_ext (A x) (fun j => r j * (ln (r k) - ln (r j))) (fun j => ln (r k) * r j - r j * ln (r j))) by (intros; ring). rewrite rsum_minus, rsum_scal. fold El. destruct Hr as [_ ->]. ring.
  - cbn in W. apply andb_true_iff in W as [W1 W2]. destruct (IHe1 W1) as [c1 [H1 B1]]. destruct (IHe2 W2) as [c2 [H2 B2]].
    exists (fun y k => c1 y k + c2 y k). split.
    + intros y Hy. destruct (H1 y Hy) as [S1 K1]. destruct (H2 y Hy) as [S2 K2]. split. rewrite rsum_plus. lra.
      intros k Hk. cbn [slope]. unfold ent. rewrite nth_tab by auto. apply cadd_row; auto; [apply K1|apply K2]; auto.
    + cbn [ev]. rewrite (ssum_ext _ (fun y k => c1 y k * Dl y k + c2 y k * Dl y k)) by (intros; ring). rewrite ssum_plus. lra.
  - cbn in W. rewrite !andb_true_iff in W. destruct W as [[W1 W2] W3]. apply Nat.ltb_lt in W1. apply Nat.eqb_eq in W2.
    rewrite forallb_forall in W3. rewrite Forall_forall in IH.
    destruct (fchoice (length l) (fun i c => (forall y, (y < n)%nat -> rsum (A y) (c y) = 0 /\ forall k, (k < A y)%nat -> cont (ent (slope B P (nth i l e0)) y k) (c y k)) /\
       ev A b 1 p (nth i l e0) - ev A b 1 q (nth i l e0) = ssum (fun y k => c y k * Dl y k)) (fun _ _ => 0)) as [cc Hcc].
    { intros i Hi. apply IH; auto using nth_In. }
    set (fq := fun k => ev A b 1 q (nth k l e0)). set (fp := fun k => ev A b 1 p (nth k l e0)).
    destruct (cov_mvt (A x) (p x) (q x) fq) as [r [s [Hs [Hr [Hrs Hcov]]]]]; auto.
    pose proof (Hseg x r s W1 Hs Hr Hrs) as HrP.
    set (Er := rsum (A x) (fun j => r j * fq j)) in *.
    set (g := fun k => r k * (fq k - Er)) in *.
    exists (fun y k => rsum (length l) (fun i => p x i * cc i y k) + (if (y =? x)%nat then g k else 0)). split.
    + intros y Hy. split.
      * rewrite rsum_plus, rsum_swap. rewrite (rsum_zero (length l)).
        2:{ intros i Hi. rewrite rsum_scal. destruct (Hcc i Hi) as [H1 _]. destruct (H1 y Hy) as [-> _]. ring. }
        destruct (Nat.eqb_spec y x) as [->|]; [|rewrite rsum_zero; auto; ring].
        unfold g. rewrite (rsum_ext _ _ (fun k => r k * fq k - Er * r k)) by (intros; ring). rewrite rsum_minus, rsum_scal. fold Er. destruct Hr as [_ ->]. ring.
      * intros k Hk.
        set (rows := map (fun L => nth y L []) (map (slope B P) l)).
        assert (Hrow : forall i, (i < length l)%nat -> cont (cell (nth i rows []) k) (cc i y k)).
        { intros i Hi. unfold rows. rewrite map_map. rewrite nth_indep with (d' := nth y (slope B P e0) []) by (rewrite map_length; auto).
          rewrite (map_nth (fun e => nth y (slope B P e) [])). apply Hcc; auto. }
        assert (Hs2 : cont (cell (if forallb empty rows then [] else tab (A y) (fun k => iavg (nth x P []) (map (fun r => cell r k) rows))) k) (rsum (length l) (fun i => p x i * cc i y k))).
        { destruct (forallb empty rows) eqn:Em.
          - rewrite rsum_zero. apply czero. intros i Hi. rewrite forallb_forall in Em. rewrite (empty_cell _ _ _ (Em (nth i rows []) ltac:(apply nth_In; unfold rows; rewrite !map_length; auto)) (Hrow i Hi)). ring.
          - rewrite cell_tab by auto. apply iavg_correct; unfold rows; rewrite ?map_length; auto. rewrite W2; auto. rewrite W2; apply Hp; auto.
            + intros i Hi. apply (polin_p x W1). lia.
            + intros i Hi. fold rows. rewrite nth_indep with (d' := cell [] k) by (unfold rows; rewrite !map_length; auto).
              rewrite (map_nth (fun r => cell r k)). auto. }
        cbn [slope]. unfold ent. rewrite nth_tab by auto. cbv zeta. fold rows. destruct (Nat.eqb_spec y x) as [->|]; [|rewrite Rplus_0_r; exact Hs2].
        apply cadd_row; auto. rewrite cell_tab by auto. unfold g. apply cmul. apply HrP; auto.
        assert (HF : forall i, (i < A x)%nat -> cont (nth i (map (ieval B P) l) I.nai) (fq i)).
        { intros i Hi. rewrite nth_map_ieval by lia. apply ieval_correct; auto using polin_q. apply W3, nth_In; lia. }
        apply csub; auto. unfold Er. apply iavg_correct; rewrite ?map_length; auto. apply Hr.
    + rewrite !ev_avg.
      replace (rsum (length l) (fun k => p x k * ev A b 1 p (nth k l e0)) - rsum (length l) (fun k => q x k * ev A b 1 q (nth k l e0)))
       with (rsum (length l) (fun k => p x k * (fp k - fq k)) + (rsum (A x) (fun k => p x k * fq k) - rsum (A x) (fun k => q x k * fq k))).
      2:{ rewrite W2. unfold fp, fq. rewrite (rsum_ext (A x) (fun k => p x k * (ev A b 1 p (nth k l e0) - ev A b 1 q (nth k l e0))) (fun k => p x k * ev A b 1 p (nth k l e0) - p x k * ev A b 1 q (nth k l e0))) by (intros; ring). rewrite rsum_minus. ring. }
      rewrite Hcov.
      rewrite (ssum_ext _ (fun y k => rsum (length l) (fun i => p x i * (cc i y k * Dl y k)) + (if (y =? x)%nat then g k * Dl y k else 0))).
      2:{ intros y k Hy Hk. rewrite Rmult_plus_distr_r. f_equal. rewrite Rmult_comm, <- rsum_scal. apply rsum_ext; intros; ring. destruct (y =? x)%nat; ring. }
      rewrite ssum_plus, ssum_rsum. f_equal.
      * apply rsum_ext. intros i Hi. rewrite ssum_scal. f_equal. apply Hcc; auto.
      * symmetry. unfold ssum. assert (H : forall m w, (x < m)%nat -> rsum m (fun i => if (i =? x)%nat then w i else 0) = w x).
        { clear. induction m; intros w Hj; [lia|]. cbn [rsum]. destruct (Nat.eqb_spec m x) as [->|].
          rewrite rsum_zero. ring. intros i Hi. destruct (Nat.eqb_spec i x); [lia|reflexivity]. rewrite IHm by lia. ring. }
        rewrite (rsum_ext n _ (fun y => if (y =? x)%nat then rsum (A y) (fun k => g k * Dl y k) else 0)).
        rewrite H by auto. reflexivity.
        intros y Hy. destruct (y =? x)%nat; [reflexivity|apply rsum_zero; auto].
Qed.
End Slope.
End Enclosure.
