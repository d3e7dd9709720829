"""What an engine is to those who sample from it: requests in, completions out as they finish."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from rasft.errors import UserError

SIDE_BY_SIDE = 128  # sequences, where neither the config nor a memory says how many


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. temperature 0 means greedy."""

    temperature: float
    top_p: float
    max_new_tokens: int
    repetition_penalty: float = 1.0


@dataclass(frozen=True)
class Request:
    """One response to sample: prompt token ids and the seed of this very sample."""

    prompt_ids: tuple[int, ...]
    seed: int
    logps: bool = False  # also say each token's log-prob; vllm only


@dataclass(frozen=True)
class Completion:
    """Response token ids, with the stop token where the model wrote one; "stop" or "length"."""

    token_ids: tuple[int, ...]
    finish_reason: str
    logps: tuple[float, ...] = ()  # nats, of the softmax at temperature 1


@dataclass(frozen=True)
class EngineOptions:
    """What an engine needs beside the model folder."""

    dtype: str = "auto"
    max_model_len: int = 2048  # prompt and response, tokens
    max_sequences: int | None = None  # sampled side by side; None: what the memory holds
    stop_token_ids: tuple[int, ...] = ()
    gpu_memory_utilization: float = 0.9  # vllm only, share of the GPU's memory
    eager: bool = False  # vllm only: no CUDA graphs, which take memory
    batch_invariant: bool = False  # vllm on a GPU only: kernels that ignore the batch's size
    quantization: str | None = None  # vllm on a GPU only: of the weights, as it names it
    # vllm only: the folder that is loaded, whose models are it and what adapters on it make of it.
    base: str | None = None
    adapter_rank: int = 0  # of the adapters of `base`
    tensor_parallel: int = 1  # vllm only: devices that share one copy of the model
    data_parallel: int = 1  # engines side by side (`engine_group`); each of them is opened with 1


class Engine(Protocol):
    """A loaded model. A context manager: leaving it frees the model's memory."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def generate(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, Completion]]:
        """Yield (index of the request, its completion) as they finish, each index once."""
        ...

    def reload(self, model: str) -> None:
        """Swap in the weights of another folder of the same architecture.

        Raises UserError if they do not fit; the engine must then be opened anew.
        """
        ...


class PluginEngine(Engine, Protocol):
    """What a plugin opens."""

    steps: int  # made so far, read from another thread: what stands still while it works hangs
    max_sequences: int  # that it samples side by side


def room(request: Request, options: EngineOptions, sampling: Sampling) -> int:
    """How many new tokens a request may write. Raises UserError if its prompt leaves none."""
    tokens = len(request.prompt_ids)
    if not 0 < tokens < options.max_model_len:
        raise UserError(
            f"a prompt of {tokens} tokens leaves no room in a context of {options.max_model_len}; "
            "drop it, or raise the context"
        )
    return min(options.max_model_len - tokens, sampling.max_new_tokens)
