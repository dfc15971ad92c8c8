"""Writes tests/certificates/mutants: certificates and attacks that kill mutants of the checker that all other files
left alive (tests/mutants.md).  Most are one edit of another folder's file; those of games with legal sets, and of the
form rows, are new.  Run it again after a change of the format:

    python tests/helpers/mutant_attacks.py
"""

import copy
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from legal_games import MATCH
from make_attacks import nodes, rehash, structural
from prover import Prover

import certify
from certify.games import as_game, game_to_json

THREE_STEPS = {  # three steps, hidden states: what bounds of later steps add is of two kinds
    "kind": "dec-pomdp",
    "name": "three-step lever",
    "agents": ["one", "two"],
    "states": ["low", "high"],
    "actions": [["a", "b", "c"], ["a", "b"]],
    "observations": [["o"], ["o"]],
    "horizon": 3,
    "start": [{"state": "low", "probability": 1}],
    "transition": [
        {
            "state": s,
            "actions": [x, y],
            "next": {"high": "2/3", "low": "1/3"} if x == y else {"low": "3/4", "high": "1/4"},
        }
        for s in ("low", "high")
        for x in "abc"
        for y in "ab"
    ],
    "emission": [
        {"actions": ["*", "*"], "state": s, "outcomes": [{"observations": ["o", "o"], "probability": 1}]}
        for s in ("low", "high")
    ],
    "reward": [
        {"state": "low", "actions": ["a", "a"], "value": 1},
        {"state": "low", "actions": ["b", "a"], "value": "-1/2"},
        {"state": "high", "actions": ["b", "b"], "value": "3/2"},
        {"state": "high", "actions": ["c", "b"], "value": "1/3"},
    ],
}
FOLDER = Path(__file__).resolve().parents[1] / "certificates"
Document = dict[str, Any]
Edit = Callable[[Document], Any]
Made = dict[str, Document]


def edited(source: str | Document, change: Edit) -> Document:
    """A changed copy of a valid certificate, or of the file of one."""
    path = FOLDER / f"{source}.json"
    document = copy.deepcopy(source) if isinstance(source, dict) else json.loads(path.read_text(encoding="utf-8"))
    change(document)
    return document


def put(*path: Any) -> Edit:
    """The edit that puts the last of `path` where the others lead."""
    *way, key, value = path

    def change(document: Document) -> None:
        at: Any = document
        for step in way:
            at = at[step]
        at[key] = value

    return change


def moduli(*entries: tuple[str, str]) -> Edit:
    """The edit that claims these (alpha, modulus), as a structural proof does."""
    claimed = [{"alpha": alpha, "modulus": modulus, "node": None, "steps": []} for alpha, modulus in entries]
    return put("claim", "strong_concavity", claimed)


def two_maxima_are_the_witness(c: Document) -> None:
    """The policies of `two_maxima` serve as the witness too."""
    c["proof"].update(witness=c["proof"]["two_maxima"], two_maxima="witness")
    c["claim"]["alpha_multiple"] = c["claim"]["alpha_two_maxima"]


def first_two_policies(c: Document) -> None:
    """As few as cross-play may have."""
    c["proof"]["policies"] = c["proof"]["policies"][:2]
    c["claim"]["teams"] = [team for team in c["claim"]["teams"] if max(team["policies"]) < 2]


def touching(c: Document) -> None:
    """Enclosures of teams made wider, to the very end of the enclosure that they are compared with."""
    teams = {tuple(team["policies"]): team for team in c["claim"]["teams"]}
    for mixed, own in (((0, 1), (0, 0)), ((0, 2), (0, 0)), ((1, 2), (1, 1))):
        for name in ("J", "return"):
            (low, high), (own_low, own_high) = teams[mixed][name], teams[own][name]
            if Fraction(high) < Fraction(own_low):
                teams[mixed][name] = [low, own_low]
            elif Fraction(own_high) < Fraction(low):
                teams[mixed][name] = [own_high, high]


def split_at_an_end(last: bool) -> Edit:
    """The root split at an end of its interval, into that point and all of it."""

    def change(c: Document) -> None:
        low, high = nodes(c)[0]["beta"]
        first, second = [node for node in nodes(c) if node["parent"] == 0]
        nodes(c)[0]["split"] = {"beta": high if last else low}
        first["beta"], second["beta"] = ([low, high], [high, high]) if last else ([low, low], [low, high])

    return change


