"""Problems and a policy in, a model trained on the rewards of its own responses out."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from rasft.config.settings import Config
from rasft.stages.train import Trained, trained
from rasft.training.launch import launcher
from rasft.training.launch.command_line import world_size
from rasft.training.launch.launcher import STANDALONE, LaunchContext


def reinforce(
    config: Config,
    rows: pa.Table,
    policy: Path,
    folder: Path,
    context: LaunchContext = STANDALONE,
) -> Trained:
    """Train the policy on the rewards of its own responses to these problems."""
    from rasft.training.reinforcement import jobs

    job = jobs.ReinforcementJob(str(policy), config)
    job.shape(rows.num_rows, world_size(config.training))
    jobs.write_job(folder, job, rows)
    summary = launcher.launch(
        folder, config.training, module="rasft.training.reinforcement.program", context=context
    )
    return trained(policy, folder, summary, work=())
