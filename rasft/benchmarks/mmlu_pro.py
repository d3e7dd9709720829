"""MMLU-Pro: 12,032 questions of 14 subjects with up to ten choices (Wang et al. 2024).

Licence MIT. Option: `categories`, such as `[math, physics]`; all by default. A choice `N/A` fills
up the list and is left out. The published protocol is greedy, with five worked examples of the
category, and guesses where no letter is found; here nothing is guessed, and examples are the
config's.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import choices, rows
from rasft.data.source import ByParts, Source
from rasft.records import Problem

KIND = "choice"
ROWS = ByParts(
    "categories",
    {
        "biology": 717,
        "business": 789,
        "chemistry": 1_132,
        "computer science": 410,
        "economics": 844,
        "engineering": 969,
        "health": 818,
        "history": 381,
        "law": 1_101,
        "math": 1_351,
        "other": 924,
        "philosophy": 499,
        "physics": 1_299,
        "psychology": 798,
    },
)
LOCATION = rows.Location(
    "choice/mmlu_pro.jsonl",
    hub="TIGER-Lab/MMLU-Pro",
    split="test",
    revision="b189ec765aa7ed75c8acfea42df31fdae71f97be",
)


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("mmlu_pro", source, ("categories",))
    wanted = rows.listed("mmlu_pro", source, "categories", ROWS.rows)
    for row in rows.read(source, LOCATION, wanted=lambda row: row.text("category") in wanted):
        yield choices.problem(
            f"mmlu_pro/{row.text('question_id')}",
            "mmlu_pro",
            row.text("question"),
            [choice.strip() for choice in row.texts("options") if choice.strip() != "N/A"],
            row.text("answer"),
        )
