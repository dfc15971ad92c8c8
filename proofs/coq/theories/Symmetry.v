(** Equivariance from uniqueness: a renaming of decision points and actions that keeps J fixes the unique stationary
    policy.  That J is kept is checked by computation: the renamed tree minus the tree expands to zero. *)
From Coq Require Import Reals QArith Qreals List Bool Lia Lra Arith FunctionalExtensionality.
Require Import Certify.Sums Certify.Game Certify.Expr Certify.Gradient Certify.Normal.
Import ListNotations.
Local Open Scope R_scope.

(** For every decision point its image and the images of its actions. *)
Definition renaming := list (nat * list nat).
Definition sx (s : renaming) x := fst (nth x s (O, [])).
Definition sa (s : renaming) x k := nth k (snd (nth x s (O, []))) O.
Fixpoint index (l : list nat) j := match l with [] => O | k :: l' => if (k =? j)%nat then O else S (index l' j) end.
Definition si (s : renaming) x j := index (snd (nth x s (O, []))) j.
(** [p] is fixed by the renaming *)
Definition fixed_by G s (p : policy) := forall x a, (x < points G)%nat -> (a < A G x)%nat -> p (sx s x) (sa s x a) = p x a.

Lemma rsum_reindex m (f g : nat -> nat) F : (forall k, (k < m)%nat -> (f k < m)%nat /\ g (f k) = k) -> (forall j, (j < m)%nat -> (g j < m)%nat /\ f (g j) = j) ->
  rsum m (fun k => F (f k)) = rsum m F.
Proof.
  intros Hf Hg. transitivity (rsum m (fun j => rsum m (fun k => if (k =? g j)%nat then F (f k) else 0))).
  - rewrite rsum_swap. apply rsum_ext. intros k Hk. rewrite (rsum_ext m _ (fun j => if (j =? f k)%nat then F (f k) else 0)).
    + rewrite (rsum_pick m (f k) (fun _ => F (f k))) by (apply Hf; auto). reflexivity.
    + intros j Hj. destruct (Nat.eqb_spec k (g j)) as [E|Hn]. destruct (Hg j Hj) as [_ E2]. rewrite E, E2, Nat.eqb_refl. reflexivity.
      destruct (Nat.eqb_spec j (f k)) as [->|]; [|reflexivity]. exfalso. apply Hn. symmetry. apply Hf; auto.
  - apply rsum_ext. intros j Hj. destruct (Hg j Hj) as [G1 G2]. rewrite (rsum_pick m (g j) (fun k => F (f k))) by auto. rewrite G2. reflexivity.
Qed.

