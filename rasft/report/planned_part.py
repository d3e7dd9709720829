"""A comparison's result held against the plan that was made before any of its cells ran."""

from __future__ import annotations

from rasft.config.comparison import ROWS
from rasft.config.settings import PlannedConfig
from rasft.report.markdown import markdown_table
from rasft.results.comparison import Interval
from rasft.results.result_table import ResultTable


def text(planned: PlannedConfig, table: ResultTable) -> str:
    """What was planned, what came of it on the benchmark it was about, and what it says nothing of.

    Where an interval holds zero the plan decides what that means: a difference as large as planned
    for is excluded, or it is not.
    """
    found = [
        each
        for each in table.differences
        if each.contrast.column == planned.benchmark and each.contrast.row not in ROWS.values()
    ]
    others = [name for name in table.columns if name != planned.benchmark]
    parts = [_plan(planned), _ran(planned, found)]
    if found:
        header = ["method", f"difference from {table.baseline}, points", "so"]
        parts.append(markdown_table(header, [_row(each, planned.finds / 100) for each in found]))
    if others:
        parts.append(
            f"Looked at afterwards, since the plan says nothing of them: {', '.join(others)}."
        )
    return "\n\n".join(parts)


def said(found: Interval, finds: float) -> str:
    """What an interval says of a difference that was planned to be found; shares of 1."""
    if found.is_real:
        return "better" if found.mean > 0 else "worse"
    if max(-found.low, found.high) < finds:
        return f"no difference of {100 * finds:g} points"
    return "not told apart"


def _plan(planned: PlannedConfig) -> str:
    return (
        f"Planned before any cell ran, from the pilot {planned.pilot}: seeds {planned.seeds}, "
        f"problems {planned.problems} and samples {planned.samples} on {planned.benchmark}, which "
        f"find a difference of {planned.finds:g} points with {100 * planned.power:g} % chance."
    )


def _ran(planned: PlannedConfig, found: list[Interval]) -> str:
    if not found:
        return f"Nothing came of it: no two methods have results on {planned.benchmark}."
    seeds = sorted({each.seeds for each in found})
    problems = sorted({each.problems for each in found})
    whole = seeds == [planned.seeds] and problems == [planned.problems]
    how = "as planned" if whole else "not as planned: the intervals below say what it found"
    return f"Ran: seeds {_to(seeds)}, problems {_to(problems)}; {how}."


def _to(numbers: list[int]) -> str:
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def _row(found: Interval, finds: float) -> tuple[str, str, str]:
    points = f"{100 * found.mean:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    return found.contrast.row, points, said(found, finds)
