"""Generated sums, the training split: for models too small for words.

Options: `steps`, weights by number of steps, such as `{1: 2, 2: 1}`; both alike by default.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data.source import Source
from rasft.generated import splits, sums
from rasft.records import Problem


def load(source: Source) -> Iterator[Problem]:
    """Yield `source.limit` problems (default 1,000) drawn from `source.seed`."""
    return splits.problems("generated_sums", sums.FAMILIES, "train", source)
