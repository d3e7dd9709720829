"""A run's results as sections of text and pictures: the card and the Markdown file show the same.

Nothing is measured here: accuracies come from the stored 0/1 matrix, the rest is counted from the
run's tables.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from rasft.config.settings import Config
from rasft.method.posterior import Stop
from rasft.method.routing import UNVERIFIED
from rasft.records import BenchmarkResult, Dropped, Group, Verdict, Work
from rasft.report import accuracy_part, plots, run_pictures, training_part, upshot
from rasft.report.canvas import CLASSES
from rasft.report.markdown import facts_table, markdown_table
from rasft.results.accuracy import Accuracy, Difference
from rasft.tables import from_table

Row = TypeVar("Row")

# The steps that use the ledger.
STAGES = ("start", "warmup", "score", "rollout", "verify", "train", "evaluate")


@dataclass(frozen=True)
class Section:
    """One part of a report; `picture` is PNG bytes."""

    title: str
    text: str
    picture: bytes | None = None


@dataclass(frozen=True)
class RunResults:
    """Everything a report shows."""

    config: Config
    provenance: Mapping[str, Any]
    groups: Sequence[Group]
    verdicts: Sequence[Verdict]
    dropped: Sequence[Dropped]
    warmup_curve: Sequence[Mapping[str, float]]
    curve: Sequence[Mapping[str, float]]
    accuracies: Sequence[Accuracy]
    differences: Sequence[Difference]
    notes: Sequence[str]
    work: Sequence[Work]
    results: Sequence[BenchmarkResult]
    examples: pa.Table | None  # TrainingExample rows, where the method trains on any
    stops: Sequence[Stop] = ()  # adaptive sampling's decisions


def of_run(config: Config, run: Any) -> RunResults:
    """The results of a finished run, from its artifacts by name; some flows make no rollouts."""
    dropped = [*_records(run, "dropped", Dropped), *_records(run, "unsampled", Dropped)]
    return RunResults(
        config=config,
        provenance={**run.provenance, "sampler": getattr(run, "sampler", "none")},
        groups=_records(run, "groups", Group),
        verdicts=_records(run, "verdicts", Verdict),
        dropped=dropped,
        warmup_curve=_rows(run.warmup_curve),
        curve=_rows(run.curve),
        accuracies=from_table(run.accuracies, Accuracy),
        differences=from_table(run.differences, Difference),
        notes=run.notes,
        results=from_table(run.results, BenchmarkResult),
        examples=getattr(run, "examples", None),
        stops=_records(run, "stops", Stop),
        work=[row for stage in STAGES for row in _records(run, f"{stage}_work", Work)],
    )


def sections(results: RunResults) -> list[Section]:
    """The report: what came of the run, then what explains it."""
    found = [
        Section("What came of it", upshot.text(results)),
        Section("Accuracy", _accuracy_text(results), plots.accuracy(results.accuracies)),
    ]
    if any(group.sampled for group in results.groups):
        solvability = plots.solvability(results.groups)
        text = "\n\n".join([_solvability_text(results), *_adaptive_text(results.stops)])
        found += [
            Section("Solvability", text, solvability),
            Section("Weights", _weights_text(results), plots.weights(results.groups)),
        ]
    method = results.config.training.method
    found.append(Section("Training", *training_part.of(method, results.curve)))
    if results.warmup_curve:
        text = "The short expert stage before the round."
        found.append(Section("Warm-up", text, plots.curve(results.warmup_curve, "Warm-up")))
    return [
        *found,
        *(Section(*part) for part in run_pictures.parts(results.results, results.examples)),
        Section("Verdicts and dropped rows", _counts_text(results)),
        Section("Reused and made", work_text(results.work)),
        Section("Configuration and provenance", _provenance_text(results)),
    ]


def write(parts: Sequence[Section], folder: Path) -> Path:
    """Write report.md and its pictures into a folder; returns the path of report.md."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# RASFT run report", ""]
    for part in parts:
        lines += [f"## {part.title}", "", part.text, ""]
        if part.picture:
            name = part.title.lower().replace(" ", "-") + ".png"
            (folder / name).write_bytes(part.picture)
            lines += [f"![{part.title}]({name})", ""]
    path = folder / "report.md"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _records(run: Any, name: str, record: type[Row]) -> list[Row]:
    table = getattr(run, name, None)
    return from_table(table, record) if table is not None else []


