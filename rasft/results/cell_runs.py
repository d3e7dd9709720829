"""The cells of a comparison as stored runs: a table is built of them as of runs of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from rasft.config.comparison import ROWS
from rasft.records import BenchmarkResult, CellResult, MethodResult
from rasft.results.cells import StoredRun
from rasft.tables import from_table

FIELDS = tuple(BenchmarkResult.__dataclass_fields__)


def stored_runs(
    run: str,
    cells: pa.Table,
    results: pa.Table,
    manifests: Sequence[Mapping[str, Any]],
    provenances: Mapping[int, Mapping[str, Any]],
    curves: Mapping[str, Sequence[Mapping[str, float]]],
) -> list[StoredRun]:
    """One run for each cell; those of a seed share the models that they start from."""
    rows = from_table(results, MethodResult)
    return [
        StoredRun(
            id=f"{run}/{cell.method}-{cell.seed}",
            config=json.loads(cell.config),
            provenance=provenances[cell.seed],
            results=[
                BenchmarkResult(**{name: getattr(row, name) for name in FIELDS})
                for row in rows
                if _belongs(row.method, row.seed, cell)
            ],
            manifests=[m for m in manifests if _belongs(m["method"], m["seed"], cell)],
            curve=curves.get(f"{cell.method}/{cell.seed}", ()),
            failure=cell.failure,
            drift=cell.drift,
        )
        for cell in from_table(cells, CellResult)
    ]


def _belongs(method: str, seed: int, cell: CellResult) -> bool:
    return seed == cell.seed and method in (cell.method, *ROWS.values())
