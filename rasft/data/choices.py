"""Multiple-choice problems: the question with its choices, each under its letter."""

from __future__ import annotations

from collections.abc import Sequence

from rasft.answers.choices import LETTERS
from rasft.errors import UserError
from rasft.records import Problem


def problem(
    problem_id: str, name: str, question: str, choices: Sequence[str], answer: str
) -> Problem:
    """A problem of the plugin `name`; `answer` is the letter of the right choice.

    Raises UserError for more choices than there are letters, and for fewer than two.

    >>> problem("q/1", "q", "How many?", ["one", "two"], "B").prompt
    'How many?\\n\\nA. one\\nB. two'
    """
    if not 2 <= len(choices) <= len(LETTERS):
        raise UserError(
            f"{problem_id}: {len(choices)} choices; from 2 to {len(LETTERS)} can be judged"
        )
    lines = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False)]
    return Problem(
        id=problem_id,
        prompt="\n".join((question.strip(), "", *lines)),
        verifier="choice",
        answer=answer,
        choices=tuple(choices),
        source=name,
    )