def _rows(table: pa.Table | None) -> list[dict[str, float]]:
    return table.to_pylist() if table is not None else []


def _accuracy_text(results: RunResults) -> str:
    confidence = results.config.evaluation.confidence
    told = accuracy_part.text(results.accuracies, results.differences, results.results, confidence)
    return "\n\n".join([told, *(f"Note: {note}" for note in results.notes)])


def _solvability_text(results: RunResults) -> str:
    rolled = [group for group in results.groups if group.solvability is not None]
    classes = Counter(plots.solvability_class(group) for group in rolled)
    counts = ", ".join(f"{classes[name]} {name}" for name in CLASSES)
    unverified = sum(group.bucket == UNVERIFIED for group in results.groups)
    return (
        f"{len(rolled)} of {len(results.groups)} problems were rolled out, "
        f"{sum(group.sampled for group in rolled)} samples, "
        f"{sum(group.unique for group in rolled)} unique. Solved: {counts}."
        + (f" Unverified, so never rolled out: {unverified}." if unverified else "")
    )


def _adaptive_text(stops: Sequence[Stop]) -> list[str]:
    """What the second stage saved, and what it cost: nothing to say where there was none."""
    if not stops:
        return []
    saved = sum(stop.saved for stop in stops)
    changes = [0.0 if stop.extended else stop.expected_change for stop in stops]
    return [
        f"Adaptive sampling: {sum(stop.extended for stop in stops)} of {len(stops)} problems were "
        f"sampled further, {saved} samples were saved. Expected distance of a group's weights from "
        f"those of all samples: {_mean(changes):.3f} in the mean, {max(changes):.3f} at most."
    ]


def _weights_text(results: RunResults) -> str:
    buckets = dict.fromkeys(group.bucket for group in results.groups)
    rows = []
    for bucket in buckets:
        members = [group for group in results.groups if group.bucket == bucket]
        own = [weight for group in members for weight in group.rollout_weights]
        rows.append(
            (
                bucket,
                len(members),
                f"{_mean(group.expert_weight for group in members):.3f}",
                len(own),
                f"{_mean(own):.4f}",
            )
        )
    return f"Weighting variant: `{results.config.weighting.variant}`.\n\n" + markdown_table(
        ["bucket", "problems", "mean expert weight", "own solutions", "mean own weight"], rows
    )


def _counts_text(results: RunResults) -> str:
    verdicts = Counter(str(verdict.status) for verdict in results.verdicts)
    rows = Counter(row.reason for row in results.dropped)
    rollouts = Counter(reason for group in results.groups for reason in group.dropped)
    tables = [
        ("Verdicts on rollouts", "status", verdicts),
        ("Problems and expert responses dropped before training", "reason", rows),
        ("Rollouts left out of their group", "reason", rollouts),
    ]
    return "\n\n".join(
        f"{title}: {sum(counts.values())}.\n\n"
        + (markdown_table([column, "count"], counts.most_common()) if counts else "")
        for title, column, counts in tables
    )


def work_text(work: Sequence[Work]) -> str:
    """What each step reused and made, step by step."""
    rows = []
    for stage, kind in dict.fromkeys((row.stage, row.kind) for row in work):
        same = [row for row in work if (row.stage, row.kind) == (stage, kind)]
        counts = (sum(row.reused for row in same), sum(row.made for row in same))
        rows.append((stage, kind, *counts))
    ignored = max((row.ignored for row in work), default=0)
    return (
        "What each step took from the ledger, and what it had to make.\n\n"
        + markdown_table(["step", "kind", "reused", "made"], rows)
        + f"\n\nFiles of the ledger that could not be trusted and were not read: {ignored}."
    )


def _provenance_text(results: RunResults) -> str:
    config = json.dumps(results.config.model_dump(mode="json"), indent=2, ensure_ascii=False)
    return f"{facts_table(results.provenance)}\n\n```json\n{config}\n```"


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
