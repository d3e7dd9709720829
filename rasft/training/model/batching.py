"""Weighted examples -> optimizer steps -> each process's micro-batches -> tensors.

Rows are shuffled once an epoch by the seed; an optimizer step is `batch_size` rows over all
processes (the last step of an epoch may be smaller: nothing is dropped). Inside a step the rows
are dealt so that every process gets about as many tokens, and each process packs its share into
micro-batches within a token budget. All of it follows from the seed and the lengths, so every
process computes the same plan and knows the whole step's token count without talking.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate, count
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rasft.records import EXPERT, TrainingExample

Rows = tuple[int, ...]


@dataclass(frozen=True)
class Order:
    """Which rows each optimizer step trains on; any step can be asked for.

    >>> order = Order(rows=10, batch_size=4, epochs=1.5, seed=0)
    >>> order.steps, [len(order.step(i)) for i in range(order.steps)]
    (5, [4, 4, 2, 4, 1])
    """

    rows: int
    batch_size: int
    epochs: float
    seed: int
    limit: int | None = None  # steps at most

    @property
    def total(self) -> int:
        """Sequences trained on in all."""
        return max(1, round(self.epochs * self.rows))

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        epochs, rest = divmod(self.total, self.rows)
        steps = epochs * self._steps_an_epoch + math.ceil(rest / self.batch_size)
        return min(steps, self.limit or steps)

    def step(self, index: int) -> Rows:
        """The rows of one optimizer step, counted from 0."""
        epoch, place = divmod(index, self._steps_an_epoch)
        last = min(self.rows, self.total - epoch * self.rows)
        start = place * self.batch_size
        return tuple(self._shuffled(epoch)[start : min(start + self.batch_size, last)].tolist())

    def done(self, index: int) -> int:
        """Sequences trained on after the step."""
        epoch, place = divmod(index, self._steps_an_epoch)
        in_epoch = min((place + 1) * self.batch_size, self.rows)
        return min(epoch * self.rows + in_epoch, self.total)

    @property
    def _steps_an_epoch(self) -> int:
        return math.ceil(self.rows / self.batch_size)

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng((self.seed, epoch)).permutation(self.rows)


@dataclass(frozen=True)
class Layout:
    """How sequences share a forward pass.

    Packed: end to end in one row, `budget` tokens at most. Padded: one row each, `budget` tokens
    at most with the padding. A longer sequence gets a micro-batch of its own.
    """

    budget: int
    packed: bool = True

    def split(self, rows: Sequence[int], lengths: NDArray[np.int64]) -> list[Rows]:
        """Micro-batches of these rows, longest sequences first; `lengths` is of all rows."""
        by_length = sorted(rows, key=lambda row: (-lengths[row], row))
        groups = self._pack(by_length, lengths) if self.packed else self._pad(by_length, lengths)
        return [tuple(group) for group in groups]

    def _pack(self, rows: Sequence[int], lengths: NDArray[np.int64]) -> list[list[int]]:
        """First-fit decreasing: each row goes into the first micro-batch with room for it."""
        groups: list[list[int]] = []
        room: list[int] = []
        for row in rows:
            length = int(lengths[row])
            place = next((i for i, free in enumerate(room) if free >= length), None)
            if place is None:
                groups.append([row])
                room.append(self.budget - length)
            else:
                groups[place].append(row)
                room[place] -= length
        return groups

    def _pad(self, rows: Sequence[int], lengths: NDArray[np.int64]) -> list[list[int]]:
        groups: list[list[int]] = []
        for row in rows:
            if groups and (len(groups[-1]) + 1) * lengths[groups[-1][0]] <= self.budget:
                groups[-1].append(row)
            else:
                groups.append([row])
        return groups


def deal(rows: Sequence[int], lengths: NDArray[np.int64], processes: int) -> list[list[int]]:
    """Split rows among processes, about equal in tokens: the longest go first, each to the
    process that has least."""
    shares: list[list[int]] = [[] for _ in range(processes)]
    tokens = [0] * processes
    for row in sorted(rows, key=lambda row: (-lengths[row], row)):
        least = tokens.index(min(tokens))
        shares[least].append(row)
        tokens[least] += int(lengths[row])
    return shares


def plan_step(
    rows: Sequence[int], lengths: NDArray[np.int64], layout: Layout, processes: int
) -> list[list[Rows]]:
    """Each process's micro-batches for one optimizer step.

    Every process gets equally many, since sharded models talk in each pass; `()` is a micro-batch
    of no sequences that fills up.
    """
    plans = [layout.split(share, lengths) for share in deal(rows, lengths, processes)]
    passes = max(len(plan) for plan in plans)
    return [plan + [()] * (passes - len(plan)) for plan in plans]


@dataclass(frozen=True)
class Batch:
    """A micro-batch of B sequences with N response tokens, T in the longest response.

    The token ids lie in R rows of S positions: one row for all (packed) or one a sequence
    (padded, on the right). `source_N` are positions in the flattened rows: the one before each
    response token, whose hidden state predicts it. The N tokens are in the order of `mask_BT`.
    """

    input_ids_RS: Tensor
    position_ids_RS: Tensor
    attention_mask_RS: Tensor | None  # None when packed
    source_N: Tensor
    target_N: Tensor
    mask_BT: Tensor
    reference_logp_BT: Tensor  # nats; NaN where none is stored, 0 off the mask
    weights_B: Tensor
    expert_B: Tensor  # True on expert sequences, False on the policy's own
    lengths: tuple[int, ...]  # of the packed sequences; they need not be on the device
    problem_ids: tuple[str, ...]

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        tensors: dict[str, Any] = {
            f.name: value.to(device, non_blocking=True)
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        return replace(self, **tensors)


def collate(examples: Sequence[TrainingExample], packed: bool = True) -> Batch:
    """The tensors of one micro-batch; no examples give a batch of no sequences."""
    lengths = [len(example.input_ids) for example in examples]
    responses = [len(e.input_ids) - e.prompt_tokens for e in examples]
    width = max(lengths, default=1)
    starts = accumulate(lengths, initial=0) if packed else count(0, width)
    ids, positions, mask = _rows(examples, packed, width)
    return Batch(
        input_ids_RS=ids,
        position_ids_RS=positions,
        attention_mask_RS=mask,
        source_N=_concatenate(
            range(start + e.prompt_tokens - 1, start + len(e.input_ids) - 1)
            for start, e in zip(starts, examples, strict=False)
        ),
        target_N=_concatenate(e.input_ids[e.prompt_tokens :] for e in examples),
        mask_BT=_mask(responses),
        reference_logp_BT=_references(examples, responses),
        weights_B=torch.tensor([e.weight for e in examples], dtype=torch.float32),
        expert_B=torch.tensor([e.sample_index == EXPERT for e in examples], dtype=torch.bool),
        lengths=tuple(lengths) or (1,),
        problem_ids=tuple(e.problem_id for e in examples),
    )


def _rows(
    examples: Sequence[TrainingExample], packed: bool, width: int
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Token ids and positions (R, S), and the attention mask when padded. A batch of no sequences
    still has one token, so that a forward pass runs."""
    sequences = [e.input_ids for e in examples] or [(0,)]
    if packed:
        ids = _concatenate(sequences)[None]
        return ids, _concatenate(range(len(ids)) for ids in sequences)[None], None
    lengths = torch.tensor([len(ids) for ids in sequences])
    padded = torch.tensor([[*ids, *[0] * (width - len(ids))] for ids in sequences])
    positions = torch.arange(width).expand(len(sequences), width)
    return padded, positions, (positions < lengths[:, None]).long()


def _concatenate(parts: Iterator[Sequence[int]] | Sequence[Sequence[int]]) -> Tensor:
    return torch.tensor([value for part in parts for value in part], dtype=torch.long)


def _mask(responses: Sequence[int]) -> Tensor:
    places = torch.arange(max(responses, default=0))
    return places[None] < torch.tensor(responses, dtype=torch.long)[:, None]


def _references(examples: Sequence[TrainingExample], responses: Sequence[int]) -> Tensor:
    values = torch.zeros(len(examples), max(responses, default=0))
    for row, (example, tokens) in enumerate(zip(examples, responses, strict=True)):
        stored = example.reference_logps or (math.nan,) * tokens
        values[row, :tokens] = torch.tensor(stored, dtype=torch.float32)
    return values
