"""Makes the certificates under `certificates/kl/`: policies under KL where actions are illegal, valid ones, attacked
ones, malformed ones.  Run as a script to write the files again; each invalid file is named after its attack."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path

from certificate_files import write_anew
from legal_games import MIRROR
from optimum_certificates import drop, put, rehash, scaled

import certify
from certify.bounds.other_names import other_names
from certify.certificates.crossplay import crossplay_certificate
from certify.certificates.entropy import flow_certificate
from certify.certificates.multiplicity import multiplicity_certificate
from certify.crossplay.approx_runs import proved_runs
from certify.entropy.flow import exact_history_rows, flow_report, history_tree
from certify.games import Game, as_game
from certify.games.objective import for_objective
from certify.games.tree import unroll
from certify.stationary.multiplicity import find_multiplicity

FOLDER = Path(__file__).resolve().parents[1] / "certificates" / "kl"
SUBJECTS = ("optimum", "crossplay", "multiplicity", "flow")
_LOG_COUNTS = 2 * (math.log(2) + 9 / 10 * math.log(3))  # what J under KL is short of entropies, at alpha = 1


def mirror() -> Game:
    return for_objective(as_game(MIRROR), "kl")


@cache
def made(name: str) -> str:
    game = mirror()
    if name == "optimum":
        known = certify.threshold(game, method="structural", objective="kl")
        return json.dumps(certify.optimum(game, 1, objective="kl", threshold=known).document)
    if name == "multiplicity":
        found = find_multiplicity(unroll(game))
        assert found is not None and found.two_maxima is not None and found.two_maxima.symmetry is not None
        return json.dumps(multiplicity_certificate(game, found))
    if name == "crossplay":
        return json.dumps(crossplay_certificate(game, proved_runs(unroll(game, cluster=False), Fraction(1, 4))))
    tree = history_tree(game, "kl")
    names = other_names(tree)
    flat = names.gathered(names.layout.flat(names.uniform()))
    flat[names.layout.row_start] *= Fraction(3, 2)  # away from the reference, where rates are 0
    policy = names.layout.nested(names.spread(flat / names.layout.row_sums(flat)[names.layout.row_of_entry]))
    rows = exact_history_rows(tree, policy)
    assert rows is not None
    return json.dumps(flow_certificate(game, rows, Fraction(1, 2), flow_report(tree, policy, Fraction(1, 2))))


def document(name: str) -> dict:
    return json.loads(made(name))


def edited(name: str, *edits: Callable[[dict], object]) -> dict:
    result = copy.deepcopy(document(name))
    for edit in edits:
        edit(result)
    return result


def raised(by: float) -> Callable[[list], list]:
    """An interval of the same width elsewhere."""
    return lambda ends: [str(Fraction(end) + Fraction(by)) for end in ends]


def reference_row(name: str, agent: int, seen: int, row: list) -> dict:
    result = document(name)
    for entry in result["game"]["reference"]:
        if entry[:2] == [agent, seen]:
            entry[2] = row
    rehash(result)
    return result


LOW = 0  # the observation after which a and b are legal
PIECE = ("claim", "pieces", 0)
WIDER = [[0, "1/3"], [1, "1/3"], [2, "1/3"]]
BIASED = [[0, "2/3"], [1, "1/3"]]
_ROW_AFTER_LOW = 1  # of agent one, in every certificate here


def invalid() -> dict[str, dict]:
    changes = {
        f"{name}_{attack}": reference_row(name, 0, LOW, row)
        for name in SUBJECTS
        for attack, row in (("legal_set_widened", WIDER), ("reference_row_changed", BIASED))
        if (name, attack) != ("flow", "legal_set_widened")  # malformed: a 0 where an action is legal
    }
    return changes | {
        "optimum_constant_dropped": edited(
            "optimum", put(*PIECE, "entropy", raised(_LOG_COUNTS)), put(*PIECE, "value", raised(_LOG_COUNTS))
        ),
        "optimum_value_with_the_entropy": edited("optimum", put(*PIECE, "value", raised(_LOG_COUNTS))),
        "optimum_illegal_action_played": edited("optimum", put(*PIECE, "policy", 1, 2, ["1/1000", "1/500"])),
        "optimum_names_not_added_up": edited(
            "optimum", put(*PIECE, "policy", 1, 0, lambda ends: [scaled(Fraction(1, 2))(end) for end in ends])
        ),
        "optimum_rate_too_high": edited("optimum", put("claim", "rate", scaled(Fraction(1001, 1000)))),
        "optimum_no_reference": edited("optimum", drop("game", "reference"), rehash, put("objective", "visitation")),
        "optimum_greedy_illegal": edited("optimum", put("claim", "greedy", "rows", 1, "actions", [2])),
        "optimum_greedy_everything": edited(
            "optimum",
            put("claim", "greedy", "rows", 1, {"actions": [0, 1, 2], "tied": True, "gap": None}),
            put("claim", "greedy", "return", None),
        ),
        "optimum_gap_to_an_illegal_action": edited("optimum", put("claim", "greedy", "rows", 1, "gap", "1/2")),
        "optimum_tie_without_a_symmetry": edited("optimum", put("proof", "generators", [])),
        "optimum_greedy_return_of_the_other_match": edited(
            "optimum", put("claim", "greedy", "return", scaled(Fraction(1, 2)))
        ),
        "crossplay_J_with_the_entropy": edited("crossplay", put("claim", "teams", 0, "J", raised(_LOG_COUNTS / 4))),
        "crossplay_return_raised": edited("crossplay", put("claim", "teams", 0, "return", raised(1e-6))),
        "multiplicity_symmetry_of_the_agents_only": edited(
            "multiplicity", put("proof", "two_maxima", "symmetry", {"agents": [1, 0]})
        ),
        "multiplicity_symmetry_that_moves_a_legal_set": edited(
            "multiplicity",
            put("proof", "two_maxima", "symmetry", {"agents": [0, 1], "actions": [[2, 1, 0], [2, 1, 0]]}),
        ),
        "multiplicity_alpha_raised": edited(
            "multiplicity",
            put("claim", "alpha_multiple", scaled(Fraction(101, 100))),
            put("proof", "witness", "alpha", scaled(Fraction(101, 100))),
        ),
        "flow_rate_raised": edited("flow", put("claim", "rows", 0, "rate", raised(1e-9))),
        "flow_rate_of_one_name": edited(
            "flow", put("claim", "rows", 1, "rate", lambda ends: [scaled(Fraction(1, 2))(end) for end in ends])
        ),
        "flow_entropy_of_names": edited("flow", put("claim", "rows", 1, "entropy", raised(math.log(2) / 2))),
        "flow_reward_changed": edited("flow", put("game", "reward", 0, 2, "3/4"), rehash),
    }


def malformed() -> dict[str, dict]:
    renamed = {f"{name}_objective_renamed": edited(name, put("objective", "visitation")) for name in SUBJECTS}
    return renamed | {
        "flow_objective_dropped": edited("flow", drop("objective")),
        "flow_legal_set_widened": reference_row("flow", 0, LOW, WIDER),
        "flow_illegal_action_played": edited("flow", put("policy", 1, ["1/3", "1/3", "1/3"])),
        "flow_legal_action_not_played": edited("flow", put("policy", 1, ["1", "0", "0"])),
        "optimum_row_without_the_illegal_action": edited("optimum", drop(*PIECE, "policy", 1, 2)),
        "multiplicity_direction_by_names": edited(
            "multiplicity", put("proof", "witness", "policies", 0, "direction", [1] * 18)
        ),
    }


def everything() -> dict[str, dict[str, dict]]:
    return {"valid": {name: document(name) for name in SUBJECTS}, "invalid": invalid(), "malformed": malformed()}


def main() -> None:
    write_anew(FOLDER, everything())


if __name__ == "__main__":
    main()
