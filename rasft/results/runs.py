"""Finished runs from the datastore, by id or tag: the only module of the library with Metaflow.

Nothing is computed here and no model is loaded. Where the datastore is, Metaflow's own settings
say (METAFLOW_DATASTORE_SYSROOT_LOCAL, or a remote one); by default it is `.metaflow` in this
folder or one above it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rasft.config import files as config_files
from rasft.config.settings import Config
from rasft.errors import UserError
from rasft.records import BenchmarkResult
from rasft.results import judged_runs
from rasft.results.accuracy import Accuracy
from rasft.results.cell_runs import stored_runs
from rasft.results.cells import StoredRun
from rasft.tables import from_table

if os.environ.get("USER", "root") == "root":
    os.environ.setdefault("METAFLOW_USER", "rasft")  # Metaflow refuses root

PRUNED = "pruned"  # the tag of a run that `rasft prune` removes or has removed
NEWEST = 10  # runs that tell how long tasks take
TRAINED = ("cfg", "problems", "results", "curve")
NEEDED = ("cfg", "provenance", "results", "manifests", "curve")


def read(ids: Sequence[str] = (), tags: Sequence[str] = ()) -> list[StoredRun]:
    """The runs with these ids and those that carry all these tags, oldest first.

    An id is `RasftFlow/12`, or `12` alone. Raises UserError where there is none, or one that is
    still going on.
    """
    from metaflow.client.core import namespace

    namespace(None)  # whoever made the run
    found = {run.pathspec: run for run in [*_by_id(ids), *_by_tag(tags)]}
    if not found:
        raise UserError(f"no run has the tags {', '.join(tags)}" if tags else "name a run or a tag")
    oldest_first = sorted(found.values(), key=lambda run: run.created_at)
    return [stored for run in oldest_first for stored in _stored(run)]


def datastore() -> tuple[str, str | None]:
    """The kind of datastore that runs write to, and its root; None where that is not set."""
    from metaflow import metaflow_config

    kind = str(metaflow_config.DEFAULT_DATASTORE)
    if kind == "local":
        return kind, local_root()
    return kind, getattr(metaflow_config, f"DATASTORE_SYSROOT_{kind.upper()}", None)


def find(run_id: str) -> Any:
    """The run of this id, whoever made it. Raises UserError where there is none."""
    from metaflow.client.core import namespace

    namespace(None)
    (run,) = _by_id([run_id])
    return run


def local_root() -> str:
    """The folder of the local datastore, and of the local metadata whatever the datastore is."""
    from metaflow.plugins.datastores.local_storage import LocalStorage

    find_root: Callable[..., str | None] = LocalStorage.get_datastore_root_from_config
    return find_root(lambda *words: None, create_on_absent=False) or os.path.abspath(".metaflow")


@dataclass(frozen=True)
class Artifacts:
    """What a run holds, each artifact fetched when it is asked for as an attribute."""

    run: str
    task: Any
    unfinished: str = ""  # a sentence, of a run that has not finished

    def __getattr__(self, name: str) -> Any:
        if name not in _artifacts(self.task):
            raise AttributeError(f"run {self.run} holds no {name!r}")
        return self.task[name].data

    @property
    def config(self) -> Config:
        """The run's config. Raises UserError if it is no longer valid."""
        return config_files.build(_plain(self.cfg))


def artifacts(run_id: str) -> Artifacts:
    """Of a finished training run. Raises UserError for any other."""
    run = find(run_id)
    if not run.successful:
        raise UserError(f"run {run.pathspec} has not finished; wait for it, or resume it")
    task = run["end"].task
    if missing := [name for name in TRAINED if name not in _artifacts(task)]:
        raise UserError(f"run {run.pathspec} holds no {missing[0]!r}: it is no run that trained")
    return Artifacts(run.pathspec, task)


