"""Damped soft policy iteration where policies become so extreme that floats lose a class."""

from __future__ import annotations

import warnings

import numpy as np

from certify.games import builtin
from certify.games.tree import unroll
from certify.thresholds.approx_policy import approx_soft_values, approx_stationary
from certify.thresholds.index_tables import Plan


def test_a_class_that_floats_do_not_reach_ends_the_iteration() -> None:
    """Its Q was 0/0; one round later the whole policy was nan, with a residual of 0, which hid every later policy from
    the oracle that looks for a second one."""
    plan = Plan(unroll(builtin("dectiger", horizon=2)))
    extreme = [[p.copy() for p in row] for row in plan.tree.uniform()]
    for row in extreme:
        row[0][:] = [5e-324, 0.5, 0.5]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = approx_soft_values(plan, extreme, 1.0)
        policy, residual = approx_stationary(plan, 1.0, extreme)
    assert np.isnan(values[0][1]).any() and np.isfinite(values[0][0]).all()
    assert residual == np.inf and all(
        (p == q).all() for a, b in zip(policy, extreme, strict=True) for p, q in zip(a, b, strict=True)
    )
    assert approx_stationary(plan, 0.1)[1] < 1e-9
