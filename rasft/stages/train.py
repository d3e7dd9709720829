"""Weighted examples and a policy in, the trained model's folder out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from rasft import tables
from rasft.config.settings import Config, TrainingConfig
from rasft.errors import UserError
from rasft.ledger import open_ledger, trainings
from rasft.ledger.store import Facts
from rasft.models import folders, sources
from rasft.models.renderer import Renderer, open_renderer
from rasft.records import Checkpoint, Work
from rasft.tables import to_table
from rasft.training.launch import launcher
from rasft.training.launch.launcher import STANDALONE, LaunchContext
from rasft.training.storage import jobs
from rasft.training.storage.jobs import ONLY_ROUND, RoundPosition, Served, TrainingJob


@dataclass(frozen=True)
class Trained:
    """A finished training: the model's folder and one TrainingStep row a step.

    `consumed` has TrainedSequence rows, one for each sequence of each step; none where the method
    trains on no stored sequences.
    """

    folder: Path
    checkpoint: Checkpoint
    curve: pa.Table
    consumed: pa.Table | None
    summary: Mapping[str, Any]
    state: Path | None  # of the optimizer, where another round follows
    work: Sequence[Work]


def train(
    config: Config,
    rows: pa.Table,
    policy: Path,
    folder: Path,
    context: LaunchContext = STANDALONE,
    position: RoundPosition = ONLY_ROUND,
) -> Trained:
    """Train the policy on weighted examples in a process group of its own, or of several nodes."""
    return fit(config, config.training, rows, policy, folder, "train", context, position)


def assist(
    config: Config,
    rows: pa.Table,
    policy: Path,
    folder: Path,
    context: LaunchContext,
    position: RoundPosition = ONLY_ROUND,
) -> None:
    """Take part in the same training as a node that is not the first, which keeps the result."""
    jobs.write_job(folder, _job(config, config.training, policy, context, position), rows)
    launcher.launch_kept(folder, config.training, context)


def fit(
    config: Config,
    settings: TrainingConfig,
    rows: pa.Table,
    model: Path,
    folder: Path,
    stage: str,
    context: LaunchContext,
    position: RoundPosition = ONLY_ROUND,
) -> Trained:
    """Train, or take the same training from the ledger.

    Several nodes do not ask the ledger: they might not find the same in it.
    """
    job = _job(config, settings, model, context, position)
    jobs.write_job(folder, job, rows)
    ledger = open_ledger(config.ledger)

    def launch() -> Mapping[str, Any]:
        return launcher.launch_kept(folder, settings, context)

    def facts() -> Facts:
        return trainings.training_facts(job, folder)

    alone = settings.nodes == 1
    summary = trainings.train_once(ledger, facts, folder, launch) if alone else launch()
    return trained(model, folder, summary, ledger.work(stage))


def _job(
    config: Config,
    settings: TrainingConfig,
    model: Path,
    context: LaunchContext,
    position: RoundPosition,
) -> TrainingJob:
    if settings.nodes != context.node.count:
        raise UserError(f"training.nodes is {settings.nodes}, and here are {context.node.count}")
    renderer, dtype = open_renderer(model, config.prompts, config.chat), config.model.dtype
    return TrainingJob(str(model), settings, dtype, config.seed, position, served(renderer))


def served(renderer: Renderer) -> Served:
    """What is saved beside the weights, so that the model is served as it was trained."""
    return Served(renderer.stop_token_ids, renderer.template.added)


def trained(model: Path, folder: Path, summary: Mapping[str, Any], work: Sequence[Work]) -> Trained:
    """What a launched training left in its folder."""
    checkpoint = Checkpoint(
        base_fingerprint=folders.fingerprint(model),
        fingerprint=folders.fingerprint(folder / jobs.MODEL),
        steps=summary["steps"],
    )
    curve, consumed = tables.read(folder / jobs.CURVE), folder / jobs.CONSUMED
    return Trained(
        folder=folder / jobs.MODEL,
        checkpoint=checkpoint,
        curve=curve,
        consumed=tables.read(consumed) if consumed.is_file() else None,
        summary=summary,
        state=folder / jobs.STATE if (folder / jobs.STATE).is_dir() else None,
        work=work,
    )


def work_of(trained: Trained | None) -> pa.Table:
    """Whether a training was found or made: Work rows."""
    return to_table(trained.work if trained else (), Work)


def write_card(
    config: Config,
    trained: Trained,
    provenance: Mapping[str, Any],
    checks: Sequence[Mapping[str, Any]] | None,
) -> None:
    """The model card into the trained model's folder, as far as the run knows it by now."""
    from rasft.report import model_card

    origin, licence = sources.origin_of(config.model, sources.resolve(config.model))
    facts = model_card.CardFacts(config, origin, licence, provenance, trained.summary, checks)
    model_card.write(trained.folder, facts)
