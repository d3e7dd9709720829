"""The gradient of a step does not depend on how its rows are cut into passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rasft import plugins
from rasft.losses import LossSettings, uses_kl
from rasft.models.language_model import load_model
from rasft.records import TrainingExample
from rasft.training.model.batching import collate
from rasft.training.model.forward import ResponseLogps, attend, loss_inputs, response_logps
from rasft.training.preflight.checks import Check
from rasft.training.storage.jobs import TrainingJob

TOLERANCE = 1e-4  # relative, fp32


def cuts_agree(
    job: TrainingJob, module: ResponseLogps, rows: Sequence[TrainingExample]
) -> tuple[list[Check], Tensor]:
    """1 x 8, 2 x 4 and 8 x 1 rows agree, and so do packed and padded ones where the job packs; the
    gradient in one vector."""
    count, packed = len(rows), job.training.packing
    whole = gradient(job, module, [rows], packed)
    checks = []
    if packed:
        padded = gradient(job, module, [rows], packed=False)
        checks.append(close(f"packed and padded agree on {count} rows", whole, padded))
    for passes in sorted({2, count} if count > 2 else {count} - {1}):
        size = -(-count // passes)
        cut = [rows[i : i + size] for i in range(0, count, size)]
        name = f"1 x {count} and {passes} x {size} rows agree"
        checks.append(close(name, gradient(job, module, cut, packed), whole))
    return checks, whole


def gradient(
    job: TrainingJob,
    module: ResponseLogps,
    micro_batches: Sequence[Sequence[TrainingExample]],
    packed: bool,
) -> Tensor:
    """The gradient of the job's loss over these rows, in one vector."""
    loss = plugins.load("losses", job.training.method)
    reference = response_logps(load_model(job.model), packed) if uses_kl(loss) else None
    attend(module.model, packed)
    module.zero_grad()
    settings = LossSettings.of(job.training.loss)
    tokens = sum(len(row.input_ids) - row.prompt_tokens for rows in micro_batches for row in rows)
    for rows in micro_batches:
        inputs = loss_inputs(module, collate(rows, packed), reference)
        (loss.token_loss(inputs, settings).loss_BT.sum() / tokens).backward()
    grads: list[Any] = [p.grad for p in module.parameters()]
    return torch.cat([grad.flatten() for grad in grads])


def close(name: str, got: Tensor, expected: Tensor) -> Check:
    """Two gradients of the same step."""
    error = float((got - expected).norm() / expected.norm().clamp(min=1e-30))
    detail = f"relative difference of the gradients {error:.1e}, at most {TOLERANCE:.0e}"
    return Check(name, error <= TOLERANCE, detail, {"relative_difference": error})
