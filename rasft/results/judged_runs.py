"""The models of an evaluation without training, as stored runs: a row each in a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from rasft.records import BenchmarkResult, JudgedCell, MethodResult
from rasft.results.cell_runs import FIELDS
from rasft.results.cells import StoredRun
from rasft.tables import from_table


def stored_runs(
    run: str,
    judged: pa.Table,
    results: pa.Table,
    manifests: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any],
) -> list[StoredRun]:
    """A run for each model, and one for each of its benchmarks that failed."""
    cells = from_table(judged, JudgedCell)
    rows = from_table(results, MethodResult)
    whole = {cell.row: cell for cell in cells if cell.failure is None}
    models = [
        _stored(
            f"{run}/{name}",
            cell,
            provenance,
            [_plain(row) for row in rows if row.method == name],
            [manifest for manifest in manifests if manifest["row"] == name],
        )
        for name, cell in whole.items()
    ]
    failed = [
        _stored(f"{run}/{cell.row}/{cell.benchmark}", cell, provenance, [], [])
        for cell in cells
        if cell.failure is not None
    ]
    return [*models, *failed]


def _stored(
    name: str,
    cell: JudgedCell,
    provenance: Mapping[str, Any],
    results: Sequence[BenchmarkResult],
    manifests: Sequence[Mapping[str, Any]],
) -> StoredRun:
    return StoredRun(
        id=name,
        config=json.loads(cell.config),
        provenance={**provenance, "data_fingerprint": cell.training_data or "unknown"},
        results=results,
        manifests=manifests,
        curve=(),
        failure=cell.failure,
        row=cell.row,
    )


def _plain(row: MethodResult) -> BenchmarkResult:
    return BenchmarkResult(**{name: getattr(row, name) for name in FIELDS})
