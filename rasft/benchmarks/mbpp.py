"""MBPP, the 500 test problems, as `rasft.data.mbpp` reads them."""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import mbpp
from rasft.data.source import Source
from rasft.records import Problem

KIND = "code"
ROWS = 500


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    return mbpp.load(source, "mbpp", "test")
