"""The link to the games: rates at every AOH against a fine numerical step of the flow, totals, and
the enclosed piece of the flow against numerical integration."""

import json
from fractions import Fraction

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.integrate import solve_ivp

from certify.bounds.evaluate import evaluate
from certify.bounds.policy import PolicyBox, layout_of
from certify.cli.entropy import entropy
from certify.entropy.enclosure import working_precision
from certify.entropy.flow import flow_piece, flow_report, history_tree, step_paths
from certify.entropy.sign import certify_sign
from certify.errors import InputError
from certify.games.builtin import builtin

GAMES = [("lever:3", None, Fraction(1)), ("dectiger", 2, Fraction(20)), ("recycling", 2, Fraction(1, 2))]


def rational_policy(tree, seed=0):
    """A random policy with small rational entries."""
    rng = np.random.default_rng(seed)

    def table(shape):
        counts = rng.integers(1, 9, shape)
        return np.array([[Fraction(int(c), int(row.sum())) for c in row] for row in counts], dtype=object)

    return [[table(t.shape) for t in agent] for agent in tree.uniform()]


def approx_softmax(layout, theta):
    weights = np.exp(theta)
    return weights / layout.row_sums(weights)[layout.row_of_entry]


def approx_gradient(tree, theta, alpha):
    layout = layout_of(tree)
    g = evaluate(tree, layout.nested(approx_softmax(layout, theta)), alpha).gradient
    return (g.lower + g.upper) / 2


@pytest.mark.parametrize(("name", "horizon", "alpha"), GAMES)
def test_rates_agree_with_a_fine_step_of_the_flow(name, horizon, alpha):
    tree = history_tree(builtin(name, horizon=horizon))
    layout, policy = layout_of(tree), rational_policy(tree)
    report = flow_report(tree, policy, alpha)
    theta = np.log(layout.flat(policy).astype(float))
    step = 1e-5 * approx_gradient(tree, theta, alpha)

    def entropies(sign):
        p = approx_softmax(layout, theta + sign * step)
        total = evaluate(tree, layout.nested(p), alpha).entropy
        return layout.row_sums(-p * np.log(p)), (total.lower + total.upper) / 2

    (rows_up, total_up), (rows_down, total_down) = entropies(1), entropies(-1)
    numerical = np.sort((rows_up - rows_down) / 2e-5)
    assert np.allclose(numerical, np.sort([float(x.rate.lower) for x in report.histories]), atol=1e-5, rtol=1e-4)
    assert np.isclose((total_up - total_down) / 2e-5, float(report.total_rate.lower), atol=1e-5, rtol=1e-4)
    assert report.value_rate.lower > 0
    assert all(x.rate.width < Fraction(1, 10**20) and x.reach.lower > 0 for x in report.histories)


def test_every_history_has_a_certified_sign_for_a_finite_step():
    tree = history_tree(builtin("dectiger", horizon=2))
    paths = step_paths(tree, rational_policy(tree), Fraction(20))
    assert len(paths) == 14
    with working_precision():
        signs = [certify_sign(path, Fraction(0), Fraction(1, 1000)) for path in paths.values()]
    assert all(s.status == "proved" for s in signs)


def test_uniform_policy_of_a_symmetric_game_stands_still():
    tree = history_tree(builtin("lever:2"))
    report = flow_report(tree, tree.uniform(), Fraction(1))
    assert report.total_rate.contains(0) and report.total_rate.width < Fraction(1, 10**30)
    assert report.value_rate.upper < Fraction(1, 10**30)


