"""Covers with nodes that are images of others under automorphisms (docs/certificate-format.md, 4.2), and attacks.

Run `python tests/helpers/make_image_attacks.py` to write these files alone and put their places into `expected.json`;
`make_attacks.py` writes them together with all others.
"""

from fractions import Fraction
from itertools import product

from engines import definite
from make_attacks import Attacks, game_json, nodes, rehash, standing
from prover import Prover

LEVERS, TIGER = "images_of_levers", "images_of_histories"
KEPT = {"agents": [0, 1], "states": [0], "actions": [[0, 1, 2], [0, 1, 2]], "observations": [[0], [0]]}
EXCHANGED = KEPT | {"actions": [[1, 0, 2], [1, 0, 2]]}  # the first two levers
LATER = KEPT | {"actions": [[0, 2, 1], [0, 2, 1]]}  # the last two
SWAPPED = KEPT | {"agents": [1, 0]}
# numbers of nodes of LEVERS
LOW, HIGH, A, A_LOW, A_HIGH, S, FIRST, REST, SECOND, OTHER, THIRD, LAST = range(1, 13)


class Grown:
    """A tree written from the root on, with the boxes of the plain engine."""

    def __init__(self, game, automorphisms, alpha_star):
        self.prover = Prover(game)
        self.automorphisms, self.alpha_star = automorphisms, Fraction(alpha_star)
        self.nodes, self.boxes = [], []
        self._add(None, (Fraction(0), 1 / self.alpha_star), self.prover.engine.initial_box())

    def _add(self, parent, betas, box):
        self.nodes.append({"parent": parent, "beta": [str(beta) for beta in betas], "steps": []})
        self.boxes.append((betas, box))
        return len(self.nodes) - 1

    def cut(self, number, at):
        """Split a node along beta."""
        (low, high), box = self.boxes[number]
        self.nodes[number]["split"] = {"beta": str(Fraction(at))}
        middle = Fraction(at)
        return lambda upper: self._add(number, (middle, high) if upper else (low, middle), box)

    def split(self, number, block, action, at):
        """Split a node along a policy: what adds each child, the first before the second."""
        betas, box = self.boxes[number]
        agent, depth, k = block
        self.nodes[number]["split"] = {"agent": agent, "depth": depth, "class": k, "action": action, "at": at}
        part = self.prover.engine.split
        return lambda upper: self._add(number, betas, part(box, block, action, Fraction(at), upper))

    def image(self, number, of, automorphism):
        self.nodes[number]["close"] = {"image": {"node": of, "automorphism": automorphism}}

    def close(self, number):
        """Contract until the box is empty or definite, and once more."""
        betas, box = self.boxes[number]
        engine, node = self.prover.engine, self.nodes[number]
        actions = self.prover.process.actions
        for left in range(30, 0, -1):
            ok = definite(engine, box, betas)[0]
            for depth, agent in sorted(product(range(len(actions)), range(len(actions[0]))), reverse=True):
                step, box = self.prover.step(box, betas, agent, depth)
                node["steps"].append(step)
                if engine.is_empty(box):
                    node["close"] = "empty"
                    return
            if ok:
                node["close"] = "nondegenerate"
                return
            assert left > 1, number

    def certificate(self):
        found = self.prover.certificate(self.alpha_star, self.nodes)
        found["proof"]["automorphisms"] = self.automorphisms
        return found


