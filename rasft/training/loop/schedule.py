"""The learning rate of each optimizer step, as a share of the configured one."""

from __future__ import annotations

import math
from typing import Literal


def rate_factor(
    step: int, steps: int, warmup: int, kind: Literal["cosine", "linear", "constant"]
) -> float:
    """Factor of step `step` (from 0) of `steps`.

    It rises in `warmup` equal parts, the first of them above 0 so that no step is lost, and then
    falls to 0 at `steps`, which is never reached.

    >>> [round(rate_factor(step, 6, 2, "linear"), 2) for step in range(6)]
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    if step < warmup:
        return (step + 1) / warmup
    if kind == "constant":
        return 1.0
    done = (step - warmup) / max(1, steps - warmup)
    return 1.0 - done if kind == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))
