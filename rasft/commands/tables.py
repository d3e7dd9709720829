"""`rasft tables` and `rasft reproduce`: stored runs -> tables, and verdicts on published rows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rasft.errors import UserError
from rasft.report import comparison_plots
from rasft.report.markdown import markdown_table
from rasft.results import published, reproduction, result_table, runs, table_text
from rasft.results.cells import StoredRun, cells
from rasft.results.reproduction import Question, Reproduced
from rasft.results.result_table import ResultTable


@dataclass(frozen=True)
class Rebuilt:
    """A table, and what it was built of."""

    table: ResultTable
    runs: Sequence[StoredRun]


def rebuild(
    ids: Sequence[str],
    tags: Sequence[str],
    metric: str = "avg",
    baseline: str | None = None,
    beside: Sequence[str] = (),
) -> Rebuilt:
    """The table of the runs, with the published rows named in `beside`."""
    found = runs.read(ids, tags)
    built = result_table.build(found, result_table.plan(found, metric, baseline))
    rows = [published.row(name) for name in beside]
    return Rebuilt(published.beside(built, found, rows), found)


def write(rebuilt: Rebuilt, folder: Path) -> list[Path]:
    """Write every form of the table and its pictures, each file whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {name: form(rebuilt.table).encode() for name, form in table_text.FORMS.items()}
    drawn = comparison_plots.pictures(rebuilt.table, cells(rebuilt.runs), rebuilt.runs)
    return [_replace(folder / name, content) for name, content in (texts | drawn).items()]


def _replace(path: Path, content: bytes) -> Path:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)
    return path


def reproduce(
    name: str, ids: Sequence[str], tags: Sequence[str], own: str | None, question: Question
) -> str:
    """What the runs say of a published row, as Markdown; `own` names our row."""
    row = published.row(name)
    found = runs.read(ids, tags)
    every = cells(found)
    wanted = own or row.method
    chosen = [cell for cell in every if cell.row == wanted]
    if not chosen:
        rows = ", ".join(dict.fromkeys(cell.row for cell in every))
        raise UserError(f"these runs have no row {wanted!r} to set against {name}; rows: {rows}")
    verdicts = reproduction.reproduce(row, chosen, question)
    if not verdicts:
        raise UserError(
            f"these runs have none of {name}'s columns: {', '.join(row.percent)}; evaluate them"
        )
    why = published.reasons(row, found, [verdict.column for verdict in verdicts])
    return _verdicts(verdicts, question, why)


def _verdicts(verdicts: Sequence[Reproduced], question: Question, why: Sequence[str]) -> str:
    header = ["column", "published", "ours", "seeds", "ours − published", "verdict", "would decide"]
    rows = [
        (
            v.column,
            f"{100 * v.published:.1f}",
            f"{100 * v.ours:.1f}",
            v.seeds,
            f"{100 * (v.ours - v.published):+.1f} [{100 * v.low:+.1f}, {100 * v.high:+.1f}]",
            v.verdict,
            _needed(v),
        )
        for v in verdicts
    ]
    notes = [
        f"Agrees: within {100 * question.margin:g} points at {100 * question.confidence:g} %, "
        "Bonferroni over the columns. The published figure is taken to be one seed."
    ]
    if any(v.seeds == 1 for v in verdicts):
        notes.append(
            f"One seed cannot show how seeds differ: a spread of {100 * question.seed_spread:g} "
            "points is assumed. Run two more seeds to measure it."
        )
    if why:
        notes.append(f"Not comparable because {'; '.join(why)}.")
    return "\n".join([markdown_table(header, rows), "", *(f"- {note}" for note in notes)])


def _needed(verdict: Reproduced) -> str:
    if verdict.verdict != "too noisy":
        return ""
    ways = []
    if verdict.needed_seeds:
        ways.append(f"{verdict.needed_seeds} seeds")
    if verdict.needed_samples:
        ways.append(f"{verdict.needed_samples} samples a problem")
    return " or ".join(ways) or "nothing of ours: the published figure is too uncertain"
