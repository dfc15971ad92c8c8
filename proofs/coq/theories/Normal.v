(** From a game to its stationarity equations  D_x (ln p_a - ln p_b) = N_xab,  in a form that encloses well:
    own earlier moves divided out, the others' decisions pulled in front of the difference, equal terms collected.
    The order in which decisions are pulled out is a hint: any order is sound. *)
From Coq Require Import Reals QArith Qreals List Bool Lia Lra Arith.
Require Import Certify.Sums Certify.Game Certify.Expr Certify.Gradient.
Import ListNotations.
Local Open Scope R_scope.

Lemma Q2R_Qeq_0 q : Qeq_bool q 0 = true -> Q2R q = 0.
Proof. intros E. apply Qeq_bool_eq, Qeq_eqR in E. rewrite E. unfold Q2R. cbn. lra. Qed.
Lemma Q2R_Qeq q r : Qeq_bool q r = true -> Q2R q = Q2R r.
Proof. intros E. apply Qeq_eqR, Qeq_bool_eq, E. Qed.
Lemma Q2R_Qred q : Q2R (Qred q) = Q2R q.
Proof. apply Qeq_eqR, Qred_correct. Qed.
Definition alltab m (f : nat -> bool) := forallb f (seq 0 m).
Lemma alltab_spec m f : alltab m f = true -> forall i, (i < m)%nat -> f i = true.
Proof. unfold alltab. rewrite forallb_forall. intros HH i Hi. apply HH, in_seq. lia. Qed.
Definition tab {A} n (f : nat -> A) : list A := map f (seq 0 n).
Lemma tab_length {A} n (f : nat -> A) : length (tab n f) = n.
Proof. unfold tab. rewrite map_length, seq_length. reflexivity. Qed.
Lemma nth_tab {A} n (f : nat -> A) d k : (k < n)%nat -> nth k (tab n f) d = f k.
Proof. intros HH. unfold tab. rewrite nth_indep with (d' := f O) by (rewrite map_length, seq_length; auto). rewrite map_nth, seq_nth; auto. Qed.

Section Normal.
Variable A : nat -> nat.
Variable n : nat.
(** * Sums *)
Fixpoint items e := match e with Add e f => items e ++ items f | e => [e] end.
Fixpoint of_list l := match l with [] => e0 | [e] => e | e :: l' => Add e (of_list l') end.
Definition iszero e := match e with Cst q | Ent q _ => Qeq_bool q 0 | _ => false end.
Definition join e f : option ex := match e, f with
  | Cst q, Cst r => Some (Cst (Qred (q + r)))
  | Ent q x, Ent r y => if (x =? y)%nat then Some (Ent (Qred (q + r)) x) else None
  | _, _ => None end.
Fixpoint ins e l := match l with [] => [e] | f :: l' => match join e f with Some g => g :: l' | None => f :: ins e l' end end.
Definition collect l := of_list (filter (fun e => negb (iszero e)) (fold_right ins [] l)).
Definition leafeq e f := match e, f with Cst q, Cst r => Qeq_bool q r | Ent q x, Ent r y => Qeq_bool q r && (x =? y)%nat | _, _ => false end.
Definition mkavg x l := match l with e :: l' => if (x <? n)%nat && (length l =? A x)%nat && forallb (leafeq e) l' then e else Avg x l | [] => Avg x l end.
Fixpoint simp e := match e with Cst q => Cst (Qred q) | Ent q x => if (x <? n)%nat && (A x =? 1)%nat then e0 else Ent (Qred q) x
  | Add e f => collect (items (simp e) ++ items (simp f)) | Avg x l => mkavg x (map simp l) end.
(** * One decision pulled to the front *)
Fixpoint entp y e := match e with Cst _ => e0 | Ent q z => if (z =? y)%nat then Ent q y else e0
  | Add e f => Add (entp y e) (entp y f) | Avg z l => if (z =? y)%nat then e0 else Avg z (map (entp y) l) end.
