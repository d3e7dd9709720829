"""A training example as a reader sees it: its text with special tokens, and which part is trained.

The text comes back from the token ids, so it is what the model reads and has to write, not what
a template was thought to make of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rasft.records import TrainingExample


@dataclass(frozen=True)
class RenderedRow:
    """The text of one sequence, cut where the loss begins to count."""

    problem_id: str
    sample_index: int  # as of TrainingExample
    weight: float
    prompt_tokens: int
    supervised_tokens: int
    prompt: str
    supervised: str


def rendered(example: TrainingExample, tokenizer: Any) -> RenderedRow:
    """The row that an example is, with every special token."""
    ids, cut = example.input_ids, example.prompt_tokens
    prompt, whole = _text(tokenizer, ids[:cut]), _text(tokenizer, ids)
    # Of the whole, since a tokenizer may drop the blank that begins a text.
    goes_on = whole.startswith(prompt)
    supervised = whole[len(prompt) :] if goes_on else _text(tokenizer, ids[cut:])
    return RenderedRow(
        problem_id=example.problem_id,
        sample_index=example.sample_index,
        weight=example.weight,
        prompt_tokens=cut,
        supervised_tokens=len(ids) - cut,
        prompt=prompt,
        supervised=supervised,
    )


def _text(tokenizer: Any, ids: tuple[int, ...]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))
