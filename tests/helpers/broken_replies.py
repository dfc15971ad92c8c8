"""Rules with replies that are not that of the format (section 4.4), in both engines: all but the mixture of ways at the
ends of an interval are false (docs/theory/localisation.md#replies).

`broken(name)` is a context in which the checker follows the rule `name`.  Under it the attack of that name in
`certificates/invalid` is accepted, so that the file attacks what it is named after.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from certify.checker.cover.tree import pairs
from certify.checker.fast.copies import Copies
from certify.checker.fast.step import reply_differences
from certify.checker.numbers.fixed_point import scaled_down
from certify.checker.plain.engine import StdlibEngine
from certify.checker.plain.models import Models
from certify.checker.plain.step import StepCheck
from certify.checker.reading.envelope import Failed


def _verify_step(at_each_end: bool, under_the_local_bonus: bool):
    """The plain engine's rule, but that replies may show one end alone, or count where entropies do not flow back."""

    def verify(self, claim):
        step, unit = claim.step, claim.unit
        checks = [StepCheck(self.models_at(claim.box, beta)) for beta in claim.betas]
        later = step.depth + 1 < self.process.horizon
        replies = later and (self.process.flows_back or under_the_local_bonus)
        for k, row in enumerate(step.log_ratio):
            line = self.line((step.agent, step.depth, k))
            for pair, m in zip(pairs(self.process.actions[step.depth][step.agent]), row, strict=True):
                if m is None:
                    continue
                above, below = (self.setting.own_tilt(step.agent, step.depth, k, x) for x in pair)
                bound = scaled_down(self.setting.weights[step.agent] * m, unit) - (above[1] - below[0])
                direct = [
                    any(check.holds(line, pair, bound, way) for way in ("separate", "sharing")) for check in checks
                ]
                if all(direct):
                    continue
                by_reply = [replies and check.holds(line, pair, bound, "replies") for check in checks]
                if not (all(map(max, direct, by_reply)) if at_each_end else all(by_reply)):
                    raise Failed("does not follow")

    return verify


def _not_shown(true):
    """The fast engine's rule, but that replies may show one end alone."""

    def not_shown(self, box, agent, depth, betas, ratio, claimed):
        open_ = true(self, box, agent, depth, betas, ratio, claimed)
        for form in self.forms(agent, depth):
            open_ = open_ & ~(self.bounds(box, agent, depth, betas, ratio, form) <= 0)
        return open_

    return not_shown


def _forms(true):
    def forms(self, agent, depth):
        found = true(self, agent, depth)
        last = depth == self.layout.horizon - 1
        return found if last or "replies" in found else [*found, "replies"]

    return forms


def _held(agents: int, everybody: bool, agent: int) -> set[int]:
    """Who plays the centres: the agent, and of the others all or the last one alone."""
    return set(range(agents)) if everybody else {agent, max(i for i in range(agents) if i != agent)}


def _others_too(everybody: bool):
    """`Models.pinned`, where others play their centres, too."""

    def pinned(self, agent):
        if agent in self._pinned:
            return self._pinned[agent]
        held, box = _held(self.process.agents, everybody, agent), self.box
        for i in held:
            box = box.pinned(i)
        models = Models(self.setting, box, self.beta)
        true = models.u
        models.u = lambda t: [
            [model._replace(slopes={y: s for y, s in model.slopes.items() if y[0] not in held}) for model in row]
            for row in true(t)
        ]
        self._pinned[agent] = models
        return models

    return pinned


def _others_too_fast(everybody: bool):
    def of(true):
        def differences(self, box, agent, depth, betas, reply):
            if not reply:
                return true(self, box, agent, depth, betas, reply)
            held = _held(self.layout.agents, everybody, agent)
            points = tuple(tuple(b.pinned if i in held else b for i, b in enumerate(row)) for row in box)
            after = Copies(self.layout).action_model(depth, points, betas)
            after = after._replace(slopes={key: s for key, s in after.slopes.items() if key[0] not in held})
            return reply_differences(self.layout, agent, depth, self.action_model(depth, box, betas), after)

        return differences

    return of


def _after_both(true):
    """The agent's centres after the first action, too: the direct rule over the box that they are."""

    def holds(self, line, pair, bound, way):
        if way == "replies":
            return true(StepCheck(self.models.pinned(line.agent)), line, pair, bound, "separate")
        return true(self, line, pair, bound, way)

    return holds


def _after_both_fast(true):
    def bounds(self, found, box, key, betas, ratio, form, open_):
        if form != "replies":
            return true(self, found, box, key, betas, ratio, form, open_)
        agent = key[0]
        points = tuple(tuple(b.pinned if i == agent else b for i, b in enumerate(row)) for row in box)
        again = Copies(self.layout)
        return true(again, again._differences(points, *key, betas, False), points, key, betas, ratio, "separate", open_)

    return bounds


RULES = {
    "at_one_end_of_the_interval": [
        (StdlibEngine, "_verify_step", lambda true: _verify_step(True, False)),
        (Copies, "not_shown", _not_shown),
    ],
    "with_the_others_at_their_centres": [
        (Models, "pinned", lambda true: _others_too(everybody=True)),
        (Copies, "_differences", _others_too_fast(everybody=True)),
    ],
    "with_one_of_the_others_at_its_centres": [
        (Models, "pinned", lambda true: _others_too(everybody=False)),
        (Copies, "_differences", _others_too_fast(everybody=False)),
    ],
    "under_the_local_bonus": [
        (StdlibEngine, "_verify_step", lambda true: _verify_step(False, True)),
        (Copies, "forms", _forms),
    ],
    "after_the_first_action_too": [(StepCheck, "holds", _after_both), (Copies, "_bounds", _after_both_fast)],
}


@contextmanager
def broken(name: str) -> Iterator[None]:
    """The checker with the rule `name` in place of the right one."""
    with ExitStack() as stack:
        for owner, attribute, change in RULES[name]:
            stack.enter_context(patch.object(owner, attribute, change(getattr(owner, attribute))))
        yield
