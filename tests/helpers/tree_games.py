"""Trees against the games that stand for them: an oracle of its own, and random trees with perfect recall."""

import random
from fractions import Fraction as F

from certify.games.extensive import CHANCE, LEAF, Extensive, Node, without_idle_nodes
from certify.games.model import FIRST
from certify.games.turns import game_of


def random_rows(tree, seed):
    draw = random.Random(seed)
    rows = []
    for _, _, actions in tree.sets:
        numbers = [F(draw.randint(1, 9)) for _ in actions]
        rows.append([x / sum(numbers) for x in numbers])
    return rows


def of_the_tree(tree, rows):
    """Expected payoffs of all players and the chance to reach every information set (several nodes add up)."""
    pay, reach = [F(0)] * len(tree.players), [F(0)] * len(tree.sets)

    def walk(k, p):
        node = tree.nodes[k]
        for i, u in enumerate(node.pay):
            pay[i] += p * u
        if node.player >= 0:
            reach[node.info] += p
        row = node.chances if node.player == CHANCE else rows[node.info] if node.player >= 0 else ()
        for child, q in zip(node.children, row, strict=True):
            walk(child, p * q)

    walk(0, F(1))
    return pay, reach


def of_the_game(game, row_of):
    """Expected return and the chance of every (agent, last observation) with a choice, walking over the model:
    `row_of(agent, observation)` is the policy there."""
    total, reach = F(0), {}

    def walk(s, last, step, p):
        nonlocal total
        for i, o in enumerate(last):
            if len(game.legal(i, step, o)) > 1:
                reach[i, o] = reach.get((i, o), F(0)) + p
        for a in game.legal_joint_actions(step, last):
            q = p
            for i, o in enumerate(last):
                q *= row_of(i, o, a[i]) if len(game.legal(i, step, o)) > 1 else 1
            total += q * game.reward.get((s, a), 0)
            if step + 1 < game.horizon:
                for s2, c in game.transition[s, a]:
                    for o2, e in game.emission[a, s2]:
                        walk(s2, o2, step + 1, q * c * e)

    for s, o, p in game.start:
        walk(s, o or (FIRST,) * len(game.agents), 0, p)
    return total, reach


def compare(tree, seed):
    """The game of a tree against the tree: the same returns, and the same chances of the same information sets."""
    game, small = game_of(tree, "tree"), without_idle_nodes(tree)
    rows = random_rows(tree, seed)
    pay, reached = of_the_tree(small, rows)
    deciding = small.deciding
    if game.observations == (("o",),) * len(game.agents):  # one shot
        sets = {node.player: node.info for node in small.nodes if node.player >= 0}
        total, found = of_the_game(game, lambda i, o, a: rows[sets[i]][a])
        chances = [F(1)] * len(sets)
        assert game.original is not None or total == pay[deciding[0] if deciding else 0]
    else:
        met = {node.info for node in small.nodes if node.player >= 0}
        own = [[k for k, (p, _, _) in enumerate(tree.sets) if p == player and k in met] for player in deciding]
        waits = [names[0] == "wait" for names in game.observations]

        def row_of(i, o, a):
            info = own[i][o - waits[i]]
            legal = [b for b, _ in game.reference[i, o]] if (i, o) in game.reference else list(game.actions_at(i, 0))
            names, labels = game.actions[i], tree.sets[info][2]
            spoken = {label for k in own[i] for label in tree.sets[k][2]}
            place = labels.index(names[a]) if spoken <= set(names) else legal.index(a)
            return rows[info][place]

        total, found = of_the_game(game, row_of)
        chances = [reached[k] for k in sorted(met)]
        assert total == pay[deciding[0]]
        assert len(found) == len(met)
    assert sorted(found.values()) == sorted(chances)
    return game


def random_tree(seed, players=2, depth=4, nodes=60):
    """Information sets are what a player saw and did: recall is perfect by construction.  A signal of chance, or
    of another's move, is seen or not by a coin that is thrown once for every information set."""
    draw = random.Random(seed)
    sets, number, found, count = [], {}, [], [0]

    def grow(known, level):
        k = len(found)
        found.append(None)
        count[0] += 1
        kind = draw.random()
        if level == depth or count[0] > nodes or (level and kind < 0.15):
            pay = F(draw.randint(-4, 4))
            found[k] = Node(LEAF, -1, (), (), (pay,) * players, k)
        elif kind < 0.4:
            p = F(draw.randint(0, 4), 4)
            seen = draw.randrange(players + 1)
            children = tuple(
                grow([own + ((("c", a),) if i == seen else ()) for i, own in enumerate(known)], level + 1)
                for a in range(2)
            )
            found[k] = Node(CHANCE, -1, children, (p, 1 - p), (F(draw.randint(0, 1)),) * players, k)
        else:
            i = draw.randrange(players)
            key = (i, known[i])
            if key not in number:
                number[key] = len(sets)
                labels = ("l", "r", "m")[: random.Random(repr((seed, key))).choice([1, 2, 2, 3])]
                sets.append((i, f"s{len(sets)}", labels))
            info = number[key]
            size = len(sets[info][2])
            tells = random.Random(repr((seed, "t", key))).random() < 0.4
            children = tuple(
                grow(
                    [
                        own + ((("a", info, a),) if j == i else (("o", a),) if tells else ())
                        for j, own in enumerate(known)
                    ],
                    level + 1,
                )
                for a in range(size)
            )
            found[k] = Node(i, info, children, (), (F(0),) * players, k)
        return k

    grow([()] * players, 0)
    return Extensive(tuple(f"p{i}" for i in range(players)), tuple(sets), tuple(found), "random")
