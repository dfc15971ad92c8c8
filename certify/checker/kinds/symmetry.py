"""Checks the symmetry part of a certificate (docs/theory/symmetry.md#completeness); standard library only.

Verified: every generator preserves the restated game exactly; the order is the product of the
orbit lengths along the base; and no automorphism was missed: every point that refinement cannot
tell from a base point, and that is not in its orbit, is excluded by an exhausted search made here.

A *point* is an agent, an action of an agent, an observation of an agent, or a state.  A *row* is an
entry of one table: its colour (which table, which number), its states in order, and one entry per
agent (action, observation).  An automorphism is a permutation of the points that keeps kinds and
owners and maps the set of rows onto itself.
"""

import hashlib
import json
import re
from fractions import Fraction

MAX_NODES = 10_000  # of all exhausted searches together


class Malformed(ValueError):
    """The certificate does not have the shape that this checker reads."""


class Rejected(Exception):
    """A step of the check failed."""

    def __init__(self, step, reason):
        super().__init__(f"{step}: {reason}")
        self.step, self.reason = step, reason


def exact(text):
    """The rational number written as "p/q" or "p"."""
    if not isinstance(text, str) or not re.fullmatch(r"-?[0-9]+(/[0-9]+)?", text):
        raise Malformed(f"game: {text!r} is not an exact number")
    return Fraction(text)


class Points:
    """The points and rows of the game that a certificate restates."""

    def __init__(self, game):
        self.agents = len(game["agents"])
        self.names = [("agent", i) for i in range(self.agents)]
        self.names += [("action", i, a) for i, row in enumerate(game["actions"]) for a in range(len(row))]
        self.names += [("observation", i, o) for i, row in enumerate(game["observations"]) for o in range(len(row))]
        self.names += [("state", s) for s in range(len(game["states"]))]
        self.index = {name: k for k, name in enumerate(self.names)}
        self.owner = [None if name[0] == "state" else name[1] for name in self.names]
        self.kind = [self._kind(game, name) for name in self.names]
        rows = list(self._rows(game))
        if len({((colour[0], *rest)) for colour, *rest in rows}) != len(rows):
            raise Malformed("game: an entry is given twice")
        self.rows = [row for row in rows if row[0][1] != 0]  # an entry of 0 and an absent one are the same

    @staticmethod
    def _kind(game, name):
        if name[0] == "agent":
            return "agent", exact(game["weights"][name[1]])
        if name[0] == "action" and game["available"] is not None:
            return "action", tuple(name[2] in step for step in game["available"][name[1]])
        return (name[0],)

    def _row(self, colour, states, action, observation):
        per_agent = []
        for i in range(self.agents):
            entry = (self.index["agent", i],)
            entry += (self.index["action", i, action[i]],) if action else ()
            entry += (self.index["observation", i, observation[i]],) if observation else ()
            per_agent.append(entry)
        return colour, tuple(self.index["state", s] for s in states), frozenset(per_agent)

    def _rows(self, game):
        for s, observation, p in game["start"]:
            yield self._row(("start", exact(p)), [s], [], observation)
        for s, action, row in game["transition"]:
            for s2, p in row:
                yield self._row(("transition", exact(p)), [s, s2], action, [])
        for action, s, row in game["emission"]:
            for observation, p in row:
                yield self._row(("emission", exact(p)), [s], action, observation)
        for s, action, r in game["reward"]:
            yield self._row(("reward", exact(r)), [s], action, [])

    def is_automorphism(self, image):
        """Whether the permutation of points `image` preserves kinds, owners and rows, exactly."""
        for p, q in enumerate(image):
            if self.kind[p] != self.kind[q]:
                return False
            if self.owner[p] is not None and image[self.owner[p]] != self.owner[q]:
                return False
        rows = set(self.rows)
        return all(
            (colour, tuple(image[s] for s in states), frozenset(tuple(image[p] for p in entry) for entry in per_agent))
            in rows
            for colour, states, per_agent in self.rows
        )

    def refine(self, colourings):
        """Colour refinement of several colourings with one shared dictionary of colours.

        What is written into `seen` is determined by colours alone, so an automorphism that carries
        one colouring to another carries every later round to every later round.  Returns None as
        soon as two colourings have different numbers of points of some colour.
        """
        classes = max(len(set(c)) for c in colourings)
        while True:
            shared = {}
            colourings = [self._round(c, shared) for c in colourings]
            first = sorted(colourings[0])
            if any(sorted(other) != first for other in colourings[1:]):
                return None
            if len(set(first)) == classes:
                return colourings
            classes = len(set(first))

    def _round(self, colours, shared):
        seen = [[] for _ in colours]
        for colour, states, per_agent in self.rows:
            parts = sorted(tuple(colours[p] for p in entry) for entry in per_agent)
            signature = (colour, tuple(colours[s] for s in states), tuple(parts))
            number = shared.setdefault(signature, len(shared))
            for role, s in enumerate(states):
                seen[s].append((role, number))
            for entry in per_agent:
                for role, p in enumerate(entry):
                    seen[p].append((2 + role, number))
        for p, agent in enumerate(self.owner):
            if agent is not None:
                seen[agent].append((6, colours[p]))
                seen[p].append((7, colours[agent]))
        return [shared.setdefault((colours[p], tuple(sorted(seen[p]))), len(shared)) for p in range(len(colours))]

    def automorphism_between(self, left, right, budget):
        """Whether some automorphism carries colouring `left` to colouring `right` (exhaustive)."""
        budget[0] -= 1
        if budget[0] < 0:
            raise Rejected("completeness", f"the exhausted search needs more than {MAX_NODES} nodes")
        refined = self.refine([left, right])
        if refined is None:
            return False
        left, right = refined
        point = first_open_point(left)
        if point is None:
            where = {colour: p for p, colour in enumerate(right)}
            return self.is_automorphism([where[colour] for colour in left])
        return any(
            self.automorphism_between(single_out(left, point), single_out(right, q), budget)
            for q in range(len(right))
            if right[q] == left[point]
        )


