"""The verifier of patterns: the gold is a regular expression that the whole answer must match.

The answer is a box or, with `format: stated`, an explicit statement, as of math, without the white
space around it. The pattern is Python's (`re.fullmatch`); it is trusted and says by itself what it
leaves open: `(?i)` the case, `\\s*` the space. The answer is not trusted: a worker process matches
it, which is killed and replaced where the pattern takes too long on it. Such an answer is
`undecided`: which answers a pattern is slow on says nothing of whether they are right.
"""

from __future__ import annotations

import hashlib
import platform
import re
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Self

from rasft.answers.extraction import extract
from rasft.errors import UserError
from rasft.paths import PACKAGE
from rasft.records import Problem, Status
from rasft.verifiers import Judgement, Submission
from rasft.workers.ordered import OrderedWorkers, Reply
from rasft.workers.process import WorkerLimits

TARGET = "rasft.verifiers.regex:matches"
FORMATS = ("boxed", "stated")
RECORDED_CHARACTERS = 500  # of an answer, in its judgement
INDIFFERENT = ("workers",)  # settings that change no verdict
_DEFAULTS: dict[str, Any] = {
    "workers": None,  # None: one for each core
    "deadline_seconds": 2.0,
    "memory_mb": 512,
    "format": "boxed",
}
# The sources that a verdict depends on.
DECIDING = (
    *(PACKAGE / "answers" / f"{name}.py" for name in ("extraction", "statements", "thinking")),
    PACKAGE / "answers" / "reading" / "bounds.py",
    *(PACKAGE / "workers" / f"{name}.py" for name in ("ordered", "pool", "process")),
    PACKAGE / "verifiers" / "regex.py",
)


def build(settings: Mapping[str, Any]) -> RegexVerifier:
    """The verifier from the config section `verification.regex`; raises UserError."""
    if unknown := sorted(set(settings) - set(_DEFAULTS)):
        raise UserError(
            f"unknown setting {unknown[0]!r} of the regex verifier; known: {', '.join(_DEFAULTS)}"
        )
    chosen = _DEFAULTS | dict(settings)
    if chosen["format"] not in FORMATS:
        raise UserError(
            f"format of the regex verifier is {chosen['format']!r}; use one of {FORMATS}"
        )
    if float(chosen["deadline_seconds"]) <= 0 or int(chosen["memory_mb"]) < 128:
        raise UserError("the regex verifier needs deadline_seconds > 0 and memory_mb >= 128")
    return RegexVerifier(chosen)


@lru_cache(maxsize=4096)
def fault_of(pattern: str) -> str:
    """Why a pattern cannot be matched with; "" when it can.

    >>> fault_of("(a"), fault_of("a+")
    ("the gold '(a' is no pattern: missing ), unterminated subpattern at position 0", '')
    """
    if not pattern.strip():
        return f"the gold {pattern!r} is empty"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"the gold {pattern!r:.100} is no pattern: {error}"
    return ""


def gold_fault(problem: Problem) -> str:
    """Why the gold of a problem is unusable; "" when it is sound."""
    return fault_of(problem.answer or "")


def matches(request: Mapping[str, str]) -> bool:
    """Whether the pattern matches the whole text; runs in a worker."""
    return re.fullmatch(request["pattern"], request["text"]) is not None


class RegexVerifier:
    """Matches answers in worker processes; safe to use from several threads at once."""

    name = "regex"

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.version = deciding_version()
        self._stated = settings["format"] == "stated"
        limits = WorkerLimits(float(settings["deadline_seconds"]), int(settings["memory_mb"]))
        self._workers = OrderedWorkers(TARGET, settings["workers"], limits)

    def __enter__(self) -> Self:
        self._workers.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.__exit__()

    def process_ids(self) -> list[int]:
        """The worker processes alive now."""
        return self._workers.process_ids()

    def judge(self, submissions: Iterable[Submission]) -> Iterator[Judgement]:
        """Yield a judgement for each submission, in order, with several in flight.

        A gold that is no pattern makes the row malformed.
        """
        begun: deque[Judgement] = deque()

        def requests() -> Iterator[dict[str, str] | None]:
            for submission in submissions:
                judgement, request = self._begin(submission)
                begun.append(judgement)
                yield request

        for reply in self._workers.ask(requests()):
            judgement = begun.popleft()
            yield judgement if reply is None else _decided(judgement.answer, reply)

    def _begin(self, submission: Submission) -> tuple[Judgement, dict[str, str] | None]:
        """The judgement where it needs no worker; else what is known of it, and the question."""
        if fault := gold_fault(submission.problem):
            return Judgement(Status.MALFORMED, detail=fault), None
        found = extract(submission.response, stated=self._stated)
        if not found.pieces:
            return Judgement(Status.NO_ANSWER, detail=found.missing), None
        text = found.text.strip()
        known = Judgement(Status.UNDECIDED, text[:RECORDED_CHARACTERS])
        return known, {"pattern": submission.problem.answer or "", "text": text}


def _decided(answer: str | None, reply: Reply) -> Judgement:
    if reply.failure:
        return Judgement(Status.UNDECIDED, answer, reply.seconds, reply.failure)
    status = Status.CORRECT if reply.value is True else Status.INCORRECT
    return Judgement(status, answer, reply.seconds, "pattern")


def deciding_version() -> str:
    """A hash of every source that a verdict depends on, with Python's version."""
    digest = hashlib.sha256(platform.python_version().encode())
    for source in DECIDING:
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]
