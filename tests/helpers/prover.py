"""A small prover for tests: contracts boxes with the plain engine's own bounds, found by bisection, and
writes the certificate that results.  Independent of the project's generator; slow, and made for
small games only.
"""

from fractions import Fraction

from engines import apply_step, definite

from certify.checker.cover.tree import Step, pairs
from certify.checker.numbers.fixed_point import scaled_down
from certify.checker.plain.engine import StdlibEngine
from certify.checker.plain.step import StepCheck
from certify.checker.reading.envelope import sha256
from certify.checker.reading.game import read_game
from certify.checker.reading.process import build_process

UNIT = -12


class Prover:
    def __init__(self, game_json, clustering=True):
        self.game_json = game_json
        self.clustering = clustering
        self.process = build_process(read_game(game_json), clustering)
        self.engine = StdlibEngine()
        self.engine.begin(self.process)

    def best_bound(self, box, betas, agent, depth, k, a, b):
        """The smallest m for which the bound m 2^UNIT is verified at all betas."""

        def holds(m):
            return self.shown(box, betas, agent, depth, k, (a, b), m)

        high = 1
        while not holds(high):
            high = 2 * high + 1
        low = -high - (1 << -UNIT)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if holds(middle) else (middle, high)
        return high

    def shown(self, box, betas, agent, depth, k, pair, m):
        """Whether the bound m 2^UNIT of one pair of actions is verified at all betas, by this prover's own reading of
        the rule."""
        bound = scaled_down(self.engine.setting.weights[agent] * m, UNIT)
        line = self.engine.line((agent, depth, k))
        checks = [StepCheck(self.engine.models_at(box, beta)) for beta in betas]
        ways = ("separate", "sharing")
        if all(any(check.holds(line, pair, bound, way) for way in ways) for check in checks):
            return True
        replies = depth + 1 < self.process.horizon and self.process.flows_back
        return replies and all(check.holds(line, pair, bound, "replies") for check in checks)

    def step(self, box, betas, agent, depth):
        process = self.process
        rows = tuple(
            tuple(self.best_bound(box, betas, agent, depth, k, a, b) for a, b in pairs(process.actions[depth][agent]))
            for k in range(process.classes[depth][agent])
        )
        step = Step(agent, depth, rows)
        ok, why, box = apply_step(self.engine, box, step, betas, UNIT)
        assert ok, why
        return {"agent": agent, "depth": depth, "log_ratio": [list(row) for row in rows]}, box

    def sweep(self, box, betas):
        """One step for every agent and depth with a choice, last depth first."""
        steps = []
        for depth in range(self.process.horizon - 1, -1, -1):
            for agent in range(self.process.agents):
                if self.process.actions[depth][agent] > 1:
                    step, box = self.step(box, betas, agent, depth)
                    steps.append(step)
        return steps, box

    def cover(self, alpha_star, sweeps=6, splits=4):
        """Nodes of a cover split along beta where the sweeps do not suffice.  One sweep more than needed
        leaves room for engines that round more."""
        nodes = []

        def grow(parent, low, high, box, depth):
            number = len(nodes)
            node = {"parent": parent, "beta": [str(low), str(high)], "steps": []}
            nodes.append(node)
            for _ in range(sweeps):
                ok, why = definite(self.engine, box, (low, high))
                steps, box = self.sweep(box, (low, high))
                node["steps"] += steps
                if ok:
                    node["close"] = "nondegenerate"
                    return
            assert depth < splits, why
            middle = (low + high) / 2
            node["split"] = {"beta": str(middle)}
            grow(number, low, middle, box, depth + 1)
            grow(number, middle, high, box, depth + 1)

        grow(None, Fraction(0), 1 / alpha_star, self.engine.initial_box(), 0)
        return nodes

    def certificate(self, alpha_star, nodes, concavity=()):
        return {
            "format": "certify-certificate",
            "version": 1,
            "kind": "threshold",
            "game": self.game_json,
            "game_sha256": sha256(self.game_json),
            "objective": "visitation",
            "claim": {"alpha_star": str(alpha_star), "strong_concavity": list(concavity)},
            "proof": {"type": "cover", "clustering": self.clustering, "unit": UNIT, "nodes": nodes},
        }
