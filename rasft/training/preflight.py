"""Checks on the real rows and the real model before a long training: what it relies on, measured.

In fp32, on a few rows spread over the lengths: the response and its EOS are what is supervised;
packed and padded, and one micro-batch or many, give the same loss and gradient; the stored
reference log-probs are those of the starting model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rasft import plugins
from rasft.losses import LossSettings, uses_kl
from rasft.records import TrainingExample
from rasft.training.attention import PACKED
from rasft.training.batching import collate
from rasft.training.example_store import ExampleStore
from rasft.training.forward import ResponseLogps, loss_inputs, response_logps
from rasft.training.jobs import TrainingJob
from rasft.training.language_model import load_model

ROWS = 4
MOST_ROWS = 1000  # whose labels are looked at
GRADIENT_TOLERANCE = 1e-4  # relative, fp32
REFERENCE_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.1, "float16": 0.05}  # nats, mean over tokens


@dataclass(frozen=True)
class Check:
    """One thing that was checked, and the number that says so."""

    name: str
    passed: bool
    detail: str


def preflight(job: TrainingJob, store: ExampleStore, eos_token_id: int) -> list[Check]:
    """All checks; none raises because a check failed."""
    by_length = sorted(range(len(store)), key=lambda row: int(store.lengths[row]))
    picked = by_length[:: max(1, len(by_length) // ROWS)][:ROWS]
    rows = store.take(picked)
    module = response_logps(load_model(job.model), packed=False)
    return [
        _supervised(store, eos_token_id),
        *_same_gradients(job, module, rows),
        _references(job, module, rows),
    ]


def _supervised(store: ExampleStore, eos_token_id: int) -> Check:
    """The tokens that the loss counts are the response's, up to an EOS."""
    wrong, open_ended = 0, 0
    examples = store.take(range(0, len(store), max(1, len(store) // MOST_ROWS)))
    for example in examples:
        supervised = collate([example]).target_N.tolist()
        wrong += supervised != list(example.input_ids[example.prompt_tokens :])
        open_ended += supervised[-1:] != [eos_token_id]
    detail = f"{len(examples)} rows; {wrong} supervise other tokens, {open_ended} end without EOS"
    return Check("the response and its EOS are supervised, the prompt is not", not wrong, detail)


def _same_gradients(
    job: TrainingJob, module: ResponseLogps, rows: Sequence[TrainingExample]
) -> list[Check]:
    one, each = [list(rows)], [[row] for row in rows]
    padded = _gradient(job, module, one, packed=False)
    packed = _gradient(job, module, one, packed=True)
    cut = _gradient(job, module, each, packed=True)
    return [
        _close(f"packed and padded agree on {len(rows)} rows", packed, padded),
        _close(f"1 x {len(rows)} and {len(rows)} x 1 micro-batches agree", cut, packed),
    ]


def _gradient(
    job: TrainingJob,
    module: ResponseLogps,
    micro_batches: Sequence[Sequence[TrainingExample]],
    packed: bool,
) -> Tensor:
    """The gradient of the job's loss over these rows, in one vector."""
    loss = plugins.load("losses", job.training.method)
    reference = response_logps(load_model(job.model), packed) if uses_kl(loss) else None
    module.model.set_attn_implementation(PACKED if packed else "sdpa")
    module.zero_grad()
    settings = LossSettings.of(job.training.loss)
    tokens = sum(len(row.input_ids) - row.prompt_tokens for rows in micro_batches for row in rows)
    for rows in micro_batches:
        inputs = loss_inputs(module, collate(rows, packed), reference)
        (loss.token_loss(inputs, settings).loss_BT.sum() / tokens).backward()
    grads: list[Any] = [p.grad for p in module.parameters()]
    return torch.cat([grad.flatten() for grad in grads])


def _close(name: str, got: Tensor, expected: Tensor) -> Check:
    error = float((got - expected).norm() / expected.norm().clamp(min=1e-30))
    detail = f"relative difference of the gradients {error:.1e}, at most {GRADIENT_TOLERANCE:.0e}"
    return Check(name, error <= GRADIENT_TOLERANCE, detail)


def _references(job: TrainingJob, module: ResponseLogps, rows: Sequence[TrainingExample]) -> Check:
    name = "stored reference log-probs are the starting model's"
    scored = [row for row in rows if row.reference_logps]
    if not scored:
        return Check(name, True, "none stored; the method needs none")
    batch = collate(scored)
    module.model.set_attn_implementation(PACKED)
    with torch.no_grad():
        difference = (module(batch) - batch.reference_logp_BT)[batch.mask_BT].abs()
    limit = REFERENCE_TOLERANCE[job.dtype]
    mean = difference.mean().item()
    detail = f"mean difference {mean:.1e} nats, at most {limit}; largest {difference.max():.1e}"
    return Check(name, mean <= limit, detail)
