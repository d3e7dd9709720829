"""Attention of all sequences of a packed row by one FlashAttention kernel, where a GPU has it.

torch's own `varlen_attn`, which is tried before it is used with a shape and dtype.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from rasft.training.model import kernel_check

TOLERANCE = 0.02  # half precision rounds each value by up to 0.004
LENGTHS = (13, 1, 40)  # of the sequences it is tried with
Attention = Callable[[Tensor, Tensor, Tensor, Sequence[int], float | None], Tensor]


def fits(query: Tensor, key: Tensor, dtype: torch.dtype, plain: Attention) -> bool:
    """Whether attention computed in this dtype can go through the kernel."""
    if not query.is_cuda or dtype not in (torch.bfloat16, torch.float16):
        return False
    return agrees(plain, query.device, dtype, query.shape[1], key.shape[1], query.shape[3])


def flash_attention(
    query: Tensor, key: Tensor, value: Tensor, lengths: Sequence[int], scaling: float | None
) -> Tensor:
    """Causal attention inside each sequence; (1, heads, S, head size), also for fewer key heads."""
    from torch.nn.attention.varlen import varlen_attn

    ends = _ends(tuple(lengths), query.device)
    options: dict[str, Any] = {}
    if (shared := query.shape[1] // key.shape[1]) > 1:
        if _knows_groups(varlen_attn):
            options["enable_gqa"] = True
        else:
            key, value = (tensor.repeat_interleave(shared, dim=1) for tensor in (key, value))
    attended = varlen_attn(
        _positions_first(query),
        _positions_first(key),
        _positions_first(value),
        ends,
        ends,
        max(lengths),
        max(lengths),
        scale=scaling,
        window_size=(-1, 0),  # itself and what came before: causal
        **options,
    )
    assert isinstance(attended, Tensor)
    return attended.transpose(0, 1)[None]


@cache
def agrees(
    plain: Attention, device: torch.device, dtype: torch.dtype, heads: int, groups: int, size: int
) -> bool:
    """Whether the kernel says what the plain way says."""
    random = torch.Generator().manual_seed(0)
    shapes = [(1, count, sum(LENGTHS), size) for count in (heads, groups, groups)]
    inputs = [torch.randn(shape, generator=random).to(device, dtype) for shape in shapes]
    return kernel_check.agrees(
        "varlen_attn",
        lambda q, k, v: flash_attention(q, k, v, LENGTHS, None),
        lambda q, k, v: plain(q, k, v, LENGTHS, None),
        inputs,
        TOLERANCE,
    )


@cache
def _knows_groups(kernel: Callable[..., object]) -> bool:
    """Whether it takes fewer key heads than query heads: torch 2.11's does not."""
    return "enable_gqa" in inspect.signature(kernel).parameters


@lru_cache(maxsize=8)
def _ends(lengths: tuple[int, ...], device: torch.device) -> Tensor:
    """Where each sequence ends, made once for all layers: the copy waits for the GPU."""
    with torch.inference_mode(False):  # a tensor of inference could not be kept for a backward pass
        return torch.tensor([0, *lengths]).cumsum(0).to(device, torch.int32)


def _positions_first(tensor: Tensor) -> Tensor:
    return tensor[0].transpose(0, 1).contiguous()
