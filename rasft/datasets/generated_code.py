"""Generated Python functions to write, the training split.

Options: `steps`, weights by number of steps, such as `{1: 2, 2: 1}`; all alike by default.
`families`, some of its kinds of problem by name; all by default.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data.source import Source
from rasft.generated import functions, splits
from rasft.records import Problem


def load(source: Source) -> Iterator[Problem]:
    """Yield `source.limit` problems (default 1,000) drawn from `source.seed`."""
    return splits.problems("generated_code", functions.FAMILIES, "train", source)