(** * Payoffs and entropies apart *)
Fixpoint pay e := match e with Cst q => Cst q | Ent _ _ => e0 | Add e f => Add (pay e) (pay f) | Avg x l => Avg x (map pay l) end.
Lemma kap_noocc A p x e : occ x e = false -> ev A 1 1 p (kap x e) = 0.
Proof.
  induction e as [q|q y|e f IHe IHf|y l IH] using ex_ind'; cbn [occ kap]; intros HO.
  - apply ev_e0.
  - rewrite HO. apply ev_e0.
  - apply orb_false_iff in HO as [O1 O2]. cbn [ev]. rewrite IHe, IHf by auto. ring.
  - apply orb_false_iff in HO as [O1 O2]. rewrite O1. rewrite List.Forall_forall in IH. rewrite ev_avg, map_length. apply rsum_zero. intros k Hk.
    rewrite nth_map_ex by auto. rewrite IH. ring. auto using nth_In. apply (existsb_nth' (occ x)); auto.
Qed.
Lemma ev_split G rho eta p e : inrange G e = true -> wf (A G) e = true ->
  ev (A G) rho eta p e = ev (A G) rho eta p (pay e) + rsum (points G) (fun y => eta * ev (A G) 1 1 p (kap y e) * H (A G y) (p y)).
Proof.
  induction e as [q|q x|e f IHe IHf|x l IH] using ex_ind'; intros HR HW.
  - cbn [pay kap]. rewrite rsum_zero. ring. intros y Hy. rewrite ev_e0. ring.
  - cbn [inrange] in HR. apply Nat.ltb_lt in HR. cbn [pay kap]. rewrite ev_e0.
    rewrite (rsum_ext (points G) _ (fun y => if (y =? x)%nat then eta * Q2R q * H (A G y) (p y) else 0)).
    + rewrite (rsum_pick (points G) x (fun y => eta * Q2R q * H (A G y) (p y))) by auto. cbn [ev]. ring.
    + intros y Hy. rewrite (Nat.eqb_sym x y). destruct (y =? x)%nat. cbn [ev]; ring. rewrite ev_e0. ring.
  - cbn [inrange wf] in *. apply andb_true_iff in HR as [R1 R2]. apply andb_true_iff in HW as [W1 W2]. cbn [pay kap ev]. rewrite IHe, IHf by auto.
    rewrite (rsum_ext (points G) (fun y => eta * (ev (A G) 1 1 p (kap y e) + ev (A G) 1 1 p (kap y f)) * H (A G y) (p y))
      (fun y => eta * ev (A G) 1 1 p (kap y e) * H (A G y) (p y) + eta * ev (A G) 1 1 p (kap y f) * H (A G y) (p y))) by (intros; ring). rewrite rsum_plus. ring.
  - cbn [inrange] in HR. apply andb_true_iff in HR as [R1 R2]. rewrite forallb_forall in R2. apply wf_avg in HW as [W1 W2]. rewrite List.Forall_forall in IH.
    cbn [pay]. rewrite !ev_avg, map_length.
    rewrite (rsum_ext (length l) (fun k => p x k * ev (A G) rho eta p (nth k l e0)) (fun k => p x k * ev (A G) rho eta p (nth k (map pay l) e0) +
      rsum (points G) (fun y => eta * H (A G y) (p y) * (p x k * ev (A G) 1 1 p (kap y (nth k l e0)))))).
    2:{ intros k Hk. assert (Hi : In (nth k l e0) l) by auto using nth_In. rewrite (IH _ Hi (R2 _ Hi) (proj2 (W2 _ Hi))) at 1. rewrite nth_map_ex by auto.
        rewrite Rmult_plus_distr_l, <- rsum_scal. f_equal. apply rsum_ext; intros; ring. }
    rewrite rsum_plus. f_equal. rewrite rsum_swap. apply rsum_ext. intros y Hy. rewrite rsum_scal. cbn [kap].
    destruct (Nat.eqb_spec x y) as [->|Hne].
    + rewrite ev_e0, rsum_zero. ring. intros k Hk. rewrite kap_noocc. ring. apply W2. auto using nth_In.
    + rewrite ev_avg, map_length. rewrite (rsum_ext (length l) (fun k => p x k * ev (A G) 1 1 p (nth k (map (kap y) l) e0)) (fun k => p x k * ev (A G) 1 1 p (kap y (nth k l e0)))). ring.
      intros k Hk. rewrite nth_map_ex; auto.
Qed.

Section Symmetry.
Variable G : game.
Variable s : renaming.
Notation n := (points G). Notation AG := (A G). Notation T := (expr (root G)).
Fixpoint ren e := match e with Cst q => Cst q | Ent q x => Ent q (sx s x) | Add e f => Add (ren e) (ren f)
  | Avg x l => let l' := map ren l in Avg (sx s x) (tab (AG x) (fun j => nth (si s x j) l' e0)) end.
Definition perm_ok := alltab n (fun x => (sx s x <? n)%nat && (AG (sx s x) =? AG x)%nat &&
  alltab (AG x) (fun k => (sa s x k <? AG x)%nat && (si s x (sa s x k) =? k)%nat && (si s x k <? AG x)%nat && (sa s x (si s x k) =? k)%nat) &&
  alltab n (fun y => negb (sx s y =? sx s x)%nat || (y =? x)%nat)).
(** the renamed tree minus the tree: its payoffs and the coefficient of every entropy, with all decisions pulled out, are zero *)
Definition surplus := Add (ren T) (neg T).
Definition vanishes e := iszero (expand AG n (seq 0 n) e).
Definition symmetry_ok := game_ok G && perm_ok && (inrange G surplus && wf AG surplus && vanishes (pay surplus) && alltab n (fun y => vanishes (kap y surplus))).
Definition pull (p : policy) : policy := fun x a => p (sx s x) (sa s x a).

