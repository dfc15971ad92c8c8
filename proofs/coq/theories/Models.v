(** Front ends: what users write down, and the game that it means.  These definitions are part of what a reader has to
    trust; nothing is proved here. *)
From Coq Require Import QArith List Arith.
Require Import Certify.Game.
Import ListNotations.

(** * Payoff tensors *)
(** One axis for each agent: [Axis [Axis [Leaf 1; Leaf 0]; Axis [Leaf 0; Leaf 1]]] is the game of two levers. *)
Inductive tensor := Leaf (q : Q) | Axis (l : list tensor).
(** The agents act without seeing each other: agent i at decision point [nth i xs], with entropy weight [c * nth i ws];
    every payoff is multiplied by [c]. *)
Fixpoint moves (c : Q) (xs : list nat) (ws : list Q) (u : tensor) : tree nat :=
  match u, xs, ws with
  | Axis l, x :: xs', w :: ws' => Act x (Qred (c * w)) (map (moves c xs' ws') l)
  | Leaf q, _, _ => Pay (Qred (c * q))
  | _, _, _ => Pay 0
  end.
(** [sizes]: the numbers of actions; [weights]: the entropy weights of the agents *)
Definition tensor_game (sizes : list nat) (weights : list Q) (u : tensor) : game :=
  Game sizes (moves 1 (seq 0 (length sizes)) weights u).
(** two agents, payoff matrix, equal weights 1 *)
Definition matrix (rows : list (list Q)) : tensor := Axis (map (fun r => Axis (map Leaf r)) rows).
Definition matrix_game (rows : list (list Q)) : game :=
  tensor_game [length rows; length (hd [] rows)] [1; 1] (matrix rows).

(** * Bayesian games *)
(** Chance picks one of the cases: its probability, what each agent privately observes, the payoffs then.
    The decision points are the agents' observations, first those of the first agent, and so on. *)
Record bayesian := Bayesian { observations_of : list nat; actions_of : list nat; weights_of : list Q; cases : list (Q * list nat * tensor) }.
Fixpoint numbered (first : nat) (counts seen : list nat) : list nat :=
  match counts, seen with m :: counts', o :: seen' => (first + o)%nat :: numbered (first + m) counts' seen' | _, _ => [] end.
Definition bayesian_game (b : bayesian) : game :=
  Game (flat_map (fun mo => repeat (snd mo) (fst mo)) (combine (observations_of b) (actions_of b)))
    (Sum (map (fun c => moves (fst (fst c)) (numbered 0 (observations_of b) (snd (fst c))) (weights_of b) (snd c)) (cases b))).

(** * Finite-horizon Dec-POMDPs *)
(** States, actions and observations are numbered from 0; joint actions and observations are lists, one entry an agent. *)
Record decpomdp := DecPOMDP {
  states : nat; horizon : nat; discount : Q;
  start : list (list nat * list Q);                  (* joint initial observation (zeros if there is none), probabilities of the states with it *)
  available : nat -> list (list nat);                (* step: the actions that each agent has then *)
  agent_observations : list nat; weights : list Q;
  transition : nat -> list nat -> nat -> Q;          (* state, joint action, next state *)
  observation : list nat -> nat -> list nat -> Q;    (* joint action, next state, joint observation *)
  reward : nat -> list nat -> Q }.                   (* state, joint action *)
(** What an agent has seen: its initial observation, and its (action, observation) pairs, the last one first. *)
Definition seen := (nat * list (nat * nat))%type.
Definition see (s : seen) (a o : nat) : seen := (fst s, (a, o) :: snd s).
(** An action-observation history: the agent and what it has seen. *)
Definition history := (nat * seen)%type.
Fixpoint joint (l : list nat) : list (list nat) := match l with [] => [[]] | m :: l' => flat_map (fun a => map (cons a) (joint l')) (seq 0 m) end.
Definition total (l : list Q) : Q := fold_right (fun a s => Qred (a + s)) 0 l.
(** all agents decide at what they have seen, each with its weight times [c]; [k] is what follows a joint action *)
Fixpoint decide (c : Q) (i : nat) (hs : list seen) (av : list (list nat)) (ws : list Q) (k : list nat -> tree history) : tree history :=
  match hs, av, ws with
  | h :: hs', l :: av', w :: ws' => Act (i, h) (Qred (c * w)) (map (fun a => decide c (S i) hs' av' ws' (fun ja => k (a :: ja))) l)
  | _, _, _ => k []
  end.
Section Unroll.
Variable m : decpomdp.
(** probabilities of the next states together with the joint observation [jo] *)
Definition next (b : list Q) (ja jo : list nat) : list Q :=
  map (fun s' => Qred (total (map (fun s => Qred (nth s b 0 * transition m s ja s')) (seq 0 (states m))) * observation m ja s' jo)) (seq 0 (states m)).
(** [b]: the probabilities of having seen [hs] and being in each state; [t]: the step; [g]: the discount so far *)
Fixpoint unroll (steps t : nat) (g : Q) (hs : list seen) (b : list Q) : tree history :=
  match steps with
  | O => Pay 0
  | S steps' => decide (Qred (g * total b)) 0 hs (available m t) (weights m) (fun ja =>
      Sum (Pay (Qred (g * total (map (fun s => Qred (nth s b 0 * reward m s ja)) (seq 0 (states m))))) ::
           map (fun jo => let b' := next b ja jo in
                if Qeq_bool (total b') 0 then Pay 0
                else unroll steps' (S t) (Qred (g * discount m)) (map (fun hao => see (fst hao) (fst (snd hao)) (snd (snd hao))) (combine hs (combine ja jo))) b')
             (joint (agent_observations m))))
  end.
Definition unrolled : tree history := Sum (map (fun ob => unroll (horizon m) 0 1 (map (fun o => (o, [])) (fst ob)) (snd ob)) (start m)).
End Unroll.
(** the histories in a tree, each once, in the order of their first appearance; histories of probability 0 do not appear *)
Definition history_eq (h k : history) : {h = k} + {h <> k}.
Proof. repeat decide equality. Defined.
Fixpoint labels {X} (t : tree X) : list X := match t with Pay _ => [] | Sum l => flat_map labels l | Act x _ l => x :: flat_map labels l end.
Definition histories (m : decpomdp) : list history := rev (nodup history_eq (rev (labels (unrolled m)))).
Fixpoint position (h : history) (l : list history) : nat := match l with [] => O | k :: l' => if history_eq h k then O else S (position h l') end.
Fixpoint relabel {X Y} (f : X -> Y) (t : tree X) : tree Y := match t with Pay q => Pay q | Sum l => Sum (map (relabel f) l) | Act x w l => Act (f x) w (map (relabel f) l) end.
(** decision point number x of the game is the x-th history *)
Definition dec_game (m : decpomdp) : game := let hs := histories m in
  Game (map (fun h => length (nth (fst h) (available m (length (snd (snd h)))) [])) hs) (relabel (fun h => position h hs) (unrolled m)).
(** tables of a model: rows by state, looked up by joint action *)
Fixpoint lookup {T} (d : T) (ja : list nat) (l : list (list nat * T)) : T :=
  match l with [] => d | (k, t) :: l' => if list_eq_dec Nat.eq_dec k ja then t else lookup d ja l' end.
