"""Steps that exclude whole boxes (docs/certificate-format.md, 4.6), as the search finds them."""

from __future__ import annotations

from typing import Any

import numpy as np

from certify.thresholds.approx_excluded import excluding_parts
from certify.thresholds.approx_weighed import Ends, Weighed


def excluding(rule: Weighed, ends: Ends, betas: np.ndarray) -> list[dict[str, Any] | None]:
    """The step of every box, or None."""
    found = excluding_parts(rule, ends, betas)
    return [steps[0] if steps and "part" not in steps[0] else None for steps in found]
