"""AMC 12 2023: 40 problems of papers A and B whose answers are numbers."""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import rows
from rasft.data.source import Source
from rasft.records import Problem

KIND = "math"
ROWS = 40
LOCATION = rows.Location(
    "math/amc23.jsonl",
    hub="math-ai/amc23",
    split="test",
    revision="80815d37005feb82cd7f8fbc6901d5d3eff43057",
)


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("amc23", source)
    for row in rows.read(source, LOCATION, _from_hub):
        yield rows.math_problem(row, "amc23", rules="amc23")


def _from_hub(fields: rows.Fields, index: int) -> rows.Fields:
    return {"id": f"amc23/{index}", "problem": fields["question"], "answer": fields["answer"]}
