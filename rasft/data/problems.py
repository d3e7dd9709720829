"""The problems of a run: read from the plugins, checked, and cleared of what should not be there.

Two kinds of fault. What makes the data untrustworthy (a row without an expert response, an id
twice, no problems at all) stops the run with one message. What only makes a row useless (no gold
answer, a benchmark problem, a repetition) drops the row, which is counted and reported.

Rows stream from the plugin into an Arrow table; no list of them is held.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from rasft import plugins
from rasft.config.settings import BenchmarkConfig, Config, DatasetConfig
from rasft.data import decontamination, near_duplicates
from rasft.data.account import Account
from rasft.data.near_duplicates import Twin
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.records import LATER, Dropped, Problem
from rasft.tables import to_table

Placed = tuple[str, int, Problem]  # where the rows come from and which it is, and the row
Fault = Callable[[Problem], Dropped | None]


class Loaded(NamedTuple):
    """The training problems that can be used, the others with the reason, and what to know."""

    problems: pa.Table  # Problem rows
    dropped: list[Dropped]
    notes: list[str]  # of how the rows were read, for a reader of the report


def load_problems(
    config: Config,
    data_dir: str | None,
    benchmarks: Iterable[Iterable[Problem]] = (),
    account: Account | None = None,
) -> Loaded:
    """The training problems that can be used, and the others with the reason.

    `benchmarks` are the evaluation problems that training must not see; what became of the rows is
    also told to the account. Raises UserError.
    """
    account = account or Account()
    if not config.data.datasets:
        raise UserError("data.datasets names no dataset, and a training needs one; add it")
    dropped = account.dropped
    rows = keep(_with_unique_ids(_read(config, data_dir, account)), without_gold(), dropped)
    if config.data.decontaminate:
        rows = keep(rows, in_benchmark(benchmarks), dropped)
    table = to_table(rows, Problem)
    if config.data.near_duplicates is not None:
        table, repeated = without_repetitions(table, config.data.near_duplicates)
        dropped += repeated
    if not table.num_rows:
        names = ", ".join(dataset.name for dataset in config.data.datasets)
        raise UserError(
            f"no training problem is left of {account.rows} read from {names}"
            f"{_by_reason(dropped)}; check data.datasets"
        )
    return Loaded(table, dropped, account.notes)


def load_benchmark(config: BenchmarkConfig, data_dir: str | None, seed: int = 0) -> list[Problem]:
    """The problems of a benchmark. Raises as `benchmark_rows` does."""
    return list(benchmark_rows(config, data_dir, seed))


def benchmark_rows(
    config: BenchmarkConfig, data_dir: str | None, seed: int = 0
) -> Iterator[Problem]:
    """The problems of a benchmark, read as they are asked for.

    Raises rows.SourceUnavailable where its data cannot be had here, UserError for a bad row.
    """
    plugin = plugins.load("benchmarks", config.name)
    source = Source(data_dir, config.limit, seed, config.options)
    placed = ((config.name, n, row) for n, row in enumerate(plugin.load(source), 1))
    some = False
    fault = without_gold()
    for problem in _with_unique_ids(placed):
        if not problem.is_verifiable:
            raise UserError(
                f"benchmark {config.name}: problem {problem.id!r} has the verifier "
                f"{problem.verifier!r}, and what cannot be verified cannot be evaluated"
            )
        if lacking := fault(problem):
            raise UserError(
                f"benchmark {config.name}: problem {problem.id!r} has nothing to verify with "
                f"({lacking.reason}); mend or remove the row"
            )
        some = True
        yield problem
    if not some:
        raise UserError(f"benchmark {config.name} has no problems; check its limit and options")


def keep(rows: Iterable[Problem], fault: Fault, dropped: list[Dropped]) -> Iterator[Problem]:
    """The rows without a fault, as they come; the faults of the others go to `dropped`."""
    for row in rows:
        found = fault(row)
        if found is None:
            yield row
        else:
            dropped.append(found)


def without_gold() -> Fault:
    """Says of a problem whether it lacks what its verifier judges by: the plugin's `GOLD`."""
    fields: dict[str, str | None] = {}

    def fault(problem: Problem) -> Dropped | None:
        name = problem.verifier
        if name not in fields:
            fields[name] = getattr(plugins.load("verifiers", name), "GOLD", "answer")
        field = fields[name]
        if field is None or (getattr(problem, field) or "").strip():
            return None
        return Dropped(problem.id, f"no_{field}", f"{problem.source}: nothing to verify with")

    return fault


