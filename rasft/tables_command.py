"""`rasft tables`: stored runs -> their table, in every form."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rasft import published, result_table, runs, table_text
from rasft.result_table import ResultTable


def table(
    ids: Sequence[str],
    tags: Sequence[str],
    metric: str = "avg",
    baseline: str | None = None,
    beside: Sequence[str] = (),
) -> ResultTable:
    """The table of the runs, with the published rows named in `beside`."""
    found = runs.read(ids, tags)
    built = result_table.build(found, result_table.plan(found, metric, baseline))
    return published.beside(built, found, [published.row(name) for name in beside])


def write(built: ResultTable, folder: Path) -> list[Path]:
    """Write every form of the table into a folder, each file whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, form in table_text.FORMS.items():
        partial = folder / f".{name}.{os.getpid()}.partial"
        partial.write_text(form(built), encoding="utf-8")
        os.replace(partial, folder / name)
        written.append(folder / name)
    return written
