"""A result table as Markdown, LaTeX, CSV, HTML and JSON, the same bytes for the same table.

Markdown, LaTeX and HTML show the figures, and under them what each row was made from. CSV is one
line a cell with its source, for other programs; JSON holds every cell's full manifest.
"""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from tabulate import tabulate

from rasft.results import outcomes
from rasft.results.cells import Source
from rasft.results.comparison import Interval
from rasft.results.result_table import Entry, ResultTable, Row

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "%": r"\%", "_": r"\_", "&": r"\&",
    "#": r"\#", "$": r"\$", "^": r"\^{}", "~": r"\~{}", "–": "--", "−": "$-$",
}  # fmt: skip
_LONG = ("row", "column", "value", "low", "high", "seeds", "problems", "best", "failure", "remark",
         "cut", "runs", "config", "config_sha256", "commit", "data", "checkpoint")  # fmt: skip


@dataclass(frozen=True)
class _Style:
    """How one of the text forms writes a table and the pieces of its cells."""

    form: str  # of tabulate
    escape: Callable[[str], str]
    bold: str  # a pattern with one place
    small: str
    note: str
    between: str  # of parts


def markdown(table: ResultTable) -> str:
    """As Markdown."""
    style = _Style("pipe", lambda text: text.replace("|", "\\|"), "**{}**", "{}", "- {}", "\n\n")
    return _text(table, style)


def latex(table: ResultTable) -> str:
    """As LaTeX: tables, and notes as paragraphs."""
    style = _Style("latex_raw", _latex, r"\textbf{{{}}}", r"{{\scriptsize {}}}", "{}\n", "\n\n")
    return _text(table, style)


def page(table: ResultTable) -> str:
    """As an HTML page that stands alone."""
    style = _Style("unsafehtml", html.escape, "<b>{}</b>", "<small>{}</small>", "<p>{}</p>", "\n")
    head = "<!doctype html><meta charset='utf-8'><title>Results</title>"
    css = "<style>body{font-family:sans-serif}td,th{padding:.2em .6em;text-align:left}</style>"
    return f"{head}{css}\n{_text(table, style)}"


def long_csv(table: ResultTable) -> str:
    """One line a cell, figures as shares of 1, with the runs, commits and checkpoints behind it."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _LONG, lineterminator="\n")
    writer.writeheader()
    for row in table.rows:
        for column, entry in zip(table.columns, row.entries, strict=True):
            writer.writerow(_line(row, column, entry))
    return out.getvalue()


def sources(table: ResultTable) -> str:
    """Every cell with the run, config, commit, data, checkpoint and manifest it came from: JSON."""
    cells = [
        {"row": row.name, "column": column, **asdict(entry)}
        for row in table.rows
        for column, entry in zip(table.columns, row.entries, strict=True)
    ]
    value = {"cells": cells, "notes": table.notes, "baseline": table.baseline}
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


FORMS: Mapping[str, Callable[[ResultTable], str]] = {
    "table.md": markdown,
    "table.tex": latex,
    "table.csv": long_csv,
    "table.html": page,
    "cells.json": sources,
}


def _text(table: ResultTable, style: _Style) -> str:
    """The figures, the differences, what the figures are made of, the sources, and the notes."""
    parts = [_grid(["", *table.columns], [_figures(row, style) for row in table.rows], style)]
    if table.differences:
        parts.append(_differences(table, style))
    if table.outcomes:
        parts.append(_outcomes(table, style))
    parts.append(_origins(table, style))
    remarks = [f"{row.name}: {row.remark}" for row in table.rows if row.remark]
    notes = [style.note.format(style.escape(note)) for note in (*table.notes, *remarks)]
    return style.between.join([*parts, "\n".join(notes)]) + "\n"


def _grid(header: Sequence[str], rows: Sequence[Sequence[str]], style: _Style) -> str:
    escaped = [style.escape(name) for name in header]
    return str(tabulate(rows, escaped, tablefmt=style.form, disable_numparse=True))


def _figures(row: Row, style: _Style) -> list[str]:
    return [style.escape(row.name), *(_figure(entry, style) for entry in row.entries)]


def _figure(entry: Entry, style: _Style) -> str:
    if entry.value is None:
        return style.escape("failed" if entry.failure else "–")
    value = f"{100 * entry.value:.1f}"
    shown = style.bold.format(value) if entry.best else value
    if entry.low is not None and entry.high is not None:
        interval = f"[{100 * entry.low:.1f}, {100 * entry.high:.1f}]"
        shown = f"{shown} {style.small.format(interval)}"
    if entry.cut is not None:
        shown = f"{shown} {style.small.format(style.escape(f'({100 * entry.cut:.0f} % cut)'))}"
    return shown


def _differences(table: ResultTable, style: _Style) -> str:
    by_place = {(i.contrast.row, i.contrast.column): i for i in table.differences}
    names = dict.fromkeys(i.contrast.row for i in table.differences)
    rows = [
        [
            style.escape(f"{name} − {table.baseline}"),
            *(_points(by_place.get((name, column)), style) for column in table.columns),
        ]
        for name in names
    ]
    return _grid(["difference, points", *table.columns], rows, style)


def _points(found: Interval | None, style: _Style) -> str:
    if found is None:
        return style.escape("–")
    value = f"{100 * found.mean:+.1f}"
    interval = f"[{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    shown = style.bold.format(value) if found.is_real else value
    return f"{shown} {style.small.format(interval)}"


def _outcomes(table: ResultTable, style: _Style) -> str:
    """Shares of the responses, in percent, by what became of them."""
    rows = [
        [style.escape(text) for text in (each.benchmark, each.row, *outcomes.cells(each))]
        for each in table.outcomes
    ]
    return _grid(["% of responses", "row", *outcomes.COLUMNS], rows, style)


def _origins(table: ResultTable, style: _Style) -> str:
    header = ["row", "seed", "run", "config", "commit", "training data", "checkpoint"]
    rows = [
        [style.escape(text) for text in (row.name, *_origin(source))]
        for row in table.rows
        for source in _distinct(row)
    ]
    return _grid(header, rows, style)


def _distinct(row: Row) -> list[Source]:
    """One source for each run of a row: its benchmarks share all but the manifest."""
    found = {(s.run, s.checkpoint): s for entry in row.entries for s in entry.sources}
    return sorted(found.values(), key=lambda source: (source.seed, source.run))


def _origin(source: Source) -> tuple[str, ...]:
    return (
        str(source.seed),
        source.run,
        f"{source.config} {source.config_sha256[:8]}",
        source.commit[:8] + ("+changes" if source.commit.endswith("+changes") else ""),
        source.data[:8],
        source.checkpoint[:8],
    )


def _line(row: Row, column: str, entry: Entry) -> dict[str, object]:
    def each(name: str) -> str:
        return " ".join(dict.fromkeys(str(getattr(source, name)) for source in entry.sources))

    return {
        "row": row.name, "column": column, "value": entry.value, "low": entry.low,
        "high": entry.high, "seeds": entry.seeds, "problems": entry.problems,
        "best": int(entry.best), "failure": entry.failure or "", "remark": row.remark or "",
        "cut": entry.cut, "runs": each("run"), "config": each("config"),
        "config_sha256": each("config_sha256"), "commit": each("commit"), "data": each("data"),
        "checkpoint": each("checkpoint"),
    }  # fmt: skip


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
