"""How accurate each checkpoint is, what changed between them, and what the figures are made of."""

from __future__ import annotations

from collections.abc import Sequence

from rasft.records import BenchmarkResult
from rasft.report.markdown import markdown_table
from rasft.results import outcomes
from rasft.results.accuracy import Accuracy, Difference
from rasft.results.statistics import FEWEST_PROBLEMS


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def text(
    accuracies: Sequence[Accuracy],
    differences: Sequence[Difference],
    results: Sequence[BenchmarkResult],
    confidence: float,
) -> str:
    """Accuracies, what changed, and what the figures are made of."""
    rows = [
        (
            row.benchmark,
            row.checkpoint,
            row.problems,
            row.samples,
            _with_interval(row),
            row.undecided,
        )
        for row in accuracies
    ]
    enough = {row.benchmark for row in accuracies if row.problems >= FEWEST_PROBLEMS}
    changes = [
        (
            row.benchmark,
            f"{row.before} → {row.after}",
            f"{100 * row.mean:+.1f} [{100 * row.low:+.1f}, {100 * row.high:+.1f}]",
            "yes" if row.is_real else "no",
        )
        for row in differences
        if row.benchmark in enough
    ]
    level = f"{100 * confidence:g} %"
    return "\n\n".join(
        [
            f"Mean over samples, in percent, with a {level} interval by bootstrap over problems.",
            markdown_table(
                ["benchmark", "checkpoint", "problems", "samples", "accuracy", "undecided"], rows
            ),
            f"Differences paired by problem, in points, with their {level} interval.",
            markdown_table(["benchmark", "change", "difference", "excludes zero"], changes),
            *_outcomes_text(results),
        ]
    )


def _outcomes_text(results: Sequence[BenchmarkResult]) -> list[str]:
    """What the figures are made of, and a warning for each that is cut short."""
    by_place: dict[tuple[str, str], list[BenchmarkResult]] = {}
    for row in results:
        by_place.setdefault((row.benchmark, row.checkpoint), []).append(row)
    found = [outcomes.outcomes(*place, rows) for place, rows in by_place.items()]
    header = ["benchmark", "checkpoint", *outcomes.COLUMNS]
    shares = [(each.benchmark, each.row, *outcomes.cells(each)) for each in found]
    return [
        "What became of the responses, in percent of them.",
        markdown_table(header, shares),
        *(f"Warning: {outcomes.warning(each)}." for each in found if each.is_cut_short),
    ]


def _with_interval(row: Accuracy) -> str:
    if row.problems < FEWEST_PROBLEMS:
        return f"{_percent(row.mean)} (too few for an interval)"
    return f"{_percent(row.mean)} [{_percent(row.low)}, {_percent(row.high)}]"
