"""Writes tests/certificates/windows: valid proofs by windows, attacks on them, and the two false versions of a
lemma that random games do not expose (`python tests/helpers/windows_certificates.py`).

Every invalid file is named after what it tries; both engines refuse each.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from certificate_files import write_sorted
from random_games import random_game

from certify.certificates.threshold import windows_certificate
from certify.certificates.windows import _step as step_json
from certify.games.builtin import builtin
from certify.games.canonical import sha256_of
from certify.games.model import Game, check_game
from certify.thresholds.structural import structural_thresholds
from certify.thresholds.windows.approx_sweeps import UNIT, Localised
from certify.thresholds.windows.search import Interval, Search, Windows

FOLDER = Path(__file__).resolve().parent.parent / "certificates" / "windows"
Document = dict[str, Any]


def certificate(game: Game, k: int, rtol: float = 0.2) -> Document:
    """A threshold by windows of length k, quickly rather than sharply."""
    search = Search(game, k)
    start = float(structural_thresholds(game)[0].alpha_star)
    search.climb(start, rtol, start / 1e3)
    found = search.result()
    assert found is not None
    return windows_certificate(game, found)


def games() -> Iterator[tuple[str, Game, int]]:
    """(name, game, k): small games that use every part of the format."""
    rng = np.random.default_rng(15)
    yield "tiger_k0", builtin("dectiger", horizon=2), 0
    yield "three_steps", random_game(rng, horizon=3, observations=1, states=2), 1
    yield "lags", random_game(rng, horizon=4, observations=1, states=2, discount=Fraction(9, 10)), 2
    yield "initial_observations", random_game(rng, horizon=2, initial_observations=True, observations=2), 1
    yield "three_agents", random_game(rng, agents=3, horizon=2, observations=1, weights=True), 1
    yield "action_sets", random_game(rng, horizon=3, actions=3, observations=1, available=True), 1


def two_groups(document: Document) -> Document:
    """The same with the lags of the hottest interval in two groups, where there is room for it."""
    document = copy.deepcopy(document)
    for part in document["proof"]["intervals"][0]["constants"]:
        if part["depth"] >= 2:
            half = [x // 2 for x in part["groups"][0]["share"]]
            part["groups"] = [{"lag": 1, "share": half}, {"lag": 2, "share": half}]
    return document


def chain(reward: dict[tuple[int, tuple[int, int]], Fraction], name: str) -> Game:
    """Agent 0 moves from s0 to s_a or s_b for good; agent 1 only watches (nothing)."""
    transition = {}
    for s in range(3):
        for a in ((0, 0), (0, 1), (1, 0), (1, 1)):
            transition[s, a] = (((1 if a[0] == 0 else 2) if s == 0 else s, Fraction(1)),)
    emission = {(a, s): (((0, 0), Fraction(1)),) for a in ((0, 0), (0, 1), (1, 0), (1, 1)) for s in range(3)}
    names = ("first", "second")
    return check_game(
        Game(
            name, names, ("s0", "sa", "sb"), (names, names), (("o",), ("o",)), ((0, (), Fraction(1)),), transition,
            emission, reward, 2,
        )
    )  # fmt: skip


def mixed_forms() -> Game:
    """On beta in [0, 2] the better form at either end would "prove" log pi(a) <= log pi(b) at the start; at beta = .41
    the stationary policy has + .02."""
    both = ((0, 0), (0, 1))
    return chain({**{(0, a): Fraction(3, 5) for a in both}, **{(2, a): Fraction(1) for a in both}}, "mixed forms")


def unreachable_nodes() -> Game:
    """After b the state is s_b, where rewards are -5: values there count although "a was taken" never leads there."""
    actions = ((0, 0), (0, 1), (1, 0), (1, 1))
    return chain({(2, a): Fraction(-5) for a in actions}, "unreachable nodes")


def two_observations() -> Game:
    """After two observations the state may be the same and the values different: agent 1 plays on as it has seen."""
    rng = np.random.default_rng(2_006)
    return random_game(rng, horizon=2, actions=(3, 2), discount=True, weights=True)


def revealing() -> Game:
    """One step; the initial observation of agent 0 names the state, whose rewards for its first action are 1 and -1."""
    reward = {(s, (0, b)): Fraction(1 - 2 * s) for s in range(2) for b in range(2)}
    names = ("first", "second")
    start = tuple((s, (s, 0), Fraction(1, 2)) for s in range(2))
    return check_game(
        Game("revealing", names, ("s0", "s1"), (names, names), (("o0", "o1"), ("o",)), start, {}, {}, reward, 1)
    )


def equal_or_not() -> Game:
    """Agent 1 plays two bits; agent 0 sees at the third step whether they are equal."""
    actions = ((0, 0), (0, 1))
    transition = {(0, a): ((1 + a[1], Fraction(1)),) for a in actions}
    transition |= {(s, a): ((3 + (s - 1 != a[1]), Fraction(1)),) for s in (1, 2) for a in actions}
    transition |= {(s, a): ((s, Fraction(1)),) for s in (3, 4) for a in actions}
    emission = {(a, s): (((int(s == 4), 0), Fraction(1)),) for a in actions for s in range(5)}
    names = ("first", "second")
    return check_game(
        Game(
            "equal or not", names, ("start", "0", "1", "equal", "not"), (("wait",), names), (names, ("o",)),
            ((0, (), Fraction(1)),), transition, emission, {(3, a): Fraction(1) for a in actions}, 3,
        )
    )  # fmt: skip


class NodeByNode(Localised):
    """Bounds from the smaller form at each node, which is false."""

    def _bound(self, u: int, i: int, x: np.ndarray, form: str) -> np.ndarray:
        if form == "mimic":
            x = np.minimum(x, self.direct)
        self.direct = x
        return super()._bound(u, i, x, form)


def smaller_form_at_each_node() -> Document:
    """Dec-Tiger, two steps, near alpha = 62: the false bounds leave out the stationary policy that is there."""
    game = builtin("dectiger", horizon=2)
    search, top = Search(game, 1), Fraction(1, 62)
    low = top * Fraction(9999, 10000)
    search.climb(166.0, 0.05, 62.0)
    *intervals, last = (part for part in search.intervals if part.low < low)
    found = NodeByNode.whole(search.tables, search.beliefs, np.array([float(low), float(top)]))
    for _ in range(5):
        found.sweep()
    false = [replace(last, high=low), Interval(low, top, found.steps, last.constants)]
    return windows_certificate(game, Windows(1 / top, 1, search.tables.symbols, (*intervals, *false)))


def differences_of_one_node() -> Document:
    """`two_observations` with windows of length 0: bounds from differences that are added up node by node."""
    game, top = two_observations(), Fraction(10, 6)
    document, search = certificate(game, 0), Search(game, 0)
    for level in search.tables.levels:
        for side in level.sides:
            if side.mimic is not None:
                for target, chance in zip(
                    side.mimic.target.reshape(-1, side.mimic.target.shape[-1]),
                    side.mimic.chance.reshape(-1, side.mimic.chance.shape[-1]),
                    strict=True,
                ):
                    sums = np.bincount(target, chance, len(level.nodes) + 99)
                    chance[:], chance[np.unique(target, return_index=True)[1]] = 0, sums[np.unique(target)]
    return swept(document, search, top, 8)


def swept(document: Document, search: Search, top: Fraction, count: int) -> Document:
    """The certificate with one interval [0, top] and the steps of false sweeps."""
    found = Localised.whole(search.tables, search.beliefs, np.array([0.0, float(top)]))
    for _ in range(count):
        found.sweep()
    last = document["proof"]["intervals"][-1]
    document["claim"]["alpha_star"] = str(1 / top)
    document["proof"]["intervals"] = [{**last, "beta": ["0", str(top)], "steps": list(map(step_json, found.steps))}]
    return document


def soft_maximum_of_the_least_weight() -> Document:
    """Rewards -1 after b, none after a, weights 2 and 1: then all policies are uniform, worth 3 log 2 and 3 log 2 - 1.
    The soft maximum with the weight 1 would make the first 2 log 2 and a log-ratio of 1/2 at the start at most .16."""
    base = chain({(2, a): Fraction(-1) for a in ((0, 0), (0, 1), (1, 0), (1, 1))}, "two weights")
    later = [
        {"agent": i, "depth": 1, "log_ratio": [[64, 64]] * windows, "mimic": [[0, 0]] * windows}
        for i, windows in ((0, 2), (1, 1))
    ]
    bound = {"agent": 0, "depth": 0, "log_ratio": [[2**UNIT // 5, None]], "mimic": [[0, 0]]}
    document = forged(replace(base, weights=(Fraction(2), Fraction(1))), 1, Fraction(1), bound)
    document["proof"]["intervals"][0]["steps"] = [*later, bound]
    return document


def forged(game: Game, k: int, top: Fraction, step: Document) -> Document:
    """A certificate whose first step is `step` and whose constants are all 0."""
    document = certificate(game, k)
    proof = document["proof"]
    document["claim"]["alpha_star"] = str(1 / top)
    interval = proof["intervals"][-1]
    proof["intervals"] = [{**interval, "beta": ["0", str(top)], "steps": [step, *interval["steps"]]}]
    return document


def false_lemmas() -> Iterator[tuple[str, Document]]:
    """The false versions of lemmas, each as the certificate that it would make valid."""
    unit = 2**UNIT

    def first_step(bound: float, mimic: int, pair: int = 0, windows: int = 1) -> Document:
        row: list[int | None] = [None, None]
        row[pair] = math.ceil(bound * unit)
        return {"agent": 0, "depth": 0, "log_ratio": [row] * windows, "mimic": [[mimic] * 2] * windows}

    yield "form_chosen_at_each_end_direct", forged(mixed_forms(), 1, Fraction(2), first_step(0.001, 0))
    yield "form_chosen_at_each_end_mimic", forged(mixed_forms(), 1, Fraction(2), first_step(0.001, 1))
    yield "unreachable_nodes_left_out", forged(unreachable_nodes(), 1, Fraction(1), first_step(1.4, 1))
    yield "differences_of_one_node_added_up", differences_of_one_node()
    yield "smaller_form_at_each_node", smaller_form_at_each_node()
    yield "initial_observation_ignored", forged(revealing(), 0, Fraction(1), first_step(0.001, 0, 0, 2))


def attacks(valid: dict[str, Document]) -> Iterator[tuple[str, Document]]:  # noqa: C901 -- one list of changes
    """What somebody might change in a valid certificate."""

    def changed(name: str, change: Callable[[Document], None]) -> Document:
        document = copy.deepcopy(valid[name])
        change(document)
        return document

    def last(document: Document) -> Document:
        return document["proof"]["intervals"][-1]

    def constants(document: Document, depth: int) -> Document:
        return next(c for c in last(document)["constants"] if c["depth"] == depth)

    def lower(rows: list, part: float = 0.9) -> None:
        """Every number of nested lists brought nearer to, or further below, 0."""
        for k, x in enumerate(rows):
            if isinstance(x, list):
                lower(x, part)
            elif x is not None:
                rows[k] = math.floor(x * part) if x > 0 else math.floor(x - abs(x) * (1 - part)) - 1

    def windows_merged(d: Document) -> None:
        agent = d["proof"]["symbols"][0]
        agent[0][0] = agent[1][0]

    yield "windows_merged", changed("lags", windows_merged)
    yield "bound_lowered", changed("lags", lambda d: lower(last(d)["steps"][-1]["log_ratio"]))
    yield "first_bound_lowered", changed("three_steps", lambda d: lower(last(d)["steps"][0]["log_ratio"]))
    yield "bound_lowered_three_agents", changed("three_agents", lambda d: lower(last(d)["steps"][0]["log_ratio"]))
    yield "bound_lowered_initial", changed("initial_observations", lambda d: lower(last(d)["steps"][1]["log_ratio"]))
    yield "bound_lowered_action_sets", changed("action_sets", lambda d: lower(last(d)["steps"][0]["log_ratio"]))

    def form_changed(d: Document) -> None:
        for step in last(d)["steps"]:
            step["mimic"] = [[1 - x for x in row] for row in step["mimic"]]

    yield "form_changed", changed("lags", form_changed)
    yield "range_lowered", changed("lags", lambda d: lower(constants(d, 3)["ranges"][-1], 0.7))

    def lag_shorter(d: Document) -> None:
        ranges = constants(d, 3)["ranges"]
        ranges[0] = copy.deepcopy(ranges[-1])
        lower(ranges[0], 0.95)

    yield "lag_claimed_shorter", changed("lags", lag_shorter)

    def variance_lowered(d: Document) -> None:
        part = next(c for c in last(d)["constants"] if c.get("variance"))
        part["variance"] = [x // 2 for x in part["variance"]]

    yield "variance_lowered", changed("lags", variance_lowered)

    def reference_swapped(d: Document) -> None:
        part = next(c for c in last(d)["constants"] if c.get("variance"))
        part["reference"] = [[[x + 2**UNIT for x in row] for row in rows] for rows in part["reference"]]

    yield "reference_shifted", changed("lags", reference_swapped)
    yield "same_time_lowered", changed("lags", lambda d: lower(constants(d, 3)["same"][0]["share"]))
    yield "same_time_zero", changed("three_agents", lambda d: lower(constants(d, 1)["same"][1]["share"], 0.0))

    def shares_of_more_than_one(d: Document) -> None:
        for group in constants(d, 3)["groups"]:
            group["share"] = [2**UNIT] * len(group["share"])
        constants(d, 3)["groups"][0]["share"] = [2**UNIT] * len(constants(d, 3)["groups"][0]["share"])
        if len(constants(d, 3)["groups"]) == 1:
            extra = copy.deepcopy(constants(d, 3)["groups"][0])
            constants(d, 3)["groups"].append({"lag": 2, "share": extra["share"]})

    yield "shares_of_more_than_one", changed("lags", shares_of_more_than_one)

    def share_tiny(d: Document) -> None:
        for group in constants(d, 3)["groups"]:
            group["share"] = [1] * len(group["share"])

    yield "multiplier_not_positive", changed("lags", share_tiny)
    yield "step_left_out", changed("lags", lambda d: last(d).update(steps=last(d)["steps"][3:]))
    yield "steps_reversed", changed("lags", lambda d: last(d).update(steps=last(d)["steps"][::-1]))
    yield "no_steps", changed("lags", lambda d: last(d).update(steps=[]))
    yield "gap_between_intervals", changed("lags", lambda d: d["proof"]["intervals"].pop(0))

    def cold(d: Document) -> None:
        d["claim"]["alpha_star"] = str(Fraction(d["claim"]["alpha_star"]) * Fraction(9, 10))

    yield "alpha_star_lowered", changed("lags", cold)

    def wider(d: Document) -> None:
        cold(d)
        last(d)["beta"][1] = str(1 / Fraction(d["claim"]["alpha_star"]))

    yield "interval_widened", changed("lags", wider)

    def rewards_doubled(d: Document) -> None:
        d["game"]["reward"] = [[s, a, str(2 * Fraction(r))] for s, a, r in d["game"]["reward"]]
        d["game_sha256"] = sha256_of(d["game"])

    yield "rewards_doubled", changed("tiger_k0", rewards_doubled)
    yield "unit_halved", changed("three_steps", lambda d: d["proof"].update(unit=d["proof"]["unit"] - 1))
    yield from false_lemmas()


def malformed(valid: dict[str, Document]) -> Iterator[tuple[str, Document]]:
    """What is not a proof by windows at all."""

    def changed(change: Callable[[Document], Any]) -> Document:
        document = copy.deepcopy(valid["lags"])
        change(document["proof"])
        return document

    yield "k_changed", changed(lambda p: p.update(k=1))
    yield "k_large", changed(lambda p: p.update(k=9))
    yield "symbols_missing", changed(lambda p: p.pop("symbols"))
    yield "symbols_short", changed(lambda p: p["symbols"][0].pop())
    yield "constants_missing", changed(lambda p: p["intervals"][0]["constants"].pop())
    yield "window_missing", changed(lambda p: p["intervals"][0]["steps"][0]["log_ratio"].pop())
    yield "float_bound", changed(lambda p: p["intervals"][0]["steps"][0]["log_ratio"][0].__setitem__(0, 0.5))
    yield "negative_share", changed(lambda p: p["intervals"][0]["constants"][0]["same"][0]["share"].__setitem__(0, -1))
    yield (
        "lookback_too_long",
        changed(
            lambda p: p["intervals"][0]["constants"][-1].update(ranges=p["intervals"][0]["constants"][-1]["ranges"] * 4)
        ),
    )
    yield "unknown_field", changed(lambda p: p.update(slopes=[]))
    document = copy.deepcopy(valid["lags"])
    document["claim"]["strong_concavity"] = [{"alpha": "100", "modulus": "1", "node": None, "steps": []}]
    yield "modulus_claimed", document


def rare(chance: Fraction) -> Document:
    """False: two levers at the second step, where an observation of this chance says that they pay, and bounds and
    shares of 0 after it.  Where floats lose the chance, they are likelihoods of 0 that all claims hold with."""
    pays = [[2, [a, a], "1"] for a in range(2)]
    game = {
        "format": "certify-game", "version": 1, "name": "rare", "agents": ["1", "2"], "weights": ["1", "1"],
        "horizon": 2, "discount": "1", "states": ["start", "nothing", "levers"], "actions": [["a", "b"]] * 2,
        "observations": [["no", "yes"]] * 2, "available": [[[0], [0, 1]]] * 2, "start": [[0, [], "1"]],
        "transition": [[0, [0, 0], [[1, str(1 - chance)], [2, str(chance)]]]],
        "emission": [[[0, 0], s, [[[s - 1] * 2, "1"]]] for s in (1, 2)], "reward": pays,
    }  # fmt: skip
    steps = [{"agent": i, "depth": 1, "log_ratio": [[0, 0]] * 2, "mimic": [[0, 0]] * 2} for i in range(2)]
    constants = [
        {
            "agent": i, "depth": 1, "same": [{"agent": 1 - i, "share": [0, 0]}], "ranges": [[[100 << 20] * 2] * 2],
            "variance": None, "reference": None, "groups": [{"lag": 1, "share": [1 << 20] * 2}],
        }
        for i in range(2)
    ]  # fmt: skip
    interval = {"beta": ["0", "10"], "steps": steps, "constants": constants}
    return {
        "format": "certify-certificate", "version": 1, "kind": "threshold", "objective": "visitation", "game": game,
        "game_sha256": sha256_of(game), "claim": {"alpha_star": "1/10", "strong_concavity": []}, "consequences": [],
        "proof": {"type": "windows", "k": 1, "unit": -20, "symbols": [[[0, 1]] * 2] * 2, "intervals": [interval]},
    }  # fmt: skip


def write() -> None:
    """All files."""
    valid = {name: certificate(game, k) for name, game, k in games()}
    valid["two_groups"] = two_groups(valid["lags"])
    lost = "chances_that_floats_lose", rare(Fraction(1, 10**400))
    for folder, found in (
        ("valid", valid.items()),
        ("invalid", [*attacks(valid), lost]),
        ("malformed", malformed(valid)),
    ):
        write_sorted(FOLDER / folder, found)


if __name__ == "__main__":
    write()
