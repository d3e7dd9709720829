"""Whether each step of a config fits a GPU, and which setting would make it fit.

The sums are those of `rasft.models.memory`. Each may be off by a quarter either way, so there are
three answers: it fits, it may fit, it does not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from rasft.config.devices import ELSEWHERE
from rasft.config.settings import (
    REINFORCEMENT,
    Config,
    LoraSettings,
    TrainingConfig,
)
from rasft.models import memory
from rasft.models.memory import ERROR, OVERHEAD, Batch, Terms
from rasft.models.shape import ModelShape

STEPS = ("warmup", "score", "rollout", "train", "evaluate")
CHECKPOINTED: dict[str, object] = {"gradient_checkpointing": True}
VLLM_SHARE = 0.9  # of a GPU, for weights and cache
YES, PERHAPS, NO = "fits", "may fit", "does not fit"
SOME_GPUS = (2, 4, 8, 16, 32, 64)
SOME_SEQUENCES = 128  # side by side, where the config leaves it to the memory
PROMPT = 512  # tokens of a benchmark's prompt


@dataclass(frozen=True)
class StepMemory:
    """The peak of one step on each of its GPUs, and what would lower it."""

    step: str
    gpus: int  # that one copy of the model is spread over
    terms: Terms  # bytes by name
    note: str = ""
    changes: Mapping[str, Callable[[], Terms]] = field(default_factory=dict)  # setting -> the terms

    @property
    def total(self) -> float:
        """Bytes, without what the driver takes."""
        return sum(self.terms.values())

    def verdict(self, card: float) -> str:
        """Whether it fits a GPU of so many bytes."""
        return verdict(self.total, card)

    def ways_out(self, card: float) -> Iterator[tuple[str, float, str]]:
        """(setting, bytes, verdict) of each change that helps, if it does not surely fit."""
        if self.verdict(card) == YES:
            return
        for setting, terms in self.changes.items():
            total = sum(terms().values())
            if total < self.total:
                yield setting, total, verdict(total, card)


def verdict(total: float, card: float) -> str:
    """What is to be said of a sum."""
    room = card - OVERHEAD
    if total * (1 + ERROR) <= room:
        return YES
    return PERHAPS if total <= room else NO


def steps(
    config: Config, shape: ModelShape, gpus: Mapping[str, int], card: float, kl: bool
) -> list[StepMemory]:
    """Each step that a GPU works in; `gpus` of a task by step, `card` the bytes of one.

    `kl`: whether the training's loss keeps the reference in memory.
    """
    longest = config.data.max_tokens
    sampled = [("evaluate", min(PROMPT, longest) + config.evaluation.max_new_tokens)]
    if not config.models:
        sampled.insert(0, ("rollout", longest))
    sampling = {
        step: _sampling(step, config, shape, context, gpus[step], card)
        for step, context in sampled
        if config.rollout.engine != ELSEWHERE
    }
    trained = {} if config.models else _trained(config, shape, gpus, card, kl)
    return [found[step] for step in STEPS if step in (found := trained | sampling)]


def _trained(
    config: Config, shape: ModelShape, gpus: Mapping[str, int], card: float, kl: bool
) -> dict[str, StepMemory]:
    """What a training takes beside its sampling."""
    settings = config.training
    found = {"score": _scoring(config, shape, gpus["score"], card)}
    if config.warmup:
        found["warmup"] = _training("warmup", config, shape, gpus["warmup"], card, False)
    if settings.method not in REINFORCEMENT:
        processes = (settings.processes or gpus["train"]) * settings.nodes
        found["train"] = _training("train", config, shape, processes, card, kl)
    return found


def _training(
    step: str, config: Config, shape: ModelShape, gpus: int, card: float, kl: bool
) -> StepMemory:
    settings, dtype, longest = config.training, config.model.dtype, config.data.max_tokens
    need = partial(memory.training, shape, dtype=dtype, longest=longest, kl=kl)
    changes: dict[str, Callable[[], Terms]] = {
        _told(change): partial(need, config=settings.model_copy(update=change), gpus=gpus)
        for change in _lighter(settings, longest)
    }
    sharding = CHECKPOINTED | {"launcher": "fsdp2"}
    sharded = settings.model_copy(update=sharding)
    whole = settings.launcher == "ddp"
    over = partial(need, config=sharded)
    more = [count for count in SOME_GPUS if whole or count > gpus]
    for count in _first_to_fit(over, more, card):
        changes[f"{_told(sharding)} on {count} GPUs"] = partial(over, gpus=count)
    return StepMemory(step, 1 if whole else gpus, need(config=settings, gpus=gpus), "", changes)


def _lighter(settings: TrainingConfig, longest: int) -> Iterator[dict[str, object]]:
    """Values of `training` that take less, the lightest change first."""
    if settings.micro_batch_tokens > longest:
        yield {"micro_batch_tokens": longest}
    if not settings.gradient_checkpointing:
        yield CHECKPOINTED
    if settings.lora is None:
        yield CHECKPOINTED | {"lora": LoraSettings()}
        yield CHECKPOINTED | {"lora": LoraSettings(quantize="nf4")}


def _told(changes: Mapping[str, object]) -> str:
    """As a config has it.

    >>> _told({"gradient_checkpointing": True, "lora": LoraSettings(rank=8)})
    'training: {gradient_checkpointing: true, lora: {rank: 8}}'
    """
    plain = {
        name: value.model_dump(exclude_defaults=True) or {"rank": value.rank}
        if isinstance(value, LoraSettings)
        else value
        for name, value in changes.items()
    }
    text = json.dumps(plain).replace('"', "")
    return f"training: {text}"


def _scoring(config: Config, shape: ModelShape, gpus: int, card: float) -> StepMemory:
    longest = config.data.max_tokens
    need = partial(memory.scoring, shape, config.model.dtype)
    batch = Batch(config.training.micro_batch_tokens, longest)
    group = next((n for n in range(1, gpus + 1) if memory.holds(need(batch, n), card)), gpus)
    changes: dict[str, Callable[[], Terms]] = {
        f"training.micro_batch_tokens: {longest}": partial(need, Batch(longest, longest), group)
    }
    over = partial(need, batch)
    for count in _first_to_fit(over, [count for count in SOME_GPUS if count > gpus], card):
        changes[f"resources.steps.score.gpu: {count}"] = partial(over, gpus=count)
    return StepMemory("score", group, need(batch, group), changes=changes)


def _sampling(
    step: str, config: Config, shape: ModelShape, context: int, gpus: int, card: float
) -> StepMemory:
    settings, dtype = config.rollout, config.model.dtype
    room, wanted = card * VLLM_SHARE, settings.max_sequences or SOME_SEQUENCES
    weights = settings.quantization or dtype
    fewest = memory.fewest_to_sample(shape, weights, gpus, room) or memory.splits(shape, gpus)[-1]
    group = settings.tensor_parallel or fewest
    floor = memory.sampling_floor(shape, weights, dtype, wanted, group)
    each = memory.cache_bytes(shape, context, dtype) / group
    fitting = min(wanted, int((room - sum(floor.values())) // max(1, each)))
    terms = {**floor, "cache": max(1, fitting) * each}
    note = f"{max(0, fitting):,} sequences of {context:,} tokens at a time"
    over = partial(memory.sampling, shape, weights, dtype, context, 1)
    more = [n for n in memory.splits(shape, SOME_GPUS[-1]) if n > group and n in SOME_GPUS]
    changes = {
        f"rollout.tensor_parallel: {count}, resources.steps.{step}.gpu: {count}": partial(
            over, gpus=count
        )
        for count in _first_to_fit(over, more, card)
    }
    if not settings.quantization:
        packed = partial(memory.sampling, shape, "fp8", dtype, context, 1, group)
        changes = {"rollout.quantization: fp8": packed, **changes}
    return StepMemory(step, group, terms, note, changes)


def _first_to_fit(over: Callable[..., Terms], counts: Sequence[int], card: float) -> Sequence[int]:
    """The fewest GPUs that surely fit, else the most, as a list of one; empty without counts."""
    fitting = [n for n in counts if verdict(sum(over(gpus=n).values()), card) == YES]
    return [*fitting, *counts[-1:]][:1]
