"""Two runs side by side: the problems whose solvability or verdicts differ."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rasft.page.stored import RunTables


@dataclass(frozen=True)
class Change:
    """A problem in two runs; solvability is None where it was not rolled out."""

    problem_id: str
    before: float | None
    after: float | None
    verdicts_before: dict[str, int]  # how often each status
    verdicts_after: dict[str, int]


def changes(first: RunTables, second: RunTables) -> list[Change]:
    """The problems of both runs that differ, the largest change of solvability first."""
    counts = [_verdicts(run) for run in (first, second)]
    found = []
    for name in first.problems:
        if name not in second.problems:
            continue
        before, after = (_solvability(run, name) for run in (first, second))
        verdicts = [dict(count.get(name, Counter())) for count in counts]
        if before != after or verdicts[0] != verdicts[1]:
            found.append(Change(name, before, after, *verdicts))
    return sorted(found, key=lambda change: -abs((change.after or 0) - (change.before or 0)))


def _solvability(run: RunTables, problem_id: str) -> float | None:
    group = run.groups.get(problem_id)
    return group.solvability if group else None


def _verdicts(run: RunTables) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for verdict in run.verdicts.values():
        counts.setdefault(verdict.problem_id, Counter())[str(verdict.status)] += 1
    return counts