def beyond_its_piece(factor: Fraction) -> Edit:
    """An optimum's claim at other temperatures than its piece's, where everything is within what is claimed."""

    def change(c: Document) -> None:
        ends = sorted(Fraction(alpha) * k for k, alpha in zip((1, factor), c["claim"]["alpha"], strict=True))
        c["claim"].update(alpha=list(map(str, ends)), greedy=None, rate=None)
        claimed = c["claim"]["pieces"][0]
        claimed.update(alpha=c["claim"]["alpha"], **{key: ["-1000", "1000"] for key in ("value", "return", "entropy")})
        claimed["policy"] = [["0"] * len(row) for row in claimed["policy"]]

    return change


LOWERED = {  # certificate, and the steps of its root of which the first and the last bound are lowered
    "dectiger_horizon_2": range(4),
    "two_stage_lever_unclustered": range(8),
    "two_steps_coupled": range(4),
    "climbing_cover": range(4),
    "lewis_initial_observations": range(4),
    "match_three_agents": range(3),
}


def three_steps() -> Document:
    """A cover of the game of three steps, every bound the least that verifies."""
    prover = Prover(game_to_json(as_game(THREE_STEPS)))
    return prover.certificate(Fraction(2), prover.cover(Fraction(2), sweeps=3))


def one_unit_lower(base: Made) -> dict[str, tuple[Document, Document]]:
    """Bounds one unit below the prover's, which are the least that verify: whatever weakens a bound accepts some."""
    found = {}
    sources = {name: (f"valid/{name}", steps) for name, steps in LOWERED.items()}
    for name, (source, steps) in (sources | {"three_steps": (base["three_steps"], range(12))}).items():
        for step in steps:
            for which in (0, -1):

                def lower(c: Document, step: int = step, which: int = which) -> None:
                    nodes(c)[0]["steps"][step]["log_ratio"][which][which] -= 1

                attacked = edited(source, lower)
                verdict = certify.checker.check_certificate(attacked, engine="stdlib")
                if not verdict.valid:  # the last of a sweep may have room
                    where = f"step_{step}_{'last' if which else 'first'}"
                    found[f"one_unit_lower_{name}_{where}"] = attacked, {"node": 0, "step": step}
    return found


def largest_modulus(source: str, entry: int) -> tuple[Document, Document]:
    """The certificate with a modulus within 1/1024 of the largest that is verified, and with one above."""
    alpha = Fraction(edited(source, lambda c: None)["claim"]["strong_concavity"][entry]["alpha"])

    def claiming(k: int) -> Document:
        return edited(source, put("claim", "strong_concavity", entry, "modulus", str(alpha * k / 1024)))

    low, high = 0, 1024
    while high - low > 1:
        middle = (low + high) // 2
        valid = certify.checker.check_certificate(claiming(middle), engine="stdlib").valid
        low, high = (middle, high) if valid else (low, middle)
    return claiming(low), claiming(high)


def steps_dropped(source: str) -> tuple[Document, Document]:
    """The certificate without the most steps at the end of its last leaf that it can spare, and without one more."""

    def without(count: int) -> Document:
        def change(c: Document) -> None:
            steps = nodes(c)[-1]["steps"]
            del steps[len(steps) - count :]
            c["claim"]["strong_concavity"] = []

        return edited(source, change)

    count = 0
    while certify.checker.check_certificate(without(count + 1), engine="stdlib").valid:
        count += 1
    return without(count), without(count + 1)