def levers():
    """Three levers: A is where agent 1 takes the first one with at most 1/4; an image of an image, too."""
    tree = Grown(game_json("lever:3"), [EXCHANGED, LATER, SWAPPED], Fraction(1, 2))
    part = tree.cut(0, 1)
    low, high = part(False), part(True)
    tree.close(low)
    part = tree.split(high, (0, 0, 0), 0, "1/4")
    a = part(False)
    inner = tree.split(a, (1, 0, 0), 0, "1/4")
    for upper in (False, True):
        tree.close(inner(upper))
    s = part(True)
    part = tree.split(s, (0, 0, 0), 1, "1/4")
    first = part(False)
    tree.image(first, a, 0)
    rest = part(True)
    part = tree.split(rest, (0, 0, 0), 2, "1/4")
    second = part(False)
    tree.image(second, first, 1)
    other = part(True)
    part = tree.split(other, (1, 0, 0), 0, "1/4")
    third = part(False)
    tree.image(third, a, 2)
    last = part(True)
    tree.close(last)
    found = (low, high, a, a + 1, a + 2, s, first, rest, second, other, third, last)
    assert found == (LOW, HIGH, A, A_LOW, A_HIGH, S, FIRST, REST, SECOND, OTHER, THIRD, LAST)
    return tree.certificate()


def histories():
    """Dec-Tiger, two steps: behind the left or the right door, heard by this agent or the other."""
    swap = {"agents": [1, 0], "states": [0, 1], "actions": [[0, 1, 2]] * 2, "observations": [[0, 1]] * 2}
    doors = {"agents": [0, 1], "states": [1, 0], "actions": [[0, 2, 1]] * 2, "observations": [[1, 0]] * 2}
    tree = Grown(game_json("dectiger", 2), [doors, swap], Fraction(80))
    process = tree.prover.process
    heard = [process.children[1][0][0, 0, seen] for seen in (0, 1)]  # after listening
    assert heard[0] != heard[1]
    part = tree.split(0, (0, 1, heard[0]), 1, "1/2")
    first = part(False)
    tree.close(first)
    part = tree.split(part(True), (0, 1, heard[1]), 2, "1/2")
    tree.image(part(False), first, 0)
    part = tree.split(part(True), (1, 1, heard[0]), 1, "1/2")
    tree.image(part(False), first, 1)
    tree.close(part(True))
    return tree.certificate()


def makers():
    return {LEVERS: levers, TIGER: histories}


def _image(number, of, automorphism):
    def apply(c):
        node = nodes(c)[number]
        node.pop("split", None)
        node["close"] = {"image": {"node": of, "automorphism": automorphism}}

    return apply


def _leaf(number, of, automorphism):
    """Closes a node as an image and drops all below it."""

    def apply(c):
        dropped = {number}
        for k, node in enumerate(nodes(c)):
            if node["parent"] in dropped:
                dropped.add(k)
        keep = [k for k in range(len(nodes(c))) if k not in dropped - {number}]
        _image(number, of, automorphism)(c)
        _listed(c, keep)

    return apply


def _listed(c, order):
    """Lists the nodes in another order, or some of them."""
    number = {k: place for place, k in enumerate(order)}
    listed = [nodes(c)[k] for k in order]
    for node in listed:
        node["parent"] = number.get(node["parent"])
        if isinstance(node.get("close"), dict):
            image = node["close"]["image"]
            image["node"] = number.get(image["node"], image["node"])
    c["proof"]["nodes"] = listed


