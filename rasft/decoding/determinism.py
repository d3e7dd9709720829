"""Whether what is sampled side by side, and so the number of shards, changes a sample.

Each sample has a seed of its own, but how many rows are multiplied together moves the last bits of
the logits. In float32 that changes practically no token; in 16 bits it does, unless the engine's
kernels take no notice of the batch (vLLM's batch-invariant mode, on GPUs).
"""

from __future__ import annotations

from typing import Any

from rasft import plugins
from rasft.decoding.engine import EngineOptions
from rasft.errors import UserError

INVARIANT = "batch-invariant"


def check_invariance(engine: str, has_gpu: bool) -> None:
    """Raise UserError unless the engine can ignore what it samples side by side."""
    _require_vllm_on_gpu(
        "rollout.batch_invariant = true",
        engine,
        has_gpu,
        "set it to false, or use model.dtype float32, where batches change practically nothing",
    )


def check_quantization(options: EngineOptions, engine: str, has_gpu: bool) -> None:
    """Raise UserError unless the engine can sample from quantised weights here."""
    setting = f"rollout.quantization = {options.quantization}"
    _require_vllm_on_gpu(setting, engine, has_gpu, "take it out to sample from the model's own")
    if options.dtype == "float32":
        raise UserError(
            f"{setting} computes in 16 bits: set model.dtype to bfloat16, or take it out"
        )


def _require_vllm_on_gpu(setting: str, engine: str, has_gpu: bool, instead: str) -> None:
    if not (engine == "vllm" and has_gpu):
        where = "a GPU" if has_gpu else "a machine without a GPU"
        raise UserError(
            f"{setting} needs vllm on a GPU, and this is {engine} on {where}; {instead}"
        )


def version(plugin: Any, options: EngineOptions, model: str = "") -> str:
    """The engine's version as a sample of the model folder depends on it; of one of the user's own
    its source too.
    """
    own = plugins.digest(f"engines/{plugin.NAME}.py")
    quantized = f"{options.quantization} weights" if options.quantization else None
    apart = "adapters apart" if options.base and options.base != model else None
    invariant = INVARIANT if options.batch_invariant else None
    return ", ".join(filter(None, (plugin.version(), own, quantized, apart, invariant)))


def statement(options: EngineOptions) -> str:
    """One clause for the report: what the shard layout can do to a sample."""
    if options.batch_invariant:
        return "the shard layout changes no sample (batch-invariant kernels)"
    if options.dtype == "float32":
        return "the shard layout changes no sample, up to rounding in float32"
    return f"another shard layout may change samples: {options.dtype} is not bit-exact over batches"
