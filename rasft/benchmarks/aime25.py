"""AIME 2025: the 30 problems of both papers; every answer is an integer from 0 to 999."""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import rows
from rasft.data.source import Source
from rasft.records import Problem

KIND = "math"
ROWS = 30
LOCATION = rows.Location(
    "math/aime25.jsonl",
    hub="math-ai/aime25",
    split="test",
    revision="563bb8404243c5f09de6ec262f2db674fe5bce9b",
)


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("aime25", source)
    for row in rows.read(source, LOCATION, _from_hub):
        yield rows.math_problem(row, "aime25", rules="aime25")


def _from_hub(fields: rows.Fields, index: int) -> rows.Fields:
    return {"id": f"aime25/{index}", "problem": fields["problem"], "answer": fields["answer"]}
