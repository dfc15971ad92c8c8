"""Certify an environment of your own: a class in PettingZoo's parallel style, two methods added, nothing else changed.

Usage: python examples/own_environment.py
"""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import certify

GUST = Fraction(1, 5)


class Ferry:
    """Two rowers must pull on the same side, three times in a row; a gust turns the boat now and then.

    Each sees the side that the wind comes from, before every stroke.
    """

    def __init__(self) -> None:
        self.possible_agents = ["bow", "stern"]
        self.state = ("calm", 0)

    # what any environment in PettingZoo's parallel style has

    def reset(self, seed: int | None = None) -> tuple[dict[str, str], dict[str, dict]]:
        """Begin a crossing."""
        self.random = random.Random(seed)
        self.state = ("calm", 0)
        return dict.fromkeys(self.possible_agents, "calm"), {agent: {} for agent in self.possible_agents}

    def step(self, actions: dict[str, str]) -> tuple[dict, dict, dict, dict, dict]:
        """One stroke: draws one of the outcomes below."""
        joint = tuple(actions[agent] for agent in self.possible_agents)
        listed = self.outcomes(self.state, joint)
        _, reward, self.state, seen, done = self.random.choices(listed, [float(p) for p, *_ in listed])[0]
        agents = self.possible_agents
        return (
            dict(zip(agents, seen, strict=True)),
            dict.fromkeys(agents, reward),
            dict.fromkeys(agents, done),
            dict.fromkeys(agents, False),
            {agent: {} for agent in agents},
        )

    # what `certify.from_steps` needs beside them: everything that may happen, with its probability

    @property
    def agents(self) -> list[str]:
        """Who rows."""
        return self.possible_agents

    actions = (("left", "right"), ("left", "right"))

    def initial(self) -> list[tuple[Any, ...]]:
        """Every first state."""
        return [(1, ("calm", 0), ("calm", "calm"))]

    def outcomes(self, state: tuple[str, int], joint_action: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """Everything that one stroke can lead to."""
        wind, strokes = state
        together = joint_action[0] == joint_action[1]
        against = wind == "gust" and together and joint_action[0] == "left"  # the gust comes from the left
        reward = (1 if together else -1) + (Fraction(1, 2) if against else 0)
        done = strokes == 2
        return [
            (GUST, reward, ("gust", strokes + 1), ("gust", "gust"), done),
            (1 - GUST, reward, ("calm", strokes + 1), ("calm", "calm"), done),
        ]


def main() -> None:
    """Enumerate, certify, say what it means."""
    environment = Ferry()
    game = certify.from_steps(environment, name="ferry")
    print(f"states         {len(game.states)}, over {game.horizon} strokes; objective {game.objective}")
    found = certify.threshold(game, method="structural")
    print(f"alpha*         {found.alpha_star} (about {float(found.alpha_star):.4f}), by {found.method}")
    print("  means: at every entropy coefficient from there on all runs of softmax policy gradient, from every")
    print("  initialisation, end in the same policy")
    group = certify.symmetries(game)
    print(f"symmetries     {group.order}: the rowers may swap their seats")

    # the environment that was certified is the one that runs
    total, runs = 0.0, 2_000
    for seed in range(runs):
        environment.reset(seed)
        done = False
        while not done:
            _, reward, over, _, _ = environment.step({"bow": "left", "stern": "left"})
            total, done = total + float(reward["bow"]), over["bow"]
    print(f"always left    {total / runs:.2f} on average over {runs} crossings; 3.2 as listed")


if __name__ == "__main__":
    main()
