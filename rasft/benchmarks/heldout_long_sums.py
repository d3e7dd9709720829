"""Generated sums of four numbers, the held-out split: one number more than `generated_sums` has
where its option `steps` stops at two.

The same problems whatever the run's seed. No options.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data.source import Source
from rasft.generated import splits, sums
from rasft.records import Problem

KIND = "math"
HELD_OUT = True
CHOSEN = {"steps": {3: 1}}


def load(source: Source) -> Iterator[Problem]:
    """Yield `source.limit` problems (default 1,000)."""
    return splits.held_out_kind("heldout_long_sums", sums.FAMILIES, source, CHOSEN)
