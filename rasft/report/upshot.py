"""What came of a run, in a sentence a benchmark, and what in its report to look at first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

from rasft.records import BenchmarkResult, Dropped, Group, Status, Verdict
from rasft.results import outcomes
from rasft.results.accuracy import Accuracy, Difference
from rasft.results.statistics import FEWEST_PROBLEMS

NAMES = {"base": "the base model", "warmed_up": "the warmed-up model"}


class Results(Protocol):
    """What of a run's results it is told from."""

    @property
    def accuracies(self) -> Sequence[Accuracy]: ...
    @property
    def differences(self) -> Sequence[Difference]: ...
    @property
    def groups(self) -> Sequence[Group]: ...
    @property
    def verdicts(self) -> Sequence[Verdict]: ...
    @property
    def dropped(self) -> Sequence[Dropped]: ...
    @property
    def results(self) -> Sequence[BenchmarkResult]: ...


def text(run: Results) -> str:
    """A sentence a benchmark, then the list."""
    came = sentences(run.accuracies, run.differences)
    looks = "\n".join(f"- {each}" for each in to_look_at(run))
    came = came or ["Nothing was compared: there is one model, or no benchmark."]
    return "\n\n".join([*came, *([f"To look at first:\n\n{looks}"] if looks else [])])


def sentences(accuracies: Sequence[Accuracy], differences: Sequence[Difference]) -> list[str]:
    """The trained model against each that it came from: better, worse, or not told apart."""
    problems = {row.benchmark: row.problems for row in accuracies}
    last = accuracies[-1].checkpoint if accuracies else ""
    found = {
        name: [row for row in differences if (row.benchmark, row.after) == (name, last)]
        for name in problems
    }
    return [
        f"**{name}**: {count} problems are too few to tell models apart."
        if count < FEWEST_PROBLEMS
        else f"**{name}**: the {last} model is {' and '.join(map(_told, found[name]))}."
        for name, count in problems.items()
        if count < FEWEST_PROBLEMS or found[name]
    ]


def _told(row: Difference) -> str:
    word = "better than" if row.mean > 0 else "worse than"
    if not row.is_real:
        word = "not told apart from"
    interval = f"[{100 * row.low:+.1f}, {100 * row.high:+.1f}]"
    return f"{word} {NAMES.get(row.before, row.before)} ({100 * row.mean:+.1f} points {interval})"


def to_look_at(run: Results) -> Iterator[str]:
    """What may explain the figures, each with the part of the report that says more."""
    rolled = [group for group in run.groups if group.solvability is not None]
    never = sum(not group.correct for group in rolled)
    if never:
        yield (f"{never} of {len(rolled)} problems were never solved, and train on the expert "
               "alone: Solvability")  # fmt: skip
    unread = Counter(str(v.status) for v in run.verdicts if v.status is not Status.CORRECT)
    unread.pop(str(Status.INCORRECT), None)
    if unread:
        status, count = unread.most_common(1)[0]
        yield f"of {len(run.verdicts)} rollouts {count} {status}: Verdicts and dropped rows"
    if run.dropped:
        reason, count = Counter(row.reason for row in run.dropped).most_common(1)[0]
        yield f"of {len(run.dropped)} dropped rows {count} {reason}: Verdicts and dropped rows"
    if cut := _cut_short(run.results):
        yield f"responses were cut at the token limit on {', '.join(cut)}: Accuracy"


def _cut_short(results: Sequence[BenchmarkResult]) -> list[str]:
    benchmarks = dict.fromkeys(row.benchmark for row in results)
    rows = {name: [row for row in results if row.benchmark == name] for name in benchmarks}
    return [name for name in rows if outcomes.outcomes(name, "", rows[name]).is_cut_short]
