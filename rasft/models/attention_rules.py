"""What a model's attention asks beside causality: windows, chunks, capped scores and sinks.

Both the packed forward pass of training and the decoding loop attend by these rules, where the
fast kernels know only causal attention.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rasft.errors import UserError

UNKNOWN = ("position_bias",)  # what a model may hand to its attention, and nothing here does


@dataclass(frozen=True)
class Rules:
    """Of one attention layer.

    `window`: a token sees itself and the window - 1 before it. `chunk`: it sees the tokens of its
    own chunk of positions. `softcap`: scores become cap * tanh(score / cap). `sinks` (heads,): a
    further score for each head that takes weight and gives no value (gpt-oss).
    """

    window: int | None = None
    chunk: int | None = None
    softcap: float | None = None
    sinks: Tensor | None = None

    def is_causal_to(self, tokens: int) -> bool:
        """Whether for sequences of so many tokens it is plain causal attention."""
        near = all(size is None or size >= tokens for size in (self.window, self.chunk))
        return near and not self.changes_scores

    @property
    def changes_scores(self) -> bool:
        """Whether more than the mask differs."""
        return self.softcap is not None or self.sinks is not None


CAUSAL = Rules()


def rules_of(layer: torch.nn.Module, options: Mapping[str, Any]) -> Rules:
    """The rules of an attention layer and of what its model hands to the attention function.

    Raises UserError for what is not known here.
    """
    if unknown := [name for name in UNKNOWN if options.get(name) is not None]:
        raise UserError(
            f"the model's attention uses {unknown[0]}, which this project does not do: set "
            "training.packing to false and rollout.engine to vllm"
        )
    return Rules(
        options.get("sliding_window"), _chunk(layer), options.get("softcap"), options.get("s_aux")
    )


def _chunk(layer: torch.nn.Module) -> int | None:
    """Llama 4 says it by the mask alone, which is made elsewhere here."""
    config, index = getattr(layer, "config", None), getattr(layer, "layer_idx", None)
    kinds = getattr(config, "layer_types", None) or ()
    if index is None or index >= len(kinds) or kinds[index] != "chunked_attention":
        return None
    size: int | None = getattr(config, "attention_chunk_size", None)
    return size


def visible(query_T: Tensor, key_S: Tensor, rules: Rules) -> Tensor:
    """Which keys a query sees, by their positions: (..., T) and (..., S) -> (..., T, S), bool."""
    query, key = query_T[..., :, None], key_S[..., None, :]
    seen = key <= query
    if rules.window is not None:
        seen = seen & (key > query - rules.window)
    if rules.chunk is not None:
        seen = seen & (key // rules.chunk == query // rules.chunk)
    return seen


def attend_by_scores(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    seen: Tensor,
    scaling: float | None,
    rules: Rules,
    dropout: float = 0.0,
) -> Tensor:
    """Attention with changed scores; query (B, heads, T, size), key and value (B, groups, S, size).

    `seen` broadcasts to (B, heads, T, S). The softmax is in fp32.
    """
    repeats = query.shape[1] // key.shape[1]
    key, value = (tensor.repeat_interleave(repeats, dim=1) for tensor in (key, value))
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = (query @ key.transpose(-1, -2)).float() * scale
    if rules.softcap is not None:
        scores = rules.softcap * torch.tanh(scores / rules.softcap)
    scores = scores.masked_fill(~seen, -torch.inf)
    if rules.sinks is None:
        weights = scores.softmax(dim=-1)
    else:
        sinks = rules.sinks.float()[None, :, None, None].expand(*scores.shape[:-1], 1)
        weights = torch.cat([scores, sinks], dim=-1).softmax(dim=-1)[..., :-1]
    weights = torch.nn.functional.dropout(weights, dropout)
    return weights.to(value.dtype) @ value
