"""The plain engine: verifies steps and definiteness with Python integers alone (see `cover` for what
an engine is)."""

from collections.abc import Sequence
from fractions import Fraction

from certify.checker.cover.obligations import Claim, StepClaim, WeighedClaim
from certify.checker.cover.tree import Step, pairs
from certify.checker.cover.weighed import ONE as UNITS
from certify.checker.cover.weighed import Weighed
from certify.checker.numbers.fixed_point import ONE, down, scaled_down, up
from certify.checker.plain.box import Block, Box, Name
from certify.checker.plain.definite import check_definite
from certify.checker.plain.models import Models, Setting
from certify.checker.plain.step import Line, StepCheck
from certify.checker.plain.weighed import WeighedRule
from certify.checker.reading.envelope import Failed
from certify.checker.reading.process import Process

_KEPT_MODELS = 4  # betas for which models are kept


class StdlibEngine:
    """The protocol of `cover`; a box is a `Box`."""

    name = "stdlib"
    batch = 16  # claims between two lines of progress

    def begin(self, process: Process) -> None:
        """Gets ready for the covers of one process."""
        self.process, self.setting = process, Setting(process)
        self._lines: dict[Name, Line] = {}
        self._models: dict[Fraction, Models] = {}
        self._weighed: WeighedRule | None = None

    def initial_box(self) -> Box:
        """The whole policy space."""
        return Box.whole(self.process)

    def is_empty(self, box: Box) -> bool:
        """Whether the box holds no policy."""
        return box.empty

    def split(self, box: Box, block: Name, action: int, at: Fraction, upper: bool) -> Box:
        """The part of the box with pi(action) <= at, or >= at if `upper`."""
        agent, depth, k = block
        blocks = list(box.layers[depth][agent])
        blocks[k] = blocks[k].halved(action, at, upper)
        return box.replaced(agent, depth, blocks)

    def within(self, box: Box, block: Name, action: int, at: Fraction, upper: bool) -> bool:
        """Whether the box's own end says that pi(action) <= at, or >= at if `upper`."""
        agent, depth, k = block
        own = box.layers[depth][agent][k]
        return own.lower[action] >= up(at) if upper else own.upper[action] <= down(at)

    def cuts(self, steps: Sequence[Step], unit: int) -> list[int]:
        """Nothing is worked out ahead."""
        return [unit] * len(steps)

    def cut(self, box: Box, step: Step, cut: int) -> Box:
        """What the step leaves of the box; `cut` is the unit."""
        names = pairs(self.process.actions[step.depth][step.agent])
        blocks = [
            block.contracted(dict(zip(names, row, strict=True)), cut)
            for block, row in zip(box.layers[step.depth][step.agent], step.log_ratio, strict=True)
        ]
        return box.replaced(step.agent, step.depth, blocks)

    def narrowed(self, box: Box, step: Weighed) -> Box:
        """What a weighed step leaves of the box, if it holds."""
        for i, rows in enumerate(step.bounds):
            blocks, half = list(box.layers[0][i]), self.process.actions[0][i]
            for k, row in enumerate(rows):
                low, high = ([x * (ONE // UNITS) for x in part] for part in (row[:half], row[half:]))
                blocks[k] = Block.tight([*map(max, blocks[k].lower, low)], [*map(min, blocks[k].upper, high)])
            box = box.replaced(i, 0, blocks)
        return box

    def verify(self, claims: Sequence[Claim]) -> tuple[int, str] | None:
        """(number, why) of the first claim that is not shown to hold."""
        for number, claim in enumerate(claims):
            try:
                if isinstance(claim, WeighedClaim):
                    self._verify_weighed(claim)
                    continue
                if isinstance(claim, StepClaim):
                    self._verify_step(claim)
                    continue
                for beta in claim.betas:
                    if not check_definite(self.models_at(claim.box, beta), claim.modulus, claim.own):
                        raise Failed(f"the second derivative is not shown to be definite at beta = {beta}")
            except Failed as failure:
                return number, failure.why
        return None

    def models_at(self, box: Box, beta: Fraction) -> Models:
        """The models over a box; the last ones are kept, since the next box is often the same but for a layer."""
        known = self._models.pop(beta, None)
        if known is None or known.box is not box:
            known = Models(self.setting, box, beta, known)
        self._models[beta] = known
        if len(self._models) > _KEPT_MODELS:
            del self._models[next(iter(self._models))]
        return known

    def line(self, name: Name) -> Line:
        """The `Line` of a block."""
        if name not in self._lines:
            self._lines[name] = Line(self.process, *name)
        return self._lines[name]

    def _verify_weighed(self, claim: WeighedClaim) -> None:
        """Every bound of the weighed step, else `Failed`."""
        if self._weighed is None:
            self._weighed = WeighedRule(self.process)
        blocks = [block for own in claim.box.layers[0] for block in own]
        if claim.step.weights:
            self._weighed.verify_excluding(blocks, claim.betas, claim.step)
            return
        rows = [(row, len(row) // 2) for own in claim.step.bounds for row in own]
        claimed = [x for row, half in rows for x in row[:half]], [x for row, half in rows for x in row[half:]]
        self._weighed.verify(blocks, claim.betas, claimed)

    def _verify_step(self, claim: StepClaim) -> None:
        """Every bound of the step, else `Failed`."""
        step, unit = claim.step, claim.unit
        checks = [StepCheck(self.models_at(claim.box, beta)) for beta in claim.betas]
        weight, later = self.setting.weights[step.agent], step.depth + 1 < self.process.horizon
        replies = later and self.process.flows_back
        for k, row in enumerate(step.log_ratio):
            line = self.line((step.agent, step.depth, k))
            for pair, m in zip(pairs(self.process.actions[step.depth][step.agent]), row, strict=True):
                if m is None:
                    continue
                above, below = (self.setting.own_tilt(step.agent, step.depth, k, x) for x in pair)
                case = line, pair, scaled_down(weight * m, unit) - (above[1] - below[0])
                left = [check for check in checks if not check.holds(*case, "separate")]
                # replies bound another function: at both ends of an interval of beta, or not at all
                if left and not (replies and all(check.holds(*case, "replies") for check in checks)):
                    left = [check for check in left if not check.holds(*case, "sharing")]
                    if not left:
                        continue
                    claim_of = f"class {k}: log pi({pair[0]}) - log pi({pair[1]}) <= {m} * 2^{unit}"
                    raise Failed(f"{claim_of} does not follow at beta = {left[0].models.beta}")
