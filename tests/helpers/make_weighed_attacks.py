"""Attacks on a cover of a one-shot game that rests on weighed steps (docs/certificate-format.md, 4.6).

Run `python tests/helpers/make_weighed_attacks.py` to write these files and put their places into `expected.json`.
"""

from dataclasses import replace
from fractions import Fraction
from functools import cache, partial

import numpy as np
from excluded import excluding
from make_attacks import Attacks, nodes, standing

from certify.certificates.threshold import cover_certificate
from certify.games import as_game
from certify.games.tree import unroll
from certify.thresholds.approx_weighed import Weighed
from certify.thresholds.cover import Effort, find_cover
from certify.thresholds.cover_tree import last_box
from certify.thresholds.index_tables import Plan

NAME = "one_shot_weighed"
PAYOFFS = [[5, -1, 0, 2], [-3, 6, 1, 0], [2, -2, 7, -4], [0, 1, -3, 4]]
ALPHA = Fraction(14, 5)
EXCLUDED, LOWER = "one_shot_excluded", Fraction(5, 2)  # where some nodes are empty
PARTS = "one_shot_parts"


def makers():
    return {name: partial(made, name) for name in (NAME, EXCLUDED, PARTS)}


def made(name):
    return _covers()[name]


@cache
def _covers():
    game = as_game(PAYOFFS)
    found = find_cover(Plan(unroll(game)), 1 / ALPHA, effort=Effort(branch=True))
    plan = Plan(unroll(game))
    lower = find_cover(plan, 1 / LOWER, effort=Effort(branch=True))
    return {
        NAME: cover_certificate(game, found, [], search={"tool": "certify"}),
        EXCLUDED: cover_certificate(game, excluded(plan, lower), [], search={"tool": "certify"}),
        PARTS: cover_certificate(game, found, [], search={"tool": "certify"}),
    }


def excluded(plan, found):
    """The cover with a step that excludes as early as there is one in every node that is empty."""
    rule, found = Weighed(plan), list(found)
    for k, node in enumerate(found):
        for count in range(len(node.steps)) if node.close == "empty" else ():
            found[k] = replace(node, steps=node.steps[:count])
            lower, upper = rule.flat([[tuple(x[None] for x in row[0])] for row in last_box(plan, found, k)])
            step = excluding(rule, (lower, upper), np.array([[float(node.low), float(node.high)]]))[0]
            if step is not None:
                found[k].steps.append(step)
                break
        else:
            found[k] = node
    return found