Hypothesis OK : symmetry_ok = true.
Lemma okT : wf AG T = true /\ inrange G T = true /\ (forall x, (x < n)%nat -> (0 < AG x)%nat).
Proof.
  unfold symmetry_ok, game_ok in OK. rewrite !andb_true_iff in OK. destruct OK as [[[[W R0] PA] _] _]. repeat split; auto.
  intros x Hx. apply Nat.ltb_lt, (alltab_spec n (fun x => (0 <? AG x)%nat)); auto.
Qed.
Lemma okP x : (x < n)%nat -> (sx s x < n)%nat /\ AG (sx s x) = AG x /\
  (forall k, (k < AG x)%nat -> (sa s x k < AG x)%nat /\ si s x (sa s x k) = k) /\ (forall j, (j < AG x)%nat -> (si s x j < AG x)%nat /\ sa s x (si s x j) = j) /\
  (forall y, (y < n)%nat -> sx s y = sx s x -> y = x).
Proof.
  intros Hx. unfold symmetry_ok in OK. rewrite !andb_true_iff in OK. destruct OK as [[_ P] _]. pose proof (alltab_spec _ _ P x Hx) as Q. cbn beta in Q.
  rewrite !andb_true_iff in Q. destruct Q as [[[Q1 Q2] Q3] Q4]. apply Nat.ltb_lt in Q1. apply Nat.eqb_eq in Q2. repeat split; auto.
  - pose proof (alltab_spec _ _ Q3 k H) as E. cbn beta in E. rewrite !andb_true_iff in E. apply Nat.ltb_lt. tauto.
  - pose proof (alltab_spec _ _ Q3 k H) as E. cbn beta in E. rewrite !andb_true_iff in E. apply Nat.eqb_eq. tauto.
  - pose proof (alltab_spec _ _ Q3 j H) as E. cbn beta in E. rewrite !andb_true_iff in E. apply Nat.ltb_lt. tauto.
  - pose proof (alltab_spec _ _ Q3 j H) as E. cbn beta in E. rewrite !andb_true_iff in E. apply Nat.eqb_eq. tauto.
  - intros y Hy E. pose proof (alltab_spec _ _ Q4 y Hy) as E1. cbn beta in E1. apply orb_true_iff in E1 as [E1|E1]. rewrite E, Nat.eqb_refl in E1. discriminate. apply Nat.eqb_eq; auto.
Qed.
Lemma ev_ren rho eta p e : inrange G e = true -> wf AG e = true -> ev AG rho eta (pull p) e = ev AG rho eta p (ren e).
Proof.
  induction e as [q|q x|e f IHe IHf|x l IH] using ex_ind'; intros HR HW; cbn [inrange wf] in *.
  - reflexivity.
  - apply Nat.ltb_lt in HR. destruct (okP x HR) as [_ [EA [P1 [P2 _]]]]. cbn [ren ev]. f_equal. unfold H, pull. rewrite EA.
    apply (rsum_reindex (AG x) (sa s x) (si s x) (fun j => - (p (sx s x) j * ln (p (sx s x) j)))); auto.
  - apply andb_true_iff in HR as [R1 R2]. apply andb_true_iff in HW as [W1 W2]. cbn [ren ev]. rewrite IHe, IHf; auto.
  - apply andb_true_iff in HR as [R1 R2]. apply Nat.ltb_lt in R1. rewrite forallb_forall in R2. apply wf_avg in HW as [W1 W2]. rewrite List.Forall_forall in IH.
    destruct (okP x R1) as [_ [EA [P1 [P2 _]]]]. cbn [ren]. rewrite !ev_avg, tab_length, W1.
    rewrite <- (rsum_reindex (AG x) (sa s x) (si s x) (fun j => p (sx s x) j * ev AG rho eta p (nth j (tab (AG x) (fun j => nth (si s x j) (map ren l) e0)) e0))); auto.
    apply rsum_ext. intros k Hk. destruct (P1 k Hk) as [S1 S2]. rewrite nth_tab by auto. rewrite S2, nth_map_ex by lia. unfold pull at 1. f_equal.
    assert (Hi : In (nth k l e0) l) by (apply nth_In; lia). apply IH; auto. apply W2; auto.
