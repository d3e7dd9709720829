"""What samples of a model depend on beside the prompts, chosen from the config before any loads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rasft.config.settings import Config, EngineWatchConfig
from rasft.decoding import determinism, engine_choice, layout
from rasft.decoding.engine import EngineOptions, Sampling
from rasft.errors import UserError
from rasft.ledger.rows import SampleSource
from rasft.models import adapters, folders
from rasft.models.renderer import Renderer

ADAPTS = "vllm"  # the engine that samples adapters over a base


@dataclass(frozen=True)
class Setup:
    """An engine plugin, a model, and how both are used."""

    plugin: Any  # the engine's module
    policy: Path  # the model folder
    options: EngineOptions
    sampling: Sampling
    run_seed: int
    watch: EngineWatchConfig

    def source(self) -> SampleSource:
        """Under which the ledger keeps the samples."""
        return SampleSource(
            checkpoint=folders.fingerprint(self.policy),
            engine=determinism.version(self.plugin, self.options, str(self.policy)),
            dtype=self.options.dtype,
            temperature=self.sampling.temperature,
            top_p=self.sampling.top_p,
            repetition_penalty=self.sampling.repetition_penalty,
            stop_token_ids=self.options.stop_token_ids,
        )


def choose(
    config: Config, step: str, renderer: Renderer, policy: Path, context: int, sampling: Sampling
) -> tuple[Setup, str]:
    """The setup of a step of the flow, and a sentence that names the engine and says why.

    `context` bounds prompt and response together, tokens. Raises UserError for what the engine or
    the step's devices cannot do.
    """
    settings = config.rollout
    plugin, sampler = engine_choice.choose(settings.engine)
    options = EngineOptions(
        dtype=config.model.dtype,
        max_model_len=context,
        max_sequences=settings.max_sequences,
        stop_token_ids=renderer.stop_token_ids,
        batch_invariant=settings.batch_invariant,
        quantization=settings.quantization,
    )
    has_gpu = engine_choice.gpu_missing() is None
    if options.batch_invariant:
        determinism.check_invariance(plugin.NAME, has_gpu)
    if options.quantization:
        determinism.check_quantization(options, plugin.NAME, has_gpu)
    here = layout.devices(config.resources.of(step).gpu)
    options = layout.lay_out(options, settings, plugin.NAME, policy, here)
    return Setup(plugin, policy, options, sampling, config.seed, settings.watch), sampler


def with_base(setup: Setup, models: Collection[Path]) -> Setup:
    """The setup of one of these models, over the one whose weights others share but for adapters.

    Raises UserError for an engine that cannot sample so.
    """
    if setup.plugin.NAME != ADAPTS:
        raise UserError(
            f"rollout.adapters = apart needs the engine {ADAPTS}, and {setup.plugin.NAME} samples "
            "here; take it out to sample from the merged weights"
        )
    bases = {model: base for model in models if (base := adapters.base_of(model, models))}
    base = bases.get(setup.policy, setup.policy)
    ranks = [adapters.rank(model) for model, below in bases.items() if below == base]
    if not ranks:
        return setup
    options = replace(setup.options, base=str(base), adapter_rank=max(ranks))
    return replace(setup, options=options)
