"""Makes the optimum certificates under `certificates/optimum/`: valid ones, attacked ones, malformed ones.

Run as a script to write the files again; each invalid file is named after its attack.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path

from certificate_files import write_anew

from certify.answers.optimum import optimum
from certify.answers.threshold import threshold
from certify.exact import rational_text
from certify.games import builtin
from certify.games.canonical import sha256_of

FOLDER = Path(__file__).resolve().parents[1] / "certificates" / "optimum"
SUBJECTS = {
    "tied_levers": ("lever:3:1/2", None, "1"),
    "two_steps": ("dectiger", 2, "340"),
    "path": ("lever:3:1/2", None, "1/2:3/4"),
    "branch": ("climbing", None, "17"),  # below its structural threshold of 39/2
    "uniform": ("lever:2", None, "1/2:3"),  # from its threshold on, where it is degenerate
}


@cache
def made(name: str) -> str:
    game, horizon, alpha = SUBJECTS[name]
    game = builtin(game, horizon)
    result = optimum(game, alpha, threshold=threshold(game, method="structural"))
    assert result.status == "proved", result.reason
    return json.dumps(result.document)


def document(name: str) -> dict:
    return json.loads(made(name))


def edited(name: str, *edits: Callable[[dict], object]) -> dict:
    result = copy.deepcopy(document(name))
    for edit in edits:
        edit(result)
    return result


def at(*path) -> Callable[[dict], object]:
    """Follows a path of keys and indices."""

    def follow(value):
        for key in path:
            value = value[key]
        return value

    return follow


def put(*path_and_value) -> Callable[[dict], object]:
    *path, last, value = path_and_value

    def edit(value_of):
        place = at(*path)(value_of)
        place[last] = value(place[last]) if callable(value) else value

    return edit


def drop(*path) -> Callable[[dict], object]:
    *path, last = path
    return lambda value: at(*path)(value).pop(last)


def scaled(factor: Fraction) -> Callable[[str], str]:
    return lambda text: rational_text(Fraction(text) * factor)


def moved(by: Fraction) -> Callable[[list], list]:
    return lambda ends: [rational_text(Fraction(end) + by) for end in ends]


def rehash(value: dict) -> None:
    value["game_sha256"] = sha256_of(value["game"])


POLICY = ("claim", "pieces", 0, "policy")


def uniform_of_another_game() -> dict:
    """The proof for levers that are alike, with the game and the threshold of levers that are not."""
    other = optimum([["1", "0"], ["0", "0.9"]], ("1/2", "3"), threshold=None).document
    attack = edited("uniform", *(put(key, other[key]) for key in ("game", "game_sha256")))
    attack["proof"] |= {"threshold": other["proof"]["threshold"], "generators": []}
    return attack


def invalid() -> dict[str, dict]:
    return {
        "probability_moved": edited("tied_levers", put(*POLICY, 0, 0, moved(Fraction(1, 10**20)))),
        "probability_a_point": edited("two_steps", put(*POLICY, 0, 0, lambda ends: [ends[0], ends[0]])),
        "probabilities_swapped": edited("tied_levers", put(*POLICY, 0, lambda row: row[::-1])),
        "value_moved": edited("tied_levers", put("claim", "pieces", 0, "value", moved(Fraction(1, 10**18)))),
        "return_moved": edited("two_steps", put("claim", "pieces", 0, "return", moved(Fraction(-1, 10**15)))),
        "entropy_reversed": edited("two_steps", put("claim", "pieces", 0, "entropy", lambda ends: ends[::-1])),
        "entropy_of_one_agent": edited(
            "tied_levers",
            put("claim", "pieces", 0, "entropy", lambda ends: [scaled(Fraction(1, 2))(end) for end in ends]),
        ),
        "rate_too_high": edited("tied_levers", put("claim", "rate", scaled(Fraction(100001, 100000)))),
        "rate_too_high_two_steps": edited("two_steps", put("claim", "rate", scaled(Fraction(1001, 1000)))),
        "rate_negative": edited("tied_levers", put("claim", "rate", "-1")),
        "rate_zero": edited("tied_levers", put("claim", "rate", "0")),
        "radius_too_small": edited("two_steps", put("proof", "pieces", 0, "radius", 0, lambda row: [1] * len(row))),
        "radius_too_large": edited(
            "two_steps", put("proof", "pieces", 0, "radius", 0, lambda row: [1 << 128] * len(row))
        ),
        "centre_elsewhere": edited("two_steps", put("proof", "pieces", 0, "centre", 0, 0, lambda m: m + (1 << 100))),
        "inverse_zero": edited(
            "tied_levers", put("proof", "pieces", 0, "inverse", lambda rows: [[0] * len(r) for r in rows])
        ),
        "inverse_negated": edited(
            "tied_levers", put("proof", "pieces", 0, "inverse", lambda rows: [[-y for y in r] for r in rows])
        ),
        "other_temperature": edited(
            "tied_levers", put("claim", "alpha", ["2", "2"]), put("claim", "pieces", 0, "alpha", ["2", "2"])
        ),
        "piece_at_other_beta": edited("tied_levers", put("proof", "pieces", 0, "beta", ["1/2", "1/2"])),
        "temperature_of_the_piece_only": edited("tied_levers", put("claim", "alpha", ["1/2", "1"])),
        "threshold_lowered": edited("tied_levers", put("proof", "threshold", "claim", "alpha_star", "2/5")),
        "threshold_above_alpha": edited("tied_levers", put("proof", "threshold", "claim", "alpha_star", "2")),
        "branch_called_unique": edited("branch", put("claim", "branch", "unique")),
        "branch_begins_late": edited(
            "branch",
            put("proof", "pieces", lambda pieces: pieces[2:]),
            put("claim", "pieces", 0, "piece", lambda k: k - 2),
        ),
        "branch_joint_dropped": edited(
            "branch", drop("proof", "pieces", 2), put("claim", "pieces", 0, "piece", lambda k: k - 1)
        ),
        "branch_piece_dropped": edited(
            "branch", drop("proof", "pieces", 1), put("claim", "pieces", 0, "piece", lambda k: k - 1)
        ),
        "branch_reversed": edited("branch", put("proof", "pieces", lambda pieces: pieces[-2::-1] + pieces[-1:])),
        "path_piece_dropped": edited("path", drop("claim", "pieces", 1)),
        "path_end_dropped": edited("path", drop("claim", "pieces", -1)),
        "path_without_pieces": edited("path", put("claim", "pieces", [])),
        "path_widened": edited("path", put("claim", "alpha", ["1/2", "1"])),
        "path_piece_widened": edited(
            "path", put("claim", "pieces", 0, "alpha", 0, "1/4"), put("claim", "alpha", 0, "1/4")
        ),
        "path_box_of_another_piece": edited("path", put("claim", "pieces", 0, "piece", lambda k: 0)),
        "greedy_action_missing": edited("tied_levers", put("claim", "greedy", "rows", 0, "actions", [0])),
        "greedy_other_action": edited("tied_levers", put("claim", "greedy", "rows", 0, "actions", [2])),
        "greedy_gap_too_large": edited("tied_levers", put("claim", "greedy", "rows", 0, "gap", "1/10")),
        "greedy_gap_negative": edited("tied_levers", put("claim", "greedy", "rows", 0, "gap", "-1/10")),
        "greedy_all_tied": edited(
            "tied_levers", put("claim", "greedy", "rows", 0, {"actions": [0, 1, 2], "tied": True, "gap": None})
        ),
        "greedy_return_of_the_optimum": edited("tied_levers", put("claim", "greedy", "return", "1")),
        "greedy_return_of_an_undecided_tie": edited("tied_levers", put("claim", "greedy", "rows", 0, "tied", False)),
        "tie_without_symmetries": edited("tied_levers", put("proof", "generators", [])),
        "tie_by_agents_alone": edited(
            "tied_levers",
            put(
                "proof",
                "generators",
                [{"agents": [1, 0], "states": [0], "actions": [[0, 1, 2], [0, 1, 2]], "observations": [[0], [0]]}],
            ),
        ),
        "tie_by_a_map_that_is_none": edited(
            "tied_levers",
            put(
                "proof",
                "generators",
                [{"agents": [0, 1], "states": [0], "actions": [[0, 2, 1], [0, 2, 1]], "observations": [[0], [0]]}],
            ),
        ),
        "generator_too_short": edited("tied_levers", put("proof", "generators", [{"agents": [0]}])),
        "game_hash_stale": edited("tied_levers", put("game", "reward", 0, 2, "2")),
        "game_changed": edited("tied_levers", put("game", "reward", 0, 2, "5/4"), rehash),
        "game_weights_changed": edited("tied_levers", put("game", "weights", ["1", "3/2"]), rehash),
        "game_discount_changed": edited("two_steps", put("game", "discount", "1/2"), rehash),
        "uniform_of_another_game": uniform_of_another_game(),
        "uniform_on_a_branch": edited("uniform", put("claim", "branch", "principal")),
        "uniform_below_the_threshold": edited("uniform", put("proof", "pieces", 0, "beta", 1, "3")),
    }


def malformed() -> dict[str, dict]:
    return {
        "radius_zero": edited("tied_levers", put("proof", "pieces", 0, "radius", 0, 0, 0)),
        "radius_float": edited("tied_levers", put("proof", "pieces", 0, "radius", 0, 0, 1.5)),
        "reference_out_of_range": edited("tied_levers", put("proof", "pieces", 0, "reference", 0, 3)),
        "inverse_not_square": edited("tied_levers", drop("proof", "pieces", 0, "inverse", 0)),
        "centre_row_missing": edited("tied_levers", drop("proof", "pieces", 0, "centre", 0)),
        "unit_bits_beyond_the_arithmetic": edited("tied_levers", put("proof", "unit_bits", 300)),
        "beta_reversed": edited("path", put("proof", "pieces", 0, "beta", lambda ends: ends[::-1])),
        "beta_missing": edited("path", drop("proof", "pieces", 0, "beta")),
        "alpha_reversed": edited("path", put("claim", "alpha", ["3/4", "1/2"])),
        "alpha_zero": edited("path", put("claim", "alpha", ["0", "1/2"])),
        "branch_unknown": edited("tied_levers", put("claim", "branch", "best")),
        "rate_along_a_path": edited("path", put("claim", "rate", "1/100")),
        "greedy_along_a_path": edited("path", put("claim", "greedy", {"rows": [], "return": None})),
        "greedy_not_ascending": edited("tied_levers", put("claim", "greedy", "rows", 0, "actions", [1, 0])),
        "piece_out_of_range": edited("tied_levers", put("claim", "pieces", 0, "piece", 5)),
        "threshold_of_two_steps": edited(
            "tied_levers", put("proof", "threshold", document("two_steps")["proof"]["threshold"])
        ),
        "no_threshold": edited("tied_levers", drop("proof", "threshold")),
        "threshold_without_proof": edited("tied_levers", drop("proof", "threshold", "proof")),
        "no_claim": edited("tied_levers", drop("claim")),
        "unknown_field": edited("tied_levers", put("trust_me", True)),
        "generators_not_a_list": edited("tied_levers", put("proof", "generators", {})),
        "objective_local": edited("tied_levers", put("objective", "local-bonus")),
        "uniform_not_true": edited("uniform", put("proof", "pieces", 0, "uniform", 1)),
        "no_pieces": edited("tied_levers", put("proof", "pieces", [])),
        "value_one_end": edited("tied_levers", put("claim", "pieces", 0, "value", ["1"])),
    }


def everything() -> dict[str, dict[str, dict]]:
    return {"valid": {name: document(name) for name in SUBJECTS}, "invalid": invalid(), "malformed": malformed()}


def main() -> None:
    write_anew(FOLDER, everything())


if __name__ == "__main__":
    main()
