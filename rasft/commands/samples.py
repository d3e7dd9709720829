"""`rasft export --samples` and `--inspect`: a run's samples as a dataset, and as a log."""

from __future__ import annotations

import json
import re
from pathlib import Path

from rasft import tables
from rasft.commands.export import fresh_folder
from rasft.records import Group, Problem, Rollout, Verdict
from rasft.report import dataset_card, inspect_log
from rasft.results import runs
from rasft.results.runs import SampledRun
from rasft.results.samples import ExportedProblem, ExportedSample, problem_rows, samples
from rasft.tables import from_table, to_table


def export(run_id: str, to: Path, dataset: bool, log: bool) -> Path:
    """The samples of a run in a folder of their own: as a dataset, as inspect_ai's log, or both.

    Raises UserError where the run has none, or the folder holds something.
    """
    run = runs.fetch_samples(run_id)
    problems = from_table(run.problems, Problem)
    groups = from_table(run.groups, Group)
    rows = list(
        samples(
            problems, from_table(run.rollouts, Rollout), from_table(run.verdicts, Verdict), groups
        )
    )
    about = list(problem_rows(problems, groups))
    with fresh_folder(to) as folder:
        if dataset:
            _write_dataset(folder, run, rows, about)
        if log:
            values = inspect_log.log(run.id, run.created, run.config, about, rows)
            text = json.dumps(values, ensure_ascii=False)
            (folder / _log_name(run)).write_text(text, encoding="utf-8")
    return to


def _write_dataset(
    folder: Path, run: SampledRun, rows: list[ExportedSample], about: list[ExportedProblem]
) -> None:
    parts = {
        "samples": to_table(rows, ExportedSample),
        "problems": to_table(about, ExportedProblem),
    }
    for name, table in parts.items():
        tables.write(table, folder / f"{name}.parquet")
    facts = dataset_card.SampleFacts(run.id, run.config, run.provenance, run.sampler, parts)
    dataset_card.card(facts).save(folder / dataset_card.CARD)


def _log_name(run: SampledRun) -> str:
    """As inspect_ai names its logs: time, task, id."""
    words = (run.created, run.config.name, run.id)
    return "_".join(re.sub(r"[^\w.+-]", "-", word).replace("_", "-") for word in words) + ".json"
