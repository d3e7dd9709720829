"""How long sequences are: a few numbers for a reader, and a histogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 8


@dataclass(frozen=True)
class Spread:
    """Of lengths in tokens; `most` is the 95th percentile, the length that most stay within."""

    least: int
    median: int
    most: int
    longest: int


def spread(lengths: Sequence[int]) -> Spread:
    """The spread of some lengths, one at the least: each is the length of one of them.

    >>> spread([3, 9, 4])
    Spread(least=3, median=4, most=9, longest=9)
    """
    found = np.percentile(lengths, (0, 50, 95, 100), method="inverted_cdf")
    return Spread(*(int(value) for value in found))


def histogram(lengths: Sequence[int] | np.ndarray, limit: int) -> dict[str, int]:
    """How many lie in each of some equal ranges up to a limit, by range; what is longer is in none.

    >>> histogram([1, 64, 65, 600], 512)["1-64"], histogram([1, 64, 65, 600], 512)["65-128"]
    (2, 1)
    """
    edges = [round(limit * place / BINS) for place in range(BINS + 1)]
    ordered = np.sort(np.asarray(lengths))
    upto = np.searchsorted(ordered, edges, side="right")
    return {
        f"{low + 1}-{high}": int(last - first)
        for low, high, first, last in zip(edges, edges[1:], upto, upto[1:], strict=False)
        if high > low
    }
