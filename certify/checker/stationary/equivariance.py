"""Which entries of the unique stationary policy are equal because symmetries exchange them (format,
section 8.4; docs/theory/symmetry.md#equivariance).

A unique stationary policy is fixed by every automorphism g: pi(g a | g x) = pi(a | x).  So entries in
one orbit of entries are equal; where they belong to one row, its actions are tied.
"""

from certify.checker.kinds import symmetry
from certify.checker.kinds.symmetry import Points, Rejected, read_generator
from certify.checker.reading.envelope import Failed, Malformed, array
from certify.checker.stationary.equations import rows_of


def read_generators(data, game_data, where):
    """The generators {"agents", "states", "actions", "observations"}, each shown to be an automorphism."""
    generators = array(data, where)
    try:
        points = Points(game_data)
    except symmetry.Malformed as error:
        raise Malformed("game", str(error)) from None
    for k, entry in enumerate(generators):
        try:
            kept = points.is_automorphism(read_generator(points, game_data, entry))
        except (Rejected, KeyError, IndexError, TypeError, AttributeError) as error:
            raise Failed(f"generator {k} cannot be read: {error}", step="symmetry") from None
        if not kept:
            raise Failed(f"generator {k} does not preserve the game", step="symmetry")
    return generators


def orbits(process, game, generators):
    """Per row and action a number; equal numbers mean equal probabilities in every policy that all the
    generators fix."""
    rows = rows_of(process)
    names = [(x, a) for x, (i, t, _) in enumerate(rows) for a in range(process.actions[t][i])]
    number = {name: k for k, name in enumerate(names)}
    leader = list(range(len(names)))

    def find(k):
        while leader[k] != k:
            leader[k] = leader[leader[k]]
            k = leader[k]
        return k

    for g in generators:
        for name, image in entry_images(process, game, g):
            leader[find(number[name])] = find(number[image])
    found = [[0] * process.actions[t][i] for i, t, _ in rows]
    for k, (x, a) in enumerate(names):
        found[x][a] = find(k)
    return found


def entry_images(process, game, g):
    """((row, action), (row, action) of its image) for every entry of a policy of the process."""
    rows = rows_of(process)
    row = {name: x for x, name in enumerate(rows)}
    images = _class_images(process, game, g)
    for x, (i, t, k) in enumerate(rows):
        y = row[g["agents"][i], t, images[t][i][k]]
        for a in range(process.actions[t][i]):
            yield (x, a), (y, _action_image(game, g, i, t, a))


def _action_image(game, g, i, t, a):
    """The number at step t of the image of agent i's action number a."""
    return game.actions[g["agents"][i]][t].index(g["actions"][i][game.actions[i][t][a]])


def _class_images(process, game, g):
    """[t][i][k]: the class of agent g(i) that holds the image of a history of class k."""
    initial = bool(game.start[0][1])
    images = []
    for t in range(process.horizon):
        layer = []
        for i in range(process.agents):
            j, found = g["agents"][i], {}
            for (before, a, o), k in process.children[t][i].items():
                if k in found:
                    continue
                moved = g["observations"][i][o] if t > 0 or initial else o
                key = (images[t - 1][i][before], _action_image(game, g, i, t - 1, a), moved) if t else (0, 0, moved)
                if key not in process.children[t][j]:
                    raise Failed("a generator does not carry histories to histories", step="symmetry")
                found[k] = process.children[t][j][key]
            layer.append(found)
        images.append(layer)
    return images
