"""Attacks on a cover of a one-shot game that rests on weighed steps (docs/certificate-format.md, 4.6).

Run `python tests/helpers/make_weighed_attacks.py` to write these files and put their places into `expected.json`.
"""

from fractions import Fraction

from make_attacks import Attacks, nodes

from certify.certificates.threshold import cover_certificate
from certify.games import as_game
from certify.games.tree import unroll
from certify.thresholds.cover import Effort, find_cover
from certify.thresholds.index_tables import Plan

NAME = "one_shot_weighed"
PAYOFFS = [[5, -1, 0, 2], [-3, 6, 1, 0], [2, -2, 7, -4], [0, 1, -3, 4]]
ALPHA = Fraction(3)


def valid():
    game = as_game(PAYOFFS)
    found = find_cover(Plan(unroll(game)), 1 / ALPHA, effort=Effort(branch=True))
    return {NAME: cover_certificate(game, found, [], search={"tool": "certify"})}


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
        c["claim"].update(alpha_star="5/2")
        for entry in nodes(c):
            entry["beta"] = ["2/5" if end == "1/3" else end for end in entry["beta"]]

    add("claim_a_sixth_lower", another_interval)

    def other_payoffs(c):
        from certify.checker.reading.envelope import sha256
        from certify.games.canonical import game_to_json

        payoffs = [row[:] for row in PAYOFFS]
        payoffs[0][0] = 8
        c["game"] = game_to_json(as_game(payoffs))
        c["game_sha256"] = sha256(c["game"])

    add("another_game", other_payoffs)


def main():
    attacks = Attacks(valid())
    invalid_weighed(attacks)
    attacks.write("weighed_")


if __name__ == "__main__":
    main()
