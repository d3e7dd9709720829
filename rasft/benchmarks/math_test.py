"""MATH (Hendrycks et al. 2021), the 5,000 test problems, MATH-500 among them. Licence MIT.

Option: `levels`, of difficulty, such as `[4, 5]`; all of 1 to 5 by default. The gold is what the
solution boxes. Published figures are greedy, with four worked examples or none.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.answers.extraction import extract
from rasft.data import rows
from rasft.data.source import ByParts, Source
from rasft.records import Problem

KIND = "math"
ROWS = ByParts("levels", {1: 437, 2: 894, 3: 1_131, 4: 1_214, 5: 1_324})
LOCATION = rows.Location(
    "math/math_test.jsonl",
    hub="DigitalLearningGmbH/MATH-lighteval",
    split="test",
    revision="0530c78699ea5e8eb5530600900e1f328b48acad",
    config="default",
)


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("math_test", source, ("levels",))
    levels = {f"Level {level}" for level in rows.listed("math_test", source, "levels", ROWS.rows)}
    for row in rows.read(source, LOCATION, _from_hub, lambda row: row.text("level") in levels):
        yield rows.math_problem(row, "math_test", rules="math")


def _from_hub(fields: rows.Fields, index: int) -> rows.Fields:
    return {
        "id": f"math_test/{index}",
        "problem": fields["problem"],
        "solution": fields["solution"],
        "answer": extract(fields["solution"]).text,
        "level": fields["level"],
    }
