"""Walks a cover of [0, 1/alpha_star] and says what has to be verified of it (format, sections 4.2, 4.3 and 6).

Reads the nodes and walks them from the root, keeping the invariant of section 4.2: for every beta of a node's
interval every stationary policy (that no split has put elsewhere) lies in the node's box.  What that rests on, the
walk yields as claims for `obligations.verify_all`, which an *engine* verifies.

An engine is an object with these methods; boxes are opaque here and never changed in place, betas
are tuples of exact `Fraction`s at which a bound is to be verified.

    begin(process)                        once, before anything else; thereafter the engine can be pickled
    batch                                 (after begin) how many claims `verify` is given at once
    initial_box()                         the whole policy space
    is_empty(box)                         True only if the box holds no policy
    split(box, block, action, at, upper)  the part with pi(action) <= at, or >= at if upper
    cuts(steps, unit)                     per step what its log ratios allow of its block, opaque; of several nodes
                                          at once, since that is faster
    cut(box, step, cut)                   what a step leaves of a box, if it holds
    narrowed(box, step)                   what a weighed step leaves of it, if it holds
    within(box, block, action, at, upper) True only if every policy of the box has pi(action) <= at, or >= at if upper
    verify(claims)                        None if every `StepClaim`, `WeighedClaim` and `DefiniteClaim` is shown to
                                          hold, else (number, why) of the first that is not

`block` is (agent, depth, class); `why` says in one line what did not verify.  A claim's verdict depends on nothing
but the claim.  A further way to close a node is a further kind of claim: yield it in `cover_claims`, verify it in the
engines.
"""

import functools
from dataclasses import dataclass
from fractions import Fraction

from certify.checker.cover.obligations import DefiniteClaim, StepClaim, WeighedClaim, verify_all
from certify.checker.cover.weighed import Weighed, read_weighed
from certify.checker.reading.envelope import (
    MAX_INTEGER,
    MAX_NODES,
    MAX_STEPS,
    Failed,
    Malformed,
    array,
    integer,
    pair,
    rational,
    record,
)


@dataclass(frozen=True)
class Step:
    """One contraction: `log_ratio[k]` bounds class k's log pi(a) - log pi(b), over the ordered pairs
    (a, b), a != b, a major, in units of 2^unit; None where nothing is claimed."""

    agent: int
    depth: int
    log_ratio: tuple


@dataclass(frozen=True)
class Node:
    """`close`: "nondegenerate", "empty", of an image (node, `image.Carrier`), or None; `split`: ("beta", m),
    (block, action, at) or None."""

    parent: int | None
    beta: tuple
    steps: tuple
    close: str | tuple | None
    split: tuple | None


def pairs(actions):
    """The ordered pairs (a, b), a != b, in the order of a step's lists.

    >>> pairs(2)
    [(0, 1), (1, 0)]
    """
    return [(a, b) for a in range(actions) for b in range(actions) if a != b]


def read_steps(data, where, process):
    """The `Step`s and `Weighed` ones of a list in a certificate."""
    steps = []
    for number, entry in enumerate(array(data, where)):
        at = f"{where}[{number}]"
        if isinstance(entry, dict) and ("bounds" in entry or "weights" in entry):
            steps.append(read_weighed(entry, at, process))
            continue
        record(entry, at, ("agent", "depth", "log_ratio"))
        agent, depth = _place(entry, at, process)
        count = process.actions[depth][agent] * (process.actions[depth][agent] - 1)
        at = f"{at}.log_ratio"
        rows = array(entry["log_ratio"], at, process.classes[depth][agent])
        steps.append(Step(agent, depth, tuple([_read_row(row, at, count) for row in rows])))
    return tuple(steps)


def _place(entry, where, process):
    """(agent, depth)."""
    agent = integer(entry["agent"], f"{where}.agent", 0, process.agents - 1)
    return agent, integer(entry["depth"], f"{where}.depth", 0, process.horizon - 1)


def _read_row(row, where, count):
    """`count` integers or nulls; most rows are integers alone and are looked at as a whole."""
    array(row, where, count)
    if set(map(type, row)) != {int} or max(row) > MAX_INTEGER or min(row) < -MAX_INTEGER:
        row = [None if m is None else integer(m, where, -MAX_INTEGER, MAX_INTEGER) for m in row]
    return tuple(row)


