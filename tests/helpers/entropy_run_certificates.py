"""Certificates of runs, controllers and clipped updates, honest and attacked."""

from __future__ import annotations

import copy
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from certify.certificates.entropy import (
    RunStart,
    clipping_certificate,
    controller_certificate,
    flow_certificate,
    run_certificate,
)
from certify.entropy import AdapoController, ZetaController, clipping_bound, policy_from_json
from certify.entropy.controllers import TargetEntropyController
from certify.entropy.flow import exact_history_rows, flow_report, history_tree
from certify.games.load import load

WEAK = TargetEntropyController(Fraction(1, 100), Fraction(1, 20)), Fraction(3, 5)
OLD, NEW = ["1/2", "1/2"], ["2/5", "3/5"]


def clipped(eps: str) -> dict:
    """What is certified of the step from `OLD` to `NEW`."""
    old, new = policy_from_json(OLD)[0], policy_from_json(NEW)[0]
    e = Fraction(eps)
    return clipping_certificate(old, new, e, e, clipping_bound(old, new, e, e))


def flowing(name: str, horizon: int, uniform: bool = False) -> dict:
    """Entropies and rates of a game's histories, at a policy of small fractions."""
    game = load(name, horizon, None)
    tree = history_tree(game)
    policy = tree.uniform()
    if not uniform:
        for blocks in policy:
            for t, block in enumerate(blocks):
                count = np.arange(block.size).reshape(block.shape) % 5 + 1
                rows = [[Fraction(int(c), int(row.sum())) for c in row] for row in count]
                blocks[t] = np.array(rows, dtype=object)
    rows = exact_history_rows(tree, policy)
    return flow_certificate(game, rows, Fraction(3, 2), flow_report(tree, policy, Fraction(3, 2)))


def _swapped_rows(data: dict) -> None:
    rows = data["claim"]["rows"]
    rows[0], rows[1] = rows[1], rows[0]


def broken() -> dict:
    """A step whose entropy leaves the bounds."""
    data = clipped("1/10")
    data["new"]["states"][0]["probabilities"] = ["1/100", "99/100"]
    data["claim"] = {"says": "bound broken"}
    return data


def valid() -> dict[str, dict]:
    """The honest files."""
    thousand = RunStart(1000, Fraction(4, 5), Fraction(307, 500), normalised=True)
    return {
        "entropy_run_normalised": run_certificate(thousand, Fraction(29, 100), 1000, "below", Fraction(1, 1000)),
        "entropy_run_controller": run_certificate(
            RunStart(2, Fraction(1, 2), Fraction(1, 2)), WEAK, 300, "below", Fraction(1, 4)
        ),
        "entropy_run_start": run_certificate(
            RunStart(2, Fraction(1, 2), Fraction(1, 2)), Fraction(1), 0, "above", Fraction(69, 100)
        ),
        "entropy_controller_zeta": controller_certificate(ZetaController(Fraction(1, 1000), Fraction(10)), True),
        "entropy_controller_adapo": controller_certificate(
            AdapoController(Fraction(1, 100), Fraction(1, 5), Fraction(1, 2))
        ),
        "entropy_controller_target": controller_certificate(WEAK[0], True),
        "entropy_flow_dectiger": flowing("dectiger", 2),
        "entropy_flow_uniform": flowing("broadcast-channel", 2, uniform=True),
        "entropy_clipping_in_range": clipped("1/5"),
        "entropy_clipping_out_of_range": clipped("1/10"),
        "entropy_clipping_bound_broken": broken(),
    }


def _set(*path_and_value: object) -> Callable[[dict], None]:
    *path, last, value = path_and_value

    def change(data: dict) -> None:
        for key in path:
            data = data[key]
        data[last] = value

    return change


INVALID = {
    "entropy_flow_other_alpha": ("entropy_flow_dectiger", _set("alpha", "1")),
    "entropy_flow_other_policy": ("entropy_flow_dectiger", _set("policy", 0, ["1/3", "1/3", "1/3"])),
    "entropy_flow_swapped_rows": ("entropy_flow_dectiger", _swapped_rows),
    "entropy_flow_still": ("entropy_flow_dectiger", _set("claim", "rows", 3, "rate", ["0", "0"])),
    "entropy_run_other_side": ("entropy_run_start", _set("claim", "side", "below")),
    "entropy_run_too_early": ("entropy_run_normalised", _set("claim", "after", 100)),
    "entropy_run_not_normalised": ("entropy_run_normalised", _set("normalised", False)),
    "entropy_run_strong_controller": ("entropy_run_controller", _set("coefficient", "most", "5")),
    "entropy_run_lower_still": ("entropy_run_controller", _set("claim", "bound", "1/1000")),
    "entropy_controller_one_step_less": ("entropy_controller_zeta", _set("claim", "saturation", 27)),
    "entropy_controller_not_sharp": ("entropy_controller_target", _set("claim", "saturation", 6)),
    "entropy_controller_slower": ("entropy_controller_adapo", _set("limits", "change", "1/200")),
    "entropy_clipping_narrower_range": ("entropy_clipping_in_range", _set("eps_high", "19/100")),
    "entropy_clipping_other_policy": (
        "entropy_clipping_in_range",
        _set("new", "states", 0, "probabilities", ["1/5", "4/5"]),
    ),
    "entropy_clipping_action_in_range": ("entropy_clipping_out_of_range", _set("eps_low", "1/5")),
    "entropy_clipping_unbroken": ("entropy_clipping_in_range", _set("claim", "says", "bound broken")),
}
MALFORMED = {
    "entropy_flow_improbable_row": ("entropy_flow_dectiger", _set("policy", 0, ["1/3", "1/3", "1/2"])),
    "entropy_flow_negative_alpha": ("entropy_flow_dectiger", _set("alpha", "-1")),
    "entropy_flow_one_row": ("entropy_flow_dectiger", lambda d: d["claim"]["rows"].pop()),
    "entropy_run_of_a_million_steps": ("entropy_run_start", _set("claim", "after", 10**6)),
    "entropy_run_of_one_action": ("entropy_run_start", _set("actions", 1)),
    "entropy_run_certain_action": ("entropy_run_start", _set("probability", "1")),
    "entropy_run_negative_change": ("entropy_run_controller", _set("coefficient", "change", "-1")),
    "entropy_controller_unknown": ("entropy_controller_zeta", _set("controller", "pid")),
    "entropy_controller_empty_range": ("entropy_controller_zeta", _set("limits", "zeta_min", "11")),
    "entropy_controller_half_sharp": ("entropy_controller_zeta", _set("claim", "sharp", "half")),
    "entropy_clipping_says_nothing": ("entropy_clipping_in_range", _set("claim", "says", "fine")),
    "entropy_clipping_action_7": ("entropy_clipping_out_of_range", _set("claim", "action", 7)),
    "entropy_clipping_negative_eps": ("entropy_clipping_in_range", _set("eps_low", "-1/5")),
}


def everything() -> dict[str, dict[str, dict]]:
    """All files by folder and name."""
    originals = valid()

    def attacked(attacks: dict) -> dict[str, dict]:
        found = {}
        for name, (source, change) in attacks.items():
            found[name] = copy.deepcopy(originals[source])
            change(found[name])
        return found

    return {"valid": originals, "invalid": attacked(INVALID), "malformed": attacked(MALFORMED)}
