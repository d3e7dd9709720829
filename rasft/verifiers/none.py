"""No verifier: for rows whose answer cannot be checked. They train on their experts alone.

Such a problem is never rolled out and never judged, so it has no solvability: its router bucket is
`unverified`, its expert weight 1. It has no settings. Whoever asks it all the same gets
`undecided`, which enters no number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from rasft.errors import UserError
from rasft.records import NO_VERIFIER, Status
from rasft.verifiers import Judgement, Submission


def build(settings: Mapping[str, Any]) -> NoVerifier:
    """The verifier. Raises UserError for a setting: it has none."""
    if settings:
        raise UserError(
            f"unknown setting {sorted(settings)[0]!r} of the verifier none; it has none"
        )
    return NoVerifier()


class NoVerifier:
    """Knows of no response whether it is correct."""

    name = NO_VERIFIER
    version = "1"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def judge(self, submissions: Iterable[Submission]) -> Iterator[Judgement]:
        """Yield `undecided` for each submission."""
        for _ in submissions:
            yield Judgement(Status.UNDECIDED, detail="the problem has no verifier")
