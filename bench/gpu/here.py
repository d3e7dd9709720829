"""The library's stages without processes of their own, each of which starts for ten seconds.

`launcher` starts trainings, and `hosted_engine` an engine that outlives a hang: both are replaced
by what runs inside them. Nothing else of the stages changes.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from unittest import mock

import torch
from accelerate.state import AcceleratorState

from rasft.config import TrainingConfig
from rasft.decoding import one_engine
from rasft.engines import Completion, EngineOptions, Request, Sampling
from rasft.training import launcher, program
from rasft.training.jobs import SUMMARY


@contextmanager
def stages_here() -> Iterator[None]:
    """Trainings and engines run in this process."""
    with (
        mock.patch.object(launcher, "launch_kept", _train),
        mock.patch.object(one_engine, "HostedEngine", EngineHere),
    ):
        yield


def _train(job_dir: Path, training: TrainingConfig, host: Any) -> dict[str, Any]:
    """The training program on the job's folder; its summary."""
    AcceleratorState._reset_state(reset_partial_state=True)
    program.train(job_dir, processes=1)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    summary: dict[str, Any] = json.loads((job_dir / SUMMARY).read_text(encoding="utf-8"))
    return summary


class EngineHere:
    """What `HostedEngine` is to `OneEngine`, without a process."""

    def __init__(self, plugin: Any, model: str, options: EngineOptions, watch: object):
        self.model = model
        self.notes: list[str] = []
        self._engine = plugin.open_engine(model, options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._engine.__exit__(*error)

    def generate(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, Completion]]:
        """As the engine does."""
        found: Iterator[tuple[int, Completion]] = self._engine.generate(requests, sampling)
        return found

    def reload(self, model: str) -> None:
        """Other weights into the same engine."""
        self._engine.reload(model)
        self.model = model
