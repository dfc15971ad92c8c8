"""Attacks on a cover of a random two-step game that the coupled form alone makes possible (docs/certificate-format.md,
4.4): `tests/checker/fast/test_coupled.py` shows that both engines refuse it without that form.

Run `python tests/helpers/make_coupled_attacks.py` to write these files alone and put their places into `expected.json`;
`make_attacks.py` writes them together with all others.
"""

from fractions import Fraction

from make_attacks import Attacks, nodes, standing

NAME = "two_steps_coupled"
ROOT_STEP = 2  # of agent 0 at depth 0: the first that needs the coupled form


def covered():
    from bracket_games import bracket_game
    from prover import Prover

    from certify.games.canonical import game_to_json

    prover = Prover(game_to_json(bracket_game(14)))
    return prover.certificate(Fraction(4), prover.cover(Fraction(4), sweeps=4))


def makers():
    return {NAME: covered}


def invalid_coupled(attacks):
    """Every bound is the least that holds in its unit, so that one unit less is an attack."""
    base = nodes(attacks.base[NAME])
    leaves = [k for k, node in enumerate(base) if "close" in node]
    first, last = leaves[0], leaves[-1]

    def add(name, change, **place):
        attacks.add(f"coupled_{name}", NAME, change, **place)

    def lowered(number, step, klass, pair):
        def apply(c):
            nodes(c)[number]["steps"][step]["log_ratio"][klass][pair] -= 1

        return apply

    def moved(c, source, at, target, to):
        nodes(c)[target]["steps"].insert(to, nodes(c)[source]["steps"].pop(at))

    add("bound_one_unit_too_small", lowered(0, ROOT_STEP, 0, 0), node=0, step=ROOT_STEP)
    add("bound_one_unit_too_small_of_the_other_agent", lowered(0, ROOT_STEP + 1, 0, 1), node=0, step=ROOT_STEP + 1)
    add(
        "bound_one_unit_too_small_in_the_last_node",
        lowered(last, len(base[last]["steps"]) - 1, 0, 0),
        node=last,
        step=len(base[last]["steps"]) - 1,
    )
    add(
        "bounds_of_a_pair_exchanged",
        lambda c: nodes(c)[0]["steps"][ROOT_STEP]["log_ratio"][0].reverse(),
        node=0,
        step=ROOT_STEP,
    )
    add("step_of_the_other_agent", lambda c: nodes(c)[0]["steps"][ROOT_STEP].update(agent=1), node=0, step=ROOT_STEP)
    # whose entropies do not flow back, so that replies bound nothing
    add("under_the_local_bonus", lambda c: c.update(objective="local"), node=0, step=ROOT_STEP)
    add("step_before_those_it_rests_on", lambda c: moved(c, 0, ROOT_STEP, 0, 0), node=0, step=0)
    add("steps_it_rests_on_dropped", lambda c: nodes(c)[0]["steps"].__delitem__(slice(ROOT_STEP)), node=0, step=0)
    add("step_of_a_leaf_in_the_root", lambda c: moved(c, first, ROOT_STEP, 0, ROOT_STEP), node=0, step=ROOT_STEP)
    add(
        "steps_of_two_leaves_exchanged",
        lambda c: (lambda one, two: (one.update(steps=base[last]["steps"]), two.update(steps=base[first]["steps"])))(
            nodes(c)[first], nodes(c)[last]
        ),
        node=first,
    )
    add(
        "emptied_by_a_false_step",
        lambda c: (
            nodes(c)[first]["steps"].insert(0, {"agent": 0, "depth": 0, "log_ratio": [[-9000, -9000]]}),
            nodes(c)[first].update(close="empty"),
        ),
        node=first,
        step=0,
    )
    add(
        "children_dropped",
        lambda c: (
            nodes(c).__delitem__(slice(1, None)),
            nodes(c)[0].pop("split"),
            nodes(c)[0].update(close="nondegenerate"),
        ),
        node=0,
        step="close",
    )
    add(
        "first_interval_reaches_further",
        lambda c: [
            node.update(
                beta=[{"1/8": "9/64"}.get(end, end) for end in node["beta"]],
                **({"split": {"beta": "9/64"}} if number == 0 else {}),
            )
            for number, node in enumerate(nodes(c))
        ],
        node=first,
    )
    add(
        "claim_one_part_in_forty_lower",
        lambda c: (
            c["claim"].update(alpha_star="39/10"),
            [node.update(beta=[{"1/4": "10/39"}.get(end, end) for end in node["beta"]]) for node in nodes(c)],
        ),
        node=0,
        step=0,
    )


def main():
    attacks = Attacks(standing(makers()))
    invalid_coupled(attacks)
    attacks.write("coupled_")


if __name__ == "__main__":
    main()
