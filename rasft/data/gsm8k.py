"""GSM8K rows (Cobbe et al. 2021): grade-school word problems, 7,473 to train on and 1,319 to test.

A solution carries calculator marks, `<<48/2=24>>`, and ends in `#### 24`. Here the marks go and
the last line becomes a sentence with the answer in a box, the form that the verifier reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rasft.data import rows
from rasft.data.hashes import boxed, stated
from rasft.data.source import Source
from rasft.records import Problem

_MARK = re.compile(r"<<[^<>]*>>")


def load(source: Source, name: str, split: str) -> Iterator[Problem]:
    """Yield the rows of the split "train" or "test" as problems of the plugin `name`."""
    location = rows.Location(
        f"math/train/gsm8k_{split}.jsonl",
        hub="openai/gsm8k",
        split=split,
        revision="740312add88f781978c0658806c59bc2815b9866",
        config="main",
    )

    def from_hub(fields: rows.Fields, index: int) -> rows.Fields:
        return {
            "id": f"gsm8k/{split}/{index}",
            "problem": fields["question"],
            "solution": fields["answer"],
            "answer": stated(fields["answer"]),
        }

    rows.check_options(name, source)
    for row in rows.read(source, location, from_hub):
        yield Problem(
            id=row.text("id"),
            prompt=row.text("problem"),
            verifier="math",
            expert_response=expert(row.optional("solution")),
            answer=number(row.optional("answer") or "") or None,
            rules="gsm8k",
            source=name,
        )


def expert(solution: str | None) -> str | None:
    r"""The solution without calculator marks, its last line a boxed answer.

    >>> expert("He has 2*3 = <<2*3=6>>6 pens.\n#### 6")
    'He has 2*3 = 6 pens.\nThe answer is \\boxed{6}.'
    """
    return solution and boxed(_MARK.sub("", solution), number)


def number(answer: str) -> str:
    """The answer without blanks and thousands commas."""
    return answer.strip().replace(",", "")
