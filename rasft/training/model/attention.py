"""Attention of packed sequences: causal attention inside each sequence, never across.

A GPU has one kernel for all of them (`flash`). A CPU's gains nothing from a block-diagonal mask (it
computes every block), so there each sequence is attended on its own; the model's other layers see
all tokens as one long row. Registered with transformers under the name `PACKED`; the lengths arrive
as the `sequence_lengths` argument of the model's forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from rasft.errors import UserError
from rasft.training.model import flash
from rasft.training.model.precision import compute_dtype

PACKED = "rasft_packed"
UNSUPPORTED = ("sliding_window", "softcap", "s_aux", "position_bias")  # what models may ask for


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
    _refuse(options, max(lengths))
    dtype = compute_dtype(query)
    if not dropout and flash.fits(query, key, dtype, one_by_one):
        query, key, value = (tensor.to(dtype) for tensor in (query, key, value))
        return flash.flash_attention(query, key, value, lengths, scaling).transpose(1, 2), None
    return one_by_one(query, key, value, lengths, scaling, dropout).transpose(1, 2), None


def one_by_one(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    lengths: Sequence[int],
    scaling: float | None,
    dropout: float = 0.0,
) -> Tensor:
    """Causal attention of each sequence on its own, (1, heads, S, head size)."""
    grouped = query.shape[1] != key.shape[1]
    parts = [torch.split(tensor, list(lengths), dim=2) for tensor in (query, key, value)]
    attended = [
        scaled_dot_product_attention(
            q, k, v, dropout_p=dropout, is_causal=True, scale=scaling, enable_gqa=grouped
        )
        for q, k, v in zip(*parts, strict=True)
    ]
    return torch.cat(attended, dim=2)


def _refuse(options: dict[str, Any], longest: int) -> None:
    for name in UNSUPPORTED:
        value = options.get(name)
        if value is None or (name == "sliding_window" and value >= longest):
            continue
        raise UserError(
            f"the model's attention uses {name}, which packed sequences do not support: "
            "set training.packing to false"
        )


AttentionInterface.register(
    PACKED,
    torch.compiler.disable(packed_attention),  # type: ignore[no-untyped-call]
)
