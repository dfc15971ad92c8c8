"""Makes the entropy certificates under `certificates/entropy/`: valid ones, and each attack by name.

Run this file to write them anew; the tests read the files, and check that they are these.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import entropy_batch_certificates
import entropy_run_certificates

from certify.answers.entropy import step_report
from certify.certificates.entropy import table_certificate
from certify.entropy.formats import FLOAT16
from certify.entropy.policy import advantages_from_json, policy_from_json

FOLDER = Path(__file__).resolve().parents[1] / "certificates" / "entropy"
RARE = ["1/100", "49/100", "1/2"]
ORDERED = ["1/2", "3/10", "1/5"]


def signed(policy: object, advantages: list, algorithm: str, upper: Fraction, **parameters: str) -> dict:
    """The certificate of the sign of one algorithm's step on (0, upper]."""
    states = policy_from_json(policy)
    rows = advantages_from_json(advantages, states)
    certificate = step_report(states, rows, algorithm, parameters, Fraction(0), upper).certificate()
    assert certificate is not None
    return certificate


def tail() -> dict:
    """A fall whose last piece rests on the lemma about large steps alone."""
    data = signed(ORDERED, ["5", "3", "2"], "natural", Fraction(1000))
    kept = [piece for piece in data["pieces"] if Fraction(piece[0]) < 3]
    data["pieces"] = [*kept, [kept[-1][1], "1000", "tail"]]
    return data


def valid() -> dict[str, dict]:
    two_states = {"states": [{"probabilities": ORDERED, "weight": "1/3"}, {"logits": ["0", "1/2"], "weight": "2/3"}]}
    first = signed(ORDERED, ["5", "3", "2"], "natural", Fraction(1))
    first.update(claim={"sign": "decreases", "steps": None}, pieces=[])
    return {
        "entropy_rare_action": signed(RARE, ["1", "0", "0"], "reinforce", Fraction(382)),
        "entropy_ordered_advantages": signed(ORDERED, ["5", "3", "2"], "natural", Fraction(3)),
        "entropy_first_order": first,
        "entropy_uniform_second_order": signed(["1/3"] * 3, ["1", "0", "0"], "natural", Fraction(1)),
        "entropy_repo_neutral": signed(ORDERED, ["5", "3", "2"], "repo", Fraction(1), beta="neutral"),
        "entropy_grpo_all_groups": signed(ORDERED, ["1", "0", "0"], "grpo", Fraction(1), group_size="8"),
        "entropy_shared_parameters": signed(
            {"states": [{"probabilities": ["9/20", "3/20", "2/5"]}, {"probabilities": ["3/20", "1/20", "4/5"]}]},
            {"states": [["1", "0", "0"], ["0", "0", "0"]]},
            "shared",
            Fraction(1, 10),
            action="0",
            gram="1,1/2",
        ),
        "entropy_tail": tail(),
        "entropy_ppo_old_policy": signed(ORDERED, ["1", "0", "-1"], "ppo", Fraction(1), old='["2/5", "2/5", "1/5"]'),
        "entropy_two_states": signed(two_states, {"states": [["1", "0", "0"], ["0", "1"]]}, "reinforce", Fraction(1)),
        "entropy_enclosed_policy": signed(
            [["99/1000", "101/1000"], ["899/1000", "901/1000"]], ["1", "0"], "natural", Fraction(1, 2)
        ),
        "entropy_table_float16": table_certificate(FLOAT16, (Fraction(1, 10), Fraction(1, 5)), range(3, 6), (5,)),
    }


def _attack(source: str, change: Callable[[dict], None]) -> tuple[str, Callable[[dict], None]]:
    return source, change


def _set(*path_and_value: object) -> Callable[[dict], None]:
    *path, last, value = path_and_value

    def change(data: dict) -> None:
        for key in path:
            data = data[key]
        data[last] = value

    return change


def _gap(data: dict) -> None:
    """The third piece starts a little after the second ends."""
    data["pieces"][2][0] = str(Fraction(data["pieces"][1][1]) + Fraction(1, 10**6))


def _narrow(data: dict) -> None:
    """Move a lower end up to the upper end: the enclosure no longer holds its quantity."""
    bias = data["binades"][0]["one_side"]
    bias[0] = bias[1]


