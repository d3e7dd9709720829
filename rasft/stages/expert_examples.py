"""A problem's expert responses as what is trained on, before anything is scored."""

from __future__ import annotations

from rasft.models.renderer import Renderer
from rasft.records import Problem, TrainingExample


def expert_examples(problem: Problem, renderer: Renderer) -> list[TrainingExample]:
    """The prompt with each of n expert responses, with the weight 1/n and no log-probabilities."""
    prompt, sequences = renderer.prompt_ids(problem), problem.expert_sequences
    return [
        TrainingExample(
            problem_id=problem.id,
            sample_index=index,
            input_ids=(*prompt, *renderer.response_ids(text)),
            prompt_tokens=len(prompt),
            weight=1.0 / len(sequences),
            reference_logps=(),
        )
        for index, text in sequences
    ]
