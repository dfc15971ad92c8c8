"""Arrays that compiled functions hand on for little (`compiler.borrower`); imported where there is a compiler only."""

from __future__ import annotations

import functools
import operator

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models, register_default
from numba.core.typing import signature
from numba.extending import intrinsic, lower_builtin
from numba.np import arrayobj
from numba.np.numpy_support import as_dtype


class Borrowed(types.Array):
    """The type of an array that somebody else owns."""

    def __init__(self, dtype, ndim, layout):
        super().__init__(dtype, ndim, layout, name=f"borrowed({dtype}, {ndim}, {layout})")

    def copy(self, dtype=None, ndim=None, layout=None, readonly=None):
        """The same with another shape: what views of it are."""
        kept = (self.dtype if dtype is None else dtype, self.ndim if ndim is None else ndim)
        return Borrowed(*kept, self.layout if layout is None else layout)

    @property
    def key(self):
        """What tells types apart."""
        return "borrowed", self.dtype, self.ndim, self.layout

    def unify(self, typingctx, other):
        """No type is that of both."""
        return None

    def can_convert_to(self, typingctx, other):
        """It cannot."""
        return None


@register_default(Borrowed)
class _Model(models.StructModel):
    """What an array of the compiler's consists of, without an owner to be told; functions are given no more than where
    it begins and its shape."""

    def __init__(self, manager, kind):
        word, shape = types.intp, types.UniTuple(types.intp, kind.ndim)
        members = [("meminfo", types.voidptr), ("parent", types.pyobject), ("nitems", word), ("itemsize", word)]
        members += [("data", types.CPointer(kind.dtype)), ("shape", shape), ("strides", shape)]
        super().__init__(manager, kind, members)
        self._handed_on = slice(4, 6 if kind.layout == "C" else 7)
        self._size = as_dtype(kind.dtype).itemsize

    def get_argument_type(self):
        return super().get_argument_type()[self._handed_on]

    def as_argument(self, builder, value):
        return super().as_argument(builder, value)[self._handed_on]

    def from_argument(self, builder, value):
        kinds = self.get_value_type().elements
        size = ir.Constant(kinds[3], self._size)
        strides, step = [], size
        for length in reversed(value[1]):
            strides.insert(0, step)
            step = builder.mul(step, length)
        owner, parent = (cgutils.get_null_value(kind) for kind in kinds[:2])
        count = functools.reduce(builder.mul, value[1])
        whole = (owner, parent, count, size, *value, tuple(strides))  # of others the strides are there already
        return super().from_argument(builder, whole[: len(kinds)])


@intrinsic
def borrowed(context, given):
    """An array, or a tuple of tuples of arrays and numbers, of which nobody is told."""
    return _lent(given)(given), lambda target, builder, _, arguments: _view(target, builder, given, arguments[0])


def _lent(kind):
    """The type of what is lent."""
    if isinstance(kind, types.BaseTuple):
        return types.BaseTuple.from_types([_lent(part) for part in kind.types], getattr(kind, "instance_class", None))
    return Borrowed(kind.dtype, kind.ndim, kind.layout) if isinstance(kind, types.Array) else kind


def _view(target, builder, kind, value):
    if isinstance(kind, types.BaseTuple):
        parts = zip(kind.types, cgutils.unpack_tuple(builder, value, count=len(kind)), strict=True)
        return target.make_tuple(builder, _lent(kind), [_view(target, builder, *part) for part in parts])
    if not isinstance(kind, types.Array):
        return value
    given = target.make_array(kind)(target, builder, value=value)
    found = target.make_array(_lent(kind))(target, builder)
    for name in ("nitems", "itemsize", "data", "shape", "strides"):
        setattr(found, name, getattr(given, name))
    found.meminfo, found.parent = (cgutils.get_null_value(x.type) for x in (found.meminfo, found.parent))
    return found._getvalue()


def _unsigned(context, builder, kind, value):
    """An index as one that cannot count from the end."""
    if not isinstance(kind, types.Integer):
        return kind, value
    return types.uintp, context.cast(builder, value, kind, types.intp if kind.signed else types.uintp)


def _place(context, builder, kind, value):
    if not isinstance(kind, types.BaseTuple):
        return _unsigned(context, builder, kind, value)
    parts = cgutils.unpack_tuple(builder, value, count=len(kind))
    kinds, parts = zip(*(_unsigned(context, builder, *x) for x in zip(kind.types, parts, strict=True)), strict=True)
    return types.Tuple(kinds), context.make_tuple(builder, types.Tuple(kinds), parts)


@lower_builtin(operator.getitem, Borrowed, types.Integer)
def _get_one(context, builder, sig, args):
    kind, place = _place(context, builder, sig.args[1], args[1])
    found = signature(sig.return_type, sig.args[0], kind)
    return arrayobj.getitem_arraynd_intp(context, builder, found, (args[0], place))


@lower_builtin(operator.getitem, Borrowed, types.BaseTuple)
def _get(context, builder, sig, args):
    kind, place = _place(context, builder, sig.args[1], args[1])
    found = signature(sig.return_type, sig.args[0], kind)
    return arrayobj.getitem_array_tuple(context, builder, found, (args[0], place))


@lower_builtin(operator.setitem, Borrowed, types.Integer, types.Any)
@lower_builtin(operator.setitem, Borrowed, types.BaseTuple, types.Any)
def _set(context, builder, sig, args):
    kind, place = _place(context, builder, sig.args[1], args[1])
    stored = signature(sig.return_type, sig.args[0], kind, sig.args[2])
    return arrayobj.setitem_array(context, builder, stored, (args[0], place, args[2]))
