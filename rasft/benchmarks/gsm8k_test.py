"""GSM8K, the 1,319 test problems, as `rasft.data.gsm8k` reads them."""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import gsm8k
from rasft.data.source import Source
from rasft.records import Problem

KIND = "math"
ROWS = 1_319


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    return gsm8k.load(source, "gsm8k_test", "test")
