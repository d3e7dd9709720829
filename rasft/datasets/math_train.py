"""MATH (Hendrycks et al. 2021), the 7,500 training problems, with their boxed solutions.

Options: `part: all` adds the 4,500 test problems outside MATH-500 that the local file holds, the
other half of what PRM800K trains on; the hub has the training split only.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.answers.extraction import extract
from rasft.data import rows
from rasft.data.source import ByOption, Source
from rasft.errors import UserError
from rasft.records import Problem

LOCATION = rows.Location(
    "math/train/math_train.jsonl",
    hub="DigitalLearningGmbH/MATH-lighteval",
    split="train",
    revision="0530c78699ea5e8eb5530600900e1f328b48acad",
    config="default",
)
TRAIN = "hendrycks MATH train split"
ROWS = ByOption("part", {"train": 7_500, "all": 12_000})


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("math_train", source, ("part",))
    part = source.options.get("part", "train")
    if part not in ("train", "all"):
        raise UserError(f"math_train: option part = {part!r} must be 'train' or 'all'")
    for row in rows.read(source, LOCATION, _from_hub):
        if part == "all" or row.text("origin") == TRAIN:
            yield rows.math_problem(row, "math_train", rules="math")


def _from_hub(fields: rows.Fields, index: int) -> rows.Fields:
    return {
        "id": f"math_train/{index}",
        "problem": fields["problem"],
        "solution": fields["solution"],
        "answer": extract(fields["solution"]).text,
        "origin": TRAIN,
    }
