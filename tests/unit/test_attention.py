"""FlashAttention's one kernel for a packed row, against each sequence on its own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn.attention import varlen
from torch.nn.functional import scaled_dot_product_attention

from rasft.training.model import flash
from rasft.training.model.attention import one_by_one
from rasft.training.model.flash import flash_attention


def varlen_as_documented(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor,
    max_q: int,
    max_k: int,
    *,
    scale: float | None,
    window_size: tuple[int, int],
    enable_gqa: bool = False,
) -> Tensor:
    """What torch says of `varlen_attn`, whose kernel runs on a GPU alone: (T, heads, size)."""
    assert window_size == (-1, 0)
    assert cu_seq_q.dtype == cu_seq_k.dtype == torch.int32
    assert cu_seq_q.tolist() == cu_seq_k.tolist()
    assert max_q == max_k == cu_seq_q.diff().max()
    parts = [
        scaled_dot_product_attention(
            *(tensor[start:stop].transpose(0, 1)[None] for tensor in (query, key, value)),
            is_causal=True,
            scale=scale,
            enable_gqa=enable_gqa,
        )[0].transpose(0, 1)
        for start, stop in pairwise(cu_seq_q.tolist())
    ]
    return torch.cat(parts)


def varlen_without_groups(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor,
    max_q: int,
    max_k: int,
    *,
    scale: float | None,
    window_size: tuple[int, int],
) -> Tensor:
    """torch 2.11's, which wants a key head for each query head."""
    assert query.shape == key.shape == value.shape
    return varlen_as_documented(
        query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, scale=scale, window_size=window_size
    )


def agrees(heads: int = 6, groups: int = 2) -> bool:
    flash.agrees.cache_clear()
    return flash.agrees(one_by_one, torch.device("cpu"), torch.bfloat16, heads, groups, 16)


@pytest.mark.parametrize("kernel", [varlen_as_documented, varlen_without_groups])
@pytest.mark.parametrize("groups", [6, 2])
def test_every_sequence_is_given_to_the_kernel_as_it_asks(
    kernel: Callable[..., Tensor], groups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(varlen, "varlen_attn", kernel)
    random = torch.Generator().manual_seed(3)
    query, key, value = (torch.randn(1, n, 19, 8, generator=random) for n in (6, groups, groups))
    expected = one_by_one(query, key, value, (4, 1, 14), 0.3)
    torch.testing.assert_close(flash_attention(query, key, value, (4, 1, 14), 0.3), expected)
    assert agrees(groups=groups)


def test_a_kernel_that_does_not_run_here_is_not_used(capsys: pytest.CaptureFixture[str]) -> None:
    """The real one, which has no code for a CPU."""
    assert not agrees()
    assert "varlen_attn is not used: it fails here" in capsys.readouterr().out


def test_a_kernel_that_says_something_else_is_not_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that lets sequences see each other."""

    def across(query: Tensor, key: Tensor, value: Tensor, *rest: object, **options: object):
        whole = torch.tensor([0, len(query)], dtype=torch.int32)
        size = len(query)
        return varlen_as_documented(query, key, value, whole, whole, size, size, **options)

    monkeypatch.setattr(varlen, "varlen_attn", across)
    assert not agrees()
    assert "varlen_attn is not used: it is off by" in capsys.readouterr().out


def test_a_kernel_whose_gradient_is_not_a_number_is_not_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def poisoned(*inputs: Tensor, **options: object) -> Tensor:
        attended = varlen_as_documented(*inputs, **options)
        attended.register_hook(lambda gradient: gradient * float("nan"))
        return attended

    monkeypatch.setattr(varlen, "varlen_attn", poisoned)
    assert not agrees()
    assert "it is off by nan" in capsys.readouterr().out


def test_a_cpu_is_not_asked() -> None:
    query = torch.randn(1, 2, 3, 8)
    assert not flash.fits(query, query, torch.bfloat16, one_by_one)
