"""GPQA-Diamond: 198 questions by experts of biology, physics and chemistry (Rein et al. 2023).

Licence CC-BY-4.0; gated on the hub: accept its terms there. Four choices, shuffled with a seed made
of the record's id: always the same order of one question, another from question to question.
Published figures are means over 4 to 64 samples, with the answer's letter asked for after
reasoning.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from rasft.answers.choices import LETTERS
from rasft.data import choices, rows
from rasft.data.source import Source
from rasft.records import Problem

KIND = "choice"
ROWS = 198
LOCATION = rows.Location(
    "choice/gpqa_diamond.jsonl",
    hub="Idavidrein/gpqa",
    split="train",
    revision="633f5ee89ab8ad4522a9f850766b73f62147ffdd",
    config="gpqa_diamond",
    gated=True,
)
WRONG = ("Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("gpqa_diamond", source)
    for row in rows.read(source, LOCATION):
        problem_id = f"gpqa_diamond/{row.text('Record ID')}"
        order = [row.text(field).strip() for field in ("Correct Answer", *WRONG)]
        places = random.Random(problem_id).sample(range(len(order)), len(order))
        yield choices.problem(
            problem_id,
            "gpqa_diamond",
            row.text("Question"),
            [order[place] for place in places],
            LETTERS[places.index(0)],
        )
