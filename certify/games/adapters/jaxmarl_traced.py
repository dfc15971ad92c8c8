"""Whether a result of a program that JAX traced depends on one of its inputs: what no sampler shows is seen here
(docs/games.md#jaxmarl).
"""

from __future__ import annotations

from typing import Any


def depends(program: Any, tainted: set[Any]) -> bool:
    """Whether a result of a traced program depends on one of its inputs, equation by equation."""
    return any(_is_in(out, tainted) for out in program.outvars) if _spread(program, tainted) else False


def _spread(program: Any, tainted: set[Any]) -> set[Any]:
    """Add everything that depends on what is tainted; inner programs are looked into."""
    for equation in program.eqns:
        marks = [_is_in(x, tainted) for x in equation.invars]
        if not any(marks):
            continue
        inner = equation.params.get("jaxpr")
        inner = getattr(inner, "jaxpr", inner)
        if (
            inner is not None
            and equation.primitive.name in ("pjit", "jit", "closed_call")
            and len(inner.invars) == len(marks)
        ):
            reached = _spread(inner, {v for v, mark in zip(inner.invars, marks, strict=True) if mark})
            outs = [out for out, v in zip(equation.outvars, inner.outvars, strict=True) if _is_in(v, reached)]
            tainted.update(outs)
        else:
            tainted.update(equation.outvars)
    return tainted


def _is_in(atom: Any, variables: set[Any]) -> bool:
    try:
        return atom in variables
    except TypeError:  # a literal
        return False