def first_open_point(colours):
    """The first point that shares its colour, or None."""
    count = {}
    for c in colours:
        count[c] = count.get(c, 0) + 1
    return next((p for p, c in enumerate(colours) if count[c] > 1), None)


def single_out(colours, point):
    """The colours with `point` given a colour of its own."""
    return [-1 if p == point else c for p, c in enumerate(colours)]


def orbit_of(point, generators):
    """The orbit of a point under permutations (inverses are not needed: they have finite order)."""
    found, frontier = {point}, [point]
    while frontier:
        p = frontier.pop()
        for image in generators:
            if image[p] not in found:
                found.add(image[p])
                frontier.append(image[p])
    return found


def read_generator(points, game, entry):
    """A generator as a permutation of points."""
    n = len(game["agents"])
    agents = entry["agents"]
    if sorted(agents) != list(range(n)):
        raise Rejected("generator", "the agents are not permuted")
    image = [None] * len(points.names)
    for p, name in enumerate(points.names):
        if name[0] == "agent":
            target = ("agent", agents[name[1]])
        elif name[0] == "state":
            target = ("state", entry["states"][name[1]])
        else:
            target = (name[0], agents[name[1]], entry[name[0] + "s"][name[1]][name[2]])
        if target not in points.index:
            raise Rejected("generator", f"{list(name)} is sent to {list(target)}, which does not exist")
        image[p] = points.index[target]
    if sorted(image) != list(range(len(image))):
        raise Rejected("generator", "not a bijection")
    sizes = [len(entry["states"])] + [len(row) for kind in ("actions", "observations") for row in entry[kind]]
    wanted = [len(game["states"])] + [len(row) for kind in ("actions", "observations") for row in game[kind]]
    if sizes != wanted:
        raise Rejected("generator", "it lists more or fewer images than the game has")
    return image


def check_chain(points, base, generators, complete):
    """The two factors of the order, re-derived; with `complete`, that nothing was missed.

    The orders are products of orbit lengths: of base points that are not states, and of states.
    """
    kinds = {}
    colours = [kinds.setdefault(kind, len(kinds)) for kind in points.kind]
    colours = points.refine([colours])[0]
    order = state_only_order = 1
    budget = [MAX_NODES]
    for depth, point in enumerate(base):
        fixed = base[:depth]
        if points.names[point][0] == "state":  # what moves states only fixes every other point
            fixed = fixed + [p for p, name in enumerate(points.names) if name[0] != "state"]
        fixing = [g for g in generators if all(g[p] == p for p in fixed)]
        orbit = orbit_of(point, fixing)
        if points.names[point][0] == "state":
            if complete and any(
                colours.count(colours[p]) > 1 for p, name in enumerate(points.names) if name[0] != "state"
            ):
                raise Rejected("base", "a state is fixed before all agents, actions and observations are")
            state_only_order *= len(orbit)
        else:
            if any(points.names[p][0] == "state" for p in base[:depth]):
                raise Rejected("base", "states come last in a base")
            order *= len(orbit)
        if complete:
            excluded = set()
            for q in range(len(colours)):
                if colours[q] != colours[point] or q in orbit or q in excluded:
                    continue
                if points.automorphism_between(single_out(colours, point), single_out(colours, q), budget):
                    raise Rejected(
                        "completeness",
                        f"an automorphism that fixes the first {depth} base points and "
                        f"moves {list(points.names[point])} to "
                        f"{list(points.names[q])} is missing",
                    )
                excluded |= orbit_of(q, fixing)
            colours = points.refine([single_out(colours, point)])[0]
    if complete and first_open_point(colours) is not None:
        raise Rejected("completeness", "the base leaves points that refinement cannot tell apart")
    return order, state_only_order


