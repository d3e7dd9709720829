"""Checks before a training: examples and a model in, a row a check out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from rasft.config.settings import Config
from rasft.models.renderer import open_renderer
from rasft.stages.train import served
from rasft.training.storage import jobs
from rasft.training.storage.jobs import TrainingJob


def checked(
    config: Config, rows: pa.Table, policy: Path, folder: Path
) -> list[dict[str, Any]] | None:
    """What `preflight` found; None where the config does not ask for it."""
    return preflight(config, rows, policy, folder) if config.training.preflight else None


def preflight(config: Config, rows: pa.Table, policy: Path, folder: Path) -> list[dict[str, Any]]:
    """Check rows, gradients, engine and model before a training: a row of plain values a check.

    Raises UserError that names what failed.
    """
    from rasft.decoding import engine_choice
    from rasft.training.preflight import job_checks
    from rasft.training.preflight.rendering import rendering

    renderer = open_renderer(policy, config.prompts, config.chat)
    dtype = config.model.dtype
    job = TrainingJob(str(policy), config.training, dtype, config.seed, served=served(renderer))
    jobs.write_job(folder, job, rows)
    engine, _ = engine_choice.choose(config.rollout.engine)
    checks = [*rendering(renderer), *job_checks.preflight(folder, config.data.max_tokens, engine)]
    for check in checks:
        print(check.line(), flush=True)
    job_checks.raise_if_failed(checks)
    return [vars(check) for check in checks]
