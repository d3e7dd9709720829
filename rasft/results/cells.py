"""Stored runs -> the cells of a comparison: row, seed, benchmark, with what each was made from.

A run gives a row for every checkpoint it evaluated: `base`, `warm-up`, and its method; a model that
was evaluated without training has a row of its own. Runs of one row may differ in the seed alone,
and in what only says how the work was spread over machines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rasft.errors import UserError
from rasft.records import BenchmarkResult

BASE, WARM_UP = "base", "warm-up"
JUDGED = "judged"  # the checkpoint of a model that was evaluated without training
UNTRAINED = frozenset({BASE})

# What two runs of one row may differ in: it changes where the work is done, not what is computed.
_FREE = (
    "name", "seed", "schedule", "verification", "data.score_shards", "rollout.shards",
    "rollout.max_sequences", "rollout.tensor_parallel", "rollout.data_parallel",
    "training.processes", "training.threads", "training.launcher", "training.preflight",
    "training.micro_batch_tokens", "training.compile", "training.checkpoint_minutes",
    "training.checkpoint_steps", "training.checkpoints_kept", "training.trackers",
    "training.spike_factor",
)  # fmt: skip


@dataclass(frozen=True)
class StoredRun:
    """What a finished run left in the datastore; of a failed one only `failure` is sure."""

    id: str  # such as RasftFlow/12
    config: Mapping[str, Any]  # of rasft.config.settings.Config, as plain values
    provenance: Mapping[str, Any]
    results: Sequence[BenchmarkResult]
    manifests: Sequence[Mapping[str, Any]]  # of each benchmark and checkpoint, see evaluation
    curve: Sequence[Mapping[str, float]]  # TrainingStep rows
    failure: str | None = None  # the first line of what went wrong
    row: str | None = None  # of a table, where the run trained nothing; else its method's
    drift: float | None = None  # of a comparison's cell, as CellResult has it

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.config["seed"])


@dataclass(frozen=True)
class Source:
    """What a cell was made from: enough to find it again and to see what made it."""

    run: str
    seed: int
    config: str  # its name
    config_sha256: str
    commit: str
    data: str  # fingerprint of the training problems
    checkpoint: str  # fingerprint of the evaluated model
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One row's stored 0/1 matrix on one benchmark under one seed; none where the run failed."""

    row: str
    benchmark: str
    seed: int
    results: tuple[BenchmarkResult, ...]
    source: Source


@dataclass(frozen=True)
class Failure:
    """A run of a row that came to nothing."""

    row: str
    seed: int
    run: str
    message: str


def cells(runs: Sequence[StoredRun]) -> list[Cell]:
    """The cells of all runs, in their order.

    Raises UserError for runs that no table can hold side by side: another base model, other
    problems in one benchmark, or two runs of one row with the same seed.
    """
    done = [run for run in runs if run.failure is None]
    found: dict[tuple[str, str, int], Cell] = {}
    for run, name in zip(done, labels(done), strict=True):
        for cell in _cells_of(run, name):
            first = found.setdefault((cell.row, cell.benchmark, cell.seed), cell)
            if first is not cell:
                _require_same(first, cell)
    _require_one_problem_set(found.values())
    return list(found.values())


def failures(runs: Sequence[StoredRun]) -> list[Failure]:
    """The runs that failed, with the row and seed they were to fill."""
    named = zip(runs, labels(runs), strict=True)
    return [Failure(name, r.seed, r.id, r.failure) for r, name in named if r.failure is not None]


def labels(runs: Sequence[StoredRun]) -> list[str]:
    """The row of each run: its method or its own, with what tells it apart where names meet."""
    plain = [run.row or _method(run.config) for run in runs]
    kinds = [_fingerprint(run.config) for run in runs]
    several = {name for name in plain if len(set(_of(name, plain, kinds))) > 1}
    return [
        f"{name} [{_apart(run)}]" if name in several else name
        for name, run in zip(plain, runs, strict=True)
    ]


def _apart(run: StoredRun) -> str:
    """The config's name; of a model that was judged, the run."""
    return run.id.removesuffix(f"/{run.row}") if run.row else str(run.config["name"])


def differing(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[str]:
    """The dotted names of the values in which two configs differ, but for those that may."""
    ours, theirs = _flat(left), _flat(right)
    return sorted(key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key))


def _of(name: str, plain: Sequence[str], kinds: Sequence[str]) -> list[str]:
    return [kind for own, kind in zip(plain, kinds, strict=True) if own == name]


def _method(config: Mapping[str, Any]) -> str:
    method = str(config["training"]["method"])
    variant = config["weighting"]["variant"]
    return f"{method} ({variant})" if method == "rasft" and variant != "paper" else method


def _cells_of(run: StoredRun, name: str) -> list[Cell]:
    rows = {"base": BASE, "warmed_up": WARM_UP, "trained": name, JUDGED: name}
    matrices: dict[tuple[str, str], list[BenchmarkResult]] = {}
    for result in run.results:
        matrices.setdefault((result.benchmark, result.checkpoint), []).append(result)
    manifests = {(m["benchmark"], m["checkpoint"]): m for m in run.manifests}
    return [
        Cell(
            row=rows[checkpoint],
            benchmark=benchmark,
            seed=run.seed,
            results=tuple(results),
            source=_source(run, manifests[benchmark, checkpoint]),
        )
        for (benchmark, checkpoint), results in matrices.items()
    ]


def _source(run: StoredRun, manifest: Mapping[str, Any]) -> Source:
    text = json.dumps(run.config, sort_keys=True)
    return Source(
        run=run.id,
        seed=run.seed,
        config=str(run.config["name"]),
        config_sha256=hashlib.sha256(text.encode()).hexdigest(),
        commit=str(run.provenance["commit"]),
        data=str(run.provenance["data_fingerprint"]),
        checkpoint=str(manifest["model_fingerprint"]),
        manifest=manifest,
    )


def _require_same(first: Cell, second: Cell) -> None:
    """Two runs may share a base or warm-up, and no more."""
    if first.row not in (BASE, WARM_UP):
        raise UserError(
            f"runs {first.source.run} and {second.source.run} are both {first.row!r} with seed "
            f"{first.seed}; leave one of them out"
        )
    if first.row == BASE and first.source.checkpoint != second.source.checkpoint:
        raise UserError(
            f"runs {first.source.run} and {second.source.run} start from different models; "
            "make a table for each model"
        )


def _require_one_problem_set(found: Iterable[Cell]) -> None:
    first: dict[str, Cell] = {}
    for cell in found:
        other = first.setdefault(cell.benchmark, cell)
        ours, theirs = (c.source.manifest["data_fingerprint"] for c in (cell, other))
        if ours != theirs:
            raise UserError(
                f"runs {other.source.run} and {cell.source.run} were judged on different problems "
                f"of {cell.benchmark} ({len(other.results)} and {len(cell.results)}); make a table "
                "for each, or run one of them again with the other's benchmarks"
            )


def _fingerprint(config: Mapping[str, Any]) -> str:
    return json.dumps(_flat(config), sort_keys=True)


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        name = f"{prefix}{key}"
        if name in _FREE:
            continue
        if isinstance(item, Mapping):
            flat |= _flat(item, f"{name}.")
        else:
            flat[name] = item
    return flat
