"""Questions that training never sees."""

from collections.abc import Iterator

from rasft.data.source import Source
from rasft.records import Problem

from ..questions import questions

KIND = "math"


def load(source: Source) -> Iterator[Problem]:
    """Yield the questions."""
    yield from questions("held_out_questions", 700, source.limit or 8)
