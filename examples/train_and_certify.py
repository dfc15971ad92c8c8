"""Train agents for real, tabulate what they learned, and certify it: how far from the only stationary policy, and what
five seeds earn with each other's partners above and below the certified temperature.

Usage: python examples/train_and_certify.py [GAME] [ABOVE] [BELOW]

Tabular softmax agents follow the exact gradient, in numpy.  Where PyTorch is installed, a small recurrent network is
trained by sampling, too, as people do.
"""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

import certify

Logits = dict[str, np.ndarray]  # by AOH key
Recurrent = Callable[[certify.PlayedHistory], Any]  # (row, memory)
SEEDS = 5


def softmax(x: np.ndarray) -> np.ndarray:
    """Probabilities of logits."""
    e = np.exp(x - x.max())
    return e / e.sum()


class Play:
    """Joint histories of a game, as two functions that a trainer needs: what is known, and what comes next."""

    def __init__(self, game: certify.Game) -> None:
        self.game, self.agents = game, range(len(game.agents))
        self.joint = list(itertools.product(*(range(len(actions)) for actions in game.actions)))

    def start(self) -> list[tuple[float, int, tuple[str, ...]]]:
        """(probability, state, AOH keys)."""
        found = []
        for state, seen, p in self.game.start:
            parts = [f",{self.game.observations[i][seen[i]]}" if seen else "" for i in self.agents]
            found.append((float(p), state, tuple(f"{self.game.agents[i]}:{parts[i]}" for i in self.agents)))
        return found

    def after(
        self, state: int, keys: tuple[str, ...], action: tuple[int, ...]
    ) -> list[tuple[float, int, tuple[str, ...]]]:
        """The same for what may follow a joint action."""
        found = []
        for following, p in self.game.transition[state, action]:
            for seen, q in self.game.emission[action, following]:
                grown = []
                for i in self.agents:
                    told = f"{self.game.actions[i][action[i]]},{self.game.observations[i][seen[i]]}"
                    grown.append(keys[i] + ("" if keys[i].endswith(":") else "/") + told)
                found.append((float(p * q), following, tuple(grown)))
        return found


def gradient(play: Play, logits: Logits, alpha: float) -> Logits:
    """The exact gradient of return + alpha * entropy in the logits."""
    policy = {key: softmax(x) for key, x in logits.items()}
    total = {key: np.zeros_like(x) for key, x in logits.items()}

    def value(step: int, reach: float, state: int, keys: tuple[str, ...]) -> float:
        """What is still to come, entropy included; adds this history's share to the gradient."""
        rows = [policy[key] for key in keys]
        bonus = -alpha * sum(float(row @ np.log(row)) for row in rows)
        q = {}
        for action in play.joint:
            p = float(np.prod([rows[i][action[i]] for i in play.agents]))
            q[action] = float(play.game.reward.get((state, action), 0))
            if step + 1 < play.game.horizon:
                for chance, following, grown in play.after(state, keys, action):
                    q[action] += chance * value(step + 1, reach * p * chance, following, grown)
        mean = sum(x * float(np.prod([rows[i][a[i]] for i in play.agents])) for a, x in q.items())
        for i in play.agents:
            own = np.zeros_like(rows[i])
            for action, x in q.items():
                others = float(np.prod([rows[j][action[j]] for j in play.agents if j != i]))
                own[action[i]] += others * (x - mean)
            soft = own - alpha * np.log(rows[i])
            total[keys[i]] += reach * rows[i] * (soft - rows[i] @ soft)
        return mean + bonus

    for p, state, keys in play.start():
        value(0, p, state, keys)
    return total


def train(game: certify.Game, alpha: float, seed: int, steps: int = 1500, rate: float = 1.0) -> Logits:
    """Logits after so many exact gradient steps from a random start."""
    rng, play = np.random.default_rng(seed), Play(game)
    shapes = certify.tabulate(game, lambda history: softmax(np.zeros(len(history.available))))
    logits = {key: rng.normal(0, 2, len(row)) for key, row in shapes.items()}
    for _ in range(steps):
        for key, change in gradient(play, logits, alpha).items():
            logits[key] += rate * change
    return logits