def _scale_weight(data: dict) -> None:
    data["policy"]["states"][0]["weight"] = "-1/3"


ATTACKS = {
    "entropy_flipped_sign": _attack("entropy_rare_action", _set("claim", "sign", "decreases")),
    "entropy_beyond_eta_max": _attack(
        "entropy_rare_action",
        lambda d: (_set("claim", "steps", 1, "383")(d), d["pieces"].append(["382", "383", "value"])),
    ),
    "entropy_dropped_piece": _attack("entropy_rare_action", lambda d: d["pieces"].pop(1)),
    "entropy_dropped_last_piece": _attack("entropy_rare_action", lambda d: d["pieces"].pop()),
    "entropy_tail_from_the_start": _attack("entropy_tail", _set("pieces", [["0", "1000", "tail"]])),
    "entropy_tail_of_a_rise": _attack("entropy_rare_action", _set("pieces", [["0", "382", "tail"]])),
    "entropy_gap": _attack("entropy_rare_action", _gap),
    "entropy_no_pieces": _attack("entropy_rare_action", _set("pieces", [])),
    "entropy_one_coarse_piece": _attack("entropy_rare_action", _set("pieces", [["0", "382", "slope"]])),
    "entropy_swapped_advantages": _attack(
        "entropy_ordered_advantages", _set("advantages", "states", 0, ["2", "3", "5"])
    ),
    "entropy_other_policy": _attack(
        "entropy_ordered_advantages", _set("policy", "states", 0, "probabilities", ["1/5", "3/10", "1/2"])
    ),
    "entropy_other_algorithm": _attack(
        "entropy_repo_neutral", lambda d: (_set("algorithm", "repo-d")(d), _set("parameters", {"zeta": "3"})(d))
    ),
    "entropy_second_order_without_neutrality": _attack(
        "entropy_ordered_advantages", _set("pieces", [["0", "3", "second"]])
    ),
    "entropy_beta_almost_neutral": _attack("entropy_repo_neutral", _set("parameters", "beta", "348949273/100000000")),
    "entropy_first_order_of_uniform": _attack("entropy_uniform_second_order", _set("claim", "steps", None)),
    "entropy_hidden_clip": _attack(
        "entropy_ppo_old_policy",
        _set("parameters", "old", {"states": [{"probabilities": ["1/4", "3/10", "9/20"], "weight": "1"}]}),
    ),
    "entropy_wider_policy": _attack(
        "entropy_enclosed_policy",
        _set("policy", "states", 0, "probabilities", [["1/100", "99/100"], ["1/100", "99/100"]]),
    ),
    "entropy_orthogonal_after_all": _attack("entropy_shared_parameters", _set("parameters", "gram", 1, "0")),
    "entropy_table_wrong_count": _attack("entropy_table_float16", _set("counted", 0, "crossing", 0, 0, "1/7")),
    "entropy_table_narrowed": _attack("entropy_table_float16", _narrow),
    "entropy_table_dropped_cell": _attack("entropy_table_float16", lambda d: d["cells"].pop(3)),
    "entropy_table_hidden_decision": _attack("entropy_table_float16", lambda d: d["decisions"][0]["changed"].pop()),
    "entropy_table_other_spacing": _attack("entropy_table_float16", _set("binades", 1, "spacing", "1/128")),
    "entropy_table_fewer_codes": _attack("entropy_table_float16", _set("nonpositive", 31744)),
}

