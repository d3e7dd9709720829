"""A run's artifacts as records by problem: all that the page and the terminal show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from rasft.config.settings import Config
from rasft.method.posterior import Posterior
from rasft.records import (
    BenchmarkResponse,
    BenchmarkResult,
    Dropped,
    Group,
    Problem,
    Rollout,
    Route,
    SequenceScore,
    TrainedSequence,
    Verdict,
)
from rasft.results.accuracy import Accuracy, Difference
from rasft.tables import from_table, stream

Row = TypeVar("Row")
Key = tuple[str, int]  # of a response: problem_id, sample_index


@dataclass(frozen=True)
class RunTables:
    """One run. What its method or its version does not have is empty."""

    id: str
    config: Config
    problems: Mapping[str, Problem]  # that were trained on, in the run's order
    dropped: Mapping[str, Sequence[Dropped]]  # what was left out of a problem, or the whole
    routes: Mapping[str, Route]
    groups: Mapping[str, Group]
    posteriors: Mapping[str, Posterior]
    rollouts: Mapping[str, Sequence[Rollout]]  # without token ids, which the scores have
    verdicts: Mapping[Key, Verdict]
    scores: Mapping[Key, SequenceScore]
    trained_scores: Mapping[Key, SequenceScore]  # of some, under the trained model
    prompts: Mapping[str, tuple[int, ...]]  # token ids, of the problems that were trained on
    steps: Mapping[Key, Sequence[int]]  # the optimizer steps that trained on a sequence
    benchmarks: Mapping[str, Sequence[Problem]]
    results: Sequence[BenchmarkResult]
    responses: Sequence[BenchmarkResponse]
    curve: Sequence[Mapping[str, float]]
    accuracies: Sequence[Accuracy]
    differences: Sequence[Difference]
    notes: Sequence[str]
    moved: bool = False  # whether the policy was not the reference when the training began


def read(run_id: str, config: Config, run: Any) -> RunTables:
    """The tables of a run, from its artifacts by name."""
    rollouts: dict[str, list[Rollout]] = defaultdict(list)
    for rollout in _rollouts(getattr(run, "rollouts", None)):
        rollouts[rollout.problem_id].append(rollout)
    benchmarks = getattr(run, "benchmark_problems", {})
    curve = getattr(run, "curve", None)
    return RunTables(
        id=run_id,
        config=config,
        problems={row.id: row for row in _records(run, "problems", Problem)},
        dropped=_dropped(run),
        routes={row.problem_id: row for row in _records(run, "routes", Route)},
        groups={row.problem_id: row for row in _records(run, "groups", Group)},
        posteriors={row.problem_id: row for row in _records(run, "posteriors", Posterior)},
        rollouts=rollouts,
        verdicts={_key(row): row for row in _records(run, "verdicts", Verdict)},
        scores=Scores(_tables(run, "expert_scores", "rollout_scores")),
        trained_scores=Scores(_tables(run, "trained_scores")),
        prompts=_prompts(getattr(run, "examples", None)),
        steps=_steps(_records(run, "consumed", TrainedSequence)),
        benchmarks={name: from_table(table, Problem) for name, table in benchmarks.items()},
        results=_records(run, "results", BenchmarkResult),
        responses=_records(run, "responses", BenchmarkResponse),
        curve=curve.to_pylist() if curve is not None else [],
        accuracies=_records(run, "accuracies", Accuracy),
        differences=_records(run, "differences", Difference),
        notes=list(getattr(run, "notes", ())),
        moved=getattr(run, "started_from", None) is not None,
    )


class Scores(Mapping[Key, SequenceScore]):
    """The scores of SequenceScore tables, each read when it is asked for: all tokens are many.

    A row without log-probabilities is none.
    """

    def __init__(self, tables: Sequence[pa.Table]):
        self._tables = [table.combine_chunks() for table in tables]
        self._places: dict[Key, tuple[int, int]] = {}
        for number, table in enumerate(self._tables):
            keys = zip(
                table["problem_id"].to_pylist(), table["sample_index"].to_pylist(), strict=True
            )
            counts = pc.list_value_length(table["reference_logps"]).to_pylist()
            for row, (key, count) in enumerate(zip(keys, counts, strict=True)):
                if count:
                    self._places[key] = number, row

    def __getitem__(self, key: Key) -> SequenceScore:
        number, row = self._places[key]
        names = ("token_ids", "reference_logps")
        ids, logps = (tuple(self._tables[number][name][row].as_py()) for name in names)
        return SequenceScore(*key, ids, logps)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _tables(run: Any, *names: str) -> list[pa.Table]:
    found = [getattr(run, name, None) for name in names]
    return [table for table in found if table is not None]


def _dropped(run: Any) -> dict[str, list[Dropped]]:
    found: dict[str, list[Dropped]] = {}
    for name in ("dropped", "unsampled"):
        for row in _records(run, name, Dropped):
            found.setdefault(row.problem_id, []).append(row)
    return found


def _rollouts(table: pa.Table | None) -> Iterator[Rollout]:
    if table is not None:
        empty = pa.array([[]] * table.num_rows, pa.list_(pa.int64()))
        place = table.column_names.index("token_ids")
        yield from stream(table.set_column(place, "token_ids", empty), Rollout)


def _key(row: Verdict | TrainedSequence) -> Key:
    return row.problem_id, row.sample_index


def _records(run: Any, name: str, record: type[Row]) -> list[Row]:
    table = getattr(run, name, None)
    return from_table(table, record) if table is not None else []


def _prompts(examples: pa.Table | None) -> dict[str, tuple[int, ...]]:
    """The prompt of each problem that was trained on, as its first example has it."""
    found: dict[str, tuple[int, ...]] = {}
    if examples is None:
        return found
    names = ("problem_id", "input_ids", "prompt_tokens")
    columns = [examples[name] for name in names]
    for problem_id, ids, count in zip(*columns, strict=True):
        if problem_id.as_py() not in found:
            found[problem_id.as_py()] = tuple(ids.values[: count.as_py()].to_pylist())
    return found


def _steps(rows: Sequence[TrainedSequence]) -> dict[Key, list[int]]:
    steps: dict[Key, list[int]] = defaultdict(list)
    for row in rows:
        steps[_key(row)].append(row.step)
    return steps
