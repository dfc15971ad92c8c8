"""Writes tests/certificates/{valid,invalid,malformed}: small valid certificates, and attacked copies
named after what they try.  `expected.json` says which place a checker must name for each invalid one.

Run `python tests/helpers/make_attacks.py [NAME ...]` after a change of the format or of an attack.  Valid certificates
are taken as they stand, but for those named: so a change moves no file that it does not concern.  They come from the
tests' own small prover, not from the project's generator.
"""

import copy
import json
import sys
from fractions import Fraction
from pathlib import Path

from engines import definite
from prover import Prover

from certify.checker.reading.envelope import sha256
from certify.games import builtin
from certify.games.canonical import game_to_json

FOLDER = Path(__file__).resolve().parents[1] / "certificates"


def game_json(name, horizon=None, discount=None):
    return game_to_json(builtin(name, horizon, discount))


def covered(name, alpha_star, horizon=None, discount=None, clustering=True, sweeps=3):
    prover = Prover(game_json(name, horizon, discount), clustering)
    return prover.certificate(alpha_star, prover.cover(alpha_star, sweeps))


def structural(name, alpha_star, form, horizon=None, **more):
    game = game_json(name, horizon)
    return {
        "format": "certify-certificate",
        "version": 1,
        "kind": "threshold",
        "game": game,
        "game_sha256": sha256(game),
        "objective": "visitation",
        "claim": {"alpha_star": alpha_star, "strong_concavity": []},
        "proof": {"type": "structural", "form": form, **more},
    }


def parameters(alpha_star, form, vector):
    given = {"agents": 2, "horizon": 2, "actions": 3, "return": ["0", "10"], "discount": "1"}
    return {
        "format": "certify-certificate",
        "version": 1,
        "kind": "structural-parameters",
        "parameters": given,
        "parameters_sha256": sha256(given),
        "objective": "visitation",
        "claim": {"alpha_star": alpha_star, "strong_concavity": []},
        "proof": {"type": "structural", "form": form, "vector": vector},
    }


def split_by_policy():
    """Climbing, split at pi_1(a) = 3/4 after nothing; the part above is emptied."""
    prover = Prover(game_json("climbing"))
    alpha_star = Fraction(60)
    betas = (Fraction(0), 1 / alpha_star)
    split = {"agent": 0, "depth": 0, "class": 0, "action": 0, "at": "3/4"}
    interval = [str(beta) for beta in betas]
    nodes = [{"parent": None, "beta": interval, "steps": [], "split": split}]
    for above in (False, True):
        box = prover.engine.split(prover.engine.initial_box(), (0, 0, 0), 0, Fraction(3, 4), above)
        steps, box = prover.sweep(box, betas)
        while not prover.engine.is_empty(box) and not definite(prover.engine, box, betas)[0]:
            more, box = prover.sweep(box, betas)
            steps += more
        nodes.append(
            {
                "parent": 0,
                "beta": interval,
                "steps": steps,
                "close": "empty" if prover.engine.is_empty(box) else "nondegenerate",
            }
        )
    return prover.certificate(alpha_star, nodes)


def with_moduli(certificate):
    """Moduli of strong concavity at two temperatures, one after steps of its own."""
    prover = Prover(certificate["game"])
    alpha = Fraction(certificate["claim"]["alpha_star"])
    nodes = certificate["proof"]["nodes"]
    last = len(nodes) - 1
    from certify.checker.cover import tree as cover

    kept = {last: None, 1: None}
    for _ in cover.cover_claims(
        cover.read_nodes(certificate["proof"], prover.process), certificate["proof"]["unit"], alpha, prover.engine, kept
    ):
        pass
    steps, _ = prover.sweep(kept[last], (1 / alpha,))
    certificate["claim"]["strong_concavity"] = [
        {"alpha": str(alpha), "modulus": "1/2", "node": last, "steps": steps},
        {"alpha": str(4 * alpha), "modulus": "5", "node": 1, "steps": []},
    ]
    return certificate


