"""The pictures of the gallery, drawn from certificates that are made, or checked, while the site is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certify

CERTIFICATES = Path(__file__).resolve().parents[2] / "tests" / "certificates"
Picture = tuple[str, str, Callable[[], Any], dict[str, Any]]


@dataclass(frozen=True)
class Shown:
    """A picture of the gallery: its file, and what stands above and below it."""

    file: str
    heading: str
    caption: str


def draw(folder: Path) -> list[Shown]:
    """Every picture, written into the folder as SVG."""
    from certify.reports.pictures import drawn
    from certify.reports.style import save

    found = []
    for name, heading, make, options in _pictures():
        picture = drawn(make(), **options)
        save(picture.figure, folder / f"{name}.svg")
        found.append(Shown(f"{name}.svg", heading, picture.caption))
    return found


def _kept(name: str) -> Callable[[], Any]:
    """A certificate that the tests keep; `certify.plot` checks it before it says that anything is proved."""
    return lambda: CERTIFICATES / name


def _pictures() -> list[Picture]:
    climbing: list[Any] = []

    def threshold() -> Any:
        if not climbing:
            climbing.append(certify.threshold("climbing", rtol="1/200"))
        return climbing[0]

    half = {"0": "1/2", "1": "1/2"}
    policy = {"agent1:": half, "agent2:": {"0": "3/5", "1": "2/5"}}
    return [
        ("threshold", "A threshold: one policy above, several below", threshold, {}),
        ("cover", "The same threshold: the boxes of its proof", threshold, {"cover": True}),
        ("fold", "Two levers: where one convention becomes two", _kept("bracket/valid/two_levers.json"), {}),
        ("ladder", "Structural forms, without enumerating a history",
         lambda: certify.structural_threshold("n=2,h=80,actions=20,return=0:25"), {}),
        ("windows", "Windows of past steps, beside the structural forms", _kept("windows/valid/tiger_k0.json"), {}),
        ("intervals", "The intervals of that proof", _kept("windows/valid/tiger_k0.json"), {"cover": True}),
        ("optimum", "The one stationary policy at a temperature", _kept("optimum/valid/two_steps.json"), {}),
        ("path", "A policy along temperatures", lambda: certify.optimum("climbing", ("9", "30"), width="1/20"), {}),
        ("anneal", "Cooling down: how far all runs stay together",
         lambda: certify.anneal("lever:3:1/2", time_limit=60), {}),
        ("multiplicity", "Two policies at one temperature", _kept("multiplicity/valid/climbing.json"), {}),
        ("crossplay", "What teams of different runs earn", lambda: certify.cross_play("lever:3", "1/5"), {}),
        ("symmetries", "What can be exchanged with what", lambda: certify.symmetries("dectiger"), {}),
        ("distance", "How far a given policy is from the stationary one",
         lambda: certify.policy_distance("lever:2", 1, policy), {}),
        ("sign", "The entropy along a step", _kept("entropy/valid/entropy_rare_action.json"), {}),
        ("tail", "A sign that lasts for all steps up to 1,000", _kept("entropy/valid/entropy_tail.json"), {}),
        ("clipping", "Ratios against the clip range", _kept("entropy/valid/entropy_clipping_bound_broken.json"), {}),
        ("controller", "A controller that saturates", _kept("entropy/valid/entropy_controller_zeta.json"), {}),
        ("run", "The entropy of a run", _kept("entropy/valid/entropy_run_controller.json"), {}),
        ("rounding", "Rounding of log-probabilities", _kept("entropy/valid/entropy_table_float16.json"), {}),
        ("flow", "Entropies along the gradient flow", _kept("entropy/valid/entropy_flow_dectiger.json"), {}),
        ("batch", "A batch of tokens", _kept("entropy/valid/entropy_batch_full.json"), {}),
    ]  # fmt: skip