Qed.
Lemma J_pull al p : (forall x, (x < n)%nat -> dist (AG x) (p x)) -> J G al (pull p) (root G) = J G al p (root G).
Proof.
  intros Hd. destruct okT as [W [R0 _]]. rewrite !J_expr, ev_ren by auto. unfold symmetry_ok in OK. rewrite !andb_true_iff in OK. destruct OK as [_ [[[SR SW] SP] SK]].
  assert (Z : ev AG 1 al p surplus = 0).
  { rewrite (ev_split G) by auto. apply (E_iszero AG p 1 al) in SP. rewrite (E_expand AG n p Hd) in SP. rewrite SP, rsum_zero. ring.
    intros y Hy. pose proof (alltab_spec _ _ SK y Hy) as E. cbn beta in E. apply (E_iszero AG p 1 1) in E. rewrite (E_expand AG n p Hd) in E. rewrite E. ring. }
  unfold surplus in Z. cbn [ev] in Z. rewrite E_neg in Z. lra.
Qed.
Lemma soft_pull z x a : (x < n)%nat -> (a < AG x)%nat -> soft G (pull z) x a = pull (soft G z) x a.
Proof.
  intros Hx Ha. destruct (okP x Hx) as [_ [EA [P1 [P2 _]]]]. unfold soft, pull. rewrite EA. f_equal.
  apply (rsum_reindex (AG x) (sa s x) (si s x) (fun b => exp (z (sx s x) b))); auto.
Qed.
Theorem stationary_pull al p : stationary G al p -> stationary G al (pull p).
Proof.
  destruct okT as [W [R0 HA]]. intros [z [Hz Hd]]. exists (pull z). split.
  - intros x a Hx Ha. rewrite soft_pull by auto. destruct (okP x Hx) as [Q1 [Q2 [Q3 _]]]. unfold pull. apply Hz; auto. rewrite Q2. apply Q3; auto.
  - intros x a Hx Ha. destruct (okP x Hx) as [Q1 [Q2 [Q3 [_ Q5]]]].
    assert (E : forall t, J G al (soft G (upd (pull z) x a t)) (root G) = J G al (soft G (upd z (sx s x) (sa s x a) t)) (root G)).
    { intros t. rewrite <- (J_pull al (soft G (upd z (sx s x) (sa s x a) t))) by (intros; apply soft_dist; auto). rewrite !J_expr. apply (ev_same G); auto.
      intros y k Hy Hk. rewrite <- soft_pull by auto. unfold soft. assert (Eu : forall k, (k < AG y)%nat -> upd (pull z) x a t y k = pull (upd z (sx s x) (sa s x a) t) y k).
      { intros j Hj. unfold upd, pull. destruct (Nat.eqb_spec y x) as [->|Hn]; cbn [andb].
        - rewrite Nat.eqb_refl. cbn [andb]. destruct (Nat.eqb_spec j a) as [->|Hj']. rewrite Nat.eqb_refl. reflexivity.
          destruct (Nat.eqb_spec (sa s x j) (sa s x a)) as [Ej|]; [|reflexivity]. exfalso. apply Hj'. destruct (Q3 j Hj) as [_ <-]. destruct (Q3 a Ha) as [_ <-]. rewrite Ej. reflexivity.
        - destruct (Nat.eqb_spec (sx s y) (sx s x)) as [Ey|]; [|reflexivity]. exfalso. apply Hn. apply Q5; auto. }
      rewrite Eu by auto. f_equal. apply rsum_ext. intros b Hb. rewrite Eu; auto. }
    intros eps He. assert (Ha' : (sa s x a < AG (sx s x))%nat) by (rewrite Q2; apply Q3; auto). destruct (Hd (sx s x) (sa s x a) Q1 Ha' eps He) as [delta D]. exists delta. intros h Hh Hl. rewrite !E. apply D; auto.
Qed.
(** A unique stationary policy is fixed by the renaming. *)
Theorem unique_fixed al p : exactly_one G al -> stationary G al p -> fixed_by G s p.
Proof.
  intros [q [Hq U]] Hp x a Hx Ha. transitivity (q x a). apply (U (pull p)); auto. apply stationary_pull; auto. symmetry. apply (U p); auto.
Qed.
End Symmetry.
Definition symmetric G s := symmetry_ok G s = true.
