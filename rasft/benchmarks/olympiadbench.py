"""OlympiadBench: 675 open-ended, text-only English competition problems (He et al. 2024).

Some golds come with an absolute tolerance, the source field `error`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import rows
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.records import Problem

KIND = "math"
ROWS = 675
NAME = "olympiadbench"
LOCATION = rows.Location(
    "math/olympiadbench.jsonl",
    hub="Hothan/OlympiadBench",
    split="train",
    revision="91184b52131e7fc9455fef848035173aea8cc01a",
    config="OE_TO_maths_en_COMP",
)


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options(NAME, source)
    for row in rows.read(source, LOCATION, _from_hub):
        yield rows.math_problem(row, NAME, rules=NAME, tolerance=_tolerance(row))


def _tolerance(row: rows.Row) -> float | None:
    stated = row.fields.get("source_fields", {}).get("error")
    try:
        return float(stated) if stated else None
    except ValueError:
        raise UserError(f"{row.where}: error {stated!r} is not a number") from None


def _from_hub(fields: rows.Fields, index: int) -> rows.Fields:
    return {
        "id": f"olympiadbench/{fields['id']}",
        "problem": fields["question"],
        "answer": fields["final_answer"][0],
        "solution": fields["solution"][0],
        "source_fields": {"error": fields["error"]},
    }