@pytest.mark.parametrize(("name", "horizon", "alpha"), GAMES)
def test_the_enclosed_piece_holds_the_integrated_flow(name, horizon, alpha):
    tree = history_tree(builtin(name, horizon=horizon))
    layout, policy = layout_of(tree), rational_policy(tree)
    duration = Fraction(1, 200)
    piece = flow_piece(tree, policy, alpha, duration, 5)
    theta = np.log(layout.flat(policy).astype(float))
    solved = solve_ivp(
        lambda _, y: approx_gradient(tree, y, alpha),
        (0, float(duration)),
        theta,
        t_eval=[float(t) for t in piece.times],
        rtol=1e-10,
        atol=1e-12,
    )
    assert np.all(piece.logits.lower <= solved.y.T + 1e-9) and np.all(piece.logits.upper + 1e-9 >= solved.y.T)
    moved = np.abs(solved.y[:, -1] - theta).max()
    assert (piece.logits.upper - piece.logits.lower).max() < moved / 10
    p = np.array([approx_softmax(layout, y) for y in solved.y.T])
    assert np.all(piece.policy.lower <= p + 1e-9) and np.all(p <= piece.policy.upper + 1e-9)
    # J never falls along its own gradient flow
    assert piece.value[-1].upper > piece.value[0].lower


def test_a_flow_run_backwards_leaves_the_enclosure():
    """Falsification: the same box does not hold the flow of −∇J."""
    tree = history_tree(builtin("dectiger", horizon=2))
    layout, policy = layout_of(tree), rational_policy(tree)
    piece = flow_piece(tree, policy, Fraction(20), Fraction(1, 200), 5)
    theta = np.log(layout.flat(policy).astype(float))
    backwards = theta - approx_gradient(tree, theta, Fraction(20)) / 200
    assert not (np.all(piece.logits.lower[-1] <= backwards) and np.all(backwards <= piece.logits.upper[-1]))


def test_one_giant_step_is_wide_but_holds_the_flow():
    """∇J is bounded over all policies, so Picard's box exists for any step; it is only useless."""
    tree = history_tree(builtin("dectiger", horizon=2))
    layout, policy = layout_of(tree), rational_policy(tree)
    piece = flow_piece(tree, policy, Fraction(20), Fraction(2), 1)
    theta = np.log(layout.flat(policy).astype(float))
    end = solve_ivp(lambda _, y: approx_gradient(tree, y, Fraction(20)), (0, 2), theta, rtol=1e-8).y[:, -1]
    assert np.all(piece.logits.lower[-1] <= end) and np.all(end <= piece.logits.upper[-1])
    assert (piece.logits.upper[-1] - piece.logits.lower[-1]).min() > 1


@pytest.mark.parametrize(("duration", "steps"), [(Fraction(0), 1), (Fraction(1), 0), (Fraction(-1), 3)])
def test_bad_pieces(duration, steps):
    tree = history_tree(builtin("lever:2"))
    with pytest.raises(InputError):
        flow_piece(tree, tree.uniform(), Fraction(1), duration, steps)


def test_boxes_of_policies():
    tree = history_tree(builtin("lever:3"))
    policy = rational_policy(tree)
    box = PolicyBox(
        *([[t * Fraction(f) for t in agent] for agent in policy] for f in (Fraction(99, 100), Fraction(101, 100)))
    )
    wide, narrow = flow_report(tree, box, Fraction(1)), flow_report(tree, policy, Fraction(1))
    for a, b in zip(wide.histories, narrow.histories, strict=True):
        assert a.rate.lower <= b.rate.lower and b.rate.upper <= a.rate.upper
    assert wide.total_rate.lower <= narrow.total_rate.lower and narrow.total_rate.upper <= wide.total_rate.upper


def test_command():
    run = CliRunner().invoke(
        entropy, ["flow", "lever:3", "--alpha", "1", "--duration", "1/100", "--flow-steps", "3", "--json"]
    )
    data = json.loads(run.output)
    assert run.exit_code == 0 and len(data["histories"]) == 2 and len(data["piece"]["entropy"]) == 4
    bad = CliRunner().invoke(entropy, ["flow", "lever:3", "--alpha", "0"])
    assert isinstance(bad.exception, InputError)
