"""Threshold certificates by windows as JSON objects (docs/certificate-windows.md)."""

from __future__ import annotations

from typing import Any

from certify.exact import rational_text
from certify.thresholds.windows.approx_finish import Constants
from certify.thresholds.windows.approx_sweeps import UNIT, Step
from certify.thresholds.windows.endless import EndlessWindows
from certify.thresholds.windows.search import Interval, Windows


def windows_proof(result: Windows) -> dict[str, Any]:
    """The `proof` object of a threshold by windows."""
    return {
        "type": "windows",
        "k": result.k,
        "unit": -UNIT,
        "symbols": [[list(row) for row in agent] for agent in result.symbols],
        "intervals": [_interval(part) for part in result.intervals],
    }


def endless_proof(result: EndlessWindows) -> dict[str, Any]:
    """The `proof` object of a threshold by windows for every horizon."""
    return {
        "type": "endless-windows",
        "k": result.k,
        "unit": -UNIT,
        "symbols": [[list(row) for row in agent] for agent in result.symbols],
        "last": result.last,
        "before": result.before,
        "intervals": [
            {
                "beta": [rational_text(part.low), rational_text(part.high)],
                "claim": [[low, high] for low, high in part.claim],
                "steps": [_step(step) for step in part.steps],
                "constants": [_constants(constants) for constants in part.constants],
                "price": part.price,
            }
            for part in result.intervals
        ],
    }


def _interval(part: Interval) -> dict[str, Any]:
    return {
        "beta": [rational_text(part.low), rational_text(part.high)],
        "steps": [_step(step) for step in part.steps],
        "constants": [_constants(constants) for constants in part.constants],
    }


def _step(step: Step) -> dict[str, Any]:
    mimic = [[int(x) for x in row] for row in step.mimic]
    return {"agent": step.agent, "depth": step.depth, "log_ratio": step.bounds, "mimic": mimic}


def _constants(part: Constants) -> dict[str, Any]:
    same = [{"agent": j, "share": shares} for j, shares in sorted(part.same.items())]
    result: dict[str, Any] = {"agent": part.agent, "depth": part.depth, "same": same}
    if part.depth:
        groups = [{"lag": lag, "share": shares} for lag, shares in part.groups]
        result |= {"ranges": part.ranges, "reference": part.reference, "variance": part.variance, "groups": groups}
        result |= {} if part.own is None else {"own": part.own}
    return result
