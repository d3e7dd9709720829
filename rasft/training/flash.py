"""Attention of all sequences of a packed row by one FlashAttention kernel, where a GPU has it.

torch's own `varlen_attn`. Nothing is believed of it: before it is used with a shape and dtype, its
values and gradients are compared with the plain way's on a small example, in this process, on this
GPU; where they differ or it does not run, that is said once and the plain way is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

TOLERANCE = 0.02  # of the largest value: half precision rounds each of them by up to 0.004
Attention = Callable[[Tensor, Tensor, Tensor, Sequence[int], float | None], Tensor]


def fits(query: Tensor, key: Tensor, dtype: torch.dtype, plain: Attention) -> bool:
    """Whether attention computed in this dtype can go through the kernel."""
    if not query.is_cuda or dtype not in (torch.bfloat16, torch.float16):
        return False
    return _agrees(plain, query.device, dtype, query.shape[1], key.shape[1], query.shape[3])


def flash_attention(
    query: Tensor, key: Tensor, value: Tensor, lengths: Sequence[int], scaling: float | None
) -> Tensor:
    """Causal attention inside each sequence; (1, heads, S, head size), also for fewer key heads."""
    from torch.nn.attention.varlen import varlen_attn

    ends = torch.tensor([0, *lengths], device=query.device).cumsum(0).to(torch.int32)
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
        enable_gqa=query.shape[1] != key.shape[1],
    )
    assert isinstance(attended, Tensor)
    return attended.transpose(0, 1)[None]


def _positions_first(tensor: Tensor) -> Tensor:
    return tensor[0].transpose(0, 1).contiguous()


@cache
def _agrees(
    plain: Attention, device: torch.device, dtype: torch.dtype, heads: int, groups: int, size: int
) -> bool:
    """Whether the kernel runs here and says what the plain way says."""
    random = torch.Generator().manual_seed(0)
    lengths = (13, 1, 40)
    shapes = [(1, count, sum(lengths), size) for count in (heads, groups, groups, heads)]
    q, k, v, above = (torch.randn(s, generator=random).to(device, dtype) for s in shapes)
    try:
        expected = _values(plain, q, k, v, lengths, above)
        apart = _apart(_values(flash_attention, q, k, v, lengths, above), expected)
    except (ImportError, NotImplementedError, RuntimeError, TypeError) as error:
        print(f"attention: one sequence at a time, since varlen_attn fails here: {error}")
        return False
    if not apart <= TOLERANCE:
        print(f"attention: one sequence at a time, since varlen_attn is off by {apart:.2g} here")
    return apart <= TOLERANCE


def _values(
    attention: Attention,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    lengths: Sequence[int],
    above: Tensor,
) -> list[Tensor]:
    """The attention's values, and the gradients below the one from above."""
    with torch.enable_grad():
        q, k, v = (tensor.clone().requires_grad_() for tensor in (q, k, v))
        value = attention(q, k, v, lengths, None)
        return [value.detach(), *torch.autograd.grad(value, (q, k, v), above)]


def _apart(got: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    return max(
        float((mine.float() - theirs.float()).abs().max() / theirs.float().abs().max())
        for mine, theirs in zip(got, expected, strict=True)
    )