def check_orbits(points, generators, orbits):
    """That the orbits claimed are the orbits of the group generated."""
    derived = {"agent": [], "action": [], "observation": [], "state": []}
    done = set()
    for p, name in enumerate(points.names):
        if p not in done:
            orbit = orbit_of(p, generators)
            done |= orbit
            members = sorted(points.names[q][1:] for q in orbit)
            derived[name[0]].append([list(m) if len(m) > 1 else m[0] for m in members])
    for kind, rows in derived.items():
        if sorted(orbits[kind + "s"]) != sorted(rows):
            raise Rejected("orbits", f"the orbits of {kind}s are not those of the generators")


def check_symmetry(game, evidence):
    """Verify the "symmetry" object of a certificate against the game it restates.

    Returns {"order", "state_only_order", "complete", "steps"}: what was proved.  Raises `Rejected`
    where a step fails and `Malformed` where the evidence cannot be read.

    >>> game = {"agents": ["x"], "weights": ["1"], "states": ["s"], "actions": [["a", "b"]],
    ...         "observations": [[]], "available": None, "start": [[0, [], "1"]], "transition": [],
    ...         "emission": [], "reward": []}
    >>> swap = {"agents": [0], "states": [0], "actions": [[1, 0]], "observations": [[]]}
    >>> evidence = {"order": "2", "state_only_order": "1", "complete": True, "base": [["action", 0, 0]],
    ...             "generators": [swap], "orbits": {"agents": [[0]], "actions": [[[0, 0], [0, 1]]],
    ...                                              "observations": [], "states": [[0]]}}
    >>> check_symmetry(game, evidence)
    {'order': 2, 'state_only_order': 1, 'complete': True, 'steps': 5}
    """
    try:
        points = Points(game)
        generators = []
        for k, entry in enumerate(evidence["generators"]):
            image = read_generator(points, game, entry)
            if not points.is_automorphism(image):
                raise Rejected(f"generator {k}", "it does not preserve the game")
            generators.append(image)
        base = [points.index.get(tuple(point)) for point in evidence["base"]]
        if None in base or len(set(base)) != len(base):
            raise Rejected("base", "it names a point twice or one that does not exist")
        complete = evidence["complete"]
        if complete is not True and complete is not False:
            raise Malformed('symmetry: "complete" is neither true nor false')
        check_orbits(points, generators, evidence["orbits"])
        order, state_only_order = check_chain(points, base, generators, complete)
        if (str(order), str(state_only_order)) != (evidence["order"], evidence["state_only_order"]):
            raise Rejected(
                "order",
                f"the chain gives {order} and {state_only_order} on states only, not "
                f"{evidence['order']} and {evidence['state_only_order']}",
            )
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, ZeroDivisionError, RecursionError) as error:
        if isinstance(error, Malformed):
            raise
        raise Malformed(f"symmetry: {type(error).__name__}: {error}") from None
    return {
        "order": order,
        "state_only_order": state_only_order,
        "complete": complete,
        "steps": len(generators) + len(base) + 3,
    }


def claim_of(result):
    """The sentence that a successful check proves."""
    order = result["order"]
    text = (
        f"the automorphism group of the game has order {order} on agents, actions and observations"
        if result["complete"]
        else f"the game has at least {order} automorphisms on agents, actions and observations"
    )
    if result["state_only_order"] > 1:
        text += f", and {result['state_only_order']} automorphisms move states only"
    return text


def fixed_by(result):
    """What a unique stationary policy is, given a successful check: the end of a sentence."""
    return f"fixed by this group of order {result['order']}, which is " + (
        "the whole automorphism group" if result["complete"] else "a part of the automorphism group"
    )


def check_symmetry_certificate(certificate):
    """Check a certificate of kind "symmetry".

    Returns {"valid", "claim", "steps", "failed_step"}; the claim is derived here, never copied.
    Raises `Malformed` where the certificate cannot be read.
    """
    if not isinstance(certificate, dict):
        raise Malformed("the certificate is not an object")
    try:
        game, evidence, claim = certificate["game"], certificate["symmetry"], certificate["claim"]
        stated = certificate["game_sha256"]
        if (certificate["format"], certificate["version"], certificate["kind"]) != (
            "certify-certificate",
            1,
            "symmetry",
        ):
            raise Malformed('not a certificate of format "certify-certificate", version 1, kind "symmetry"')
        canonical = json.dumps(game, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, Malformed):
            raise
        raise Malformed(f"certificate: {type(error).__name__}: {error}") from None
    try:
        if hashlib.sha256(canonical.encode()).hexdigest() != stated:
            raise Rejected("game_sha256", "it is not the hash of the game restated")
        result = check_symmetry(game, evidence)
        text = claim_of(result)
        if claim != {"order": str(result["order"]), "complete": result["complete"], "text": text}:
            raise Rejected("claim", "it is not what the evidence proves")
    except Rejected as error:
        return {"valid": False, "claim": None, "steps": 0, "failed_step": {"step": error.step, "reason": error.reason}}
    return {"valid": True, "claim": text, "steps": result["steps"] + 2, "failed_step": None}