def so_far(run_id: str) -> Artifacts:
    """Of a training run as far as it came: where it has not finished, what its last step left that
    all of the run went through. Raises UserError where nothing did."""
    run = find(run_id)
    if run.successful:
        return artifacts(run_id)
    done = [task for step in run for task in step if task.successful and task.index is None]
    last = max(done, key=lambda task: task.finished_at, default=None)
    if last is None or not {"cfg", "problems"} <= _artifacts(last):
        raise UserError(f"run {run.pathspec} has left nothing to show yet; see `rasft watch`")
    why = first_message(run)
    ended = f"failed ({why})" if why else "has not finished"
    sentence = f"This run {ended}: shown is what it was after the step {last.parent.id!r}."
    return Artifacts(run.pathspec, last, sentence)


PLANNED = ("RasftFlow", "RasftNodesFlow")


@dataclass(frozen=True)
class PastRun:
    """What a run worked on, and the seconds of each task that did all of its work, by step."""

    config: Config
    problems: int  # of training, with the warm-up's
    benchmarks: dict[str, int]  # problems of each
    seconds: list[tuple[str, float]]


def seconds_of_tasks(run: Any) -> list[tuple[str, float]]:
    """The step and the wall time of each task of a run that succeeded."""
    return [(step.id, _seconds(task)) for step in run for task in step if task.successful]


def seconds_of_work(run: Any) -> list[tuple[str, float]]:
    """As `seconds_of_tasks`, of those tasks alone that did their work: not of those that `resume`
    took over, nor of those that took more of something from the ledger than they made."""
    return [
        (step.id, _seconds(task))
        for step in run
        for task in step
        if task.successful
        and task.origin_pathspec is None
        and all(row["made"] >= row["reused"] for row in works(task))
    ]


def _seconds(task: Any) -> float:
    return float((task.finished_at - task.created_at).total_seconds())


def works(task: Any) -> list[dict[str, Any]]:
    """What a task took from the ledger and made, as rows of `Work`."""
    name = f"{task.parent.id}_work"
    return _rows(task[name].data) if name in _artifacts(task) else []


def past(model: str) -> list[PastRun]:
    """The newest runs that trained this model by rollouts; none without a store."""
    from metaflow.client.core import namespace

    namespace(None)
    known = (run for flow in _flows() if flow.id in PLANNED for run in flow)
    runs = (run for run in known if not _is_pruned(run))
    found = [_past(run) for run in islice(filter(_has_started, runs), NEWEST)]
    return [run for run in found if run and run.config.model.path == model]


@dataclass(frozen=True)
class TrainedRun:
    """What a finished run says of its trained model."""

    config: Config
    provenance: Mapping[str, Any]
    summary: Mapping[str, Any]  # of the training
    checks: Sequence[Mapping[str, Any]] | None  # of preflight
    accuracies: Sequence[Accuracy]


def fetch_trained(run_id: str, into: Path) -> TrainedRun:
    """Put the trained model of a run into a folder. Raises UserError if there is none."""
    task = require_trained(run_id)
    fetch_model(task["trained"].data, into)
    return TrainedRun(
        config=config_files.build(_plain(task["cfg"].data)),
        provenance=task["provenance"].data,
        summary=task["training_summary"].data,
        checks=task["checks"].data if "checks" in _artifacts(task) else None,
        accuracies=from_table(task["accuracies"].data, Accuracy),
    )


def require_trained(run_id: str) -> Any:
    """The last task of a run that trained a model. Raises UserError if it did not."""
    run = find(run_id)
    if not run.successful:
        raise UserError(f"run {run.pathspec} has not succeeded: it has no model")
    task = run["end"].task
    if "trained" not in _artifacts(task):
        raise UserError(f"run {run.pathspec} trained no model")
    return task


def fetch_model(reference: Mapping[str, Any], into: Path) -> None:
    """Copy a stored model into a folder of its own."""
    from metaflow_extensions.obcheckpoint.plugins.machine_learning_utilities.datastructures import (
        load_model,
    )

    with tempfile.TemporaryDirectory(prefix="rasft-links-") as links:
        load_model(dict(reference), links)  # a local store gives links into itself
        shutil.copytree(links, into)


