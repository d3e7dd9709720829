"""Generated sums of four numbers, the held-out split: one number more than `generated_sums` has
where its option `steps` stops at two.

The same problems whatever the run's seed. No options.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rasft.data.source import Source
from rasft.errors import UserError
from rasft.generated import splits, sums
from rasft.records import Problem

KIND = "math"
HELD_OUT = True


def load(source: Source) -> Iterator[Problem]:
    """Yield `source.limit` problems (default 1,000)."""
    if source.options:
        unknown = sorted(source.options)[0]
        raise UserError(f"heldout_long_sums: unknown option {unknown!r}; it has none")
    chosen = replace(source, seed=0, options={"steps": {3: 1}})
    return splits.problems("heldout_long_sums", sums.FAMILIES, "held_out", chosen)
