"""`rasft export --samples` and `--inspect`: a run's samples as a dataset, and as logs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rasft import tables
from rasft.commands.export import fresh_folder
from rasft.errors import UserError
from rasft.records import BenchmarkResponse, Group, Problem, Rollout, Verdict
from rasft.report import dataset_card, inspect_log
from rasft.results import runs
from rasft.results.runs import Artifacts
from rasft.results.samples import ExportedProblem, ExportedSample, problem_rows, samples
from rasft.tables import from_table, to_table


def export(run_id: str, to: Path, dataset: bool, log: bool) -> Path:
    """The samples of a run in a folder of their own: as a dataset, as inspect_ai's logs, or both.

    A run that sampled nothing to train on still has logs of its evaluation. Raises UserError where
    there is nothing, or the folder holds something.
    """
    run = runs.artifacts(run_id)
    if not (hasattr(run, "rollouts") or (log and not dataset and hasattr(run, "responses"))):
        raise UserError(f"run {run.run} sampled nothing to train on: only RASFT's flows do")
    rows, about = _rows(run) if hasattr(run, "rollouts") else ([], [])
    with fresh_folder(to) as folder:
        if dataset:
            _write_dataset(folder, run, rows, about)
        if log:
            for values in _logs(run, rows, about):
                text = json.dumps(values, ensure_ascii=False)
                (folder / _log_name(values)).write_text(text, encoding="utf-8")
    return to


def _logs(
    run: Artifacts, rows: list[ExportedSample], about: list[ExportedProblem]
) -> Iterator[dict[str, Any]]:
    """Of the rollouts, if there are any, and of each benchmark under each checkpoint."""
    facts = run.run, _created(run), run.config
    if rows:
        yield inspect_log.rollouts_log(*facts, about, rows)
    found: dict[tuple[str, str], list[BenchmarkResponse]] = {}
    for row in from_table(
        getattr(run, "responses", to_table([], BenchmarkResponse)), BenchmarkResponse
    ):
        found.setdefault((row.benchmark, row.checkpoint), []).append(row)
    for (benchmark, _), responses in found.items():
        problems = from_table(run.benchmark_problems[benchmark], Problem)
        yield inspect_log.benchmark_log(*facts, problems, responses)


def _rows(run: Artifacts) -> tuple[list[ExportedSample], list[ExportedProblem]]:
    problems, groups = from_table(run.problems, Problem), from_table(run.groups, Group)
    drawn, judged = from_table(run.rollouts, Rollout), from_table(run.verdicts, Verdict)
    return list(samples(problems, drawn, judged, groups)), list(problem_rows(problems, groups))


def _write_dataset(
    folder: Path, run: Artifacts, rows: list[ExportedSample], about: list[ExportedProblem]
) -> None:
    parts = {
        dataset_card.SAMPLES: to_table(rows, ExportedSample),
        "problems": to_table(about, ExportedProblem),
    }
    if hasattr(run, "responses"):  # older runs keep the verdicts alone
        parts["evaluation"] = run.responses
    for name, table in parts.items():
        tables.write(table, folder / f"{name}.parquet")
    sampler = getattr(run, "sampler", "unknown")
    facts = dataset_card.SampleFacts(run.run, run.config, run.provenance, sampler, parts)
    dataset_card.card(facts).save(folder / dataset_card.CARD)


def _created(run: Artifacts) -> str:
    return str(run.task.created_at.astimezone().isoformat())


def _log_name(values: Mapping[str, Any]) -> str:
    """As inspect_ai names its logs: time, task, id."""
    words = (values["eval"][name] for name in ("created", "task", "run_id"))
    return "_".join(re.sub(r"[^\w.+-]", "-", word).replace("_", "-") for word in words) + ".json"
