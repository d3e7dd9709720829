"""The library's stages without processes that start anew for each, for seconds every time.

`launcher` starts trainings, and `hosted_engine` an engine that outlives a hang: both are replaced
by what runs inside them. Verifiers, whose workers import for seconds, stay open from stage to
stage. Nothing else of the stages changes.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self
from unittest import mock

import torch
from accelerate.state import AcceleratorState

from rasft.config.settings import TrainingConfig
from rasft.config.verification import VerificationConfig
from rasft.decoding import one_engine
from rasft.decoding.engine import Completion, EngineOptions, Request, Sampling
from rasft.stages import kept, verify
from rasft.training.launch import launcher, program
from rasft.training.storage.jobs import SUMMARY

Build = Callable[[str, VerificationConfig], Any]


@contextmanager
def stages_here() -> Iterator[None]:
    """Trainings and engines run in this process, and verifiers stay open until the end."""
    opened = ExitStack()
    build = _keeping(kept.build, opened)
    with (
        opened,
        mock.patch.object(launcher, "launch_kept", _train),
        mock.patch.object(one_engine, "HostedEngine", EngineHere),
        mock.patch.object(kept, "build", build),
        mock.patch.object(verify, "build", build),
    ):
        yield


def _keeping(build: Build, opened: ExitStack) -> Build:
    """As `build`, but equal settings give the same verifier, opened on first need."""
    known: dict[str, KeptVerifier] = {}

    def build_once(name: str, settings: VerificationConfig) -> KeptVerifier:
        key = f"{name} {settings.model_dump_json()}"
        if key not in known:
            known[key] = KeptVerifier(build(name, settings), opened)
        return known[key]

    return build_once


class KeptVerifier:
    """A verifier that is not closed where its user leaves it."""

    def __init__(self, verifier: Any, opened: ExitStack):
        self._verifier, self._opened = verifier, opened
        self._is_open = False

    def __enter__(self) -> Any:
        if not self._is_open:
            self._opened.enter_context(self._verifier)
            self._is_open = True
        return self._verifier

    def __exit__(self, *error: object) -> None:
        """It stays open."""

    @property
    def version(self) -> str:
        """What a verdict depends on."""
        return str(self._verifier.version)


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

    def __init__(self, plugin: Any, model: str, options: EngineOptions, *_: object):
        self.model = model
        self.notes: list[str] = []
        self.choices: list[str] = []
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
