"""The AOHs of a tree one by one, with their keys and classes: the order of rows in policy files."""

from __future__ import annotations

from dataclasses import dataclass

from certify.games.aoh import AOH, aoh_key
from certify.games.tree import Tree


@dataclass(frozen=True)
class History:
    """One reachable AOH: its key, its depth and the class (row of a block) that it belongs to."""

    key: str
    aoh: AOH
    depth: int
    class_index: int


def histories(tree: Tree, agent: int) -> list[History]:
    """Every reachable AOH of `agent`, by depth, then by parent, action and observation.

    >>> from certify.games.builtin import builtin
    >>> from certify.games.tree import unroll
    >>> [x.key for x in histories(unroll(builtin("dectiger")), 0)][:3]
    ['agent1:', 'agent1:listen,hear-left', 'agent1:listen,hear-right']
    """
    game = tree.game
    has_initial = any(o for _, o, _ in game.start)
    level: list[tuple[AOH, int]] = [
        (AOH(agent, o if has_initial else None), int(k)) for o, k in enumerate(tree.initial_child[agent]) if k >= 0
    ]
    result: list[History] = []
    for depth in range(tree.horizon):
        result += [History(aoh_key(game, agent, x.initial, x.steps), x, depth, k) for x, k in level]
        if depth + 1 < tree.horizon:
            child, actions = tree.levels[depth].child[agent], tree.levels[depth].actions[agent].tolist()
            level = [
                (AOH(agent, x.initial, (*x.steps, (actions[k][a], o))), int(child[k, a, o]))
                for x, k in level
                for a in range(child.shape[1])
                for o in range(child.shape[2])
                if child[k, a, o] >= 0 and tree.levels[depth].legal[agent][k, a]
            ]
    return result
