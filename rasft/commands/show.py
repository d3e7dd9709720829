"""`rasft show`: a stored run to look into, as a page or as text."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rasft.errors import UserError
from rasft.page import html, text, views
from rasft.page.changes import changes
from rasft.page.making import page_of, pieces_of, place
from rasft.page.stored import RunTables, read
from rasft.records import Status
from rasft.results import runs
from rasft.results.runs import Artifacts


@dataclass(frozen=True)
class Asked:
    """What is to be shown of a run, or of two."""

    run: str
    other: str | None = None
    problem: str | None = None
    worst: int | None = None
    verdict: str | None = None
    changes: bool = False

    @property
    def runs(self) -> tuple[str, ...]:
        """One run or two."""
        return (self.run, self.other) if self.other else (self.run,)


def text_of(asked: Asked) -> str | None:
    """What is asked for as text; None where it is the page. Raises UserError."""
    wanted = {
        "--problem": asked.problem is not None,
        "--worst": asked.worst is not None,
        "--verdict": asked.verdict is not None,
        "--changes": asked.changes,
    }
    named = [name for name, given in wanted.items() if given]
    if len(named) > 1:
        raise UserError(f"{named[0]} and {named[1]} do not go together: give one of them")
    if asked.changes != bool(asked.other) and named:
        with_other = "needs a second run" if asked.changes else "reads one run"
        raise UserError(f"{named[0]} {with_other}; see `rasft show --help`")
    if asked.problem is not None:
        return text.problem_text(views.view(_tables(asked.run), asked.problem))
    if asked.worst is not None:
        found = views.worst(_tables(asked.run), asked.worst)
        return "\n\n\n".join(map(text.problem_text, found))
    if asked.verdict is not None:
        return _listing(asked.run, asked.verdict)
    return _differences(asked.runs) if asked.changes else None


def page(run_ids: Sequence[str], anew: bool = False) -> Path:
    """The page of one run or two, under runs/; made from the artifacts if it is not there, or if a
    run has not finished."""
    stored = [runs.so_far(each) for each in run_ids]
    path = place(*(each.run.rpartition("/")[2] for each in stored))
    if path.is_file() and not anew and not any(each.unfinished for each in stored):
        return path
    tables = [_read(each) for each in stored]
    return html.write(page_of(tables, pieces_of(tables[0].config)), path)


def open_page(path: Path) -> bool:
    """Show a page in the browser of this machine; False where there is none."""
    return webbrowser.open(path.resolve().as_uri())


def _tables(run_id: str) -> RunTables:
    return _read(runs.so_far(run_id))


def _read(stored: Artifacts) -> RunTables:
    tables = read(stored.run, stored.config, stored)
    if not stored.unfinished:
        return tables
    print(stored.unfinished, file=sys.stderr)
    return replace(tables, notes=[stored.unfinished, *tables.notes])


def _listing(run_id: str, status: str) -> str:
    if status not in list(Status):
        raise UserError(f"unknown verdict {status!r}; known: {', '.join(Status)}")
    return text.listing(_tables(run_id), status)


def _differences(run_ids: Sequence[str]) -> str:
    first, second = map(_tables, run_ids)
    return text.changes_text(first, second, changes(first, second))
