"""GSM8K, the 7,473 training problems, as `rasft.data.gsm8k` reads them."""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import gsm8k
from rasft.data.source import Source
from rasft.records import Problem

ROWS = 7_473


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    return gsm8k.load(source, "gsm8k", "train")
