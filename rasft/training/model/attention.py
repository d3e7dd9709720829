"""Attention of packed sequences: causal attention inside each sequence, never across.

A GPU has one kernel for all of them (`flash`). A CPU's gains nothing from a block-diagonal mask (it
computes every block), so there each sequence is attended on its own; the model's other layers see
all tokens as one long row. What a model asks beyond causality (`attention_rules`) is done sequence
by sequence too. Registered with transformers under the name `PACKED`; the lengths arrive as the
`sequence_lengths` argument of the model's forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from rasft.models.attention_rules import CAUSAL, Rules, attend_by_scores, rules_of, visible
from rasft.training.model import flash
from rasft.training.model.precision import compute_dtype

PACKED = "rasft_packed"


@dataclass(frozen=True)
class Lengths:
    """Of the sequences in a packed row; torch.compile would compile anew for each bare tuple."""

    values: tuple[int, ...]


def packed_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sequence_lengths: Lengths | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Causal attention of each sequence; query, key, value are (1, heads, S, head size).

    Returns (1, S, heads, head size); without lengths all of it is one sequence. Raises UserError
    for attention of another kind, which is only right without packing.
    """
    lengths = sequence_lengths.values if sequence_lengths else (query.shape[2],)
    rules, dtype = rules_of(module, options), compute_dtype(query)
    plain = rules.is_causal_to(max(lengths)) and not dropout
    if plain and flash.fits(query, key, dtype, one_by_one):
        query, key, value = (tensor.to(dtype) for tensor in (query, key, value))
        return flash.flash_attention(query, key, value, lengths, scaling).transpose(1, 2), None
    attended = one_by_one(query, key, value, lengths, scaling, dropout, rules)
    return attended.transpose(1, 2), None


def one_by_one(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    lengths: Sequence[int],
    scaling: float | None,
    dropout: float = 0.0,
    rules: Rules = CAUSAL,
) -> Tensor:
    """Causal attention of each sequence on its own, (1, heads, S, head size)."""
    parts = [torch.split(tensor, list(lengths), dim=2) for tensor in (query, key, value)]
    attended = [_attend(q, k, v, scaling, dropout, rules) for q, k, v in zip(*parts, strict=True)]
    return torch.cat(attended, dim=2)


def _attend(
    query: Tensor, key: Tensor, value: Tensor, scaling: float | None, dropout: float, rules: Rules
) -> Tensor:
    """Of one whole sequence."""
    tokens, grouped = query.shape[2], query.shape[1] != key.shape[1]
    causal = rules.is_causal_to(tokens)
    positions = torch.arange(tokens, device=query.device)
    seen = None if causal else visible(positions, positions, rules)
    if seen is not None and rules.changes_scores:
        return attend_by_scores(query, key, value, seen, scaling, rules, dropout)
    return scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=seen,
        dropout_p=dropout,
        is_causal=causal,
        scale=scaling,
        enable_gqa=grouped,
    )


AttentionInterface.register(
    PACKED,
    torch.compiler.disable(packed_attention),  # type: ignore[no-untyped-call]
)
