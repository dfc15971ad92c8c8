"""Makes the symmetry certificates under `certificates/symmetry/`: valid ones, attacked ones, malformed ones.

Run as a script to write the files again; each invalid file is named after its attack.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from certificate_files import write_anew

from certify.certificates.symmetry import certificate, claim_text
from certify.games import builtin
from certify.games.canonical import sha256_of
from certify.games.model import Game
from certify.games.oneshot import one_shot
from certify.symmetry import symmetries

FOLDER = Path(__file__).resolve().parents[1] / "certificates" / "symmetry"


def two_cycles() -> Game:
    """Payoff 1 along two bipartite cycles, of length 4 and 8: no refinement tells their points apart."""
    edges = [(0, 0), (0, 1), (1, 0), (1, 1)] + [(2 + k, 2 + (k + d) % 4) for k in range(4) for d in (0, 1)]
    return one_shot("cycles", [[str(k) for k in range(6)]] * 2, dict.fromkeys(edges, 1))


def state_twins() -> Game:
    """Three states that differ in nothing."""
    game = one_shot("twins", ["ab", "ab"], {})
    return replace(
        game,
        states=("x", "y", "z"),
        start=tuple((s, (), Fraction(1, 3)) for s in range(3)),
        reward={(s, (0, 0)): Fraction(1) for s in range(3)},
    )


def make(game: Game | str) -> dict:
    return certificate(symmetries(builtin(game) if isinstance(game, str) else game))


def claim(document: dict, order: int, complete: bool, states: int = 1) -> None:
    """Let the certificate claim something, consistently."""
    document["symmetry"].update(order=str(order), state_only_order=str(states), complete=complete)
    text = claim_text(order, states, complete)
    document["claim"] = {"order": str(order), "complete": complete, "text": text}


def rehash(document: dict) -> None:
    document["game_sha256"] = sha256_of(document["game"])


def _orbits_of_single_points(document: dict) -> None:
    document["symmetry"]["orbits"] = make("climbing")["symmetry"]["orbits"]


def attacks() -> dict[str, tuple[str | Game, Callable[[dict], None]]]:
    def edit(change: Callable[[dict], object]) -> Callable[[dict], None]:
        return lambda document: change(document["symmetry"]) and None

    def drop_generator(document: dict) -> None:
        document["symmetry"]["generators"].pop()
        document["symmetry"]["orbits"]["agents"] = [[0], [1]]
        document["symmetry"]["orbits"]["actions"] = [[[0, 0]], [[0, 1], [0, 2]], [[1, 0]], [[1, 1], [1, 2]]]
        document["symmetry"]["orbits"]["observations"] = [[[0, 0], [0, 1]], [[1, 0], [1, 1]]]
        claim(document, 2, True)

    def trivial_group(document: dict) -> None:
        """The whole evidence is that of a rigid game."""
        evidence = document["symmetry"]
        evidence["generators"] = []
        evidence["orbits"] = {
            "agents": [[0], [1]],
            "states": [[0]],
            "observations": [[[0, 0]], [[1, 0]]],
            "actions": [[[i, a]] for i in range(2) for a in range(3)],
        }
        claim(document, 1, True)

    def change_game(document: dict) -> None:
        document["game"]["reward"][0][2] = "-1999/1000"
        rehash(document)

    def change_weights(document: dict) -> None:
        document["game"]["weights"] = ["1", "2"]
        rehash(document)

    def move_state(evidence: dict) -> None:
        evidence["generators"][0]["states"] = [0, 1]

    def lost_component(document: dict) -> None:
        """Only the symmetries of the long cycle are kept; the search must find the others."""
        evidence = document["symmetry"]
        evidence["generators"] = [
            g
            for g in evidence["generators"]
            if g["actions"][0][:2] == [0, 1] and g["actions"][1][:2] == [0, 1] and g["agents"] == [0, 1]
        ]

    def cut_base(document: dict) -> None:
        document["symmetry"]["base"].pop()
        claim(document, 2, True)

    def states_first(document: dict) -> None:
        document["symmetry"]["base"].reverse()

    def states_as_actions(document: dict) -> None:
        """The symmetries of states alone are counted into the order."""
        claim(document, 12, True)

    def overlong(evidence: dict) -> None:
        evidence["generators"][0]["states"].append(2)

    return {
        "generator_replaced": ("dectiger", edit(lambda e: e["generators"][0].update(actions=[[1, 0, 2], [1, 0, 2]]))),
        "generator_missing": ("dectiger", drop_generator),
        "generator_missing_all": ("match:3x3", trivial_group),
        "generator_without_states": ("dectiger", edit(move_state)),
        "generator_not_bijective": ("dectiger", edit(lambda e: e["generators"][0].update(states=[0, 0]))),
        "generator_agents_not_permuted": ("dectiger", edit(lambda e: e["generators"][1].update(agents=[1, 1]))),
        "generator_out_of_range": ("dectiger", edit(lambda e: e["generators"][0].update(states=[0, 2]))),
        "generator_overlong": ("dectiger", edit(overlong)),
        "orbit_merged": (
            "lever:10:9/10",
            edit(lambda e: e["orbits"].update(actions=[[a for orbit in e["orbits"]["actions"] for a in orbit]])),
        ),
        "orbit_split": ("dectiger", edit(lambda e: e["orbits"].update(agents=[[0], [1]]))),
        "order_changed": ("lever:10:9/10", lambda d: claim(d, 725761, True)),
        "order_doubled_in_claim": ("dectiger", lambda d: d["claim"].update(order="8")),
        "claim_text": ("dectiger", lambda d: d["claim"].update(text="the group is as large as you like")),
        "complete_claimed": (_incomplete(), lambda d: claim(d, int(d["symmetry"]["order"]), True)),
        "component_lost": (two_cycles(), lost_component),
        "base_cut": ("dectiger", cut_base),
        "base_repeated": ("dectiger", edit(lambda e: e["base"].append(e["base"][0]))),
        "base_unknown_point": ("dectiger", edit(lambda e: e["base"].append(["action", 0, 7]))),
        "base_states_first": (state_twins(), states_first),
        "states_counted_as_actions": (state_twins(), states_as_actions),
        "game_changed": ("dectiger", change_game),
        "game_hash_stale": ("dectiger", lambda d: d["game"]["reward"][0].__setitem__(2, "-1999/1000")),
        "weights_changed": ("dectiger", change_weights),
    }


def _incomplete() -> dict:
    """A certificate that says itself that it is not complete: one generator of several."""
    document = make("match:3x3")
    evidence = document["symmetry"]
    swap = next(g for g in evidence["generators"] if g["agents"] == [1, 0])
    evidence["generators"] = [swap]
    evidence["base"] = [["agent", 0]]
    evidence["orbits"] = {
        "agents": [[0, 1]],
        "states": [[0]],
        "observations": [[[0, 0], [1, 0]]],
        "actions": [[[0, a], [1, swap["actions"][0][a]]] for a in range(3)],
    }
    claim(document, 2, False)
    return document


def breakages() -> dict[str, Callable[[dict], object]]:
    def game(**fields: object) -> Callable[[dict], object]:
        """The restated game with other fields, hash renewed: what symmetry's own reader used to tolerate."""
        return lambda d: (d["game"].update(fields), rehash(d))

    return {
        "game_start_probability_seven": game(start=[[0, [], "7"], [1, [], "1/2"]]),
        "game_without_a_start": game(start=[]),
        "game_horizon_negative": game(horizon=-3),
        "game_horizon_zero": game(horizon=0),
        "game_discount_above_one": game(discount="3/2"),
        "game_weight_negative": game(weights=["-1", "-1"]),
        "game_name_is_a_list": game(name=["dectiger"]),
        "game_unknown_field": game(trust="me"),
        "game_of_another_format": game(format="certify-certificate"),
        "game_transition_missing": game(transition=[]),
        "game_agents_of_one_name": game(agents=["x", "x"]),
        "unknown_field": lambda d: d.update(trust="me"),
        "unknown_field_of_the_claim": lambda d: d["claim"].update(alpha_star="1/1000000"),
        "unknown_field_of_the_evidence": lambda d: d["symmetry"].update(trust="me"),
        "unknown_field_of_a_generator": lambda d: d["symmetry"]["generators"][0].update(rewards=[0]),
        "unknown_field_of_the_orbits": lambda d: d["symmetry"]["orbits"].update(rewards=[]),
        "orbit_of_an_object": lambda d: d["symmetry"]["orbits"]["agents"].append({"agent": 0}),
        "true_for_an_agent": lambda d: d["symmetry"]["generators"][1].update(agents=[True, False]),
        "no_evidence": lambda d: d.pop("symmetry"),
        "no_game": lambda d: d.pop("game"),
        "other_kind": lambda d: d.update(kind="threshold"),
        "version_2": lambda d: d.update(version=2),
        "complete_maybe": lambda d: d["symmetry"].update(complete="yes"),
        "generators_missing": lambda d: d["symmetry"].pop("generators"),
        "generator_without_agents": lambda d: d["symmetry"]["generators"][0].pop("agents"),
        "number_as_float": lambda d: (d["game"]["reward"][0].__setitem__(2, -2.0), rehash(d)),
        "zero_denominator": lambda d: (d["game"]["reward"][0].__setitem__(2, "1/0"), rehash(d)),
        "entry_twice": lambda d: (d["game"]["reward"].append([*d["game"]["reward"][0][:2], "5"]), rehash(d)),
        "state_out_of_range": lambda d: (d["game"]["reward"][0].__setitem__(0, 9), rehash(d)),
        "weights_missing": lambda d: (d["game"].update(weights=[]), rehash(d)),
        "base_of_numbers": lambda d: d["symmetry"].update(base=[0]),
    }


def everything() -> dict[str, dict[str, dict]]:
    """Folder -> file stem -> document."""
    valid = {
        name: make(game)
        for name, game in {
            "dectiger": "dectiger",
            "lever_10": "lever:10:9/10",
            "lewis_3": "lewis:3",
            "rigid": "climbing",
            "three_agents": "match:3x3x3",
            "two_cycles": two_cycles(),
            "state_twins": state_twins(),
            "action_sets": "tiny-hanabi:E",
        }.items()
    }
    valid["incomplete"] = _incomplete()
    invalid, malformed = {}, {}
    for name, (game, attack) in attacks().items():
        document = copy.deepcopy(game) if isinstance(game, dict) else make(game)
        attack(document)
        invalid[name] = document
    for name, breakage in breakages().items():
        malformed[name] = make("dectiger")
        breakage(malformed[name])
    return {folder: dict(files) for folder, files in (("valid", valid), ("invalid", invalid), ("malformed", malformed))}


def main() -> None:
    write_anew(FOLDER, everything())


if __name__ == "__main__":
    main()
