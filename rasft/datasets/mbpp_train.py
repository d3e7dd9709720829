"""MBPP, the 374 training problems, as `rasft.data.mbpp` reads them."""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import mbpp
from rasft.data.source import Source
from rasft.records import Problem

ROWS = 374


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    return mbpp.load(source, "mbpp_train", "train")
