"""Whether loops can be compiled here, and the decorator that does it (the extra `compiled`: numba).

Compiled code only proposes; nothing rigorous depends on it.  The environment variable CERTIFY_COMPILED=no keeps to
numpy.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

SWITCH = "CERTIFY_COMPILED"


@functools.cache
def installed() -> bool:
    """Whether numba is there, and works with the numpy that is."""
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


def available() -> bool:
    """Whether searches run compiled: numba is installed and `CERTIFY_COMPILED` is not "no"."""
    return os.environ.get(SWITCH, "") != "no" and installed()


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as machine code, made at its first call and kept beside its source; itself where there is no
    compiler: a hundred times slower, and the same."""
    if not installed():
        return function
    import numba

    return numba.njit(cache=True, nogil=True, error_model="numpy")(function)


def borrower() -> Callable[[Any], Any]:
    """A function for compiled code: an array whose owner is not told of its uses.

    Counting them, atomically and at every call, takes more time than what is called does.  The owner must outlive the
    uses: borrow what a caller in Python holds, nothing that compiled code has allocated.
    """
    if not installed():
        return lambda array: array
    from numba.core import cgutils
    from numba.extending import intrinsic

    @intrinsic
    def borrowed(context, array):
        def code(target, builder, signature, arguments):
            found = target.make_array(signature.return_type)(target, builder, value=arguments[0])
            found.meminfo = cgutils.get_null_value(found.meminfo.type)
            found.parent = cgutils.get_null_value(found.parent.type)
            return found._getvalue()

        return array(array), code

    return borrowed
