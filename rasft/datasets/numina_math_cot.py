"""NuminaMath-CoT: 859,494 competition and school problems with chain-of-thought solutions.

The answer is what the solution boxes; proofs and other solutions without a box have none, and
are dropped and counted when the rows are validated.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.answers.extraction import extract
from rasft.data import rows
from rasft.data.source import Source
from rasft.records import Problem

ROWS = 859_494
LOCATION = rows.Location(
    "math/train/numina_math_cot.jsonl",
    hub="AI-MO/NuminaMath-CoT",
    split="train",
    revision="9d8d210c9f6a36c8f3cd84045668c9b7800ef517",
)


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("numina_math_cot", source)
    for index, row in enumerate(rows.read(source, LOCATION)):
        solution = row.optional("solution")
        yield Problem(
            id=row.optional("id") or f"numina_math_cot/{index}",
            prompt=row.text("problem"),
            verifier="math",
            expert_response=solution,
            answer=extract(solution or "").text or None,
            source="numina_math_cot",
        )