def invalid_weighed(attacks):
    base = nodes(attacks.base[NAME])
    places = [(n, s) for n, node in enumerate(base) for s, step in enumerate(node["steps"]) if "bounds" in step]
    (node, step), (last, late) = places[0], places[-1]

    def add(name, change, **place):
        attacks.add(f"weighed_{name}", NAME, change, **place)

    def moved(n, s, agent, entry, by):
        def apply(c):
            nodes(c)[n]["steps"][s]["bounds"][agent][0][entry] += by

        return apply

    add("upper_end_too_small", moved(node, step, 0, 4, -(2**12)), node=node, step=step)
    width = base[node]["steps"][step]["bounds"][1][0]
    add("lower_end_too_large", moved(node, step, 1, 2, (width[6] - width[2]) * 3 // 4), node=node, step=step)
    add("end_too_small_in_the_last_node", moved(last, late, 1, 5, -(2**12)), node=last, step=late)

    def emptied(c):
        nodes(c)[last]["steps"].insert(0, {"bounds": [[[0] * 8], [[0] * 8]]})
        nodes(c)[last].update(close="empty")

    add("emptied_by_a_false_step", emptied, node=last, step=0)

    def agents_exchanged(c):
        nodes(c)[node]["steps"][step]["bounds"].reverse()

    add("agents_exchanged", agents_exchanged, node=node, step=step)

    def without_what_it_rests_on(c):
        del nodes(c)[node]["steps"][:step]

    add("steps_it_rests_on_dropped", without_what_it_rests_on, node=node, step=0)

    def another_interval(c):
        c["claim"].update(alpha_star="7/3")
        for entry in nodes(c):
            entry["beta"] = ["3/7" if end == "5/14" else end for end in entry["beta"]]

    add("claim_a_sixth_lower", another_interval)

    def other_payoffs(c):
        from certify.checker.reading.envelope import sha256
        from certify.games.canonical import game_to_json

        payoffs = [row[:] for row in PAYOFFS]
        payoffs[0][0] = 8
        c["game"] = game_to_json(as_game(payoffs))
        c["game_sha256"] = sha256(c["game"])

    add("another_game", other_payoffs)


def invalid_excluded(attacks):
    base = nodes(attacks.base[EXCLUDED])
    node = next(n for n, entry in enumerate(base) if any("weights" in step for step in entry["steps"]))
    step = len(base[node]["steps"]) - 1

    def add(name, change, **place):
        attacks.add(f"excluded_{name}", EXCLUDED, change, **place)

    def changed(key, change):
        def apply(c):
            last = nodes(c)[node]["steps"][step]
            last[key] = change(last[key])

        return apply

    add("weights_of_the_opposite_sign", changed("weights", lambda y: [-x for x in y]), node=node, step=step)
    add("no_weights", changed("weights", lambda y: [0 for _ in y]), node=node, step=step)
    attacks.spoil("excluded_weights_with_another_sum", EXCLUDED, changed("weights", lambda y: [y[0] - 2**20, *y[1:]]))
    add("sums_too_small", changed("sums", lambda m: [[x - 2**32 for x in row] for row in m]), node=node, step=step)
    add("agents_exchanged", changed("weights", lambda y: [*y[4:], *y[:4]]), node=node, step=step)

    def root_excluded(c):
        root, last = nodes(c)[0], nodes(c)[node]["steps"][step]
        root.pop("split", None)
        root.update(steps=[last], close="empty")
        del nodes(c)[1:]

    add("the_whole_policy_space", root_excluded, node=0, step=0)
    leaf = next(n for n, entry in enumerate(base) if entry.get("close") == "nondegenerate")
    place = len(base[leaf]["steps"])

    def leaf_excluded(c):
        nodes(c)[leaf]["steps"].append(nodes(c)[node]["steps"][step])
        nodes(c)[leaf]["close"] = "empty"

    add("a_leaf_that_holds_a_policy", leaf_excluded, node=leaf, step=place)


def invalid_parts(attacks):
    base = nodes(attacks.base[PARTS])
    node = 0
    step = next(s for s, entry in enumerate(base[node]["steps"]) if "part" in entry)
    c, low, high = base[node]["steps"][step]["part"]
    inner = 1 if low == 0 else -1  # where the part would grow

    def add(name, change, node=node, step=step):
        attacks.add(f"parts_{name}", PARTS, change, node=node, step=step)

    def changed(key, change):
        def apply(certificate):
            entry = nodes(certificate)[node]["steps"][step]
            entry[key] = change(entry[key])

        return apply

    add("larger_than_shown", changed("part", lambda p: [c, low, high + 2**21] if inner > 0 else [c, low - 2**21, high]))
    add("at_the_other_end", changed("part", lambda p: [c, high, 2**24] if inner > 0 else [c, 0, low]))
    add("of_another_entry", changed("part", lambda p: [(c + 1) % 8, low, high]))
    add("weights_of_the_opposite_sign", changed("weights", lambda y: [-x for x in y]))
    add("sums_too_small", changed("sums", lambda m: [[x - 2**32 for x in row] for row in m]))

    def emptied(certificate):
        entry = nodes(certificate)[node]["steps"][step]
        other = {**entry, "part": [c, high, 2**24] if inner > 0 else [c, 0, low]}
        nodes(certificate)[node]["steps"].insert(step + 1, other)
        nodes(certificate)[node].update(close="empty")
        nodes(certificate)[node].pop("split")
        del nodes(certificate)[1:]

    add("both_of_them_at_one_number", emptied, step=step + 1)
    add("called_the_whole_box", lambda certificate: nodes(certificate)[node]["steps"][step].pop("part"))

    def without_what_it_rests_on(certificate):
        del nodes(certificate)[node]["steps"][:step]

    add("steps_they_rest_on_dropped", without_what_it_rests_on, step=0)
    for name, part in (("neither_end", [c, 1, 2]), ("both_ends", [c, 0, 2**24]), ("an_end_alone", [c, 0])):
        attacks.spoil(f"parts_at_{name}", PARTS, changed("part", lambda _, part=part: part))
    attacks.spoil("parts_of_no_entry", PARTS, changed("part", lambda _: [8, 0, 2**23]))


def main():
    base = standing(makers())
    attacks = Attacks({NAME: base[NAME]})
    invalid_weighed(attacks)
    attacks.write("weighed_")
    attacks = Attacks({EXCLUDED: base[EXCLUDED]})
    invalid_excluded(attacks)
    attacks.write("excluded_")
    attacks = Attacks({PARTS: base[PARTS]})
    invalid_parts(attacks)
    attacks.write("parts_")


if __name__ == "__main__":
    main()
