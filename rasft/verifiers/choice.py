"""The verifier of multiple choice: the letter that a response states, against the gold's.

The answer is a box or an explicit statement, as of math (`rasft.answers.extraction`); what it
names is told by `rasft.answers.choices`. Plain text in bounded time: no worker, and no settings.
A problem without `choices` is judged by letters alone.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from rasft.answers.choices import MOST_CHARACTERS, gold_letter, letter_of
from rasft.answers.extraction import extract
from rasft.errors import UserError
from rasft.paths import PACKAGE
from rasft.records import Status
from rasft.verifiers import Judgement, Submission

RECORDED_CHARACTERS = 500  # of an answer that names no choice, in its judgement


def build(settings: Mapping[str, Any]) -> ChoiceVerifier:
    """The verifier. Raises UserError for a setting: it has none."""
    if settings:
        raise UserError(
            f"unknown setting {sorted(settings)[0]!r} of the choice verifier; it has none"
        )
    return ChoiceVerifier()


class ChoiceVerifier:
    """Compares letters; safe to use from several threads at once."""

    name = "choice"

    def __init__(self) -> None:
        self.version = deciding_version()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def judge(self, submissions: Iterable[Submission]) -> Iterator[Judgement]:
        """Yield a judgement for each submission, in order.

        A gold that is no letter of its problem's choices makes the row malformed.
        """
        for submission in submissions:
            start = time.perf_counter()
            status, answer, detail = _verdict(submission)
            yield Judgement(status, answer, time.perf_counter() - start, detail)


def _verdict(submission: Submission) -> tuple[Status, str | None, str]:
    problem = submission.problem
    gold = gold_letter(problem.answer, problem.choices)
    if gold is None:
        return Status.MALFORMED, None, f"the gold {problem.answer!r} is no letter of its choices"
    found = extract(submission.response, stated=True)
    if not found.pieces:
        return Status.NO_ANSWER, None, found.missing
    letter = letter_of(found.pieces, problem.choices)
    if letter is None:
        return Status.INCORRECT, found.text[:RECORDED_CHARACTERS], _why_not(found.text)
    return (Status.CORRECT if letter == gold else Status.INCORRECT), letter, "letter"


def _why_not(text: str) -> str:
    if len(text) > MOST_CHARACTERS:
        return f"longer than {MOST_CHARACTERS} characters"
    return "it names no single choice"


def deciding_version() -> str:
    """A hash of every source that a verdict depends on."""
    answers = sorted((PACKAGE / "answers").rglob("*.py"))
    digest = hashlib.sha256()
    for source in (*answers, PACKAGE / "verifiers" / "choice.py"):
        if not source.name.startswith("program"):  # the python verifier's part of the package
            digest.update(source.relative_to(PACKAGE).as_posix().encode() + source.read_bytes())
    return digest.hexdigest()[:16]
