"""Checks the entropy of every action-observation history and its rate along dθ/dτ = ∇J_α
(docs/theory/entropy.md#first-order, docs/theory/objective.md#the-gradient); standard library only.

At a history x of agent i with reach d(x), the row of ∇J_α is u_a = γ^t d(x) π(a) (q_a − E_π q), q_a = Q(x, a) − α w_i
log π(a), and dH_x/dτ = −Cov_π(log π, u).  Q and the weights of what the others may have done come from the equations of
stationary policies, which have them in units of α; d(x) is the product of the agent's own probabilities
along its line of predecessors and those weights.
"""

from fractions import Fraction
from typing import Any

from certify.checker.numbers.interval import UNIT, Interval, log, total
from certify.checker.reading.envelope import Failed, Malformed, array, envelope, pair, rational, record
from certify.checker.reading.game import game_of
from certify.checker.reading.process import Process, build_process
from certify.checker.stationary.equations import Equations, rows_of, scaled
from certify.checker.verdict import Proof, Run


def check_flow(certificate: Any, run: Run) -> Proof:
    """The `Proof` of a certificate of kind "entropy-flow"; raises `Failed` or `Malformed`."""
    envelope(certificate, ("game", "game_sha256", "alpha", "policy", "claim"))
    game = game_of(certificate)
    alpha = rational(certificate["alpha"], "alpha")
    if alpha <= 0:
        raise Malformed("alpha", "not a positive temperature")
    process = build_process(game, clustering=False)
    rows = rows_of(process)
    policy = _policy(certificate["policy"], process, rows)
    claims = array(record(certificate["claim"], "claim", ("rows",))["rows"], "claim.rows", len(rows))
    pi = [[Interval.of(p) for p in row] for row in policy]
    logs = [[-log(p) for p in row] for row in pi]
    equations = Equations(process, [0] * len(rows), (pi, logs), 1 / alpha, slopes=False)
    for x, (i, t, k) in enumerate(rows):
        where = f"claim.rows[{x}]"
        record(claims[x], where, ("entropy", "rate"))
        entropy = total(p * m for p, m in zip(pi[x], logs[x], strict=True))
        if not entropy.within(*pair(claims[x]["entropy"], where)):
            raise Failed("the entropy is not within the claimed one", step=f"row {x}")
        if not _rate(equations, x, (i, t, k), alpha).within(*pair(claims[x]["rate"], where)):
            raise Failed("the rate is not within the claimed one", step=f"row {x}")
        run.tell(f"history {x + 1} of {len(rows)}")
    text = f"the entropies of {len(rows)} histories and their rates along the gradient flow at alpha = {alpha}"
    return Proof((f"{text} are as claimed",), len(rows), game)


def _policy(data: Any, process: Process, rows: list[tuple[int, int, int]]) -> list[list[Fraction]]:
    """Exact positive rows that sum to 1, in the order of `rows_of`."""
    found = []
    for x, (given, (i, t, _)) in enumerate(zip(array(data, "policy", len(rows)), rows, strict=True)):
        count = 1 + max(a[i] for a in process.joint_actions[t])
        row = [rational(p, f"policy[{x}]") for p in array(given, f"policy[{x}]", count)]
        if min(row) <= 0 or sum(row) != 1:
            raise Malformed(f"policy[{x}]", "not positive probabilities that sum to 1")
        found.append(row)
    return found


def _rate(equations: Equations, x: int, name: tuple[int, int, int], alpha: Fraction) -> Interval:
    i, t, k = name
    process, pi, logs = equations.process, equations.pi[x], equations.minus_log[x]
    weights = equations._line_weights(i, t, k)
    reach = total(value for value, _ in weights.values()) * _own(equations, name)
    if len(pi) == 1:
        return Interval(0, 0)
    # q in units of alpha: Q(x, a)/alpha − w log pi(a), up to a constant
    q = [scaled(m, process.weights[i]) for m in logs]
    for a in range(1, len(pi)):
        q[a] = q[a] + equations._difference(i, t, weights, a, 0)[0]
    mean = total(p * v for p, v in zip(pi, q, strict=True))
    entropy = total(p * m for p, m in zip(pi, logs, strict=True))
    u = [p * (v - mean) for p, v in zip(pi, q, strict=True)]
    covariance = total(p * (entropy - m) * y for p, m, y in zip(pi, logs, u, strict=True))
    return -(scaled(covariance, alpha * process.discount**t) * reach)


def _own(equations: Equations, name: tuple[int, int, int]) -> Interval:
    """The product of the agent's own probabilities on the way to the history."""
    i, t, k = name
    found = UNIT
    for u in range(t, 0, -1):
        before, action = equations.process.predecessor[u][i][k]
        found = found * equations.pi[equations.row[i, u - 1, before]][action]
        k = before
    return found