def invalid_images(attacks):
    def add(name, change, source=LEVERS, **place):
        attacks.add(f"image_{name}", source, change, **place)

    def automorphism(number, source=LEVERS, **fields):
        def apply(c):
            c["proof"]["automorphisms"][number] = c["proof"]["automorphisms"][number] | fields

        return apply

    def close(number, name, change, source=LEVERS):
        add(name, change, source, node=number, step="close")

    add("under_a_map_that_is_no_automorphism", automorphism(0, actions=[[1, 0, 2], [0, 1, 2]]), step="automorphism 0")
    add("under_a_map_that_is_no_permutation", automorphism(1, actions=[[0, 2, 2]] * 2), step="automorphism 1")
    add("under_a_map_without_observations", automorphism(1, observations=[]), step="automorphism 1")
    add(
        "under_a_swap_of_agents_with_different_weights",
        lambda c: (c["game"].update(weights=["1", "2"]), rehash(c)),
        step="automorphism 2",
    )
    add(
        "under_a_map_that_exchanges_actions_but_not_states",
        automorphism(0, states=[0, 1]),
        TIGER,
        step="automorphism 0",
    )
    add(
        "under_a_map_that_exchanges_what_is_heard_alone",
        automorphism(0, states=[0, 1], actions=[[0, 1, 2]] * 2),
        TIGER,
        step="automorphism 0",
    )
    close(FIRST, "under_another_automorphism", _image(FIRST, A, 1))
    close(FIRST, "of_a_node_that_does_not_exist", _image(FIRST, 1000, 0))
    close(FIRST, "of_a_node_with_a_constraint_more", _image(FIRST, A_LOW, 0))
    close(FIRST, "of_a_node_with_a_constraint_on_the_other_side", _image(FIRST, A_HIGH, 0))
    close(LAST, "of_a_node_on_the_other_side_of_the_split", _image(LAST, A, 2))
    close(OTHER, "of_a_node_without_the_split_that_would_make_it_one", _leaf(OTHER, A, 2))
    close(FIRST, "that_is_larger", lambda c: nodes(c)[S]["split"].update(at="251/1000"))
    close(FIRST, "of_a_node_that_contains_less", lambda c: nodes(c)[HIGH]["split"].update(at="249/1000"))
    close(FIRST, "of_a_node_of_other_temperatures", _image(FIRST, LOW, 0))
    close(FIRST, "of_itself", _image(FIRST, FIRST, 0))
    close(FIRST, "of_its_parent", _image(FIRST, S, 0))
    close(FIRST, "of_the_root", _image(FIRST, 0, 0))
    close(FIRST, "of_a_node_listed_later", _image(FIRST, SECOND, 1))
    close(A, "of_a_node_that_is_its_own_image", _leaf(A, 5, 0))  # two nodes have gone: FIRST is now 5
    close(0, "that_is_everything", lambda c: (_image(0, 0, 0)(c), nodes(c).__delitem__(slice(1, None))))
    close(
        6,
        "of_a_node_with_children_listed_later",
        lambda c: _listed(c, [0, LOW, HIGH, A, S, A_LOW, FIRST, A_HIGH, REST, SECOND, OTHER, THIRD, LAST]),
    )
    close(
        3, "of_another_history", lambda c: nodes(c)[2]["split"].update({"class": nodes(c)[0]["split"]["class"]}), TIGER
    )


def malformed_images(attacks):
    def close(value):
        return lambda c: nodes(c)[FIRST].update(close=value)

    def spoil(name, change):
        attacks.spoil(f"image_{name}", LEVERS, change)

    spoil("without_an_automorphism", close({"image": {"node": A}}))
    spoil("without_a_node", close({"image": {"automorphism": 0}}))
    spoil("with_a_box", close({"image": {"node": A, "automorphism": 0, "box": []}}))
    spoil("of_a_node_by_name", close({"image": {"node": str(A), "automorphism": 0}}))
    spoil("of_a_negative_node", close({"image": {"node": -1, "automorphism": 0}}))
    spoil("under_an_automorphism_true", close({"image": {"node": A, "automorphism": True}}))
    spoil("under_an_automorphism_that_does_not_exist", close({"image": {"node": A, "automorphism": 3}}))
    spoil("without_any_automorphisms", lambda c: c["proof"].pop("automorphisms"))
    spoil("that_is_a_list", close({"image": [A, 0]}))
    spoil("by_another_word", close({"copy": {"node": A, "automorphism": 0}}))
    spoil("automorphisms_null", lambda c: c["proof"].update(automorphisms=None))
    spoil("automorphisms_by_number", lambda c: c["proof"].update(automorphisms=[0, 1, 2]))


def main():
    attacks = Attacks(standing(makers()))
    invalid_images(attacks)
    malformed_images(attacks)
    attacks.write("image_")


if __name__ == "__main__":
    main()
