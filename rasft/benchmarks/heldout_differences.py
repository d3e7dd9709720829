"""Generated sums in which a number is taken away, the held-out split: a kind that a training on
additions alone may forget.

The same problems whatever the run's seed. No options.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data.source import Source
from rasft.generated import splits, sums
from rasft.records import Problem

KIND = "math"
HELD_OUT = True
CHOSEN = {"families": ["taking", "adding_and_taking"]}


def load(source: Source) -> Iterator[Problem]:
    """Yield `source.limit` problems (default 1,000)."""
    return splits.held_out_kind("heldout_differences", sums.FAMILIES, source, CHOSEN)
