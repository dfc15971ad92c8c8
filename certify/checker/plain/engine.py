"""The plain engine: verifies steps and definiteness with Python integers alone (see `cover` for what
an engine is)."""

from certify.checker.cover.obligations import DefiniteClaim
from certify.checker.cover.tree import pairs
from certify.checker.numbers.fixed_point import BITS
from certify.checker.plain.box import Box
from certify.checker.plain.definite import check_definite
from certify.checker.plain.models import Models, common_denominator
from certify.checker.plain.step import Line, StepCheck
from certify.checker.reading.envelope import Failed

_KEPT_MODELS = 4  # betas for which models are kept


class StdlibEngine:
    name = "stdlib"
    batch = 16  # claims between two lines of progress

    def begin(self, process):
        self.process = process
        self.averages = [
            [[common_denominator([(to, p * process.discount) for to, p in row]) for row in rows] for rows in layer]
            for layer in process.following
        ]
        self._lines, self._models, self._modes = {}, {}, {}

    def initial_box(self):
        return Box.whole(self.process)

    def is_empty(self, box):
        return box.empty

    def split(self, box, block, action, at, upper):
        agent, depth, k = block
        blocks = list(box.layers[depth][agent])
        blocks[k] = blocks[k].halved(action, at, upper)
        return box.replaced(agent, depth, blocks)

    def cuts(self, steps, unit):
        """Nothing is worked out ahead."""
        return [unit] * len(steps)

    def cut(self, box, step, unit):
        actions = self.process.actions[step.depth][step.agent]
        blocks = []
        for block, row in zip(box.layers[step.depth][step.agent], step.log_ratio):
            bounds = [[None] * actions for _ in range(actions)]
            for (a, b), m in zip(pairs(actions), row):
                bounds[a][b] = m
            blocks.append(block.contracted(bounds, unit))
        return box.replaced(step.agent, step.depth, blocks)

    def verify(self, claims):
        for number, claim in enumerate(claims):
            if isinstance(claim, DefiniteClaim):
                ok, why = self.definite(claim.box, claim.betas, claim.modulus, claim.own)
            else:
                ok, why = self.holds(claim.box, claim.step, claim.betas, claim.unit)
            if not ok:
                return number, why
        return None

    def holds(self, box, step, betas, unit):
        try:
            self._verify(box, step, betas, unit)
        except Failed as failure:
            return False, failure.why
        return True, ""

    def apply_step(self, box, step, betas, unit):
        """One step alone: (ok, why, what is left of the box)."""
        ok, why = self.holds(box, step, betas, unit)
        return ok, why, self.cut(box, step, unit) if ok else box

    def definite(self, box, betas, modulus=None, own=False):
        for beta in betas:
            try:
                if not check_definite(self.process, self.averages, self._models_at(box, beta), modulus, own):
                    return False, f"the second derivative is not shown to be definite at beta = {beta}"
            except Failed as failure:
                return False, failure.why
            except OverflowError:
                return False, "numbers too large for the search for a factor"
        return True, ""

    def _models_at(self, box, beta):
        known = self._models.pop(beta, None)
        if known is None or known.box is not box:
            known = Models(self.process, self.averages, box, beta, known)
        self._models[beta] = known
        if len(self._models) > _KEPT_MODELS:
            del self._models[next(iter(self._models))]
        return known

    def _line(self, agent, depth, k):
        if (agent, depth, k) not in self._lines:
            self._lines[agent, depth, k] = Line(self.process, agent, depth, k)
        return self._lines[agent, depth, k]

    def _verify(self, box, step, betas, unit):
        """Every bound of the step at every beta, else `Failed`."""
        weight = self.process.weights[step.agent]
        todo = pairs(self.process.actions[step.depth][step.agent])
        for beta in betas:
            check = StepCheck(self.process, self.averages, self._models_at(box, beta))
            for k, row in enumerate(step.log_ratio):
                line = self._line(step.agent, step.depth, k)
                for (a, b), m in zip(todo, row):
                    if m is not None and not self._holds(check, line, a, b, weighted_bound(weight, m, unit)):
                        raise Failed(
                            f"class {k}: log pi({a}) - log pi({b}) <= {m} * 2^{unit} does not follow at beta = {beta}"
                        )

    def _holds(self, check, line, a, b, bound):
        """Tries the mode that held last at this depth first."""
        first = self._modes.get(line.depth, True)
        modes = [first] if line.depth == self.process.horizon - 1 else [first, not first]  # without slopes they agree
        for sharing in modes:
            if check.holds(line, a, b, bound, sharing):
                self._modes[line.depth] = sharing
                return True
        return False


def weighted_bound(weight, m, unit):
    """lambda = w_i m 2^unit in fixed point, rounded down."""
    shift = BITS + unit
    numerator = weight.numerator * m
    return (numerator << shift) // weight.denominator if shift >= 0 else numerator // (weight.denominator << -shift)
