"""The authors' step and ours, one change after another, on the same real sequences.

Every variant trains the same policy on MATH solutions, so that the same step can be timed, weighed
and its gradient compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from bench import authors_step
from bench.authors_step import backward, pairs
from rasft.models.language_model import DTYPES, load_model
from rasft.records import TrainingExample
from rasft.training.model.attention import PACKED
from rasft.training.model.batching import Layout, collate
from rasft.training.model.compiling import compile_layers
from rasft.training.model.forward import response_logps

BASELINE, SCORING = "authors", "scoring pass"


def load_sequences(data: Path, tokenizer: Any, count: int, limit: int) -> list[TrainingExample]:
    """The first MATH rows of at most `limit` tokens, as prompt and response; not yet scored."""
    rows: list[TrainingExample] = []
    with (data / "math/train/math_train.jsonl").open(encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            prompt = tokenizer(line["problem"] + "\n")["input_ids"]
            response = tokenizer(line["solution"])["input_ids"] + [tokenizer.eos_token_id]
            ids = (*prompt, *response)
            if len(ids) <= limit:
                rows.append(TrainingExample(line["id"], -1, ids, len(prompt), 1.0, ()))
            if len(rows) == count:
                return rows
    raise SystemExit(f"only {len(rows)} rows of at most {limit} tokens")


class Variants:
    """The policy, the reference, and the same sequences for every variant."""

    def __init__(self, folder: Path, rows: list[TrainingExample], dtype: str):
        self.rows = rows
        self.dtype = dtype
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.tokens = sum(len(row.input_ids) - row.prompt_tokens for row in rows)
        self.policy = response_logps(load_model(folder).to(self.device), packed=False)
        for parameter in self.policy.parameters():
            parameter.grad = torch.zeros_like(parameter)
        compile_layers(self.policy.model)
        torch.compiler.set_stance("force_eager")  # for every variant but one
        self.reference = load_model(folder).to(self.device)
        self.rows = self.scored()

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, DTYPES[self.dtype], self.dtype != "float32")

    @torch.no_grad()
    def scored(self) -> list[TrainingExample]:
        """The scoring pass that the cached variants rely on."""
        rows = []
        self.attend(packed=True)
        with self.autocast():
            for group in self.groups(2200, packed=True):
                logp_BT = self.policy(collate(group).to(self.device)).tolist()
                for row, logps in zip(group, logp_BT, strict=True):
                    count = len(row.input_ids) - row.prompt_tokens
                    rows.append(replace(row, reference_logps=tuple(logps[:count])))
        return sorted(rows, key=lambda row: [r.problem_id for r in self.rows].index(row.problem_id))

    def groups(self, budget: int, packed: bool) -> list[list[TrainingExample]]:
        lengths = np.array([len(row.input_ids) for row in self.rows])
        plan = Layout(budget, packed).split(range(len(self.rows)), lengths)
        return [[self.rows[i] for i in group] for group in plan]

    def authors(self, reference: Any | None) -> None:
        """Full logits in padded pairs; the reference is run, or read from the examples."""
        self.attend(packed=False)
        authors_step.step(self.rows, self.policy.model, reference, self.autocast)

    def ours(self, groups: Sequence[Sequence[TrainingExample]], packed: bool) -> None:
        """Response positions alone, cached reference, in these micro-batches."""
        self.attend(packed)
        for group in groups:
            batch = collate(group, packed).to(self.device)
            with self.autocast():
                logp_BT = self.policy(batch)
            backward(logp_BT, batch, batch.reference_logp_BT, self.tokens)

    def compiled(self, budget: int) -> None:
        """`ours` with the layers as torch.compile made them."""
        with torch.compiler.set_stance("default"):
            self.ours(self.groups(budget, packed=True), packed=True)

    def checkpointed(self, budget: int) -> None:
        model = self.policy.model
        model.train()
        model.gradient_checkpointing_enable({"use_reentrant": False})
        self.ours(self.groups(budget, packed=True), packed=True)
        model.gradient_checkpointing_disable()
        model.eval()

    def named(self) -> dict[str, Callable[[], Any]]:
        """Name -> a whole step, without the optimizer. Each adds one thing to the one before."""
        return {
            BASELINE: lambda: self.authors(self.reference),
            "cached reference": lambda: self.authors(None),
            "cached, response-only": lambda: self.unfused(pairs(self.rows), packed=False),
            "cached, response-only, packed 2200, unfused": lambda: self.unfused(
                self.groups(2200, packed=True), packed=True
            ),
            **{
                f"cached, fused head, packed {budget}": lambda budget=budget: self.ours(
                    self.groups(budget, packed=True), packed=True
                )
                for budget in (1100, 2200, 4400)
            },
            "fused head, packed 2200, compiled layers": lambda: self.compiled(2200),
            "fused head, packed 2200, checkpointing": lambda: self.checkpointed(2200),
            SCORING: self.scored,
        }

    def unfused(self, groups: Sequence[Sequence[TrainingExample]], packed: bool) -> None:
        """`ours` with the head in torch's own operations, by chunks."""
        with mock.patch("rasft.training.model.forward.fused_for", return_value=None):
            self.ours(groups, packed)

    def exact_head(self) -> None:
        """Unfused in padded pairs, with a float64 head: the error that is left is the layers'."""
        with mock.patch("rasft.training.model.forward.token_logps", _exact_logps):
            self.unfused(pairs(self.rows), packed=False)

    def attend(self, packed: bool) -> None:
        """Switch the policy's attention."""
        self.policy.model.set_attn_implementation(PACKED if packed else "sdpa")

    def gradient_of(self, step: Callable[[], Any]) -> Tensor:
        """All gradients of a step in one vector, float64."""
        self.policy.zero_grad(set_to_none=False)
        step()
        return torch.cat([p.grad.flatten().double() for p in self.policy.parameters()])


def _exact_logps(head: Any, rule: Any, hidden_ND: Tensor, target_N: Tensor) -> Tensor:
    logits_NV = hidden_ND.double() @ head.weight.double().T
    return logits_NV.log_softmax(-1).gather(1, target_N[:, None])[:, 0].float()
