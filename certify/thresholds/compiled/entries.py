"""What `CompiledStep` calls one by one, for a batch of boxes.  Every function that Python calls is compiled with all
that it calls: whole sweeps (`sweeps`) do without these."""

from __future__ import annotations

from certify.thresholds.compiled import bounds, coupled, definite, models, vertices
from certify.thresholds.compiled.bounds import Nodes, Room, Situation
from certify.thresholds.compiled.compiler import borrower, compiled, nested
from certify.thresholds.compiled.tables import Paths, Tables

_borrowed = borrower()


@nested
def _lent(situation):
    tables, paths = situation.tables, situation.paths
    return Situation(
        Tables(_borrowed(tables.numbers), _borrowed(tables.links), _borrowed(tables.reals)),
        Paths(_borrowed(paths.numbers), _borrowed(paths.chances)),
        _borrowed(situation.boxes),
        _borrowed(situation.here),
        _borrowed(situation.after),
        _borrowed(situation.against),
    )


@nested
def _lent_room(nodes, room):
    return (
        Nodes(
            _borrowed(nodes.at),
            _borrowed(nodes.vertices),
            _borrowed(nodes.q),
            _borrowed(nodes.extra),
            _borrowed(nodes.best),
            _borrowed(nodes.mass),
        ),
        Room(
            _borrowed(room.gain),
            _borrowed(room.remainder),
            _borrowed(room.slopes),
            _borrowed(room.passed),
            _borrowed(room.entries),
            _borrowed(room.weight),
            _borrowed(room.length),
            _borrowed(room.short),
            _borrowed(room.coupling),
        ),
    )


@compiled
def log_ratio_bounds(situation, work, options, guess, result):
    """The smallest lambda found for w_i M, into `result` (R, K, P); `guess` alike, nan where there is none.

    work : nodes and room (`rooms`).  options : rows from, to, classes from, to, and whether nodes share
    (`approx_step._Ascent`).
    """
    situation = _lent(situation)
    nodes, room = _lent_room(*work)
    bounds.smallest(situation, nodes, room, options, _borrowed(guess), _borrowed(result))


@compiled
def fill(numbers, boxes, first, last, listing):
    """`vertices.fill`."""
    vertices.fill(numbers, boxes, first, last, listing)


@compiled
def action_model(tables, t, beta, after, model):
    """`models.action_model`."""
    models.action_model(tables, t, beta, after, model)


@compiled
def state_model(tables, t, boxes, model, state):
    """`models.state_model`."""
    models.state_model(tables, t, boxes, model, state)


@compiled
def values_against(tables, agent, t, boxes, model, out):
    """`coupled.values_against`."""
    coupled.values_against(tables, agent, t, boxes, model, out)


@compiled
def advantages(tables, t, boxes, model, where, out):
    """`definite.advantages`."""
    definite.advantages(tables, t, boxes, model, where, out)


@compiled
def same_depth(tables, t, situation, place, form):
    """`definite.same_depth`."""
    definite.same_depth(tables, t, situation, place, form)


@compiled
def reaches(tables, boxes, at, reach):
    """`definite.reaches`."""
    definite.reaches(tables, boxes, at, reach)


@compiled
def different_depths(tables, boxes, situation, place, form):
    """`definite.different_depths`."""
    definite.different_depths(tables, boxes, situation, place, form)


@compiled
def diagonals(tables, boxes, situation, place, out):
    """`definite.diagonals`."""
    definite.diagonals(tables, boxes, situation, place, out)
