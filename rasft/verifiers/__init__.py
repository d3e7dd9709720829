"""Verifier plugins: one file each, the file's name is the name in a problem row.

A plugin module defines `build(settings) -> Verifier`, where `settings` is the verification
section of the config. It may also define

- `INDIFFERENT`: the settings that can change no verdict; stored verdicts are reused whatever these
  are;
- `GOLD`: the field of a problem that it judges by, `answer` if not said; rows without it are
  dropped. None: it needs none;
- `gold_fault(problem)`: why a gold cannot be judged by, or ""; benchmarks leave such rows out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, Self

from rasft.records import Problem, Status


@dataclass(frozen=True)
class Submission:
    """One response to judge against its problem."""

    problem: Problem
    response: str


@dataclass(frozen=True)
class Judgement:
    """A verifier's answer to one submission."""

    status: Status
    answer: str | None = None  # what was extracted from the response
    seconds: float = 0.0
    detail: str = ""
    stdout: str = ""  # the program's last 2 kB, python only
    stderr: str = ""


class Verifier(Protocol):
    """Judges responses. A context manager: workers or containers live between enter and exit.

    `judge` takes a stream and yields one judgement for each submission, in order, with several
    in flight. Whatever the model wrote becomes a status, never an exception; a broken machine
    gives `Status.UNDECIDED` for what it cost, and raises only when nothing can be judged at all.
    """

    name: str
    version: str  # changes whenever a verdict could change

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def judge(self, submissions: Iterable[Submission]) -> Iterator[Judgement]:
        """Yield a judgement for each submission, in the order they came."""
        ...