DEFECTS = {
    "entropy_unknown_field": _attack("entropy_rare_action", _set("trust", "me")),
    "entropy_unknown_field_of_the_claim": _attack("entropy_rare_action", _set("claim", "alpha_star", "1/1000000")),
    "entropy_unknown_field_of_the_policy": _attack("entropy_rare_action", _set("policy", "trust", "me")),
    "entropy_unknown_field_of_a_state": _attack("entropy_rare_action", _set("policy", "states", 0, "trust", "me")),
    "entropy_logits_and_probabilities": _attack(
        "entropy_rare_action", _set("policy", "states", 0, "logits", ["0"] * 3)
    ),
    "entropy_unknown_field_of_the_advantages": _attack("entropy_rare_action", _set("advantages", "trust", "me")),
    "entropy_unknown_parameter": _attack("entropy_rare_action", _set("parameters", "clip", "1/5")),
    "entropy_parameter_of_another_algorithm": _attack("entropy_ordered_advantages", _set("parameters", "zeta", "3")),
    "entropy_algorithm_of_two_lines": _attack("entropy_rare_action", _set("algorithm", "reinforce\nvalid")),
    "entropy_group_of_a_billion": _attack("entropy_grpo_all_groups", _set("parameters", "group_size", 10**9)),
    "entropy_table_unknown_field": _attack("entropy_table_float16", _set("trust", "me")),
    "entropy_table_unknown_field_of_a_cell": _attack("entropy_table_float16", _set("cells", 0, "trust", "me")),
    "entropy_table_unknown_field_of_a_bias": _attack("entropy_table_float16", _set("cells", 0, "log_bias", "all", "0")),
    "entropy_table_unknown_field_of_a_binade": _attack("entropy_table_float16", _set("binades", 0, "trust", "me")),
    "entropy_table_unknown_field_of_a_count": _attack("entropy_table_float16", _set("counted", 0, "trust", "me")),
    "entropy_table_unknown_field_of_a_decision": _attack("entropy_table_float16", _set("decisions", 0, "trust", "me")),
    "entropy_table_true_where_a_count_belongs": _attack("entropy_table_float16", _set("cells", 0, "codes", True)),
    "entropy_probabilities_miss_1": _attack(
        "entropy_rare_action", _set("policy", "states", 0, "probabilities", ["1/100", "1/2", "1/2"])
    ),
    "entropy_zero_probability": _attack(
        "entropy_rare_action", _set("policy", "states", 0, "probabilities", ["0", "1/2", "1/2"])
    ),
    "entropy_negative_weight": _attack("entropy_two_states", _scale_weight),
    "entropy_nan": _attack("entropy_rare_action", _set("advantages", "states", 0, 0, "nan")),
    "entropy_float": _attack("entropy_rare_action", _set("advantages", "states", 0, 0, 0.5)),
    "entropy_zero_denominator": _attack("entropy_rare_action", _set("claim", "steps", 1, "1/0")),
    "entropy_unknown_algorithm": _attack("entropy_rare_action", _set("algorithm", "adam")),
    "entropy_unknown_rule": _attack("entropy_rare_action", _set("pieces", 0, 2, "trust")),
    "entropy_missing_parameter": _attack("entropy_rare_action", _set("parameters", {})),
    "entropy_negative_eps": _attack("entropy_ppo_old_policy", _set("parameters", "eps", "-1/5")),
    "entropy_negative_steps": _attack("entropy_rare_action", _set("claim", "steps", ["-1", "1"])),
    "entropy_gram_of_three_states": _attack("entropy_shared_parameters", _set("parameters", "gram", ["1", "1/2", "0"])),
    "entropy_no_sign": _attack("entropy_rare_action", _set("claim", "sign", "stays")),
    "entropy_version_2": _attack("entropy_rare_action", _set("version", 2)),
    "entropy_ragged_advantages": _attack("entropy_rare_action", _set("advantages", "states", 0, ["1", "0"])),
    "entropy_table_float8": _attack("entropy_table_float16", _set("claim", "format", "float8")),
}


def attacked(originals: dict[str, dict], attacks: dict) -> dict[str, dict]:
    found = {}
    for name, (source, change) in attacks.items():
        data = copy.deepcopy(originals[source])
        change(data)
        found[name] = data
    return found


def everything() -> dict[str, dict[str, dict]]:
    """folder -> file stem -> certificate."""
    originals = valid()
    found = {"valid": originals, "invalid": attacked(originals, ATTACKS), "malformed": attacked(originals, DEFECTS)}
    more = entropy_batch_certificates.everything(), entropy_run_certificates.everything()
    return {folder: {**files, **more[0][folder], **more[1][folder]} for folder, files in found.items()}


if __name__ == "__main__":
    for folder, files in everything().items():
        (FOLDER / folder).mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (FOLDER / folder / f"{name}.json").write_text(json.dumps(data, indent=None) + "\n", encoding="utf-8")
