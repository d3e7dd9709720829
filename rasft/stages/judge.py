"""Models judged without training: where each comes from, and its share of the benchmarks.

A model is a folder, a hub id or an embedded one; the trained model of a run; a champion; or one
that a server answers for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from rasft.config import files as config_files
from rasft.config.settings import Config, ModelConfig
from rasft.decoding import engine_choice
from rasft.decoding.chat_server import ChatServer, address, is_address
from rasft.errors import UserError
from rasft.ledger import open_ledger
from rasft.machine import provenance
from rasft.models import sources
from rasft.records import MethodResult, Problem, Work
from rasft.results import runs
from rasft.results.cells import JUDGED
from rasft.retraining import champion
from rasft.stages import evaluate, prepare, verify
from rasft.stages.evaluate import Model
from rasft.tables import from_table, to_table

CHAMPION = "champion:"
_RUN = re.compile(r"\w*Flow/(\d+|(argo|sfn)-[\w.-]+)")  # a hub id may end so too


@dataclass(frozen=True)
class Judged:
    """What an evaluation starts from."""

    benchmarks: Mapping[str, pa.Table]  # Problem rows of each that can be evaluated here
    notes: tuple[str, ...]  # what a reader of the report must know
    provenance: Mapping[str, Any]


def prepare_judging(config: Config, rows: Mapping[str, Config]) -> Judged:
    """Load the benchmarks, and make sure of every model, prompt and verifier.

    Raises UserError: a mistake dies here, before any model is loaded.
    """
    benchmarks, notes = prepare.benchmarks(config, whole=False)
    verifiers = {problem.verifier for _, problems in benchmarks for problem in problems}
    for name, row in rows.items():
        if lacking := sorted(verifiers - row.prompts.keys()):
            raise UserError(f"models.{name} has no prompts.{lacking[0]}, and a benchmark asks it")
        check(row.model)
        engine_choice.load(row.rollout.engine)
    verify.check(verifiers, config.verification)
    return Judged(
        benchmarks=prepare.limited(benchmarks),
        notes=tuple(notes),
        provenance={
            "commit": provenance.commit(),
            "versions": provenance.versions(),
            "machine": provenance.machine(),
            "seed": config.seed,
        },
    )


def check(model: ModelConfig) -> None:
    """Make sure that a model is there. Raises UserError where it is not."""
    if is_address(model.path):
        with ChatServer(address(model.path, model.key)):
            return
    if _RUN.fullmatch(model.path):
        runs.require_trained(model.path)
    elif model.path.startswith(CHAMPION):
        _champion(model.path)
    else:
        sources.resolve(model)


def open_model(model: ModelConfig, scratch: Path) -> tuple[Model, str]:
    """The model's folder or address, and the fingerprint of what it was trained on, if known.

    A run's model is copied below `scratch`. Raises UserError where there is none.
    """
    folder = scratch / "model"
    if is_address(model.path):
        return address(model.path, model.key), ""
    if _RUN.fullmatch(model.path):
        trained = runs.fetch_trained(model.path, folder)
        return folder, str(trained.provenance.get("data_fingerprint", ""))
    if model.path.startswith(CHAMPION):
        reigning = _champion(model.path)
        runs.fetch_model(reigning.model, folder)
        return folder, reigning.data_fingerprint
    return sources.resolve(model), ""


def judge(
    config: Config, row: str, benchmark: str, problems: pa.Table, model: Model
) -> tuple[pa.Table, dict[str, Any], pa.Table]:
    """One benchmark under one model: MethodResult rows, its manifest, Work rows."""
    ledger = open_ledger(config.ledger)
    results, _, (manifest,) = evaluate.sample_and_judge(
        config, benchmark, from_table(problems, Problem), {JUDGED: model}, ledger
    )
    rows = [MethodResult(**vars(each), method=row, seed=config.seed) for each in results]
    return to_table(rows, MethodResult), {**manifest, "row": row}, evaluate.work_of(ledger)


def no_work() -> pa.Table:
    """Work rows of an evaluation in which every cell failed."""
    return to_table([], Work)


def _champion(path: str) -> champion.Champion:
    """The champion of the config that `champion:CONFIG` names."""
    config = config_files.load(path.removeprefix(CHAMPION))
    pointer = champion.path(config)
    reigning = champion.read(pointer).champion
    if reigning is None:
        raise UserError(f"{path}: no model was promoted yet; its pointer is {pointer}")
    return reigning