def read_nodes(proof, process, carriers=()):
    """The `Node`s of `proof.nodes`, each well-formed by itself; `carriers` are those of `proof.automorphisms`."""
    entries = array(proof["nodes"], "proof.nodes")
    if not 1 <= len(entries) <= MAX_NODES:
        raise Malformed("proof.nodes", f"{len(entries)} nodes")
    nodes, total = [], 0
    for number, entry in enumerate(entries):
        where = f"proof.nodes[{number}]"
        record(entry, where, ("parent", "beta", "steps"), ("close", "split"))
        if ("close" in entry) == ("split" in entry):
            raise Malformed(where, 'not exactly one of "close" and "split"')
        parent = entry["parent"]
        if parent is not None:
            integer(parent, f"{where}.parent", 0, MAX_NODES)
        close = entry.get("close")
        if isinstance(close, dict):
            close = _read_image(close, f"{where}.close", carriers)
        elif "close" in entry and close not in ("nondegenerate", "empty"):
            raise Malformed(f"{where}.close", 'neither "nondegenerate" nor "empty" nor an image')
        beta = pair(entry["beta"], f"{where}.beta")
        split = _read_split(entry["split"], f"{where}.split", process) if "split" in entry else None
        nodes.append(Node(parent, beta, read_steps(entry["steps"], f"{where}.steps", process), close, split))
        total += len(nodes[-1].steps)
        if total > MAX_STEPS:
            raise Malformed("proof.nodes", f"more than {MAX_STEPS} steps")
    return nodes


def _read_image(data, where, carriers):
    image = record(record(data, where, ("image",))["image"], where, ("node", "automorphism"))
    node = integer(image["node"], where, 0, MAX_NODES)
    return node, carriers[integer(image["automorphism"], where, 0, len(carriers) - 1)]


def _read_split(data, where, process):
    if isinstance(data, dict) and "beta" in data:
        return "beta", rational(record(data, where, ("beta",))["beta"], f"{where}.beta")
    record(data, where, ("agent", "depth", "class", "action", "at"))
    agent, depth = _place(data, where, process)
    block = (agent, depth, integer(data["class"], f"{where}.class", 0, process.classes[depth][agent] - 1))
    action = integer(data["action"], f"{where}.action", 0, process.actions[depth][agent] - 1)
    at = rational(data["at"], f"{where}.at")
    if not 0 < at < 1:
        raise Malformed(f"{where}.at", "not between 0 and 1")
    return block, action, at


def check_cover(nodes, unit, alpha_star, engine, concavity=(), workers=1, progress=None):
    """Verify every node, and the moduli of strong concavity claimed (`concavity_claims`).  Raises `Failed`."""
    verify_all(functools.partial(all_claims, nodes, unit, alpha_star, engine, concavity), engine, workers, progress)


def all_claims(nodes, unit, alpha_star, engine, concavity):
    """Everything that has to hold, as pairs (where, claim) in order."""
    boxes = dict.fromkeys(entry[2] for entry in concavity)
    yield from cover_claims(nodes, unit, alpha_star, engine, boxes)
    yield from concavity_claims(concavity, nodes, unit, boxes, engine)


def cover_claims(nodes, unit, alpha_star, engine, keep):
    """What has to hold of the nodes.  `keep` is a dict: the final boxes of the nodes that are its keys are put in."""
    children, last = _family(nodes)
    if nodes[0].beta != (0, 1 / alpha_star):
        raise Failed("the root's interval is not [0, 1/alpha_star]", node=0)
    boxes = {0: engine.initial_box()}
    cuts = _cuts([step for node in nodes for step in node.steps], unit, engine)
    for number, node in enumerate(nodes):
        betas = tuple(dict.fromkeys(node.beta))
        where = {"node": number}
        box = yield from _step_claims(node.steps, cuts, unit, boxes.pop(number), betas, engine, where)
        if number in keep:
            keep[number] = box
        if isinstance(node.close, tuple):
            from certify.checker.cover.image import check_image

            check_image(nodes, children, last, number, box, engine)
        elif node.split is None:
            where["step"] = "close"
            if not engine.is_empty(box):
                if node.close == "empty":
                    raise Failed("the box is not empty", **where)
                yield where, DefiniteClaim(box, betas)
        else:
            for child, (beta, part) in zip(children[number], _parts(engine, box, node, number), strict=True):
                if nodes[child].beta != beta:
                    raise Failed("the children's intervals are not the parts of its own", node=number, step="split")
                boxes[child] = part