def makers():
    """What makes each valid certificate."""
    return {
        "lever_cover": lambda: covered("lever:2", Fraction(3, 5), sweeps=6),
        "climbing_cover": lambda: with_moduli(covered("climbing", Fraction(12), sweeps=4)),
        "climbing_split_by_policy": split_by_policy,
        "match_three_agents": lambda: covered("match:3x3x3", Fraction(2, 5), sweeps=5),
        "lewis_initial_observations": lambda: covered("lewis:2", Fraction(1)),
        "dectiger_horizon_2": lambda: covered("dectiger", Fraction(40), 2),
        "dectiger_discounted": lambda: covered("dectiger", Fraction(35), 2, Fraction(3, 4)),
        "two_stage_lever_unclustered": lambda: covered("two-stage-lever", Fraction(3, 2), clustering=False),
        "lever_rho": lambda: structural("lever:2", "1/2", "one-step-rho", vector=[["1"], ["1"]]),
        "lever_rho_strict": lambda: {
            **structural("lever:2", "11/20", "one-step-rho", vector=[["1"], ["1"]], strict=True),
            "claim": {
                "alpha_star": "11/20",
                "strong_concavity": [{"alpha": "1", "modulus": "1/2", "node": None, "steps": []}],
            },
        },
        "lever_spectral": lambda: structural("lever:2", "1/2", "one-step-spectral"),
        "lewis_rho": lambda: structural("lewis:2", "1", "theorem-B", vector=[["1", "1"], ["1", "1"]]),
        "dectiger_theorem_B": lambda: structural(
            "dectiger", "338", "theorem-B", 2, vector=[["1", "873/1000"], ["1", "873/1000"]]
        ),
        "dectiger_theorem_D_prime": lambda: structural(
            "dectiger", "167", "theorem-D-prime", 2, vector=[["1", "571/1000"], ["1", "571/1000"]]
        ),
        "parameters_theorem_D_prime": lambda: parameters("11", "theorem-D-prime", [["1", "7/8"], ["1", "7/8"]]),
        "rewards_in_another_order": lambda: rewritten(covered("lever:2", Fraction(3, 5), sweeps=6)),
    }


def standing(made):
    """The valid certificates as their files stand, or anew: where there is none or the command line names them."""
    return {name: stands("valid", name) or make() for name, make in made.items()}


def stands(folder, name):
    """The certificate as its file stands, None where there is none or the command line names it."""
    path = FOLDER / folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() and name not in sys.argv[1:] else None


def rewritten(certificate):
    """The same game as no generator writes it: rewards in another order, not in lowest terms, one of zero;
    and no word on clustering (docs/certificate-reading.md)."""
    certificate["game"]["reward"] = [[0, [1, 1], "02/2"], [0, [0, 1], "0"], [0, [0, 0], "1"]]
    del certificate["proof"]["clustering"]
    rehash(certificate)
    return certificate


def rehash(certificate):
    subject = "game" if "game" in certificate else "parameters"
    certificate[f"{subject}_sha256"] = sha256(certificate[subject])


class Attacks:
    """Collects attacked copies: `invalid[name] = (certificate, expected place)`."""

    def __init__(self, base):
        self.base = base
        self.invalid, self.malformed = {}, {}

    def copy(self, name):
        return copy.deepcopy(self.base[name])

    def add(self, name, source, change, **place):
        certificate = self.copy(source)
        change(certificate)
        self.invalid[name] = certificate, place

    def spoil(self, name, source, change):
        certificate = self.copy(source)
        change(certificate)
        self.malformed[name] = json.dumps(certificate).encode()

    def write(self, prefix=""):
        """All of them as files, and what is expected of the invalid ones whose names begin with `prefix` anew."""
        for folder in ("valid", "invalid", "malformed"):
            (FOLDER / folder).mkdir(parents=True, exist_ok=True)
        for name, certificate in self.base.items():
            (FOLDER / "valid" / f"{name}.json").write_text(json.dumps(certificate) + "\n")
        for name, (certificate, _) in self.invalid.items():
            (FOLDER / "invalid" / f"{name}.json").write_text(json.dumps(certificate) + "\n")
        for name, data in self.malformed.items():
            (FOLDER / "malformed" / f"{name}.json").write_bytes(data)
        listed = FOLDER / "expected.json"
        expected = json.loads(listed.read_text()) if prefix else {}
        expected = {name: place for name, place in expected.items() if not name.startswith(prefix)}
        expected.update({name: place for name, (_, place) in self.invalid.items()})
        listed.write_text(json.dumps(dict(sorted(expected.items())), indent=1) + "\n")
        print(f"{len(self.base)} valid, {len(self.invalid)} invalid, {len(self.malformed)} malformed")