def in_benchmark(benchmarks: Iterable[Iterable[Problem]]) -> Fault:
    """Says of a problem which benchmark problem it repeats, if any."""
    index = decontamination.index(
        (f"{row.source}: {row.id}", row.prompt) for benchmark in benchmarks for row in benchmark
    )

    def fault(problem: Problem) -> Dropped | None:
        match = index.match(problem.prompt)
        if match is None:
            return None
        detail = f"{match.name}, {match.share:.0%} of the shorter one's 13-token runs"
        return Dropped(problem.id, "in_benchmark", detail)

    return fault


def without_repetitions(table: pa.Table, threshold: float) -> tuple[pa.Table, list[Dropped]]:
    """The problems that repeat no earlier one, and the others with the one they repeat.

    Two problems repeat each other if their texts are near-duplicates and their golds are equal:
    "where k > 0" and "where k < 0" nearly agree in their words and are two problems.
    """
    names = ("answer", "choices", "tests", "setup", "system")
    columns = [_Column(table[name]) for name in names]
    twins = near_duplicates.find(
        _Column(table["prompt"]), threshold, lambda row: tuple(column[row] for column in columns)
    )
    if not twins:
        return table, []
    kept = np.ones(table.num_rows, dtype=bool)
    kept[[twin.row for twin in twins]] = False
    ids = _Column(table["id"])
    return table.filter(pa.array(kept)), [_repetition(twin, ids) for twin in twins]


def _repetition(twin: Twin, ids: Sequence[str]) -> Dropped:
    detail = f"{ids[twin.of]}, {twin.similarity:.0%} of their 5-word shingles are shared"
    return Dropped(ids[twin.row], "near_duplicate", detail)


class _Column(Sequence[str]):
    """A column's values as they are asked for, out of Arrow."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, row: Any) -> Any:
        return self._column[row].as_py()

    def __iter__(self) -> Iterator[str]:
        for chunk in self._column.chunks:
            yield from (value.as_py() for value in chunk)


def fingerprint(table: pa.Table) -> str:
    """sha256 of the rows of a table, in their order: the same data has the same fingerprint."""
    digest = hashlib.sha256()
    for batch in table.to_batches(max_chunksize=1024):
        for row in batch.to_pylist():
            values = {name: value for name, value in row.items() if value or name not in LATER}
            digest.update(json.dumps(values, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def _read(config: Config, data_dir: str | None, account: Account) -> Iterator[Placed]:
    """Every problem of every dataset; rows that can be none are dropped."""
    verifiers = plugins.names("verifiers")
    for position, dataset in enumerate(config.data.datasets):
        key = f"data.datasets[{position}] ({dataset.name})"
        source = Source(data_dir, dataset.limit, config.seed, dataset.options)
        counted = account.open(dataset.name, source)
        for number, row in enumerate(_rows(dataset, source), start=1):
            counted.rows += 1
            if isinstance(row, Dropped):
                account.dropped.append(row)
                continue
            counted.verifiers[row.verifier] += 1
            where = f"{key} row {number}"
            if row.verifier not in verifiers:
                raise UserError(f"{where}: {plugins.unknown('verifiers', row.verifier)}")
            _require_expert(row, where)
            yield key, number, row


def _rows(dataset: DatasetConfig, source: Source) -> Iterator[Problem | Dropped]:
    rows: Iterator[Problem | Dropped] = plugins.load("datasets", dataset.name).load(source)
    return rows


def _require_expert(problem: Problem, where: str) -> None:
    if not (problem.expert_response or "").strip():
        raise UserError(
            f"{where}: problem {problem.id!r} has no expert response; "
            "add one or remove the row: every training problem needs one"
        )


def _with_unique_ids(placed: Iterable[Placed]) -> Iterator[Problem]:
    first: dict[str, tuple[str, int]] = {}
    for source, number, problem in placed:
        if problem.id in first:
            earlier, row = first[problem.id]
            raise UserError(
                f"duplicate problem id {problem.id!r}: {earlier} row {row} and {source} row "
                f"{number}; give each problem an id of its own"
            )
        first[problem.id] = source, number
        yield problem


def _by_reason(dropped: Iterable[Dropped]) -> str:
    reasons = [row.reason for row in dropped]
    counts = [f"{reasons.count(reason)} {reason}" for reason in sorted(set(reasons))]
    return f" (dropped: {', '.join(counts)})" if counts else ""
