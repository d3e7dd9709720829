"""Processes that a config states, against the GPUs that it asks for.

A step of no GPUs is not looked at: on a CPU several processes share the cores.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.config.settings import Config
from rasft.errors import UserError

ELSEWHERE = "openai"  # an engine whose GPUs are another machine's


def check(config: Config, where: str) -> Config:
    """The same config. Raises UserError for more processes than the GPUs of their step."""
    for setting, count, step in _stated(config):
        gpus = config.resources.of(step).gpu
        if gpus and count > gpus:
            raise UserError(
                f"{where}: {setting} = {count}, and resources.steps.{step}.gpu is {gpus}: each "
                "needs a GPU of its own, so lower the one or raise the other"
            )
    return config


def _stated(config: Config) -> Iterator[tuple[str, int, str]]:
    """(setting, GPUs that it takes, step)."""
    if config.training.processes:
        yield "training.processes", config.training.processes, "train"
        if config.warmup:
            yield "training.processes", config.training.processes, "warmup"
    if config.data.score_processes:
        yield "data.score_processes", config.data.score_processes, "score"
    split, engines = config.rollout.tensor_parallel or 1, config.rollout.data_parallel or 1
    if split * engines > 1 and config.rollout.engine != ELSEWHERE:
        for step in ("rollout", "evaluate"):
            yield "rollout.tensor_parallel x data_parallel", split * engines, step
