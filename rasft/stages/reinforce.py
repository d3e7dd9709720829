"""Problems and a policy in, a model trained on the rewards of its own responses out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from rasft.config.settings import Config
from rasft.decoding.engine_choice import choose
from rasft.ledger import open_ledger, trainings
from rasft.ledger.rows import verdict_facts
from rasft.ledger.store import Facts
from rasft.models.renderer import Renderer, open_renderer
from rasft.records import Problem
from rasft.stages import verify
from rasft.stages.train import Trained, served, trained
from rasft.tables import from_table
from rasft.training.launch import launcher
from rasft.training.launch.command_line import world_size
from rasft.training.launch.launcher import STANDALONE, LaunchContext
from rasft.training.reinforcement import jobs


def reinforce(
    config: Config,
    rows: pa.Table,
    policy: Path,
    folder: Path,
    context: LaunchContext = STANDALONE,
) -> Trained:
    """Train the policy on the rewards of its own responses to these problems, or take the same
    training from the ledger."""
    job = jobs.ReinforcementJob(str(policy), config)
    job.shape(rows.num_rows, world_size(config.training))
    jobs.write_job(folder, job, rows)
    ledger = open_ledger(config.ledger)

    def launch() -> Mapping[str, Any]:
        module = "rasft.training.reinforcement.program"
        return launcher.launch(folder, config.training, module=module, context=context)

    def facts() -> Facts:
        return _facts(config, from_table(rows, Problem), policy, folder)

    summary = trainings.train_once(ledger, facts, folder, launch)
    return trained(policy, folder, summary, ledger.work("train"))


def _facts(config: Config, problems: list[Problem], policy: Path, folder: Path) -> Facts:
    """What decides the result of the job laid out in `folder`."""
    renderer = open_renderer(policy, config.prompts, config.chat)
    dtype = config.model.dtype
    return {
        **trainings.program_facts(policy, config.training, dtype, config.seed, served(renderer)),
        "reinforcement": config.reinforcement.model_dump(mode="json"),
        "trl": trainings.version("trl"),
        "engine": choose(config.rollout.engine)[0].version(),
        "problems": trainings.file_digest(folder / jobs.PROBLEMS),
        "prompts": _prompts_digest(renderer, problems),
        "verifiers": _verifiers(config, {row.verifier for row in problems}),
    }


def _prompts_digest(renderer: Renderer, problems: Iterable[Problem]) -> str:
    asked = [list(renderer.prompt_ids(row)) for row in problems]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def _verifiers(config: Config, names: Iterable[str]) -> list[Facts]:
    settings = config.verification
    return [
        verdict_facts(
            name, verify.version(name, settings), verify.deciding_settings(name, settings)
        )
        for name in sorted(names)
    ]
