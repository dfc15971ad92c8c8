"""What `CompiledStep` calls one by one, for a batch of boxes.  Every function that Python calls is compiled with all
that it calls: whole sweeps (`sweeps`) do without these."""

from __future__ import annotations

from certify.thresholds.compiled import bounds, coupled, definite, models, vertices
from certify.thresholds.compiled.compiler import borrower, compiled

_borrowed = borrower()


@compiled
def log_ratio_bounds(situation, work, options, guess, result):
    """The smallest lambda found for w_i M, into `result` (R, K, P), nan before; `guess` alike, nan where there is none.

    work : nodes and room (`rooms`).  options : rows from, to, classes from, to, and the way (`bounds`).
    """
    nodes, room = _borrowed(work)
    bounds.smallest(_borrowed(situation), nodes, room, options, _borrowed(guess), _borrowed(result))


@compiled
def fill(numbers, boxes, first, last, listing):
    """`vertices.fill`."""
    vertices.fill(_borrowed(numbers), _borrowed(boxes), first, last, listing)


@compiled
def action_model(tables, t, beta, after, model):
    """`models.action_model`."""
    models.action_model(_borrowed(tables), t, _borrowed(beta), _borrowed(after), _borrowed(model))


@compiled
def state_model(tables, t, boxes, model, state):
    """`models.state_model`."""
    models.state_model(_borrowed(tables), t, _borrowed(boxes), _borrowed(model), _borrowed(state))


@compiled
def values_against(tables, agent, t, boxes, model, out):
    """`coupled.values_against`."""
    coupled.values_against(_borrowed(tables), agent, t, _borrowed(boxes), _borrowed(model), _borrowed(out))


@compiled
def advantages(tables, t, boxes, model, where, out):
    """`definite.advantages`."""
    definite.advantages(_borrowed(tables), t, _borrowed(boxes), _borrowed(model), _borrowed(where), _borrowed(out))


@compiled
def same_depth(tables, t, situation, place, form):
    """`definite.same_depth`."""
    definite.same_depth(_borrowed(tables), t, _borrowed(situation), _borrowed(place), _borrowed(form))


@compiled
def reaches(tables, boxes, at, reach):
    """`definite.reaches`."""
    definite.reaches(_borrowed(tables), _borrowed(boxes), _borrowed(at), _borrowed(reach))


@compiled
def different_depths(tables, boxes, situation, place, form):
    """`definite.different_depths`."""
    definite.different_depths(
        _borrowed(tables), _borrowed(boxes), _borrowed(situation), _borrowed(place), _borrowed(form)
    )


@compiled
def diagonals(tables, boxes, situation, place, out):
    """`definite.diagonals`."""
    definite.diagonals(_borrowed(tables), _borrowed(boxes), _borrowed(situation), _borrowed(place), _borrowed(out))
