"""Checks the entropy of every action-observation history and its rate along dθ/dτ = ∇J_α
(docs/theory/entropy.md#first-order, docs/theory/objective.md#the-gradient); standard library only.

At a history x of agent i with reach d(x), the row of ∇J_α is u_a = γ^t d(x) π(a) (q_a − E_π q), q_a = Q(x, a) − α w_i
log π(a), and dH_x/dτ = −Cov_π(log π, u).  Q and the weights of what the others may have done come from the equations of
stationary policies, which have them in units of α; d(x) is the product of the agent's own probabilities
along its line of predecessors and those weights.

A row holds the legal actions of its history; illegal ones are other names of the first of them, and share its
probability evenly (docs/theory/legal-actions.md#other-names).
"""

from fractions import Fraction
from typing import Any

from certify.checker.numbers.interval import UNIT, Interval, log, total
from certify.checker.reading.envelope import Failed, Malformed, array, envelope, pair, rational, record
from certify.checker.reading.game import game_of
from certify.checker.reading.process import build_process
from certify.checker.stationary.equations import Equations, rows_of, scaled
from certify.checker.verdict import Proof, Run


def check_flow(certificate: Any, run: Run) -> Proof:
    """The `Proof` of a certificate of kind "entropy-flow"; raises `Failed` or `Malformed`."""
    named = ("objective",) if "objective" in certificate else ()  # the entropy where it is not named
    envelope(certificate, ("game", "game_sha256", "alpha", "policy", "claim", *named))
    game = game_of(certificate)
    if game.reference and not game.kl:
        raise Malformed("certificate.objective", "a game with legal sets or a reference, and not kl")
    if not game.flows_back:
        raise Malformed("certificate.objective", "the flow of the local bonus is no gradient flow")
    alpha = rational(certificate["alpha"], "alpha")
    if alpha <= 0:
        raise Malformed("alpha", "not a positive temperature")
    process = build_process(game, clustering=False)
    rows = rows_of(process)
    meant = [process.meant[t][i][k] for i, t, k in rows]
    policy = _policy(certificate["policy"], meant)
    claims = array(record(certificate["claim"], "claim", ("rows",))["rows"], "claim.rows", len(rows))
    pi = [[Interval.of(row[a] / named.count(a)) for a in named] for row, named in zip(policy, meant, strict=True)]
    logs = [[-log(p) for p in row] for row in pi]
    equations = Equations(process, [0] * len(rows), (pi, logs), 1 / alpha, slopes=False)
    for x, (i, t, k) in enumerate(rows):
        where = f"claim.rows[{x}]"
        record(claims[x], where, ("entropy", "rate"))
        legal = process.legal(i, t, k)
        exact = [Interval.of(policy[x][a]) for a in legal]
        entropy = total(p * -log(p) for p in exact)
        if not entropy.within(*pair(claims[x]["entropy"], where)):
            raise Failed("the entropy is not within the claimed one", step=f"row {x}")
        if not _rate(equations, x, legal, exact, alpha).within(*pair(claims[x]["rate"], where)):
            raise Failed("the rate is not within the claimed one", step=f"row {x}")
        run.tell(f"history {x + 1} of {len(rows)}")
    text = f"the entropies of {len(rows)} histories and their rates along the gradient flow at alpha = {alpha}"
    return Proof((f"{text} are as claimed",), len(rows), game)


def _policy(data: Any, meant: list[Any]) -> list[list[Fraction]]:
    """Exact rows that sum to 1, positive on legal actions and 0 on others, in the order of `rows_of`."""
    found = []
    for x, (given, named) in enumerate(zip(array(data, "policy", len(meant)), meant, strict=True)):
        row = [rational(p, f"policy[{x}]") for p in array(given, f"policy[{x}]", len(named))]
        if sum(row) != 1 or any(p <= 0 if named[a] == a else p != 0 for a, p in enumerate(row)):
            raise Malformed(
                f"policy[{x}]", "not probabilities that sum to 1, positive exactly where an action is legal"
            )
        found.append(row)
    return found


def _rate(equations: Equations, x: int, legal: list[int], pi: list[Interval], alpha: Fraction) -> Interval:
    i, t, k = equations.rows[x]
    process = equations.process
    if len(legal) == 1:
        return Interval(0, 0)
    weights = equations._line_weights(i, t, k)
    reach = total(value for value, _ in weights.values()) * _own(equations, (i, t, k))
    # q in units of alpha: Q(x, a)/alpha − w log pi(a), up to a constant; a name's has its share of the reference in it
    q = [scaled(equations.minus_log[x][a], process.weights[i]) for a in legal]
    for number, a in enumerate(legal[1:], 1):
        q[number] = q[number] + equations._difference(i, t, weights, a, legal[0])[0]
    logs = [-log(p) for p in pi]
    mean = total(p * v for p, v in zip(pi, q, strict=True))
    entropy = total(p * m for p, m in zip(pi, logs, strict=True))
    u = [p * (v - mean) for p, v in zip(pi, q, strict=True)]
    covariance = total(p * (entropy - m) * y for p, m, y in zip(pi, logs, u, strict=True))
    return -(scaled(covariance, alpha * process.discount**t) * reach)


def _own(equations: Equations, name: tuple[int, int, int]) -> Interval:
    """The product of the agent's own probabilities on the way to the history, by all names of its actions."""
    i, t, k = name
    found = UNIT
    for u in range(t, 0, -1):
        before, action = equations.process.predecessor[u][i][k]
        names = equations.process.meant[u - 1][i][before].count(action)
        found = found * scaled(equations.pi[equations.row[i, u - 1, before]][action], Fraction(names))
        k = before
    return found