def _step_claims(steps, cuts, unit, box, betas, engine, where):
    """What has to hold for the steps from `box` on; returns the box after them.  `cuts` goes on
    where the last steps ended.  Once a box is empty no policy is left that a step could concern."""
    for number, (step, cut) in enumerate(zip(steps, cuts, strict=False)):
        if engine.is_empty(box):
            continue
        if isinstance(step, Weighed):
            yield {**where, "step": number}, WeighedClaim(box, betas, step)
            box = engine.narrowed(box, step)
        else:
            yield {**where, "step": number}, StepClaim(box, betas, step, unit)
            box = engine.cut(box, step, cut)
    return box


def _cuts(steps, unit, engine):
    """The engine's `cuts` of all steps in order, not all of them at once; None for weighed ones."""
    for first in range(0, len(steps), engine.batch):
        some = steps[first : first + engine.batch]
        found = iter(engine.cuts([step for step in some if not isinstance(step, Weighed)], unit))
        yield from (None if isinstance(step, Weighed) else next(found) for step in some)


def _family(nodes):
    """The children of every node, and the last of all nodes below it, after checking that the nodes form a tree
    listed from the root."""
    children, last = [[] for _ in nodes], list(range(len(nodes)))
    for number, node in enumerate(nodes):
        if (node.parent is None) != (number == 0):
            raise Failed("node 0, and it alone, is the root", node=number)
        if node.parent is not None:
            if node.parent >= number:
                raise Failed("its parent is not listed before it", node=number)
            children[node.parent].append(number)
    for number, node in enumerate(nodes):
        wanted = 0 if node.split is None else 2
        if len(children[number]) != wanted:
            raise Failed(f"{len(children[number])} children where {wanted} are needed", node=number)
    for number in reversed(range(1, len(nodes))):
        last[nodes[number].parent] = max(last[nodes[number].parent], last[number])
    return children, last


def _parts(engine, box, node, number):
    """The interval and the box in which each of the two children of a split node starts."""
    low, high = node.beta
    if node.split[0] == "beta":
        middle = node.split[1]
        if not low < middle < high:
            raise Failed("the split is not inside the interval", node=number, step="split")
        return ((low, middle), box), ((middle, high), box)
    block, action, at = node.split
    return tuple((node.beta, engine.split(box, block, action, at, upper)) for upper in (False, True))


def unsplit_path(nodes, number):
    """Whether no ancestor of the node is split along policies."""
    while (number := nodes[number].parent) is not None:
        if nodes[number].split[0] != "beta":
            return False
    return True


def concavity_claims(entries, nodes, unit, boxes, engine):
    """What has to hold of the moduli of strong concavity (alpha, modulus, node, steps) claimed on final boxes of
    nodes (format, section 6)."""
    for number, (alpha, modulus, node, steps) in enumerate(entries):
        where = {"strong_concavity": number}
        if not 0 <= node < len(nodes):
            raise Failed("no such node", **where)
        low, high = nodes[node].beta
        beta = Fraction(1) / alpha
        if not low <= beta <= high:
            raise Failed("1/alpha is not in the node's interval", **where)
        if not unsplit_path(nodes, node):
            raise Failed("an ancestor of the node is split along policies", **where)
        if not 0 <= modulus <= alpha:
            raise Failed("the modulus is not in [0, alpha]", **where)
        cuts = _cuts(steps, unit, engine)
        box = yield from _step_claims(steps, cuts, unit, boxes[node], (beta,), engine, where)
        if engine.is_empty(box):
            raise Failed("the box is empty", **where)
        yield where, DefiniteClaim(box, (beta,), modulus, own=True)


def estimated_seconds(process, nodes):
    """A rough estimate of the plain engine's time, from measured runs: for choosing an engine, no more."""
    joint = sum(
        len(members) * len(actions) * max(counts)
        for members, actions, counts in zip(process.joint, process.joint_actions, process.actions, strict=True)
    )
    return 3e-5 * joint * sum(len(node.steps) + 2 for node in nodes)
