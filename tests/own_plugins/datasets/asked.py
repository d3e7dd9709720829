"""Questions to train on."""

from collections.abc import Iterator

from rasft.data.source import Source
from rasft.records import Problem

from ..questions import questions


def load(source: Source) -> Iterator[Problem]:
    """Yield the questions."""
    yield from questions("asked", 10, source.limit or 8)