def _past(run: Any) -> PastRun | None:
    """None for a run that did not get through its first step, or of a config no longer valid."""
    start = run["start"].task
    if not start.successful:
        return None
    try:
        config = config_files.build(_plain(start["cfg"].data))
    except UserError:
        return None
    tables = [start[name].data for name in ("problems", "warmup_problems")]
    return PastRun(
        config=config,
        problems=sum(table.num_rows for table in tables),
        benchmarks={name: t.num_rows for name, t in start["benchmark_problems"].data.items()},
        seconds=seconds_of_work(run),
    )


def _by_id(ids: Sequence[str]) -> Iterator[Any]:
    from metaflow.client.core import Run
    from metaflow.exception import MetaflowException

    for wanted in ids:
        names = [wanted] if "/" in wanted else [f"{flow.id}/{wanted}" for flow in _flows()]
        for name in names:
            try:
                run = Run(name)
            except MetaflowException:
                continue
            if _is_pruned(run):
                raise UserError(f"run {name} was removed by `rasft prune`")
            yield run
            break
        else:
            raise UserError(
                f"there is no run {wanted!r} in this datastore; run this where the flow ran, or "
                "set METAFLOW_DATASTORE_SYSROOT_LOCAL to the folder that holds its .metaflow"
            )


def _by_tag(tags: Sequence[str]) -> Iterator[Any]:
    if tags:
        for flow in _flows():
            yield from (run for run in flow.runs(*tags) if not _is_pruned(run) and _trains(run))


def _flows() -> list[Any]:
    from metaflow.client.core import Metaflow

    return list(Metaflow())


def _is_pruned(run: Any) -> bool:
    return PRUNED in run.user_tags


def _trains(run: Any) -> bool:
    """Whether a run is of a flow that trains; others may carry the same tag."""
    return "cfg" in _artifacts(run["start"].task) if _has_started(run) else False


def _has_started(run: Any) -> bool:
    return any(step.id == "start" for step in run) and run["start"].task is not None


def _stored(run: Any) -> list[StoredRun]:
    """The run, every cell of a comparison, or every model that was judged."""
    if not run.successful:
        return [_failed(run)]
    task = run["end"].task
    held = _artifacts(task)
    if "judged" in held:
        parts = (task[name].data for name in ("judged", "results", "manifests", "provenance"))
        return judged_runs.stored_runs(run.pathspec, *parts)
    if "cells" in held:
        names = ("cells", "results", "manifests", "provenances", "curves")
        return stored_runs(run.pathspec, *(task[name].data for name in names))
    if missing := [name for name in NEEDED if name not in held]:
        raise UserError(
            f"run {run.pathspec} holds no {missing[0]!r}: it is no training run with results"
        )
    return [
        StoredRun(
            id=run.pathspec,
            config=_plain(task["cfg"].data),
            provenance=task["provenance"].data,
            results=from_table(task["results"].data, BenchmarkResult),
            manifests=task["manifests"].data,
            curve=_rows(task["curve"].data),
        )
    ]


def _failed(run: Any) -> StoredRun:
    """What is known of a run whose end was not reached; Metaflow calls such a run unfinished."""
    message = first_message(run)
    if message is None:
        raise UserError(f"run {run.pathspec} has not finished; wait for it, or resume it")
    start = run["start"].task if _has_started(run) else None
    if start is None or "cfg" not in _artifacts(start):
        raise UserError(f"run {run.pathspec} failed before it began: {message}; leave it out")
    return StoredRun(run.pathspec, _plain(start["cfg"].data), {}, (), (), (), message)


def first_message(run: Any) -> str | None:
    """The message of the first task that raised an exception."""
    for task in sorted((t for step in run for t in step), key=lambda task: task.created_at):
        if task.exception is not None:
            said = [line for line in str(task.exception).splitlines() if line.strip()]
            return f"{task.pathspec.split('/')[2]}: {said[-1] if said else 'no message'}"
    return None


def _artifacts(task: Any) -> set[str]:
    return {artifact.id for artifact in task}


def _plain(config: Any) -> dict[str, Any]:
    return dict(config.to_dict() if hasattr(config, "to_dict") else config)


def _rows(table: Any) -> list[dict[str, Any]]:
    return [] if table is None else list(table.to_pylist())