def nodes(certificate):
    return certificate["proof"]["nodes"]


def invalid_covers(attacks):
    add, tiger = attacks.add, "dectiger_horizon_2"
    leaf = next(k for k, node in enumerate(nodes(attacks.base[tiger])) if "close" in node)

    def set_node(number, **fields):
        return lambda c: nodes(c)[number].update(fields)

    def ratios(number, step, change):
        def apply(c):
            row = nodes(c)[number]["steps"][step]["log_ratio"][0]
            row[0] = change(row[0])

        return apply

    add("dropped_step", tiger, lambda c: nodes(c)[0]["steps"].pop(0), node=0)
    add("dropped_all_steps_of_a_leaf", tiger, set_node(leaf, steps=[]), node=leaf)
    add(
        "repeated_step_with_smaller_bounds",
        tiger,
        lambda c: nodes(c)[leaf]["steps"].append({"agent": 0, "depth": 1, "log_ratio": [[0] * 6] * 3}),
        node=leaf,
        step=len(nodes(attacks.base[tiger])[leaf]["steps"]),
    )
    add("steps_in_another_order", tiger, lambda c: nodes(c)[0]["steps"].reverse(), node=0, step=0)
    add("swapped_agents_in_a_step", "climbing_cover", lambda c: nodes(c)[0]["steps"][0].update(agent=1), node=0, step=0)
    add(
        "steps_at_another_depth",
        "two_stage_lever_unclustered",
        lambda c: [s.update(depth=0, log_ratio=s["log_ratio"][:1]) for s in nodes(c)[0]["steps"]],
        node=0,
    )
    add("swapped_classes", tiger, lambda c: nodes(c)[leaf]["steps"][0]["log_ratio"].reverse(), node=leaf, step=0)
    add("flipped_sign_of_a_bound", tiger, ratios(0, 0, lambda m: -m), node=0, step=0)
    add("truncated_number", tiger, ratios(0, 0, lambda m: m // 10), node=0, step=0)
    add("bound_too_small_by_one_part_in_fifty", tiger, ratios(0, 0, lambda m: m * 49 // 50), node=0, step=0)
    add("smaller_unit", tiger, lambda c: c["proof"].update(unit=-13), node=0, step=0)

    def widen(c):
        c["claim"]["alpha_star"] = "30"

    def widen_root(c):
        widen(c)
        top = nodes(c)[0]["beta"][1]
        for node in nodes(c):
            node["beta"] = ["1/30" if beta == top else beta for beta in node["beta"]]

    def widen_lever(c):
        c["claim"]["alpha_star"] = "1/4"
        for node in nodes(c):
            node["beta"] = ["4" if beta == "5/3" else beta for beta in node["beta"]]

    add("widened_claim", tiger, widen, node=0)
    add("widened_claim_and_root", tiger, widen_root, node=0)
    add("claim_where_uniqueness_fails", "lever_cover", widen_lever, node=0)
    add("claim_alpha_star_negative", tiger, lambda c: c["claim"].update(alpha_star="-1"), step="claim")
    add("claim_alpha_star_zero", tiger, lambda c: c["claim"].update(alpha_star="0"), step="claim")

    first, second = [k for k, node in enumerate(nodes(attacks.base[tiger])) if node["parent"] == 0]
    low, high = nodes(attacks.base[tiger])[0]["beta"]
    middle = nodes(attacks.base[tiger])[0]["split"]["beta"]
    add(
        "missing_interval",
        tiger,
        set_node(second, beta=[str((Fraction(middle) + Fraction(high)) / 2), high]),
        node=0,
        step="split",
    )
    add("overlapping_intervals", tiger, set_node(second, beta=[str(Fraction(middle) / 2), high]), node=0, step="split")
    add("root_starts_above_zero", tiger, set_node(0, beta=["1/1000", high]), node=0)
    add("split_outside_the_interval", tiger, set_node(0, split={"beta": high}), node=0, step="split")
    add("split_at_the_end_of_the_interval", tiger, set_node(0, split={"beta": low}), node=0, step="split")
    add(
        "children_swapped",
        tiger,
        lambda c: (nodes(c)[first].update(parent=0, beta=[middle, high]), nodes(c)[second].update(beta=[low, middle])),
        node=0,
        step="split",
    )
    add("missing_child", tiger, lambda c: nodes(c).pop(), node=nodes(attacks.base[tiger])[-1]["parent"])
    add("third_child", tiger, lambda c: nodes(c).append({**nodes(c)[leaf], "parent": 0}), node=0)
    add("children_of_a_closed_node", tiger, lambda c: nodes(c).append({**nodes(c)[leaf], "parent": leaf}), node=leaf)
    add("parent_listed_later", tiger, set_node(1, parent=len(nodes(attacks.base[tiger])) - 1), node=1)
    add("node_is_its_own_parent", tiger, set_node(2, parent=2), node=2)
    add("parent_does_not_exist", tiger, set_node(1, parent=5000), node=1)
    add("two_roots", tiger, set_node(1, parent=None), node=1)
    add("no_root", tiger, set_node(0, parent=0), node=0)
    add("policy_split_without_second_part", "climbing_split_by_policy", lambda c: nodes(c).pop(), node=0)
    add(
        "policy_split_of_other_intervals",
        "climbing_split_by_policy",
        set_node(2, beta=["0", "1/120"]),
        node=0,
        step="split",
    )
    add("policy_split_parts_exchanged", "climbing_split_by_policy", lambda c: nodes(c).append(nodes(c).pop(1)), node=1)
    add("empty_claimed_of_a_box_with_policies", tiger, set_node(leaf, close="empty"), node=leaf, step="close")
    add(
        "empty_claimed_of_everything",
        "lever_cover",
        lambda c: c["proof"].update(nodes=[{"parent": None, "beta": ["0", "5/3"], "steps": [], "close": "empty"}]),
        node=0,
        step="close",
    )
    add(
        "nondegenerate_claimed_of_everything",
        "lever_cover",
        lambda c: c["proof"].update(
            nodes=[{"parent": None, "beta": ["0", "5/3"], "steps": [], "close": "nondegenerate"}]
        ),
        node=0,
        step="close",
    )


def invalid_games(attacks):
    add, tiger = attacks.add, "dectiger_horizon_2"

    def change_reward(c):
        c["game"]["reward"][0][2] = str(10 * Fraction(c["game"]["reward"][0][2]))

    def flip_rewards(c):
        for entry in c["game"]["reward"]:
            entry[2] = str(-Fraction(entry[2]))

    add("wrong_hash", tiger, lambda c: c.update(game_sha256="0" * 64), step="game_sha256")
    add("swapped_game", tiger, lambda c: c.update(game=attacks.base["lever_cover"]["game"]), step="game_sha256")
    add(
        "swapped_game_hash_renewed",
        "climbing_cover",
        lambda c: (c.update(game=game_json("penalty:-100")), rehash(c)),
        node=0,
    )
    add("changed_reward", tiger, change_reward, step="game_sha256")
    add("changed_reward_hash_renewed", tiger, lambda c: (change_reward(c), rehash(c)), node=0)
    add("flipped_sign_of_rewards_hash_renewed", tiger, lambda c: (flip_rewards(c), rehash(c)), node=0)
    add("changed_discount", "dectiger_discounted", lambda c: c["game"].update(discount="1"), step="game_sha256")
    add(
        "changed_discount_hash_renewed",
        "dectiger_discounted",
        lambda c: (c["game"].update(discount="1"), rehash(c)),
        node=0,
    )
    add("changed_weight_hash_renewed", tiger, lambda c: (c["game"].update(weights=["1", "1/2"]), rehash(c)), node=0)
    add("longer_horizon_hash_renewed", tiger, lambda c: (c["game"].update(horizon=3), rehash(c)), node=0)


def invalid_claims(attacks):
    add = attacks.add
    last = len(nodes(attacks.base["climbing_cover"])) - 1

    def moduli(c):
        return c["claim"]["strong_concavity"]

    add("modulus_too_large", "climbing_cover", lambda c: moduli(c)[0].update(modulus="11"), strong_concavity=0)
    add("modulus_negative", "climbing_cover", lambda c: moduli(c)[0].update(modulus="-1"), strong_concavity=0)
    add("modulus_above_alpha", "climbing_cover", lambda c: moduli(c)[0].update(modulus="100"), strong_concavity=0)
    add(
        "modulus_at_another_temperature", "climbing_cover", lambda c: moduli(c)[0].update(alpha="1"), strong_concavity=0
    )
    add(
        "modulus_at_a_node_of_another_interval",
        "climbing_cover",
        lambda c: moduli(c)[1].update(node=last),
        strong_concavity=1,
    )
    add(
        "modulus_at_a_node_that_does_not_exist",
        "climbing_cover",
        lambda c: moduli(c)[1].update(node=last + 1),
        strong_concavity=1,
    )
    add(
        "modulus_step_too_small",
        "climbing_cover",
        lambda c: moduli(c)[0]["steps"][0].update(log_ratio=[[0] * 6]),
        strong_concavity=0,
        step=0,
    )
    add(
        "modulus_below_a_policy_split",
        "climbing_split_by_policy",
        lambda c: moduli(c).append({"alpha": "60", "modulus": "1", "node": 1, "steps": []}),
        strong_concavity=0,
    )
    add(
        "modulus_of_a_structural_proof_too_large",
        "lever_rho_strict",
        lambda c: moduli(c)[0].update(modulus="501/1000"),
        strong_concavity=0,
    )
    add(
        "modulus_from_theorem_D_prime",
        "dectiger_theorem_D_prime",
        lambda c: moduli(c).append({"alpha": "400", "modulus": "1", "node": None, "steps": []}),
        strong_concavity=0,
    )


def invalid_structural(attacks):
    add = attacks.add

    def claim(alpha):
        return lambda c: c["claim"].update(alpha_star=alpha)

    def proof(**fields):
        return lambda c: c["proof"].update(fields)

    add("rho_widened", "lever_rho", claim("499/1000"), step="agent 0, observation number 0")
    add("rho_equality_called_strict", "lever_rho", proof(strict=True), step="agent 0, observation number 0")
    add("spectral_widened", "lever_spectral", claim("499/1000"), step="matrix")
    add("spectral_called_strict", "lever_spectral", proof(strict=True), step="strict")
    add(
        "spectral_of_three_agents",
        "match_three_agents",
        lambda c: c.update(proof={"type": "structural", "form": "one-step-spectral"}),
        step="form",
    )
    add("rho_of_two_steps", "dectiger_theorem_B", proof(form="one-step-rho", vector=[["1"], ["1"]]), step="form")
    add("theorem_B_widened", "dectiger_theorem_B", claim("330"))
    add("theorem_D_prime_widened", "dectiger_theorem_D_prime", claim("166"))
    add("theorem_D_prime_called_theorem_B", "dectiger_theorem_D_prime", proof(form="theorem-B"))
    add(
        "theorem_D_prime_with_equality",
        "lever_rho",
        proof(form="theorem-D-prime", vector=[["1"], ["1"]]),
        step="agent 0, step 0",
    )
    add(
        "negative_vector_entry",
        "dectiger_theorem_B",
        lambda c: c["proof"]["vector"][0].__setitem__(1, "-873/1000"),
        step="vector",
    )
    add("zero_vector_entry", "dectiger_theorem_B", lambda c: c["proof"]["vector"][0].__setitem__(1, "0"), step="vector")
    add("vector_of_another_game", "dectiger_theorem_B", proof(vector=[["1", "1/4"], ["1", "1/4"]]))
    add("parameters_widened", "parameters_theorem_D_prime", claim("10"))
    add(
        "parameters_longer_horizon",
        "parameters_theorem_D_prime",
        lambda c: (c["parameters"].update(horizon=3), c["proof"].update(vector=[["1"] * 3] * 2), rehash(c)),
    )
    add(
        "parameters_wider_return",
        "parameters_theorem_D_prime",
        lambda c: (c["parameters"].update({"return": ["0", "20"]}), rehash(c)),
    )
    add(
        "parameters_wrong_hash",
        "parameters_theorem_D_prime",
        lambda c: c["parameters"].update({"return": ["0", "20"]}),
        step="parameters_sha256",
    )


def malformed(attacks):
    spoil, tiger, climb = attacks.spoil, "dectiger_horizon_2", "climbing_cover"

    def step(**fields):
        return lambda c: nodes(c)[0]["steps"][0].update(fields)

    def game(**fields):
        return lambda c: (c["game"].update(fields), rehash(c))

    spoil("float_in_a_bound", climb, lambda c: nodes(c)[0]["steps"][0]["log_ratio"][0].__setitem__(0, 1.5))
    spoil("float_that_is_whole", climb, step(depth=0.0))
    spoil("nan", climb, lambda c: nodes(c)[0]["steps"][0]["log_ratio"][0].__setitem__(0, float("nan")))
    spoil("infinity", climb, lambda c: nodes(c)[0]["steps"][0]["log_ratio"][0].__setitem__(0, float("inf")))
    spoil("text_where_an_integer_belongs", climb, step(log_ratio=[["1"] * 6]))
    spoil("true_where_an_integer_belongs", climb, step(agent=True))
    spoil("decimal_claim", climb, lambda c: c["claim"].update(alpha_star="12.5"))
    spoil("exponent_in_a_number", climb, lambda c: c["claim"].update(alpha_star="1e999999999"))
    spoil("division_by_zero", climb, lambda c: c["claim"].update(alpha_star="1/0"))
    spoil("negative_denominator", climb, lambda c: c["claim"].update(alpha_star="1/-3"))
    spoil("blank_in_a_number", climb, lambda c: c["claim"].update(alpha_star=" 12"))
    spoil("digits_of_another_script", climb, lambda c: c["claim"].update(alpha_star="\u0661\u0662"))
    spoil("number_of_thirty_thousand_digits", climb, lambda c: c["claim"].update(alpha_star="1" * 30_000))
    spoil("number_of_three_thousand_digits", climb, lambda c: c["claim"].update(alpha_star="1" * 3_000))
    spoil("integer_of_a_hundred_digits", climb, step(depth=10**100))
    spoil("huge_exponent", climb, lambda c: c["proof"].update(unit=-(10**9)))
    spoil("positive_exponent", climb, lambda c: c["proof"].update(unit=3))
    spoil("huge_parent", climb, lambda c: nodes(c)[1].update(parent=10**12))
    spoil("unknown_field", climb, lambda c: c.update(comment="trust me"))
    spoil("unknown_field_of_a_node", climb, lambda c: nodes(c)[0].update(trusted=True))
    spoil("missing_claim", climb, lambda c: c.pop("claim"))
    spoil("missing_unit", climb, lambda c: c["proof"].pop("unit"))
    spoil("missing_steps", climb, lambda c: nodes(c)[0].pop("steps"))
    spoil("no_nodes", climb, lambda c: c["proof"].update(nodes=[]))
    spoil("another_format", climb, lambda c: c.update(format="certificate"))
    spoil("another_version", climb, lambda c: c.update(version=2))
    spoil("version_true", climb, lambda c: c.update(version=True))
    spoil("another_kind", climb, lambda c: c.update(kind="anything"))
    spoil("another_objective", climb, lambda c: c.update(objective="per-step"))
    spoil("another_proof", climb, lambda c: c["proof"].update(type="authority"))
    spoil("another_form", "lever_rho", lambda c: c["proof"].update(form="theorem-Z"))
    spoil("closed_and_split", climb, lambda c: nodes(c)[0].update(close="nondegenerate"))
    spoil("neither_closed_nor_split", climb, lambda c: nodes(c)[0].pop("split"))
    spoil("closed_by_another_word", climb, lambda c: nodes(c)[-1].update(close="certain"))
    spoil("interval_of_three_numbers", climb, lambda c: nodes(c)[0]["beta"].append("1"))
    spoil("split_at_a_policy_of_one", "climbing_split_by_policy", lambda c: nodes(c)[0]["split"].update(at="1"))
    spoil(
        "split_of_an_action_that_does_not_exist",
        "climbing_split_by_policy",
        lambda c: nodes(c)[0]["split"].update(action=3),
    )
    spoil("agent_that_does_not_exist", climb, step(agent=2))
    spoil("depth_that_does_not_exist", climb, step(depth=1))
    spoil("negative_depth", climb, step(depth=-1))
    spoil("too_few_bounds", climb, step(log_ratio=[[1] * 5]))
    spoil("too_many_classes", climb, step(log_ratio=[[1] * 6] * 2))
    spoil("classes_of_no_clustering", tiger, lambda c: c["proof"].update(clustering=False))
    spoil("vector_of_the_spectral_form", "lever_spectral", lambda c: c["proof"].update(vector=[["1"], ["1"]]))
    spoil("clustering_null", climb, lambda c: c["proof"].update(clustering=None))
    spoil("reward_as_an_integer", climb, lambda c: (c["game"]["reward"][0].__setitem__(2, 11), rehash(c)))
    spoil("vector_too_short", "dectiger_theorem_B", lambda c: c["proof"]["vector"][0].pop())
    spoil(
        "structural_proof_with_a_node", "lever_rho_strict", lambda c: c["claim"]["strong_concavity"][0].update(node=0)
    )
    spoil("parameters_with_a_discount", "parameters_theorem_D_prime", lambda c: c["parameters"].update(discount="1/2"))
    spoil(
        "parameters_return_reversed",
        "parameters_theorem_D_prime",
        lambda c: c["parameters"].update({"return": ["10", "0"]}),
    )
    spoil("probabilities_that_miss_one", tiger, lambda c: (c["game"]["start"][0].__setitem__(2, "1/3"), rehash(c)))
    spoil(
        "negative_probability",
        tiger,
        lambda c: (c["game"]["start"][0].__setitem__(2, "-1"), c["game"]["start"][1].__setitem__(2, "2"), rehash(c)),
    )
    spoil("missing_transition", tiger, lambda c: (c["game"]["transition"].pop(), rehash(c)))
    spoil("doubled_reward", tiger, lambda c: (c["game"]["reward"].append(c["game"]["reward"][0]), rehash(c)))
    spoil("state_that_does_not_exist", tiger, lambda c: (c["game"]["start"][0].__setitem__(0, 7), rehash(c)))
    spoil("same_state_twice", tiger, game(states=["tiger", "tiger"]))
    spoil("horizon_zero", tiger, game(horizon=0))
    spoil("horizon_of_a_billion", tiger, game(horizon=10**9))
    spoil("discount_zero", tiger, game(discount="0"))
    spoil("discount_above_one", tiger, game(discount="2"))
    spoil("weight_zero", tiger, game(weights=["0", "1"]))
    spoil("actions_out_of_order", tiger, game(available=[[[1, 0], [0, 1]], [[0, 1], [0, 1]]]))
    spoil("no_game", climb, lambda c: c.update(game=None))
    spoil("consequences_nested_too_deeply", climb, lambda c: c.update(consequences=json.loads("[" * 60 + "]" * 60)))

    text = json.dumps(attacks.base[climb])
    attacks.malformed["duplicate_key"] = text.replace(
        '"claim":', '"claim": {"alpha_star": "1/10", "strong_concavity": []}, "claim":', 1
    ).encode()
    attacks.malformed["truncated_file"] = text[: len(text) // 2].encode()
    attacks.malformed["empty_file"] = b""
    attacks.malformed["list"] = b"[]"
    attacks.malformed["text_after_the_end"] = text.encode() + b"{}"
    attacks.malformed["not_utf8"] = text.encode().replace(b"climbing", b"climb\xff")
    attacks.malformed["lone_surrogate"] = text.replace("climbing", "\\ud800").encode()
    attacks.malformed["binary"] = bytes(range(256))
    attacks.malformed["nested_too_deeply"] = b"[" * 5_000 + b"]" * 5_000


def main():
    import make_coupled_attacks as coupled  # which take their tools from here
    import make_image_attacks as images
    import make_reply_attacks as replies
    import make_weighed_attacks as weighed

    attacks = Attacks(standing(makers() | coupled.makers() | images.makers() | weighed.makers()))
    for collect in (
        invalid_covers,
        invalid_games,
        invalid_claims,
        invalid_structural,
        coupled.invalid_coupled,
        images.invalid_images,
        replies.invalid_replies,
        weighed.invalid_weighed,
        weighed.invalid_excluded,
        weighed.invalid_parts,
        malformed,
        images.malformed_images,
    ):
        collect(attacks)
    attacks.write()


if __name__ == "__main__":
    main()
