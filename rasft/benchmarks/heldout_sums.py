"""Generated sums, the held-out split: numbers that training never sees.

The same problems whatever the run's seed, so that runs with different seeds compare.
Options: `steps` and `families`, as of the dataset `generated_sums`; `part`, `tuning` or `test`: one
half of the problems; all by default.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rasft.data.source import Source
from rasft.generated import splits, sums
from rasft.records import Problem

KIND = "math"
HELD_OUT = True


def load(source: Source) -> Iterator[Problem]:
    """Yield `source.limit` problems (default 1,000)."""
    fixed = replace(source, seed=0)
    return splits.problems("heldout_sums", sums.FAMILIES, "held_out", fixed)