def recurrent(game: certify.Game, alpha: float, seed: int, updates: int = 400) -> Recurrent:
    """A small recurrent network per agent, trained by sampled plays; returns what `certify.tabulate` wants."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    play, width = Play(game), 16
    nets, heads, words = [], [], []
    for i in play.agents:
        words.append({text: k for k, text in enumerate(["", *game.actions[i], *game.observations[i]])})
        nets.append(torch.nn.GRUCell(2 * len(words[i]), width))
        heads.append(torch.nn.Linear(width, len(game.actions[i])))
    optimiser = torch.optim.Adam([p for net in (*nets, *heads) for p in net.parameters()], lr=0.01)

    def told(i: int, action: str | None, observation: str | None) -> Any:
        x = torch.zeros(2 * len(words[i]))
        x[words[i][action or ""]] = x[len(words[i]) + words[i][observation or ""]] = 1
        return x

    def answer(history: certify.PlayedHistory) -> tuple[Any, Any]:
        """One row, and the memory that the next step begins with."""
        i = game.agents.index(history.agent)
        with torch.no_grad():
            memory = nets[i](told(i, history.action, history.observation)[None], history.memory)
            return torch.softmax(heads[i](memory)[0].double(), 0), memory

    rng, batch = np.random.default_rng(seed), 128
    for update in range(updates):
        states: list[int] = []
        inputs: list[list[Any]] = []
        for _ in range(batch):
            chances = play.game.start
            state, seen, _ = chances[rng.choice(len(chances), p=[float(p) for _, _, p in chances])]
            states.append(state)
            inputs.append([told(i, None, game.observations[i][seen[i]] if seen else None) for i in play.agents])
        log_probability = torch.zeros(batch)
        bonus, earned = torch.zeros(batch), torch.zeros(batch)
        hidden: list[Any] = [None] * len(nets)
        for step in range(game.horizon):
            chosen = []
            for i in play.agents:
                hidden[i] = nets[i](torch.stack([row[i] for row in inputs]), hidden[i])
                found = torch.distributions.Categorical(logits=heads[i](hidden[i]))
                picked = found.sample()
                log_probability = log_probability + found.log_prob(picked)
                bonus = bonus - alpha * found.log_prob(picked)
                chosen.append(picked.tolist())
            for k in range(batch):
                action = tuple(chosen[i][k] for i in play.agents)
                earned[k] += float(game.reward.get((states[k], action), 0))
                if step + 1 < game.horizon:
                    rows = game.transition[states[k], action]
                    states[k] = rows[rng.choice(len(rows), p=[float(p) for _, p in rows])][0]
                    rows = game.emission[action, states[k]]
                    seen = rows[rng.choice(len(rows), p=[float(p) for _, p in rows])][0]
                    inputs[k] = [
                        told(i, game.actions[i][action[i]], game.observations[i][seen[i]]) for i in play.agents
                    ]
        score = (earned + bonus).detach()
        loss = -((score - score.mean()) * log_probability).mean()  # the bonus enters by what it was worth
        for group in optimiser.param_groups:
            group["lr"] = 0.01 * (1 - update / updates)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return answer


def tell(name: str, game: certify.Game, alpha: Fraction, table: Any, threshold: Any) -> None:
    """One line for a person."""
    found = certify.policy_distance(game, alpha, table, threshold=threshold)
    if found.status != "proved" or found.distance is None or found.return_gap is None:
        print(f"  {name}: not known: {found.reason}")
        return
    low, high = float(found.return_gap.lower), float(found.return_gap.upper)
    print(
        f"  {name}: within {float(found.distance) * 1.000001:.3g} of the only stationary policy at alpha = {alpha}, "
        f"which earns between {low:+.3g} and {high:+.3g} more"
    )


def main() -> None:
    """Train, tabulate, certify."""
    name, above, below = [*sys.argv[1:], *("two-stage-lever", "5/4", "1/4")[len(sys.argv) - 1 :]]
    game = certify.load(name)
    threshold = certify.threshold(game, method="localisation", rtol="1/20")
    if threshold.alpha_star is None:
        raise SystemExit(f"{name}: {threshold.reason}")
    print(f"{name}: one stationary policy for every alpha >= {float(threshold.alpha_star) * 1.000001:.6g}")
    for alpha in (Fraction(above), Fraction(below)):
        print(f"alpha = {alpha}: {SEEDS} seeds of tabular agents on the exact gradient")
        logits = [train(game, float(alpha), seed) for seed in range(SEEDS)]
        tables = [certify.tabulate(game, lambda history, x=x: softmax(x[history.key])) for x in logits]
        if alpha >= threshold.alpha_star:
            tell("seed 0", game, alpha, tables[0], threshold)
        table = certify.cross_play(game, alpha, policies=tables).table
        own = min(float(x.lower) for x in table.sp_reward)
        others = [float(table.xp_reward[0][j][k].upper) for j in range(SEEDS) for k in range(SEEDS) if j != k]
        print(f"  self-play earns at least {own:z.4f}, the worst pair of two seeds at most {min(others):z.4f}")
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed: no recurrent network this time")
        return
    answer = recurrent(game, float(Fraction(above)), seed=0)
    tell("a recurrent network, by sampling", game, Fraction(above), certify.tabulate(game, answer), threshold)


if __name__ == "__main__":
    main()
