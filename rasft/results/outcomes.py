"""What became of the responses behind a figure: cut short, without an answer, broken, undecided.

A low figure may be made of these more than of wrong answers: published scores fail to reproduce
most often because responses were cut at the token limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rasft.records import BenchmarkResult, Status

CUT = "cut at the limit"
# What a table shows of each figure, by status.
SHOWN = {
    Status.NO_ANSWER: "no answer",
    Status.MALFORMED: "malformed",  # of programs: they do not compile
    Status.TIMED_OUT: "timed out",
    Status.OUT_OF_MEMORY: "out of memory",
    Status.CRASHED: "crashed",
    Status.UNDECIDED: "undecided",
}
COLUMNS = (CUT, *SHOWN.values())
MANY_CUT = 0.03  # a share from which a figure is given with a warning


@dataclass(frozen=True)
class Outcomes:
    """Shares of the responses of one row on one benchmark; those cut may be of any status."""

    benchmark: str
    row: str  # a table's row, or the checkpoint of one run
    responses: int
    shares: tuple[float | None, ...]  # one for each of COLUMNS; None where it was not stored

    @property
    def cut(self) -> float:
        """The share that was cut at the token limit, as far as it is known."""
        return self.shares[0] or 0.0

    @property
    def is_cut_short(self) -> bool:
        """Whether so many were cut that the figure may be too low."""
        return self.cut >= MANY_CUT


def outcomes(benchmark: str, row: str, results: Iterable[BenchmarkResult]) -> Outcomes:
    """The outcomes of a stored matrix."""
    rows = list(results)
    statuses = Counter(str(status) for result in rows for status in result.statuses)
    responses = statuses.total()
    shares = [statuses[status] / responses if responses else 0.0 for status in SHOWN]
    return Outcomes(benchmark, row, responses, (_cut(rows), *shares))


def _cut(rows: Sequence[BenchmarkResult]) -> float | None:
    """None where a run of an older version kept no reasons."""
    reasons = Counter(reason for row in rows for reason in row.finish_reasons)
    return reasons["length"] / reasons.total() if reasons else None


def cells(found: Outcomes) -> list[str]:
    """Its shares in percent, for a table with COLUMNS; a dash where a share is not known.

    >>> cells(Outcomes("gsm8k", "base", 8, (None, 0.125, 0, 0, 0, 0, 0)))
    ['–', '12.5', '0', '0', '0', '0', '0']
    """
    return ["–" if share is None else _percent(share) for share in found.shares]


def warning(found: Outcomes) -> str:
    """The sentence beside a figure that is cut short."""
    return (
        f"{found.benchmark}, {found.row}: {_percent(found.cut)} % of the responses were cut at the "
        "token limit, so the figure may be too low; raise evaluation.max_new_tokens"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f}" if share else "0"
