"""Numbers that arrays and compiled loops have in common; here, for machine code that holds them is kept by version of
these modules."""

from __future__ import annotations

import math

UNIT = -16  # log-ratio bounds are multiples of 2**UNIT
SLACK = 2.0**-24  # what they are rounded up by at least
ROUNDING = 2.0**-48
GRID = 2.0**52  # ends of boxes are multiples of its inverse
LARGEST = 2.0**20  # bounds beyond this carry no information and are left out
EMPTY = 1e-9  # rounding must not make a box look empty
MARGIN = 1e-6  # required of the float margin, so that rigorous arithmetic finds it too
NARROW = 0.02  # entries narrower than this count as this where work is measured: what is left of them is none
# exp, see `approx_exp`
LIMIT = 700.0  # arguments beyond it count as it
LOG2_E = 1 / math.log(2)
LN2_HIGH = float.fromhex("0x1.62e42feep-1")  # its last 21 bits are 0: products with small whole numbers are exact
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
TERMS = tuple(1 / math.factorial(k) for k in range(14, -1, -1))  # the rest is below 2e-19 for |x| <= log(2) / 2
