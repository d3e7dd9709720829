"""A key-value cache of fixed slots, one a sequence, that each grow at their own pace.

The stock cache is one rectangle that is copied at every step and holds finished sequences until
the slowest ends. Here a sequence's keys lie from column 0 of its own slot, a step writes one
column a slot in place, and a slot is free for the next sequence as soon as its own ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.cache_utils import Cache, DynamicLayer

from rasft.models.attention_rules import attend_by_scores, rules_of, visible

ATTENTION = "rasft_slots"  # the attention implementation that reads these slots


@dataclass
class Window:
    """Which slots the next forward pass writes and reads; `columns` has shape (rows, tokens)."""

    rows: torch.Tensor | slice
    columns: torch.Tensor
    width: int  # columns that are read, from 0


@dataclass
class Shape:
    """Size of the cache, and the window shared by its layers."""

    slots: int
    columns: int
    window: Window = field(init=False)


class SlotLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One decoder layer's keys and values, each (slots, heads, columns, head size)."""

    def __init__(self, shape: Shape):
        super().__init__()  # type: ignore[no-untyped-call]
        self.shape = shape
        self.buffers: tuple[torch.Tensor, ...] = ()

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the window's columns; returns keys and values of the columns that are read."""
        if not self.buffers:
            self.buffers = (self._buffer(key_states), self._buffer(value_states))
        keys, values = self.buffers
        window = self.shape.window
        return _write(keys, key_states, window), _write(values, value_states, window)

    def _buffer(self, states: torch.Tensor) -> torch.Tensor:
        _, heads, _, size = states.shape
        return states.new_zeros(self.shape.slots, heads, self.shape.columns, size)


class Slots(Cache):
    """The cache of a whole model."""

    def __init__(self, layers: int, slots: int, columns: int):
        self.shape = Shape(slots, columns)
        self.slot_layers = [SlotLayer(self.shape) for _ in range(layers)]
        super().__init__(layers=list(self.slot_layers))

    def open(self, window: Window) -> None:
        """Say which slots the next forward pass writes and reads."""
        self.shape.window = window

    def copy(self, sources: list[int], targets: list[int], width: int) -> None:
        """Copy the first `width` columns of some slots into others."""
        for layer in self.slot_layers:
            for buffer in layer.buffers:
                buffer[targets, :, :width] = buffer[sources, :, :width]

    def spread(self, width: int) -> None:
        """Copy the first `width` columns of slot 0 into every slot."""
        for layer in self.slot_layers:
            for buffer in layer.buffers:
                buffer[1:, :, :width] = buffer[:1, :, :width]


def bytes_of(config: Any, columns: int, dtype: torch.dtype) -> int:
    """Keys and values of one slot of so many columns, by a model's text config."""
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    groups = getattr(config, "num_key_value_heads", None) or heads
    return int(2 * config.num_hidden_layers * groups * size * dtype.itemsize * columns)


def _write(states: torch.Tensor, new: torch.Tensor, window: Window) -> torch.Tensor:
    rows = window.rows
    if isinstance(rows, slice):
        index = torch.arange(rows.stop, device=states.device)
        states[index[:, None], :, window.columns] = new.transpose(1, 2)
    else:
        states[rows[:, None], :, window.columns] = new.transpose(1, 2)
    return states[rows, :, : window.width]


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of query (rows, heads, tokens, size) over key (rows, groups, columns, size).

    The mask is (rows, 1, tokens, columns): a query sees the columns up to its own. The heads that
    share a group of keys become further query positions, so that grouped keys are never copied.
    Raises UserError for an attention that changes the scores in an unknown way.
    """
    rules = rules_of(module, options)
    if not rules.is_causal_to(key.shape[2]):
        columns = torch.arange(key.shape[2], device=key.device)
        attention_mask = visible(attention_mask.sum(dim=-1) - 1, columns, rules)
    if rules.changes_scores:
        output = attend_by_scores(query, key, value, attention_mask, scaling, rules)
        return output.transpose(1, 2).contiguous(), None
    rows, heads, tokens, size = query.shape
    groups = key.shape[1]
    shared = heads // groups
    output = torch.nn.functional.scaled_dot_product_attention(
        query.reshape(rows, groups, shared * tokens, size),
        key,
        value,
        attn_mask=attention_mask.repeat(1, 1, shared, 1),
        scale=scaling,
    )
    return output.reshape(rows, heads, tokens, -1).transpose(1, 2).contiguous(), None


AttentionInterface.register(ATTENTION, attend)
