"""Cells of one seed that one task trains and evaluates: they share processes, and fail apart."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from rasft.config.comparison import ROWS, START, cell
from rasft.config.settings import Config
from rasft.errors import RasftError
from rasft.records import BenchmarkResult, MethodResult, SequenceScore
from rasft.report import cell_report
from rasft.stages import compare, evaluate
from rasft.stages.kept import Kept
from rasft.stages.rescoring import rescore
from rasft.stages.shared import Shared
from rasft.stages.train import Trained
from rasft.tables import from_table, to_table
from rasft.training.launch.launcher import STANDALONE, LaunchContext
from rasft.training.launch.preloaded import Preloaded

Outcome = dict[str, Any]  # plain values: what came of a cell, or its `failure`
TrainOne = Callable[[Config, Path, LaunchContext], Outcome]

DRIFT_PROBLEMS = 512  # each costs every cell a forward pass


def groups(config: Config) -> list[list[str]]:
    """The cells of a seed by task, named by method; the first of all is the models of the start."""
    comparison = compare.of(config)
    names, size = [START, *comparison.methods], comparison.cells_per_task
    return [names[first : first + size] for first in range(0, len(names), size)]


def train_group(
    config: Config, seed: int, group: Sequence[str], train_one: TrainOne
) -> dict[str, Outcome]:
    """What `train_one` makes of the config of each cell, a scratch folder and what starts the
    training, by method.

    Cells fail apart, see `_apart`; the models of the start are none that are trained.
    """
    with Preloaded() as preloaded:
        context = STANDALONE if len(group) == 1 else LaunchContext(start=preloaded.start)

        def work(method: str) -> Outcome:
            with tempfile.TemporaryDirectory(prefix="rasft-") as folder:
                return train_one(cell(config, method, seed), Path(folder), context)

        return _apart(group, [method for method in group if method != START], work)


def _apart(
    group: Sequence[str], methods: Sequence[str], work: Callable[[str], Outcome]
) -> dict[str, Outcome]:
    """What `work` makes of these cells of a task's group, by method.

    One that fails leaves the first line of its failure; a task's only cell fails the task, which
    then may be tried again.
    """
    if len(group) == 1:
        return {method: work(method) for method in methods}
    return {method: _or_failure(method, work) for method in methods}


def _or_failure(method: str, work: Callable[[str], Outcome]) -> Outcome:
    try:
        return work(method)
    except Exception as error:
        if not isinstance(error, RasftError):
            traceback.print_exc()
        failure = cell_report.first_failure([error])
        print(f"{method or 'the models of the start'}: failed: {failure}", flush=True)
        return {"failure": failure}


def account(config: Config, shared: Shared, trained: Trained) -> Outcome:
    """What a cell tells of its training, in plain values."""
    moved = drift(config, shared, trained.folder)
    own = {"fingerprint": trained.checkpoint.fingerprint, "drift": moved}
    return {"summary": {**trained.summary, **own}, "curve": trained.curve.to_pylist()}


def drift(config: Config, shared: Shared, model: Path) -> float | None:
    """How far a model is from the seed's start, in nats a token; None without rollouts.

    The mean of log pi_start - log pi_model over the tokens of the start's own responses, the first
    of each of DRIFT_PROBLEMS problems at most: an estimate of the divergence KL(start || model), up
    to how they were sampled.
    """
    before = _first_responses(shared.rollout_scores)
    if not before:
        return None
    after = rescore(config, shared.problems, before, model)
    total = sum(_log_probability(row) for row in before) - sum(map(_log_probability, after))
    return total / sum(len(row.token_ids) for row in before)


def _first_responses(scores: pa.Table | None) -> list[SequenceScore]:
    if scores is None:
        return []
    first = scores.filter(pc.equal(scores["sample_index"], 0)).slice(0, DRIFT_PROBLEMS)
    return from_table(first, SequenceScore)


def _log_probability(row: SequenceScore) -> float:
    return sum(row.reference_logps)


def evaluate_group(
    config: Config,
    group: Sequence[str],
    benchmarks: Mapping[str, pa.Table],
    models: Mapping[str, Mapping[str, Path]],
) -> dict[str, Outcome]:
    """All benchmarks under the models of each cell that has any, by method, failing apart."""
    with Kept() as kept:

        def work(method: str) -> Outcome:
            return evaluate_cell(config, method, benchmarks, models[method], kept)

        return _apart(group, [method for method in group if method in models], work)


def evaluate_cell(
    config: Config,
    method: str,
    benchmarks: Mapping[str, pa.Table],
    checkpoints: Mapping[str, Path],
    kept: Kept,
) -> Outcome:
    """All benchmarks under the checkpoints of one cell: MethodResult rows, and the manifests."""
    rows: list[MethodResult] = []
    manifests = []
    for benchmark, problems in benchmarks.items():
        evaluated = evaluate.evaluate(config, benchmark, problems, checkpoints, kept)
        rows += [
            MethodResult(**vars(row), method=ROWS.get(row.checkpoint, method), seed=config.seed)
            for row in from_table(evaluated.results, BenchmarkResult)
        ]
        manifests += [
            {**manifest, "method": ROWS.get(manifest["checkpoint"], method), "seed": config.seed}
            for manifest in evaluated.manifests
        ]
    return {"results": to_table(rows, MethodResult), "manifests": manifests}
