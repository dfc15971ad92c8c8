(** Expressions in the policies: payoffs and entropies with two scales, so that J (payoff 1, entropy alpha) and
    beta J (payoff beta, entropy 1) are the same expression.  One block can be fixed ([dev]) and split off ([ev_dec]). *)
From Coq Require Import Reals QArith Qreals List Bool Lia Lra Arith FunctionalExtensionality.
Require Import Certify.Sums Certify.Game.
Import ListNotations.
Local Open Scope R_scope.

Inductive ex := Cst (q : Q) | Ent (q : Q) (x : nat) | Add (e f : ex) | Avg (x : nat) (l : list ex).
Fixpoint ex_ind' (P : ex -> Prop) (HC : forall q, P (Cst q)) (HE : forall q x, P (Ent q x)) (HA : forall e f, P e -> P f -> P (Add e f))
  (HV : forall x l, List.Forall P l -> P (Avg x l)) (e : ex) : P e :=
  match e with
  | Cst q => HC q
  | Ent q x => HE q x
  | Add e f => HA e f (ex_ind' P HC HE HA HV e) (ex_ind' P HC HE HA HV f)
  | Avg x l => HV x l ((fix go l : List.Forall P l := match l with [] => List.Forall_nil P | e :: l' => List.Forall_cons e (ex_ind' P HC HE HA HV e) (go l') end) l)
  end.
Fixpoint tree_ind' (P : tree nat -> Prop) (HP : forall q, P (Pay q)) (HS : forall l, List.Forall P l -> P (Sum l))
  (HV : forall x w l, List.Forall P l -> P (Act x w l)) (t : tree nat) : P t :=
  let go := (fix go l : List.Forall P l := match l with [] => List.Forall_nil P | e :: l' => List.Forall_cons e (tree_ind' P HP HS HV e) (go l') end) in
  match t with Pay q => HP q | Sum l => HS l (go l) | Act x w l => HV x w l (go l) end.
Definition e0 := Cst 0.
Lemma Q2R_0 : Q2R 0 = 0. Proof. unfold Q2R. cbn. lra. Qed.

Section Ev.
Variable A : nat -> nat.
Fixpoint ev (rho eta : R) (p : policy) (e : ex) : R :=
  match e with
  | Cst q => rho * Q2R q
  | Ent q x => eta * Q2R q * H (A x) (p x)
  | Add e f => ev rho eta p e + ev rho eta p f
  | Avg x l => (fix go k l := match l with [] => 0 | e :: l' => p x k * ev rho eta p e + go (S k) l' end) O l
  end.
Lemma ev_avg rho eta p x l : ev rho eta p (Avg x l) = rsum (length l) (fun k => p x k * ev rho eta p (nth k l e0)).
Proof.
  cbn [ev].
  enough (HH : forall l j, (fix go k l := match l with [] => 0 | e :: l' => p x k * ev rho eta p e + go (S k) l' end) j l
     = rsum (length l) (fun k => p x (j + k)%nat * ev rho eta p (nth k l e0))) by (rewrite (HH l O); reflexivity).
  clear l. induction l; intros j; [reflexivity|]. rewrite IHl. cbn [length]. rewrite rsum_shift. rewrite Nat.add_0_r. cbn [nth].
  f_equal. apply rsum_ext; intros. rewrite Nat.add_succ_r. reflexivity.
Qed.
Lemma ev_e0 rho eta p : ev rho eta p e0 = 0.
Proof. cbn [ev e0]. rewrite Q2R_0. ring. Qed.
(** both scales may be multiplied *)
Lemma ev_scale c rho eta p e : ev (c * rho) (c * eta) p e = c * ev rho eta p e.
Proof.
  induction e as [q|q x|e f IHe IHf|x l IH] using ex_ind'.
  - cbn [ev]. ring.
  - cbn [ev]. ring.
  - cbn [ev]. rewrite IHe, IHf. ring.
  - rewrite !ev_avg, <- rsum_scal. rewrite List.Forall_forall in IH. apply rsum_ext. intros k Hk. rewrite IH by auto using nth_In. ring.
Qed.

(** and an expression is affine in the payoffs' scale *)
Lemma ev_affine s r1 r2 eta p e : ev ((1 - s) * r1 + s * r2) eta p e = (1 - s) * ev r1 eta p e + s * ev r2 eta p e.
Proof.
  induction e as [q|q x|e f IHe IHf|x l IH] using ex_ind'.
  - cbn [ev]. ring.
  - cbn [ev]. ring.
  - cbn [ev]. rewrite IHe, IHf. ring.
  - rewrite !ev_avg, <- !rsum_scal, <- rsum_plus. rewrite List.Forall_forall in IH. apply rsum_ext. intros k Hk. rewrite IH by auto using nth_In. ring.
Qed.

(** * A tree as an expression *)
Fixpoint expr (t : tree nat) : ex := match t with
  | Pay q => Cst q
  | Sum l => fold_right (fun t s => Add (expr t) s) e0 l
  | Act x w l => Add (Ent w x) (Avg x (map expr l)) end.

(** * One block fixed *)
Fixpoint dev x a e := match e with Cst q => Cst q | Ent q y => if (y =? x)%nat then e0 else Ent q y
  | Add e f => Add (dev x a e) (dev x a f) | Avg y l => if (y =? x)%nat then nth a l e0 else Avg y (map (dev x a) l) end.
(** coefficient of the entropy of block x *)
Fixpoint kap x e := match e with Cst _ => e0 | Ent q y => if (y =? x)%nat then Cst q else e0
  | Add e f => Add (kap x e) (kap x f) | Avg y l => if (y =? x)%nat then e0 else Avg y (map (kap x) l) end.
Fixpoint occ x e := match e with Cst _ => false | Ent _ y => (y =? x)%nat | Add e f => occ x e || occ x f | Avg y l => (y =? x)%nat || existsb (occ x) l end.
(** every decision has as many parts as actions, and no block acts twice on a path *)
Fixpoint wf e := match e with Cst _ | Ent _ _ => true | Add e f => wf e && wf f
  | Avg y l => (length l =? A y)%nat && forallb (fun e => negb (occ y e) && wf e) l end.
Lemma nth_map_ex {f : ex -> ex} l k : (k < length l)%nat -> nth k (map f l) e0 = f (nth k l e0).
Proof. intros Hk. rewrite nth_indep with (d' := f e0) by (rewrite map_length; auto). apply map_nth. Qed.
Lemma existsb_nth' (f : ex -> bool) l k : existsb f l = false -> (k < length l)%nat -> f (nth k l e0) = false.
Proof. intros HH Hk. destruct (f (nth k l e0)) eqn:E; auto. rewrite <- HH. symmetry. apply existsb_exists. exists (nth k l e0). auto using nth_In. Qed.
Lemma wf_avg y l : wf (Avg y l) = true -> length l = A y /\ forall e, In e l -> occ y e = false /\ wf e = true.
Proof.
  cbn [wf]. rewrite andb_true_iff, forallb_forall. intros [H1 H2]. apply Nat.eqb_eq in H1. split; auto.
  intros e He. specialize (H2 e He). apply andb_true_iff in H2 as [H2 H3]. apply negb_true_iff in H2. auto.
Qed.
Lemma ev_dec rho eta p x e : rsum (A x) (p x) = 1 -> wf e = true ->
  ev rho eta p e = rsum (A x) (fun a => p x a * ev rho eta p (dev x a e)) + eta * ev 1 1 p (kap x e) * H (A x) (p x).
Proof.
  intros S1. induction e as [q|q y|e f IHe IHf|y l IH] using ex_ind'; intros W.
  - cbn [dev kap]. rewrite ev_e0. cbn [ev]. rewrite (rsum_ext _ _ (fun a => (rho * Q2R q) * p x a)) by (intros; ring). rewrite rsum_scal, S1. ring.
  - cbn [dev kap]. destruct (Nat.eqb_spec y x) as [->|].
    + rewrite (rsum_ext _ _ (fun a => 0 * p x a)) by (intros; rewrite ev_e0; ring). rewrite rsum_scal. cbn [ev]. ring.
    + rewrite ev_e0. cbn [ev]. rewrite (rsum_ext _ _ (fun a => (eta * Q2R q * H (A y) (p y)) * p x a)) by (intros; ring). rewrite rsum_scal, S1. ring.
  - cbn [wf] in W. apply andb_true_iff in W as [W1 W2]. cbn [dev kap ev]. rewrite IHe, IHf by auto.
    rewrite (rsum_ext (A x) (fun a => p x a * (ev rho eta p (dev x a e) + ev rho eta p (dev x a f))) (fun a => p x a * ev rho eta p (dev x a e) + p x a * ev rho eta p (dev x a f))) by (intros; ring).
    rewrite rsum_plus. ring.
  - apply wf_avg in W as [W1 W2]. rewrite List.Forall_forall in IH. cbn [dev kap].
    destruct (Nat.eqb_spec y x) as [->|Hne].
    + rewrite ev_e0, ev_avg, W1. ring.
    + rewrite !ev_avg, map_length.
      rewrite (rsum_ext (length l) (fun k => p y k * ev rho eta p (nth k l e0)) (fun k => rsum (A x) (fun a => p x a * (p y k * ev rho eta p (dev x a (nth k l e0)))) + eta * H (A x) (p x) * (p y k * ev 1 1 p (kap x (nth k l e0))))).
      2:{ intros k Hk. assert (Hi : In (nth k l e0) l) by auto using nth_In. destruct (W2 _ Hi) as [_ W3]. rewrite (IH _ Hi W3) at 1.
          rewrite Rmult_plus_distr_l, <- rsum_scal. f_equal; [apply rsum_ext; intros|]; ring. }
      rewrite rsum_plus, rsum_scal, rsum_swap. f_equal.
      * apply rsum_ext. intros a Ha. rewrite ev_avg, map_length, rsum_scal. f_equal. apply rsum_ext. intros k Hk. rewrite nth_map_ex; auto.
      * rewrite (rsum_ext _ (fun k => p y k * ev 1 1 p (nth k (map (kap x) l) e0)) (fun k => p y k * ev 1 1 p (kap x (nth k l e0)))). ring. intros k Hk. rewrite nth_map_ex; auto.
Qed.
(** neither [dev x a e] nor [kap x e] depends on block x *)
Lemma ev_noocc rho eta x e p q : occ x e = false -> (forall y, y <> x -> p y = q y) -> ev rho eta p e = ev rho eta q e.
Proof.
  intros Ho HH. induction e as [q'|q' y|e f IHe IHf|y l IH] using ex_ind'; [reflexivity| | |]; cbn in Ho.
  - apply Nat.eqb_neq in Ho. cbn [ev]. rewrite HH; auto.
  - apply orb_false_iff in Ho as [O1 O2]. cbn [ev]. rewrite IHe, IHf; auto.
  - apply orb_false_iff in Ho as [O1 O2]. apply Nat.eqb_neq in O1. rewrite !ev_avg, (HH y O1). rewrite List.Forall_forall in IH. apply rsum_ext. intros k Hk. f_equal. apply IH. auto using nth_In. apply existsb_nth'; auto.
Qed.
Lemma occ_dev x a e : wf e = true -> (a < A x)%nat -> occ x (dev x a e) = false.
Proof.
  intros W Ha. revert W. induction e as [q|q y|e f IHe IHf|y l IH] using ex_ind'; intros W; cbn [dev]; [reflexivity| | |].
  - destruct (Nat.eqb_spec y x); [reflexivity|]. cbn. apply Nat.eqb_neq; auto.
  - cbn [wf] in W. apply andb_true_iff in W as [W1 W2]. cbn [occ]. rewrite IHe, IHf; auto.
  - apply wf_avg in W as [W1 W2]. rewrite List.Forall_forall in IH.
    destruct (Nat.eqb_spec y x) as [->|Hne].
    + apply W2. apply nth_In; lia.
    + cbn. apply orb_false_iff. split. apply Nat.eqb_neq; auto. destruct (existsb (occ x) (map (dev x a) l)) eqn:E; auto.
      apply existsb_exists in E as [u [Hu Eu]]. apply in_map_iff in Hu as [v [<- Hv]]. rewrite IH in Eu; auto. apply W2; auto.
Qed.
Lemma occ_kap x e : occ x (kap x e) = false.
Proof.
  induction e as [q|q y|e f IHe IHf|y l IH] using ex_ind'; cbn [kap]; [reflexivity| | |].
  - destruct (y =? x)%nat; reflexivity.
  - cbn [occ]. rewrite IHe, IHf. reflexivity.
  - destruct (Nat.eqb_spec y x); [reflexivity|]. cbn. apply orb_false_iff. split. apply Nat.eqb_neq; auto. rewrite List.Forall_forall in IH.
    destruct (existsb (occ x) (map (kap x) l)) eqn:E; auto. apply existsb_exists in E as [u [Hu Eu]]. apply in_map_iff in Hu as [v [<- Hv]]. rewrite IH in Eu; auto.
Qed.
(** the coefficient of an entropy is made of payoffs only *)
Lemma ev_kap rho eta p x e : ev rho eta p (kap x e) = rho * ev 1 1 p (kap x e).
Proof.
  induction e as [q|q y|e f IHe IHf|y l IH] using ex_ind'; cbn [kap].
  - rewrite !ev_e0. ring.
  - destruct (y =? x)%nat. cbn [ev]; ring. rewrite !ev_e0. ring.
  - cbn [ev]. rewrite IHe, IHf. ring.
  - destruct (y =? x)%nat. rewrite !ev_e0; ring. rewrite !ev_avg, map_length, <- rsum_scal. rewrite List.Forall_forall in IH. apply rsum_ext. intros k Hk.
    rewrite nth_map_ex by auto. rewrite IH by auto using nth_In. ring.
Qed.
End Ev.
Lemma J_expr G alpha p t : J G alpha p t = ev (A G) 1 alpha p (expr t).
Proof.
  induction t as [q|l IH|x w l IH] using tree_ind'; try rewrite List.Forall_forall in IH.
  - cbn. ring.
  - cbn [J expr]. induction l as [|t l IHl]. cbn [fold_right]. rewrite ev_e0. reflexivity. cbn [fold_right ev]. rewrite IHl by (intros; apply IH; right; auto). rewrite IH by (left; auto). reflexivity.
  - cbn [J expr ev]. f_equal. generalize O. induction l as [|t l IHl]; intros k; [reflexivity|]. cbn [map]. rewrite IHl by (intros; apply IH; right; auto). rewrite IH by (left; auto). reflexivity.
Qed.
