"""Generated sums in which a number is taken away, the held-out split: a kind that a training on
additions alone may forget.

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
        raise UserError(f"heldout_differences: unknown option {unknown!r}; it has none")
    chosen = replace(source, seed=0, options={"families": ["taking", "adding_and_taking"]})
    return splits.problems("heldout_differences", sums.FAMILIES, "held_out", chosen)
