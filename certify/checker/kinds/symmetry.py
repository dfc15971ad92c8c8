"""The automorphism group of a game (docs/theory/symmetry.md#completeness).

Verified: every generator preserves the restated game exactly; the order is the product of the
orbit lengths along the base; and no automorphism was missed: every point that refinement cannot
tell from a base point, and that is not in its orbit, is excluded by an exhausted search made here.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from certify.checker.reading.automorphism import Points, read_generators
from certify.checker.reading.envelope import Failed, array, boolean, envelope, record
from certify.checker.reading.game import Game, game_of
from certify.checker.verdict import Proof, Run

MAX_NODES = 10_000  # of all exhausted searches together
_KINDS = ("agent", "action", "observation", "state")
Colours = list[int]


@dataclass(frozen=True)
class Group:
    """What was proved of the group: its order on agents, actions and observations, the order of what moves
    states only, whether nothing is missing, and the number of steps verified."""

    order: int
    state_only_order: int
    complete: bool
    steps: int

    def claim(self) -> str:
        """The sentence that is proved."""
        text = (
            f"the automorphism group of the game has order {self.order} on agents, actions and observations"
            if self.complete
            else f"the game has at least {self.order} automorphisms on agents, actions and observations"
        )
        if self.state_only_order > 1:
            text += f", and {self.state_only_order} automorphisms move states only"
        return text

    def fixed(self) -> str:
        """What a unique stationary policy is: the end of a sentence."""
        part = "the whole automorphism group" if self.complete else "a part of the automorphism group"
        return f"fixed by this group of order {self.order}, which is {part}"


def check_symmetry(certificate: Any, run: Run) -> Proof:
    """The `Proof` of a certificate of kind "symmetry"; raises `Failed` or `Malformed`."""
    envelope(certificate, ("claim", "symmetry", "game", "game_sha256"))
    claim = record(certificate["claim"], "claim", ("order", "complete", "text"))
    game = game_of(certificate)
    group = check_group(game, certificate["symmetry"])
    if claim != {"order": str(group.order), "complete": group.complete, "text": group.claim()}:
        raise Failed("it is not what the evidence proves", step="claim")
    return Proof((group.claim(),), group.steps + 2, game)


def check_group(game: Game, evidence: Any) -> Group:
    """What the "symmetry" object of a certificate proves about the game that it restates."""
    record(evidence, "symmetry", ("order", "state_only_order", "complete", "base", "generators", "orbits"))
    complete = boolean(evidence["complete"], "symmetry.complete")
    points, generators = read_generators(game, evidence["generators"], "symmetry.generators", "generator ")
    base = [points.number(name, "symmetry.base") for name in array(evidence["base"], "symmetry.base")]
    if -1 in base or len(set(base)) != len(base):
        raise Failed("it names a point twice or one that does not exist", step="base")
    _check_orbits(points, generators, evidence["orbits"])
    try:
        order, state_only_order = _check_chain(points, base, generators, complete)
    except RecursionError:
        raise Failed("the exhausted search goes deeper than this checker", step="completeness") from None
    if (evidence["order"], evidence["state_only_order"]) != (str(order), str(state_only_order)):
        raise Failed(f"the chain gives {order}, and {state_only_order} on states only", step="order")
    return Group(order, state_only_order, complete, len(generators) + len(base) + 3)


def orbit_of(point: int, generators: list[list[int]]) -> set[int]:
    """The orbit of a point under permutations (inverses are not needed: they have finite order)."""
    found, frontier = {point}, [point]
    while frontier:
        p = frontier.pop()
        for image in generators:
            if image[p] not in found:
                found.add(image[p])
                frontier.append(image[p])
    return found


def _check_orbits(points: Points, generators: list[list[int]], data: Any) -> None:
    """That the orbits claimed are the orbits of the group generated."""
    where = "symmetry.orbits"
    record(data, where, tuple(f"{kind}s" for kind in _KINDS))
    claimed = [
        sorted(points.number([kind, *(m if isinstance(m, list) else [m])], where) for m in array(orbit, where))
        for kind in _KINDS
        for orbit in array(data[f"{kind}s"], where)
    ]
    derived = {tuple(sorted(orbit_of(p, generators))) for p in range(len(points.names))}
    if sorted(claimed) != sorted(map(list, derived)):
        raise Failed("they are not those of the generators", step="orbits")


def _check_chain(points: Points, base: list[int], generators: list[list[int]], complete: bool) -> tuple[int, int]:
    """The two factors of the order, re-derived; with `complete`, that nothing was missed.

    The orders are products of orbit lengths: of base points that are not states, and of states.
    """
    kinds: dict[Any, int] = {}
    colours = refine(points, [kinds.setdefault(kind, len(kinds)) for kind in points.kind])
    is_state = [name[0] == "state" for name in points.names]
    orders = [1, 1]
    search = Search(points)
    for depth, point in enumerate(base):
        fixed = base[:depth]
        if is_state[point]:  # what moves states only fixes every other point
            fixed = fixed + [p for p, state in enumerate(is_state) if not state]
            count = Counter(colours)
            if complete and any(count[c] > 1 for c, state in zip(colours, is_state, strict=True) if not state):
                raise Failed("a state is fixed before all agents, actions and observations are", step="base")
        elif any(is_state[p] for p in fixed):
            raise Failed("states come last in a base", step="base")
        fixing = [g for g in generators if all(g[p] == p for p in fixed)]
        orbit = orbit_of(point, fixing)
        orders[is_state[point]] *= len(orbit)
        if complete:
            search.check_orbit(colours, point, orbit, fixing)
            colours = refine(points, _single_out(colours, point))
    if complete and len(set(colours)) < len(colours):
        raise Failed("the base leaves points that refinement cannot tell apart", step="completeness")
    return orders[0], orders[1]


def _single_out(colours: Colours, point: int) -> Colours:
    """The colours with `point` given a colour of its own."""
    return [-1 if p == point else c for p, c in enumerate(colours)]


def refine(points: Points, colours: Colours) -> Colours:
    """Colour refinement of one colouring."""
    refined = refine_together(points, [colours])
    assert refined is not None  # it has as many points of every colour as itself
    return refined[0]


def refine_together(points: Points, colourings: list[Colours]) -> list[Colours] | None:
    """Colour refinement of several colourings with one shared dictionary of colours.

    What is written into `seen` is determined by colours alone, so an automorphism that carries
    one colouring to another carries every later round to every later round.  Returns None as
    soon as two colourings have different numbers of points of some colour.
    """
    classes = max(len(set(c)) for c in colourings)
    while True:
        shared: dict[Any, int] = {}
        colourings = [_round(points, c, shared) for c in colourings]
        first = sorted(colourings[0])
        if any(sorted(other) != first for other in colourings[1:]):
            return None
        if len(set(first)) == classes:
            return colourings
        classes = len(set(first))


def _round(points: Points, colours: Colours, shared: dict[Any, int]) -> Colours:
    seen: list[list[tuple[int, int]]] = [[] for _ in colours]
    for colour, states, per_agent in points.rows:
        parts = sorted(tuple(colours[p] for p in entry) for entry in per_agent)
        signature = (colour, tuple(colours[s] for s in states), tuple(parts))
        number = shared.setdefault(signature, len(shared))
        for role, s in enumerate(states):
            seen[s].append((role, number))
        for entry in per_agent:
            for role, p in enumerate(entry):
                seen[p].append((2 + role, number))
    for p, agent in enumerate(points.owner):
        if agent is not None:
            seen[agent].append((6, colours[p]))
            seen[p].append((7, colours[agent]))
    return [shared.setdefault((c, tuple(sorted(row))), len(shared)) for c, row in zip(colours, seen, strict=True)]


class Search:
    """Exhausted searches, which share one budget of nodes."""

    def __init__(self, points: Points) -> None:
        self.points, self.left = points, MAX_NODES

    def check_orbit(self, colours: Colours, point: int, orbit: set[int], fixing: list[list[int]]) -> None:
        """`Failed` if an automorphism that keeps the colours carries the point out of its orbit under `fixing`."""
        excluded = set(orbit)
        for q in range(len(colours)):
            if colours[q] == colours[point] and q not in excluded:
                if self.automorphism_between(_single_out(colours, point), _single_out(colours, q)):
                    moved = f"{list(self.points.names[point])} to {list(self.points.names[q])}"
                    why = f"an automorphism that fixes the base points before and moves {moved} is missing"
                    raise Failed(why, step="completeness")
                excluded |= orbit_of(q, fixing)

    def automorphism_between(self, left: Colours, right: Colours) -> bool:
        """Whether some automorphism carries colouring `left` to colouring `right` (exhaustive)."""
        self.left -= 1
        if self.left < 0:
            raise Failed(f"the exhausted search needs more than {MAX_NODES} nodes", step="completeness")
        refined = refine_together(self.points, [left, right])
        if refined is None:
            return False
        left, right = refined
        count = Counter(left)
        point = next((p for p, c in enumerate(left) if count[c] > 1), None)
        if point is None:
            where = {colour: p for p, colour in enumerate(right)}
            return self.points.is_automorphism([where[colour] for colour in left])
        return any(
            self.automorphism_between(_single_out(left, point), _single_out(right, q))
            for q in range(len(right))
            if right[q] == left[point]
        )