Fixpoint kapent y e := match e with Cst q => Ent q y | Ent q z => e0 | Add e f => Add (kapent y e) (kapent y f) | Avg z l => Avg z (map (kapent y) l) end.
Fixpoint expand (o : list nat) e := match o with [] => simp e
  | y :: o' => let w := filter (occ y) (items e) in let r := filter (fun e => negb (occ y e)) (items e) in
     match w with [] => expand o' e | _ => let s := of_list w in
       if (y <? n)%nat && wf A s then
         collect (items (mkavg y (map (fun k => expand o' (dev y k s)) (seq 0 (A y)))) ++ items (expand o' (entp y s)) ++ items (expand o' (of_list r)))
       else simp e end end.
(** * The difference between two actions *)
Fixpoint neg e := match e with Cst q => Cst (- q) | Ent q x => Ent (- q) x | Add e f => Add (neg e) (neg f) | Avg x l => Avg x (map neg l) end.
Fixpoint diff x a b e := match e with Cst _ | Ent _ _ => e0 | Add e f => Add (diff x a b e) (diff x a b f)
  | Avg y l => if (y =? x)%nat then Add (nth a l e0) (neg (nth b l e0)) else Avg y (map (diff x a b) l) end.
(** * Own earlier moves divided out *)
Fixpoint thr y k e := iszero e || match e with Cst _ | Ent _ _ => false | Add e f => thr y k e && thr y k f
  | Avg z l => if (z =? y)%nat then alltab (length l) (fun j => (j =? k)%nat || iszero (nth j l e0)) else forallb (thr y k) l end.
Fixpoint stripped own e := match own with [] => true | (y, k) :: o => thr y k e && (y <? n)%nat && (k <? A y)%nat && stripped o (simp (dev y k e)) end.
Fixpoint strip own e := match own with [] => e | (y, k) :: o => strip o (simp (dev y k e)) end.
(** * Positive everywhere *)
Fixpoint nonneg e := match e with Cst q => (0 <=? Qnum q)%Z | Ent _ _ => false | Add e f => nonneg e && nonneg f | Avg x l => (x <? n)%nat && (length l <=? A x)%nat && forallb nonneg l end.
Fixpoint surely_positive e := match e with Cst q => (0 <? Qnum q)%Z | Ent _ _ => false | Add e f => (surely_positive e && nonneg f) || (nonneg e && surely_positive f)
  | Avg x l => (x <? n)%nat && (length l <=? A x)%nat && forallb nonneg l && existsb surely_positive l end.

(** * Soundness *)
Variable p : policy.
Hypothesis Hp : forall x, (x < n)%nat -> dist (A x) (p x).
Section Scales.
Variables rho eta : R.
Notation E := (ev A rho eta p).
Definition lsum l := fold_right (fun e s => E e + s) 0 l.
Lemma lsum_app l m : lsum (l ++ m) = lsum l + lsum m.
Proof. induction l as [|e l IH]; [symmetry; apply Rplus_0_l|]. change (E e + lsum (l ++ m) = E e + lsum l + lsum m). rewrite IH. ring. Qed.
Lemma lsum_cons e l : lsum (e :: l) = E e + lsum l. Proof. reflexivity. Qed.
Lemma E_items e : lsum (items e) = E e.
Proof. induction e; cbn [items]; try (apply Rplus_0_r). rewrite lsum_app, IHe1, IHe2. reflexivity. Qed.
Lemma E_of_list l : E (of_list l) = lsum l.
Proof.
  induction l as [|e [|f l] IH]. apply ev_e0. symmetry; apply Rplus_0_r.
  change (E e + E (of_list (f :: l)) = E e + lsum (f :: l)). rewrite IH. reflexivity.
Qed.
Lemma E_iszero e : iszero e = true -> E e = 0.
Proof. destruct e; cbn [iszero]; try discriminate; intros Z; apply Q2R_Qeq_0 in Z; cbn [ev]; rewrite Z; ring. Qed.
Lemma E_join e f g : join e f = Some g -> E g = E e + E f.
Proof.
  destruct e as [q|q x| |], f as [r|r y| |]; cbn [join]; try discriminate.
  - intros E0. assert (Eg : g = Cst (Qred (q + r))) by congruence. rewrite Eg. cbn [ev]. rewrite Q2R_Qred, Q2R_plus. ring.
  - destruct (Nat.eqb_spec x y) as [->|]; [|discriminate]. intros E0. assert (Eg : g = Ent (Qred (q + r)) y) by congruence. rewrite Eg. cbn [ev]. rewrite Q2R_Qred, Q2R_plus. ring.
Qed.
Lemma E_ins e l : lsum (ins e l) = E e + lsum l.
Proof.
  induction l as [|f l IH]; cbn [ins]. reflexivity. destruct (join e f) as [g|] eqn:J.
  - rewrite !lsum_cons, (E_join _ _ _ J). ring.
  - change (E f + lsum (ins e l) = E e + (E f + lsum l)). rewrite IH. ring.
Qed.
Lemma E_collect l : E (collect l) = lsum l.
Proof.
  unfold collect. rewrite E_of_list. transitivity (lsum (fold_right ins [] l)).
  - induction (fold_right ins [] l) as [|e m IH]; cbn [filter]; [reflexivity|]. destruct (iszero e) eqn:Z; cbn [negb].
    + rewrite IH, lsum_cons, (E_iszero e Z). ring.
    + rewrite !lsum_cons, IH. reflexivity.
  - induction l as [|e l IH]; cbn [fold_right]; [reflexivity|]. rewrite E_ins, IH. reflexivity.
Qed.
Lemma E_leafeq e f : leafeq e f = true -> E f = E e.
Proof.
  destruct e, f; cbn [leafeq]; try discriminate; intros L.
  - cbn [ev]. rewrite (Q2R_Qeq _ _ L). reflexivity.
  - apply andb_true_iff in L as [L1 L2]. apply Nat.eqb_eq in L2. subst. cbn [ev]. rewrite (Q2R_Qeq _ _ L1). reflexivity.
Qed.
Lemma E_mkavg x l : E (mkavg x l) = E (Avg x l).
Proof.
  destruct l as [|e l]; [reflexivity|]. unfold mkavg.
  match goal with |- E (if ?c then _ else _) = _ => destruct c eqn:C; [|reflexivity] end.
  rewrite !andb_true_iff in C. destruct C as [[C1 C2] C4]. apply Nat.ltb_lt in C1. apply Nat.eqb_eq in C2. rewrite forallb_forall in C4.
  rewrite ev_avg. destruct (Hp x C1) as [_ S1]. rewrite C2. rewrite (rsum_ext _ _ (fun k => E e * p x k)).
  - rewrite rsum_scal, S1. ring.
  - intros k Hk. rewrite Rmult_comm. f_equal. destruct k; cbn [nth]; [reflexivity|]. apply E_leafeq. apply C4. apply nth_In. cbn in C2. lia.
Qed.
Lemma E_simp e : E (simp e) = E e.
Proof.
  induction e as [q|q x|e f IHe IHf|x l IH] using ex_ind'; cbn [simp].
  - cbn [ev]. rewrite Q2R_Qred. reflexivity.
  - destruct ((x <? n)%nat && (A x =? 1)%nat) eqn:C; [|cbn [ev]; rewrite Q2R_Qred; reflexivity].
    apply andb_true_iff in C as [C1 C2]. apply Nat.ltb_lt in C1. apply Nat.eqb_eq in C2. destruct (Hp x C1) as [_ S1]. rewrite ev_e0. cbn [ev]. rewrite C2 in *. unfold H.
    cbn [rsum] in *. rewrite Rplus_0_l in *. rewrite S1, ln_1. ring.
  - rewrite E_collect, lsum_app, !E_items, IHe, IHf. reflexivity.
  - rewrite E_mkavg, !ev_avg, map_length. rewrite List.Forall_forall in IH. apply rsum_ext. intros k Hk. rewrite nth_map_ex by auto. rewrite IH by auto using nth_In. reflexivity.
Qed.
Lemma E_entp y e : E (entp y e) = eta * ev A 1 1 p (kap y e) * H (A y) (p y).
Proof.
  induction e as [q|q x|e f IHe IHf|x l IH] using ex_ind'; cbn [entp kap].
  - rewrite !ev_e0. ring.
  - destruct (Nat.eqb_spec x y) as [->|]. cbn [ev]. ring. rewrite !ev_e0. ring.
  - cbn [ev]. rewrite IHe, IHf. ring.
  - destruct (Nat.eqb_spec x y) as [->|]. rewrite !ev_e0. ring. rewrite !ev_avg, !map_length. rewrite List.Forall_forall in IH.
    rewrite <- (Rmult_comm (H (A y) (p y))), <- Rmult_assoc, <- rsum_scal. apply rsum_ext. intros k Hk. rewrite !nth_map_ex by auto. rewrite IH by auto using nth_In. ring.
Qed.
Lemma lsum_split y l : lsum l = lsum (filter (occ y) l) + lsum (filter (fun e => negb (occ y e)) l).
Proof. induction l as [|e l IH]; cbn [filter]. symmetry; apply Rplus_0_r. destruct (occ y e); cbn [negb]; rewrite !lsum_cons, IH; ring. Qed.
Lemma E_expand o : forall e, E (expand o e) = E e.
Proof.
  induction o as [|y o IH]; intros e; cbn [expand]. apply E_simp.
  destruct (filter (occ y) (items e)) as [|w0 w'] eqn:F; [apply IH|]. rewrite <- F. cbv zeta. set (w := filter (occ y) (items e)). set (r := filter (fun e => negb (occ y e)) (items e)).
  destruct ((y <? n)%nat && wf A (of_list w)) eqn:C; [|apply E_simp]. apply andb_true_iff in C as [C1 C2]. apply Nat.ltb_lt in C1.
  rewrite E_collect, !lsum_app, !E_items, E_mkavg, !IH, E_of_list, E_entp.
  rewrite <- (E_items e), (lsum_split y (items e)). fold w r. rewrite <- (E_of_list w). destruct (Hp y C1) as [_ S1].
  rewrite (ev_dec A rho eta p y (of_list w) S1 C2), <- Rplus_assoc. f_equal. f_equal.
  rewrite ev_avg, map_length, seq_length. apply rsum_ext. intros k Hk. f_equal.
  rewrite nth_indep with (d' := expand o (dev y O (of_list w))) by (rewrite map_length, seq_length; auto).
  rewrite (map_nth (fun k => expand o (dev y k (of_list w)))), seq_nth by auto. apply IH.
Qed.
Lemma E_neg e : E (neg e) = - E e.
Proof.
  induction e as [q|q x|e f IHe IHf|x l IH] using ex_ind'; cbn [neg].
  - cbn [ev]. rewrite Q2R_opp. ring.
  - cbn [ev]. rewrite Q2R_opp. ring.
  - cbn [ev]. rewrite IHe, IHf. ring.
  - rewrite !ev_avg, map_length. replace (- rsum (length l) (fun k => p x k * E (nth k l e0))) with (-1 * rsum (length l) (fun k => p x k * E (nth k l e0))) by ring.
    rewrite <- rsum_scal. rewrite List.Forall_forall in IH. apply rsum_ext. intros k Hk. rewrite nth_map_ex by auto. rewrite IH by auto using nth_In. ring.
Qed.
Lemma E_diff x a b e : E (diff x a b e) = E (dev x a e) - E (dev x b e).
Proof.
  induction e as [q|q y|e f IHe IHf|y l IH] using ex_ind'; cbn [diff dev].
  - rewrite ev_e0. ring.
  - rewrite ev_e0. destruct (y =? x)%nat; ring.
  - cbn [ev]. rewrite IHe, IHf. ring.
  - destruct (y =? x)%nat. cbn [ev]. rewrite E_neg. ring. rewrite !ev_avg, !map_length, <- rsum_minus. rewrite List.Forall_forall in IH. apply rsum_ext. intros k Hk.
    rewrite !nth_map_ex by auto. rewrite IH by auto using nth_In. ring.
Qed.
Lemma iszero_dev y k e : iszero e = true -> E (dev y k e) = 0.
Proof. destruct e; cbn [iszero dev]; try discriminate; intros Z; [|destruct (x =? y)%nat; [apply ev_e0|]]; apply Q2R_Qeq_0 in Z; cbn [ev]; rewrite Z; ring. Qed.
Lemma E_thr y k e : thr y k e = true -> E e = p y k * E (dev y k e).
Proof.
  induction e as [q|q x|e f IHe IHf|x l IH] using ex_ind'; cbn [thr]; intros T; apply orb_true_iff in T as [T|T]; try discriminate;
    try (pose proof (iszero_dev y k _ T) as D; rewrite D, (E_iszero _ T); ring).
  - apply andb_true_iff in T as [T1 T2]. cbn [dev ev]. rewrite IHe, IHf at 1 by auto. ring.
  - cbn [dev]. destruct (Nat.eqb_spec x y) as [->|].
    + rewrite ev_avg. destruct (Nat.ltb_spec k (length l)) as [Hk|Hk].
      * rewrite (rsum_ext _ _ (fun j => if (j =? k)%nat then p y j * E (nth j l e0) else 0)).
        rewrite (rsum_pick (length l) k (fun j => p y j * E (nth j l e0)) Hk). reflexivity.
        intros j Hj. pose proof (alltab_spec _ _ T j Hj) as T1. cbn beta in T1. destruct (j =? k)%nat; [reflexivity|]. rewrite (E_iszero _ T1). ring.
      * rewrite nth_overflow by auto. rewrite ev_e0. rewrite rsum_zero. ring.
        intros j Hj. pose proof (alltab_spec _ _ T j Hj) as T1. cbn beta in T1. destruct (Nat.eqb_spec j k); [lia|]. rewrite (E_iszero _ T1). ring.
    + rewrite !ev_avg, map_length, <- rsum_scal. rewrite List.Forall_forall in IH. rewrite forallb_forall in T. apply rsum_ext. intros j Hj.
      rewrite nth_map_ex by auto. rewrite (IH (nth j l e0)) at 1 by auto using nth_In. ring.
Qed.
(** the product of the own earlier probabilities *)
Definition ownp own := fold_right (fun yk s => p (fst yk) (snd yk) * s) 1 own.
Lemma E_strip own : forall e, stripped own e = true -> E e = ownp own * E (strip own e).
Proof.
  induction own as [|[y k] own IH]; intros e S. cbn; ring. cbn [stripped] in S. rewrite !andb_true_iff in S. destruct S as [[[S1 _] _] S2].
  cbn [strip ownp fold_right fst snd]. rewrite (E_thr y k e S1), <- (E_simp (dev y k e)), (IH _ S2). unfold ownp. ring.
Qed.
Lemma ownp_pos own e : stripped own e = true -> 0 < ownp own.
Proof.
  revert e. induction own as [|[y k] own IH]; intros e S. cbn; lra. cbn [stripped] in S. rewrite !andb_true_iff in S. destruct S as [[[_ S1] S2] S3].
  apply Nat.ltb_lt in S1. apply Nat.ltb_lt in S2. cbn [ownp fold_right fst snd]. apply Rmult_lt_0_compat. apply Hp; auto. apply (IH _ S3).
Qed.
End Scales.
Lemma E_nonneg e : nonneg e = true -> 0 <= ev A 1 1 p e.
Proof.
  induction e as [q|q y|e f IHe IHf|y l IH] using ex_ind'; cbn [nonneg]; try discriminate.
  - intros Z. apply Z.leb_le in Z. cbn [ev]. rewrite Rmult_1_l. unfold Q2R. apply Rmult_le_pos. apply IZR_le; auto. apply Rlt_le, Rinv_0_lt_compat, IZR_lt; lia.
  - rewrite andb_true_iff. intros [H1 H2]. cbn [ev]. specialize (IHe H1). specialize (IHf H2). lra.
  - rewrite !andb_true_iff, forallb_forall. intros [[H1 H2] H3]. apply Nat.ltb_lt in H1. apply Nat.leb_le in H2. rewrite List.Forall_forall in IH. rewrite ev_avg. apply rsum_0. intros k Hk.
    apply Rmult_le_pos. apply Rlt_le. apply Hp; auto. lia. apply IH; auto using nth_In.
Qed.
Lemma E_positive e : surely_positive e = true -> 0 < ev A 1 1 p e.
Proof.
  induction e as [q|q y|e f IHe IHf|y l IH] using ex_ind'; cbn [surely_positive]; try discriminate.
  - intros Z. apply Z.ltb_lt in Z. cbn [ev]. rewrite Rmult_1_l. unfold Q2R. apply Rmult_lt_0_compat. apply IZR_lt; auto. apply Rinv_0_lt_compat, IZR_lt; lia.
  - rewrite orb_true_iff, !andb_true_iff. cbn [ev]. intros [[H1 H2]|[H1 H2]]. pose proof (E_nonneg f H2). specialize (IHe H1). lra. pose proof (E_nonneg e H1). specialize (IHf H2). lra.
  - rewrite !andb_true_iff, forallb_forall, existsb_exists. intros [[[H1 H2] H3] [e [He Pe]]]. apply Nat.ltb_lt in H1. apply Nat.leb_le in H2. rewrite List.Forall_forall in IH.
    rewrite ev_avg. destruct (In_nth _ _ e0 He) as [k [Hk Ek]].
    assert (P0 : forall j, (j < length l)%nat -> 0 < p y j) by (intros j Hj; apply Hp; auto; lia).
    apply Rlt_le_trans with (p y k * ev A 1 1 p (nth k l e0)). apply Rmult_lt_0_compat; auto. rewrite Ek. auto.
    apply (rsum_le_one (length l) (fun k => p y k * ev A 1 1 p (nth k l e0))); auto. intros j Hj. apply Rmult_le_pos. apply Rlt_le; auto. apply E_nonneg; auto using nth_In.
Qed.
End Normal.

(** * The equations of a game *)
(** numerators N x a b (a < b) and denominators D x *)
Record equations := Equations { num : list (list (list ex)); dnm : list ex }.
Definition N_ (Q : equations) x a b := nth b (nth a (nth x (num Q) []) []) e0.
Definition D_ (Q : equations) x := nth x (dnm Q) e0.
Definition solves G (Q : equations) (beta : R) (p : policy) := (forall x, (x < points G)%nat -> dist (A G x) (p x)) /\
  forall x a b, (x < points G)%nat -> (a < A G x)%nat -> (b < A G x)%nat -> 0 < ev (A G) 1 1 p (D_ Q x) /\
    ev (A G) 1 1 p (D_ Q x) * (ln (p x a) - ln (p x b)) = ev (A G) beta 1 p (N_ Q x a b).
(** hints: for every decision point its own earlier moves, and the order in which the others' decisions are pulled out *)
Definition hint := list (list (nat * nat) * list nat).
Section Compile.
Variable G : game.
Variable h : hint.
Notation T := (expr (root G)). Notation n := (points G). Notation AG := (A G).
Definition own x := fst (nth x h ([], [])).
Definition ord x := snd (nth x h ([], [])).
Definition raw x a b := simp AG n (diff x a b T).
Definition rawd x := simp AG n (kap x T).
Definition compile := Equations
  (tab n (fun x => tab (AG x) (fun a => tab (AG x) (fun b => if (a =? b)%nat then e0 else expand AG n (ord x) (strip AG n (own x) (raw x a b))))))
  (tab n (fun x => expand AG n (ord x) (strip AG n (own x) (rawd x)))).
(** what has to be checked: the tree is a game, own moves divide out, denominators are positive *)
Definition game_ok := wf AG T && inrange G T && alltab n (fun x => (0 <? AG x)%nat).
Definition compile_ok := game_ok && alltab n (fun x => stripped AG n (own x) (rawd x) && surely_positive AG n (strip AG n (own x) (rawd x)) &&
  alltab (AG x) (fun a => alltab (AG x) (fun b => (a =? b)%nat || stripped AG n (own x) (raw x a b)))).
Theorem compile_sound alpha p : compile_ok = true -> 0 < alpha -> stationary G alpha p -> solves G compile (/ alpha) p.
Proof.
  unfold compile_ok, game_ok. rewrite !andb_true_iff. intros [[[W R0] PA] C] Ha Hs.
  assert (HA : forall x, (x < n)%nat -> (0 < AG x)%nat) by (intros x Hx; apply Nat.ltb_lt, (alltab_spec n (fun x => (0 <? AG x)%nat)); auto).
  destruct (stationary_balanced G W HA R0 alpha p Hs) as [Hd HE]. split; auto.
  intros x a b Hx Hax Hbx. pose proof (alltab_spec _ _ C x Hx) as Cx. cbn beta in Cx. rewrite !andb_true_iff in Cx. destruct Cx as [[C1 C2] C3].
  unfold compile, D_, N_. cbn [num dnm]. rewrite !nth_tab by auto. rewrite E_expand by auto.
  pose proof (E_positive AG n p Hd _ C2) as DP. split; auto.
  destruct (Nat.eqb_spec a b) as [->|Hne]. rewrite ev_e0. ring.
  rewrite E_expand by auto. pose proof (alltab_spec _ _ C3 a Hax) as Ca. cbn beta in Ca. pose proof (alltab_spec _ _ Ca b Hbx) as Cb. cbn beta in Cb.
  apply orb_true_iff in Cb as [Cb|Cb]; [apply Nat.eqb_eq in Cb; lia|].
  pose proof (ownp_pos AG n p Hd _ _ C1) as OP.
  specialize (HE x a b Hx Hax Hbx). unfold q_of in HE. rewrite <- E_diff in HE. rewrite <- (E_simp AG n p Hd) in HE. fold (raw x a b) in HE.
  unfold kappa in HE. rewrite <- (E_simp AG n p Hd 1 1) in HE. fold (rawd x) in HE.
  rewrite (E_strip AG n p Hd 1 alpha _ _ Cb), (E_strip AG n p Hd 1 1 _ _ C1) in HE.
  set (D := ev AG 1 1 p (strip AG n (own x) (rawd x))) in *. set (e := strip AG n (own x) (raw x a b)) in *.
  replace (ev AG 1 alpha p e) with (alpha * ev AG (/ alpha) 1 p e) in HE.
  2:{ rewrite <- ev_scale. f_equal; field; lra. }
  apply Rmult_eq_reg_l with (alpha * ownp p (own x)); [|apply Rgt_not_eq, Rmult_lt_0_compat; auto]. lra.
Qed.
End Compile.
