"""Check a trained policy: a few lines of softmax policy gradient, then a rigorous distance to the one
policy that every run must end in.

Usage: python examples/trained_policy.py
"""

import numpy as np

import certify

GAME, ALPHA = "lever:10:9/10", "1/4"  # nine levers worth 1, one worth 0.9


def train(payoff: np.ndarray, alpha: float, steps: int, seed: int, rate: float = 2.0) -> list[np.ndarray]:
    """Two softmax policies after `steps` exact gradient steps on return + alpha * entropy."""
    generator = np.random.default_rng(seed)
    logits = [generator.normal(0, 3, size) for size in payoff.shape]
    for _ in range(steps):
        policy = [np.exp(x - x.max()) / np.exp(x - x.max()).sum() for x in logits]
        for x, p, q in zip(logits, policy, (payoff @ policy[1], payoff.T @ policy[0]), strict=True):
            value = q - alpha * np.log(p)
            x += rate * p * (value - p @ value)
    policy = [np.exp(x - x.max()) / np.exp(x - x.max()).sum() for x in logits]
    return [p / p.sum() for p in policy]


def main() -> None:
    """Train on one game and certify how far the result is from the limit."""
    game = certify.load(GAME)
    payoff = np.array([[float(game.reward.get((0, (a, b)), 0)) for b in range(10)] for a in range(10)])
    threshold = certify.threshold(game, method="localisation", rtol="1/20")
    print(f"{GAME}: unique for every alpha >= {float(threshold.alpha_star):.4f}; training at alpha = {ALPHA}")
    print(f"{'steps':>7} {'seed':>5}   largest difference of a probability   return gained by the unique policy")
    for steps, seed in ((0, 1), (300, 1), (20_000, 1), (300, 2), (20_000, 2)):
        policy = train(payoff, 0.25, steps, seed)
        # one array per agent, one row per action-observation history: a one-shot game has one row
        found = certify.policy_distance(game, ALPHA, [p[None, :] for p in policy], threshold=threshold)
        low, high = float(found.return_gap.lower), float(found.return_gap.upper)
        print(
            f"{steps:>7} {seed:>5}   at most {float(found.distance):<8.3g} ({found.at[0]}{found.at[1]})"
            f"{'':13} between {low:+.3g} and {high:+.3g}"
        )
    unique = found.optimum.policy["agent1:"]
    print(
        "in the unique policy the odd lever, on which everyone could agree, has probability "
        f"{float(unique['9'].upper):.5f},"
    )
    print(
        f"each of the others {float(unique['0'].lower):.5f}: where the distance is tiny, training is over, "
        "and no other seed would help"
    )


if __name__ == "__main__":
    main()
