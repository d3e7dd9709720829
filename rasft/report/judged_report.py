"""The report of an evaluation without training: the table, its pictures, how each model went."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from rasft import tables
from rasft.config.settings import Config
from rasft.records import JudgedCell, MethodResult, Work
from rasft.report.cell_report import Built, build_table, first_failure
from rasft.report.markdown import facts_table, markdown_table
from rasft.report.reporting import Section, work_text
from rasft.results import judged_runs
from rasft.tables import from_table, to_table


def outcome(
    row: str, benchmark: str, config: Config, branch: Any, failure: object
) -> dict[str, Any]:
    """One cell from its branch's artifacts, of which a failed one may lack any."""
    message = first_failure([failure])
    cell = JudgedCell(
        row=row,
        benchmark=benchmark,
        failure=message,
        config=config.model_dump_json(),
        training_data=getattr(branch, "training_data", ""),
    )
    return {
        "judged": to_table([cell], JudgedCell),
        "results": to_table([], MethodResult) if message else branch.results,
        "manifests": [] if message else [branch.manifest],
    }


def join(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The artifacts of the whole evaluation: `judged`, `results`, `manifests`."""
    return {
        "judged": tables.concat(each["judged"] for each in outcomes),
        "results": tables.concat(each["results"] for each in outcomes),
        "manifests": [manifest for each in outcomes for manifest in each["manifests"]],
    }


def build(run: str, joined: Mapping[str, Any], provenance: Mapping[str, Any]) -> Built:
    """The table and its pictures, or one sentence where nothing was judged."""
    judged, results, manifests = (joined[name] for name in ("judged", "results", "manifests"))
    return build_table(judged_runs.stored_runs(run, judged, results, manifests, provenance))


def sections(
    config: Config,
    built: Built,
    judged: pa.Table,
    notes: Sequence[str],
    work: pa.Table,
    provenance: Mapping[str, Any],
) -> list[Section]:
    """The report: the table and its pictures, how each model went, what it was made with."""
    told = "\n".join(f"Note: {note}" for note in notes)
    shown = json.dumps(config.model_dump(mode="json"), indent=2, ensure_ascii=False)
    return [
        Section("Result", f"{built.text}\n\n{told}".strip()),
        *(Section(title, "", picture) for title, picture in built.pictures.items()),
        Section("Models", _models_text(from_table(judged, JudgedCell))),
        Section("Reused and made", work_text(from_table(work, Work))),
        Section("Configuration", f"```json\n{shown}\n```"),
        Section("Provenance", facts_table(provenance)),
    ]


def _models_text(cells: Sequence[JudgedCell]) -> str:
    rows = [
        (
            cell.row,
            json.loads(cell.config)["model"]["path"],
            cell.benchmark,
            f"failed: {cell.failure}" if cell.failure else "done",
        )
        for cell in cells
    ]
    return markdown_table(["row", "model", "benchmark", "how it went"], rows)
