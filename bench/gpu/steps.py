"""A training step of one model: the authors', and ours with one technique more at a time.

Forward and backward of all rows, gradients added to fp32 weights; no optimizer. The authors' step
is `bench.authors_step`: policy and reference in padded pairs, full logits at every position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from bench import authors_step
from bench.gpu import ways
from bench.gpu.ways import Way
from rasft.records import TrainingExample
from rasft.training.model import head
from rasft.training.model.attention import PACKED
from rasft.training.model.batching import Layout, collate
from rasft.training.model.compiling import compile_layers
from rasft.training.model.forward import response_logps

Groups = Sequence[Sequence[TrainingExample]]
AUTHORS, CACHED = "authors' step", "+ cached reference"


@dataclass(frozen=True)
class Variant:
    """Our step: which way, how many tokens in a forward pass (None: the authors' pairs)."""

    way: Way
    budget: int | None = None
    checkpointing: bool = False


def ladder(small: int, large: int, kernel: bool, fused: bool) -> dict[str, Variant]:
    """Name -> our step; each adds one thing to the one before, the last two to the fused head.

    Where there is no varlen kernel each sequence is attended alone, and where there is no fused
    head the steps after it go on without.
    """
    packed = Way("packed", packed=True, kernel=kernel)
    best = replace(packed, fused=fused)
    compiled = replace(best, compiled=True)
    return {
        "+ response positions alone": Variant(Way("padded")),
        f"+ packed {small}{', one kernel' if kernel else ''}": Variant(packed, small),
        "+ fused head": Variant(replace(packed, fused=True), small),
        f"+ packed {large}": Variant(best, large),
        "+ compiled layers": Variant(compiled, large),
        f"packed {small}, compiled layers": Variant(compiled, small),
        f"packed {small}, checkpointing": Variant(best, small, checkpointing=True),
    }


class Steps:
    """The policy, its reference, and the rows that every variant trains on."""

    def __init__(self, policy: Any, reference: Any, rows: Sequence[TrainingExample], toy: bool):
        self.policy = response_logps(policy, packed=False)
        self.reference, self.rows = reference.requires_grad_(False), rows
        self.responses = sum(len(row.input_ids) - row.prompt_tokens for row in rows)
        for parameter in self.policy.parameters():
            parameter.grad = torch.zeros_like(parameter)
        with ways.traced() if toy else nullcontext():
            compile_layers(policy)

    def authors(self, cached: bool) -> None:
        """The authors' step; with cached log-probs no reference runs."""
        self.policy.model.set_attn_implementation("sdpa")
        with ways.eager():
            reference = None if cached else self.reference
            authors_step.step(self.rows, self.policy.model, reference, self._autocast)

    def ours(self, variant: Variant) -> None:
        """One of the ladder's. Raises NotAvailable for a kernel that is not there."""
        model = self.policy.model
        ways.check(variant.way, model, torch.bfloat16)
        model.set_attn_implementation(PACKED if variant.way.packed else "sdpa")
        if variant.checkpointing:
            model.train().gradient_checkpointing_enable({"use_reentrant": False})
        with ways.chosen(variant.way):
            for group in self.groups(variant.budget):
                self._backward(group, variant.way.packed)
        if variant.checkpointing:
            model.gradient_checkpointing_disable()
            model.eval()

    def groups(self, budget: int | None) -> Groups:
        """Micro-batches packed to the budget, or the authors' pairs."""
        if budget is None:
            return authors_step.pairs(self.rows)
        lengths = np.array([len(row.input_ids) for row in self.rows])
        plan = Layout(budget).split(range(len(self.rows)), lengths)
        return [[self.rows[i] for i in group] for group in plan]

    def named(self, small: int, large: int) -> dict[str, Callable[[], None]]:
        """Name -> a whole step."""
        found: dict[str, Callable[[], None]] = {
            AUTHORS: lambda: self.authors(cached=False),
            CACHED: lambda: self.authors(cached=True),
        }
        kernel, fused = self._available()
        for name, variant in ladder(small, large, kernel, fused).items():
            found[name] = lambda variant=variant: self.ours(variant)
        return found

    def _available(self) -> tuple[bool, bool]:
        """Whether there is a varlen kernel here, and a fused head."""
        model = self.policy.model
        with self._autocast():
            fused = head.fused_for(model.get_output_embeddings()) is not None
        return ways.kernel_fits(model.config, model.device, torch.bfloat16), fused

    def _backward(self, group: Sequence[TrainingExample], packed: bool) -> None:
        batch = collate(group, packed).to(self.policy.model.device)
        with self._autocast():
            logp_BT = self.policy(batch)
        authors_step.backward(logp_BT, batch, batch.reference_logp_BT, self.responses)

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.policy.model.device.type, torch.bfloat16)