def noise(*, reference: bool) -> Document:
    """The game lever:2 after a first observation that says nothing: of agent 1 with odds 1:3, of agent 2 with 1:2."""
    lever = edited("valid/lever_cover", lambda c: None)["game"]
    lever.update(observations=[["x", "y"], ["x", "y"]], name="lever:2 after noise")
    chances = ("1/12", "1/6", "1/4", "1/2")
    lever["start"] = [[0, [k // 2, k % 2], chance] for k, chance in enumerate(chances)]
    if reference:
        lever["reference"] = [[0, 0, [[0, "1/2"], [1, "1/2"]]], [0, 1, [[0, "1/3"], [1, "2/3"]]]]
    return lever


def small(reward: list[Any], **changes: Any) -> Document:
    """The game lever:2 with other payoffs, [[joint action, value], ..], and whatever else is said."""
    lever = edited("valid/lever_cover", lambda c: None)["game"]
    return {**lever, "name": "small", "reward": [[0, *entry] for entry in reward], **changes}


def preferred() -> Document:
    """The game lever:2 with a reference at the first step, the same for both agents."""
    row = [[0, "1/3"], [1, "2/3"]]
    return small([[[0, 0], "1"], [[1, 1], "1"]], reference=[[0, None, row], [1, None, row]])


def alone() -> Document:
    """A cover of a game of one agent."""
    game = small([[[0], "1"]], agents=["one"], weights=["1"], actions=[["0", "1"]], observations=[["o"]])
    return Prover(game).certificate(Fraction(1), Prover(game).cover(Fraction(1), sweeps=3))


def with_one_action() -> Document:
    """A cover of a game in which an agent has nothing to choose."""
    game = small([[[0, 0], "1"]], actions=[["0", "1"], ["0"]])
    return Prover(game).certificate(Fraction(1), Prover(game).cover(Fraction(1), sweeps=3))


def pivot_of_zero(wide: bool) -> Document:
    """A matrix with 0 on its diagonal, beside which there is a 1: two actions against four, matched in pairs."""
    matched = [[[a, b] if wide else [b, a], "1"] for a in range(2) for b in (2 * a, 2 * a + 1)]
    names = [["0", "1"], ["0", "1", "2", "3"]]
    game = small(matched, actions=names if wide else names[::-1])
    return edited("valid/lever_spectral", lambda c: (c.update(game=game), rehash(c)))


def incomplete(c: Document) -> None:
    """A group of which nothing is claimed to be missing or not."""
    c["symmetry"]["complete"] = c["claim"]["complete"] = False


def game(*path: Any) -> Edit:
    """The edit `put` of the game, with the hash that it then has."""
    return lambda c: (put("game", *path)(c), rehash(c))


def valid() -> Made:
    """The certificates that must stay valid."""
    legal = as_game(MATCH)
    third = as_game(MATCH | {"observations": [["match", "never", "miss"]] * 2, "name": "match-three, miss last"})
    return {
        "lever_rows": structural("lever:2", "51/100", "rows"),
        "dectiger_rows": structural("dectiger", "167", "rows", 2),
        "legal_sets_cover": certify.threshold(legal, objective="kl", method="localisation", rtol="1/2").document,
        "legal_sets_structural": certify.threshold(legal, objective="kl", method="structural").document,
        "legal_sets_after_the_last_observation": certify.threshold(third, objective="kl", method="structural").document,
        "three_steps": three_steps(),
        "one_agent": alone(),
        "an_agent_with_one_action": with_one_action(),
        "reference_at_the_first_step": certify.threshold(
            as_game(preferred()), objective="kl", method="localisation", rtol="1/2"
        ).document,
        "first_observations_of_noise_merged": edited(
            "valid/lever_cover", lambda c: (c.update(game=noise(reference=False)), rehash(c))
        ),
        "first_observations_of_noise_with_references_apart": certify.threshold(
            as_game(noise(reference=True)), objective="kl", method="localisation", rtol="1/2"
        ).document,
        **{f"modulus_almost_too_large_{k}": largest_modulus("valid/climbing_cover", k)[0] for k in (0, 1)},
        **{f"steps_spared_{name}": steps_dropped(f"valid/{name}")[0] for name in LOWERED},
        "cover_with_a_modulus_of_zero": edited(
            "valid/climbing_cover", put("claim", "strong_concavity", 0, "modulus", "0")
        ),
        "modulus_at_the_root": edited(
            "valid/lewis_initial_observations",
            put("claim", "strong_concavity", [{"alpha": "1", "modulus": "0", "node": 0, "steps": []}]),
        ),
        "reference_after_the_first_observation": certify.threshold(
            as_game(MATCH | {"legal": {agent: {"": ["a", "b"], "match": ["a"]} for agent in ("one", "two")}}),
            objective="kl",
            method="structural",
        ).document,
        "witness_of_two_maxima": edited("multiplicity/valid/three_levers", two_maxima_are_the_witness),
        "crossplay_of_two": edited("crossplay/valid/three_levers", first_two_policies),
        "crossplay_enclosures_that_touch": edited("crossplay/valid/three_levers", touching),
    }


def invalid(base: Made) -> dict[str, tuple[Document, Document]]:
    """Attacked copies, with the place that the checker must name."""
    tiger, crossplay = "valid/dectiger_horizon_2", "crossplay/valid/three_levers"
    return {
        "rows_with_a_multiplier_of_zero": (
            edited(base["lever_rows"], put("claim", "alpha_star", "1/2")),
            {"step": "agent 0, step 0"},
        ),
        "rows_with_a_modulus": (edited(base["lever_rows"], moduli(("1", "0"))), {"strong_concavity": 0}),
        "rows_widened": (edited(base["dectiger_rows"], put("claim", "alpha_star", "166")), {}),
        "structural_modulus_negative": (edited("valid/lever_rho", moduli(("1", "-1/1000"))), {"strong_concavity": 0}),
        "split_at_the_lower_end_all_the_same": (edited(tiger, split_at_an_end(False)), {"node": 0, "step": "split"}),
        "split_at_the_upper_end_all_the_same": (edited(tiger, split_at_an_end(True)), {"node": 0, "step": "split"}),
        "cover_with_a_modulus_too_large_where_an_action_is_illegal": (
            edited(
                base["legal_sets_cover"],
                put("claim", "strong_concavity", [{"alpha": "100", "modulus": "9999/100", "node": 0, "steps": []}]),
            ),
            {"strong_concavity": 0},
        ),
        "optimum_beyond_its_piece_at_the_upper_end": (
            edited("optimum/valid/tied_levers", beyond_its_piece(Fraction(2))),
            {"step": "enclosure", "piece": 0},
        ),
        "optimum_beyond_its_piece_at_the_lower_end": (
            edited("optimum/valid/tied_levers", beyond_its_piece(Fraction(1, 2))),
            {"step": "enclosure", "piece": 0},
        ),
        "greedy_the_worst_action_among_the_best": (
            edited(
                "optimum/valid/branch",
                lambda c: (
                    put("claim", "greedy", "rows", 0, {"actions": [0, 2], "tied": False, "gap": "1/10"})(c),
                    put("claim", "greedy", "return", None)(c),
                ),
            ),
            {"step": "greedy", "row": 0},
        ),
        "base_states_first_of_a_part_of_the_group": (
            edited("symmetry/invalid/base_states_first", incomplete),
            {"step": "base"},
        ),
        **one_unit_lower(base),
        **{
            f"spectral_with_a_pivot_of_zero_{'wide' if wide else 'tall'}": (pivot_of_zero(wide), {"step": "matrix"})
            for wide in (True, False)
        },
        **{
            f"modulus_a_little_too_large_{k}": (largest_modulus("valid/climbing_cover", k)[1], {"strong_concavity": k})
            for k in (0, 1)
        },
        **{f"one_step_too_few_{name}": (steps_dropped(f"valid/{name}")[1], {}) for name in LOWERED},
        "base_with_an_unknown_first_agent": (
            edited("symmetry/valid/dectiger", put("symmetry", "base", 0, ["agent", 7])),
            {"step": "base"},
        ),
        "crossplay_at_zero": (edited(crossplay, put("claim", "alpha", "0")), {"step": "claim.alpha"}),
    }


def malformed(base: Made) -> Made:
    """What is no certificate."""
    policy, climb, crossplay = "valid/climbing_split_by_policy", "valid/climbing_cover", "crossplay/valid/three_levers"
    legal = base["legal_sets_structural"]
    lever = json.loads((FOLDER / "valid" / "lever_rho.json").read_text(encoding="utf-8"))
    many = json.loads((FOLDER / f"{crossplay}.json").read_text(encoding="utf-8"))["proof"]["policies"][:1] * 65
    return {
        "parameters_with_an_unknown_field": edited("valid/parameters_theorem_D_prime", put("name", "all games")),
        "parameters_with_a_field_more": edited(
            "valid/parameters_theorem_D_prime", lambda c: (c["parameters"].update(states=1), rehash(c))
        ),
        "modulus_at_alpha_zero": edited(lever, moduli(("0", "0"))),
        "modulus_at_a_negative_node": edited(climb, put("claim", "strong_concavity", 0, "node", -1)),
        "modulus_with_an_unknown_field": edited(climb, put("claim", "strong_concavity", 0, "proved", True)),
        "split_of_a_class_that_does_not_exist": edited(policy, put("proof", "nodes", 0, "split", "class", 1)),
        "split_of_a_negative_class": edited(policy, put("proof", "nodes", 0, "split", "class", -1)),
        "split_of_a_negative_action": edited(policy, put("proof", "nodes", 0, "split", "action", -1)),
        "split_of_a_negative_agent": edited(policy, put("proof", "nodes", 0, "split", "agent", -1)),
        "split_with_an_unknown_field": edited(policy, put("proof", "nodes", 0, "split", "sure", True)),
        "split_at_a_policy_of_zero": edited(policy, put("proof", "nodes", 0, "split", "at", "0")),
        "split_at_beta_and_action": edited(policy, put("proof", "nodes", 0, "split", "beta", "1/100")),
        "negative_parent": edited(climb, put("proof", "nodes", 1, "parent", -1)),
        "negative_agent": edited(climb, put("proof", "nodes", 0, "steps", 0, "agent", -1)),
        "step_with_an_unknown_field": edited(climb, put("proof", "nodes", 0, "steps", 0, "trusted", True)),
        "optimum_piece_with_an_unknown_field": edited(
            "optimum/valid/tied_levers", put("claim", "pieces", 0, "comment", "trust me")
        ),
        "greedy_negative_action": edited("optimum/valid/branch", put("claim", "greedy", "rows", 0, "actions", [-1])),
        "actions_all_there_out_of_order": edited(climb, game("available", [[[0, 2, 1]], [[0, 1, 2]]])),
        "actions_one_of_them_twice": edited(climb, game("available", [[[0, 1, 1]], [[0, 1, 2]]])),
        "actions_none_available": edited(lever, game("available", [[[]], [[0, 1]]])),
        "actions_negative": edited(climb, game("available", [[[-1, 0, 1]], [[0, 1, 2]]])),
        "agent_without_actions": edited(lever, game("actions", [[], ["0", "1"]])),
        "negative_state": edited(lever, game("reward", 0, 0, -1)),
        "negative_action_of_a_reward": edited(lever, game("reward", 0, 1, [0, -1])),
        "action_of_a_reward_that_does_not_exist": edited(lever, game("reward", 0, 1, [0, 2])),
        "probability_of_zero": edited(
            lever, lambda c: (c["game"].update(states=["a", "b"]), game("start", [[0, [], "1"], [1, [], "0"]])(c))
        ),
        "reference_of_a_negative_agent": edited(legal, game("reference", 0, 0, -1)),
        "reference_of_an_agent_that_does_not_exist": edited(legal, game("reference", 0, 0, 2)),
        "reference_after_a_negative_observation": edited(legal, game("reference", 0, 1, -1)),
        "reference_after_an_observation_that_does_not_exist": edited(legal, game("reference", 0, 1, 2)),
        "reference_of_a_negative_action": edited(legal, game("reference", 0, 2, 0, 0, -1)),
        "reference_of_an_action_that_does_not_exist": edited(legal, game("reference", 0, 2, 0, 0, 3)),
        "reference_that_misses_one": edited(legal, game("reference", 0, 2, 0, 1, "1/3")),
        "reference_twice": edited(
            legal, lambda c: (c["game"]["reference"].append(c["game"]["reference"][0]), rehash(c))
        ),
        "reference_without_kl": edited(legal, put("objective", "visitation")),
        "crossplay_with_an_unknown_field": edited(crossplay, put("comment", "trust me")),
        "crossplay_team_with_an_unknown_field": edited(crossplay, put("claim", "teams", 0, "comment", "trust me")),
        "crossplay_team_of_a_policy_that_does_not_exist": edited(
            crossplay, put("claim", "teams", 0, "policies", [0, 4])
        ),
        "crossplay_team_of_a_negative_policy": edited(crossplay, put("claim", "teams", 0, "policies", [0, -1])),
        "crossplay_team_twice": edited(crossplay, lambda c: c["claim"]["teams"].append(c["claim"]["teams"][0])),
        "crossplay_of_one_policy": edited(
            crossplay, lambda c: (c["claim"].update(teams=[]), put("proof", "policies", c["proof"]["policies"][:1])(c))
        ),
        "crossplay_of_65_policies": edited(crossplay, put("proof", "policies", many)),
    }


def main() -> None:
    base = valid()
    attacks = invalid(base)
    files = {f"valid/{name}": document for name, document in base.items()}
    files |= {f"invalid/{name}": document for name, (document, _) in attacks.items()}
    files |= {f"malformed/{name}": document for name, document in malformed(base).items()}
    for name, document in files.items():
        path = FOLDER / "mutants" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")
    expected = {name: place for name, (_, place) in attacks.items()}
    (FOLDER / "mutants" / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
