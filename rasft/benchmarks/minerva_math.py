"""Minerva Math: 272 questions of MIT OpenCourseWare (Lewkowycz et al. 2022, OCWCourses)."""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import rows
from rasft.data.source import Source
from rasft.records import Problem

KIND = "math"
ROWS = 272
LOCATION = rows.Location(
    "math/minerva_math.jsonl",
    hub="math-ai/minervamath",
    split="test",
    revision=None,  # no commit could be checked: pin one where runs must agree over time
)


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("minerva_math", source)
    for row in rows.read(source, LOCATION, _from_hub):
        yield rows.math_problem(row, "minerva_math", rules="minerva_math")


def _from_hub(fields: rows.Fields, index: int) -> rows.Fields:
    return {
        "id": f"minerva_math/{index}",
        "problem": fields["question"],
        "answer": fields["answer"],
    }
