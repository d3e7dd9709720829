"""The step that others are measured against: the authors', as it is described.

Policy and reference on padded micro-batches of two, full logits and log-softmax at every position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from rasft import plugins
from rasft.losses import LossInputs, LossSettings
from rasft.records import TrainingExample
from rasft.training.model.batching import collate

MICRO_BATCH = 2
loss_of = plugins.load("losses", "rasft").token_loss


def step(
    rows: Sequence[TrainingExample],
    policy: Any,
    reference: Any | None,
    autocast: Callable[[], AbstractContextManager[Any]],
) -> None:
    """Gradients of all rows; without a reference its log-probs are read from the examples."""
    tokens = sum(len(row.input_ids) - row.prompt_tokens for row in rows)
    for group in pairs(rows):
        batch = collate(group, packed=False).to(policy.device)
        with autocast():
            logp_BT = response_part(full_logps(policy, batch), group)
            reference_BT = batch.reference_logp_BT
            if reference is not None:
                with torch.no_grad():
                    reference_BT = response_part(full_logps(reference, batch), group)
        backward(logp_BT, batch, reference_BT, tokens)


def full_logps(model: Any, batch: Any) -> Tensor:
    """log-probs of every next token, (B, S - 1): full logits, all positions."""
    logits = model(input_ids=batch.input_ids_RS, attention_mask=batch.attention_mask_RS).logits
    logits = logits if logits.dtype == torch.float64 else logits.float()  # float64: the oracle
    logps = logits[:, :-1].log_softmax(dim=-1)
    return logps.gather(2, batch.input_ids_RS[:, 1:, None])[:, :, 0]


def response_part(logps: Tensor, rows: Sequence[TrainingExample]) -> Tensor:
    """(B, T) of the response tokens, 0 off the mask."""
    parts = [logps[i, row.prompt_tokens - 1 : len(row.input_ids) - 1] for i, row in enumerate(rows)]
    return torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)


def pairs(rows: Sequence[TrainingExample]) -> list[Sequence[TrainingExample]]:
    return [rows[i : i + MICRO_BATCH] for i in range(0, len(rows), MICRO_BATCH)]


def backward(logp_BT: Tensor, batch: Any, reference_BT: Tensor, tokens: int) -> None:
    inputs = LossInputs(logp_BT, reference_BT, batch.mask_BT, batch.weights_B)
    (loss_of(inputs, LossSettings()).loss_BT.sum() / tokens).backward()
