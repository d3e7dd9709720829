r"""The verifier of plain text: the answer of a response, letter by letter the gold.

The answer is a box or, with `format: stated`, an explicit statement, as of math. Answer and gold
are compared in one spelling: without dollar signs around the whole and LaTeX's `\text{...}` and the
like, in Unicode's compatibility form (NFKC: full width is half width), with runs of white space as
one space and, unless `match_case` is set, in one case. Nothing is given a meaning: `2.0` is not
`2`, and a raised, lowered or fraction character stays what it is, so that `10²` is not `102`.
"""

from __future__ import annotations

import hashlib
import re
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Self

from rasft.answers.extraction import extract
from rasft.errors import UserError
from rasft.paths import PACKAGE
from rasft.records import Problem, Status
from rasft.verifiers import Judgement, Submission

FORMATS = ("boxed", "stated")
MOST_CHARACTERS = 10_000  # of an answer, or four times the gold's
RECORDED_CHARACTERS = 500  # of an answer, in its judgement
_DEFAULTS: dict[str, Any] = {"format": "boxed", "match_case": False}
_WRAPPER = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")
_MOST_WRAPPERS = 4  # within each other
_MEANINGFUL = ("<super>", "<sub>", "<fraction>")  # what NFKC would turn into plain digits
# The sources that a verdict depends on.
DECIDING = (
    *(PACKAGE / "answers" / f"{name}.py" for name in ("extraction", "statements", "thinking")),
    PACKAGE / "answers" / "reading" / "bounds.py",
    PACKAGE / "verifiers" / "exact.py",
)


def build(settings: Mapping[str, Any]) -> ExactVerifier:
    """The verifier from the config section `verification.exact`; raises UserError."""
    if unknown := sorted(set(settings) - set(_DEFAULTS)):
        raise UserError(
            f"unknown setting {unknown[0]!r} of the exact verifier; known: {', '.join(_DEFAULTS)}"
        )
    chosen = _DEFAULTS | dict(settings)
    if chosen["format"] not in FORMATS:
        raise UserError(
            f"format of the exact verifier is {chosen['format']!r}; use one of {FORMATS}"
        )
    return ExactVerifier(stated=chosen["format"] == "stated", match_case=chosen["match_case"])


def gold_fault(problem: Problem) -> str:
    """Why the gold of a problem is unusable; "" when it is sound."""
    return "" if spelling(problem.answer or "") else f"the gold {problem.answer!r} is empty"


class ExactVerifier:
    """Compares texts; safe to use from several threads at once."""

    name = "exact"

    def __init__(self, *, stated: bool, match_case: bool) -> None:
        self.version = deciding_version()
        self._stated = stated
        self._match_case = match_case

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def judge(self, submissions: Iterable[Submission]) -> Iterator[Judgement]:
        """Yield a judgement for each submission, in order; an empty gold makes it malformed."""
        for submission in submissions:
            start = time.perf_counter()
            status, answer, detail = self._verdict(submission)
            yield Judgement(status, answer, time.perf_counter() - start, detail)

    def _verdict(self, submission: Submission) -> tuple[Status, str | None, str]:
        if fault := gold_fault(submission.problem):
            return Status.MALFORMED, None, fault
        found = extract(submission.response, stated=self._stated)
        if not found.pieces:
            return Status.NO_ANSWER, None, found.missing
        gold, answer = submission.problem.answer or "", found.text
        most = max(MOST_CHARACTERS, 4 * len(gold))
        if len(answer) > most:
            detail = f"longer than {most} characters"
            return Status.INCORRECT, answer[:RECORDED_CHARACTERS], detail
        same = spelling(answer, self._match_case) == spelling(gold, self._match_case)
        status = Status.CORRECT if same else Status.INCORRECT
        return status, answer[:RECORDED_CHARACTERS], "text"


def spelling(text: str, match_case: bool = True) -> str:
    r"""The one spelling in which texts are compared; "" where nothing is left.

    >>> spelling(r"\text{New  York}"), spelling("ＮＥＷ york", match_case=False)
    ('New York', 'new york')
    >>> spelling("10²") == spelling("102")
    False
    """
    plain = _compatible(_unwrapped(text))
    if not match_case:
        plain = _compatible(plain.casefold())
    return " ".join(plain.split())


def _unwrapped(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == "$" and "$" not in text[1:-1]:
        text = text[1:-1]
    for _ in range(_MOST_WRAPPERS):
        text = _WRAPPER.sub(r"\1", text)
    return text


def _compatible(text: str) -> str:
    """NFKC, but for the characters whose meaning it would lose."""
    return "".join(
        "".join(run) if meaningful else unicodedata.normalize("NFKC", "".join(run))
        for meaningful, run in groupby(text, _is_meaningful)
    )


def _is_meaningful(character: str) -> bool:
    return unicodedata.decomposition(character).startswith(_MEANINGFUL)


def deciding_version() -> str:
    """A hash of every source that a verdict depends on, with the version of Unicode."""
    digest = hashlib.sha256(unicodedata.unidata_version.encode())
    for source in DECIDING:
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]
