"""Plain SFT's gradients by TRL's SFTTrainer: its own collator and its own `training_step`.

Its defaults stay, but for gradient checkpointing, which would cost it time. The rows are tokenised
already; prompts are not trained on. The loss is divided by the response tokens of the whole step.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from accelerate.state import AcceleratorState

from rasft.records import TrainingExample

Groups = Sequence[Sequence[TrainingExample]]
IGNORED = -100


@contextmanager
def opened(model: Any, tokenizer: Any, dtype: str, **options: Any) -> Iterator[TrlSft]:
    """A trainer over the model, which it changes in place; its folder goes at the end."""
    with tempfile.TemporaryDirectory() as scratch:
        yield TrlSft(model, tokenizer, dtype, scratch, options)


class TrlSft:
    """An SFTTrainer that is asked for gradients alone."""

    def __init__(
        self, model: Any, tokenizer: Any, dtype: str, scratch: str, options: dict[str, Any]
    ):
        from datasets import Dataset
        from trl import SFTConfig, SFTTrainer

        AcceleratorState._reset_state(reset_partial_state=True)
        config = SFTConfig(
            output_dir=scratch,
            bf16=dtype == "bfloat16",
            use_cpu=not torch.cuda.is_available(),
            gradient_checkpointing=False,
            report_to=[],
            dataset_kwargs={"skip_prepare_dataset": True},
            **options,
        )
        rows = Dataset.from_list([{"input_ids": [1, 2], "labels": [IGNORED, 2]}])
        self.trainer = SFTTrainer(model, config, processing_class=tokenizer, train_dataset=rows)
        self.trainer.current_gradient_accumulation_steps = 1
        self.model = self.trainer.accelerator.prepare_model(self.trainer.model)

    def step(self, groups: Groups) -> None:
        """Add the gradient of all rows, a micro-batch a group."""
        tokens = sum(len(r.input_ids) - r.prompt_tokens for group in groups for r in group)
        items = torch.tensor(tokens, device=self.trainer.args.device)
        for group in groups:
            inputs = self.trainer.data_collator([features(row) for row in group])
            self.trainer.training_step(self.model, inputs, items)


def features(row: TrainingExample) -> dict[str, list[int]]:
    """A row as TRL's collator takes it."""
    response = list(row.input_ids[row.prompt_tokens :])
    return {
        "input_ids": list(row.input_ids),
        "labels": [IGNORED] * row.prompt_tokens + response,
    }


def micro_batches(rows: Sequence[TrainingExample], size: int, by_length: bool) -> Groups:
    """As they come, or sorted by length."""
    ordered = sorted(rows, key=lambda row: len(row.input_ids)) if by_length else list(rows)
    return [ordered[i : i + size] for i in range(0, len(ordered), size)]
