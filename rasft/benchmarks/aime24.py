"""AIME 2024: the 30 problems of both papers; every answer is an integer from 0 to 999."""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import rows
from rasft.data.source import Source
from rasft.records import Problem

KIND = "math"
ROWS = 30
LOCATION = rows.Location(
    "math/aime24.jsonl",
    hub="HuggingFaceH4/aime_2024",
    split="train",
    revision="2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
)


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("aime24", source)
    for row in rows.read(source, LOCATION, _from_hub):
        yield rows.math_problem(row, "aime24", rules="aime24")


def _from_hub(fields: rows.Fields, index: int) -> rows.Fields:
    return {**fields, "id": f"aime24/{fields['id']}"}
