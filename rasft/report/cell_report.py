"""What the branches of a comparison left -> cells, and the report over all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rasft import tables
from rasft.config import comparison
from rasft.config.settings import Config
from rasft.errors import UserError
from rasft.records import CellResult, MethodResult
from rasft.report import comparison_plots, planned_part
from rasft.report.markdown import markdown_table
from rasft.report.reporting import Section
from rasft.results import result_table, table_text
from rasft.results.cell_runs import stored_runs
from rasft.results.cells import StoredRun
from rasft.results.cells import cells as cells_of
from rasft.results.result_table import ResultTable
from rasft.tables import from_table, to_table

FAILURES = ("warmup_failure", "sample_failure", "train_failure", "evaluate_failure")
LONGEST = 300  # characters of a failure's first line


@dataclass(frozen=True)
class Built:
    """The table, also as Markdown, and the pictures beside it by title."""

    text: str
    pictures: Mapping[str, bytes]
    table: ResultTable | None = None


def outcome(config: Config, method: str, seed: int, branch: Any) -> dict[str, Any]:
    """One cell from its branch's artifacts, of which a failed one may lack any."""
    training, evaluation = (_of(branch, name, method) for name in ("trainings", "evaluations"))
    failures = [getattr(branch, name, None) for name in FAILURES]
    failure = first_failure([*failures, training.get("failure"), evaluation.get("failure")])
    summary = training.get("summary", {})
    own = comparison.cell(config, method, seed) if method else comparison.seeded(config, seed)
    cell = CellResult(
        method=method,
        seed=seed,
        failure=failure,
        config=own.model_dump_json(),
        fingerprint=str(summary.get("fingerprint", "")),
        steps=int(summary.get("steps", 0)),
        seconds=float(summary.get("seconds", 0.0)),
        notes=tuple(summary.get("notes", ())),
        tokens=int(summary.get("tokens", 0)),
        drift=summary.get("drift"),
    )
    empty = to_table([], MethodResult)
    return {
        "cell": to_table([cell], CellResult),
        "results": empty if failure else evaluation["results"],
        "manifests": [] if failure else evaluation["manifests"],
        "curve": training.get("curve", []),
    }


def _of(branch: Any, name: str, method: str) -> Mapping[str, Any]:
    """What an artifact by method holds of one; empty where a failed branch lacks it."""
    found: Mapping[str, Any] = (getattr(branch, name, None) or {}).get(method, {})
    return found


def first_failure(failures: Iterable[object]) -> str | None:
    """The first line of the first failure, as its own words have it; None where there is none."""
    for failure in failures:
        if failure is not None:
            said = str(getattr(failure, "exception", failure)).strip().splitlines()
            return said[0][:LONGEST] if said else type(failure).__name__
    return None


def join(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The artifacts of the whole comparison: `cells`, `results`, `manifests`, `curves`, `notes`.

    The branch of the starting models is no cell; only its failure is told.
    """
    every = from_table(tables.concat(each["cell"] for each in outcomes), CellResult)
    return {
        "cells": to_table([cell for cell in every if cell.method], CellResult),
        "results": tables.concat(each["results"] for each in outcomes),
        "manifests": [manifest for each in outcomes for manifest in each["manifests"]],
        "curves": {
            f"{cell.method}/{cell.seed}": each["curve"]
            for cell, each in zip(every, outcomes, strict=True)
            if cell.method
        },
        "notes": [
            f"the models that seed {cell.seed} starts from have no figures: {cell.failure}"
            for cell in every
            if cell.failure and not cell.method
        ],
    }


def sections(
    config: Config, built: Built, joined: Mapping[str, Any], provenances: Mapping[int, Any]
) -> list[Section]:
    """The report: the table and its pictures, how each cell went, and what it was made with."""
    rows = from_table(joined["cells"], CellResult)
    notes = "\n".join(f"Note: {note}" for note in joined["notes"])
    facts = json.dumps({str(k): v for k, v in provenances.items()}, indent=2, default=str)
    shown = json.dumps(config.model_dump(mode="json"), indent=2, ensure_ascii=False)
    return [
        Section("Result", f"{built.text}\n\n{notes}".strip()),
        *_planned(config, built),
        *(Section(title, "", picture) for title, picture in built.pictures.items()),
        Section("Cells", _cells_text(rows)),
        Section("Configuration", f"```json\n{shown}\n```"),
        Section("Provenance by seed", f"```json\n{facts}\n```"),
    ]


def _planned(config: Config, built: Built) -> list[Section]:
    planned = config.comparison.planned if config.comparison else None
    if planned is None or built.table is None:
        return []
    return [Section("Planned and found", planned_part.text(planned, built.table))]


def build(run: str, joined: Mapping[str, Any], provenances: Mapping[int, Any]) -> Built:
    """The table and its pictures, or one sentence where no cell has results."""
    cells, results, manifests = (joined[name] for name in ("cells", "results", "manifests"))
    return build_table(stored_runs(run, cells, results, manifests, provenances, joined["curves"]))


def build_table(runs: Sequence[StoredRun]) -> Built:
    """The table of these runs and its pictures, or one sentence where none has results."""
    try:
        table = result_table.build(runs, result_table.plan(runs))
    except UserError as error:
        return Built(f"There is no table: {error}", {})
    drawn = comparison_plots.pictures(table, cells_of(runs), runs)
    titled = {_title(name): picture for name, picture in drawn.items()}
    return Built(table_text.markdown(table), titled, table)


def _title(name: str) -> str:
    """A picture's file name as a heading: training-curves.png -> Training curves."""
    return name.removesuffix(".png").replace("-", " ").capitalize()


def _cells_text(cells: Sequence[CellResult]) -> str:
    failed = sum(cell.failure is not None for cell in cells)
    rows = [
        (
            cell.method,
            cell.seed,
            f"failed: {cell.failure}" if cell.failure else "done",
            cell.steps,
            f"{cell.tokens:,}",
            f"{cell.seconds:.0f}",
            "" if cell.drift is None else f"{cell.drift:.4f}",
            "; ".join(cell.notes),
        )
        for cell in cells
    ]
    header = ["method", "seed", "how it went", "steps", "tokens", "seconds", "drift", "notes"]
    return f"{len(cells)} cells, {failed} failed.\n\n{markdown_table(header, rows)}"
