"""Decoding a sequence at a time by the model's own `generate`, over the model's own cache.

For models whose layers carry a state from token to token (state space, linear attention,
convolution), or whose class takes no attention but its own: the slots of `continuous_batching` hold
keys and values alone, and need an attention that reads them. Slow, and right for
every family that transformers knows; vLLM is the engine for real work with such models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from rasft.decoding.engine import Sampling
from rasft.decoding.sampling import draw, penalise
from rasft.decoding.uniforms import Uniforms


class Drawn(LogitsProcessor):
    """Draws the token itself, and leaves it as the only one that `generate` can choose."""

    def __init__(self, sampling: Sampling, seed: int, on_step: Callable[[], None]):
        self.sampling, self.on_step = sampling, on_step
        self.uniforms = Uniforms(1)
        self.uniforms.start(0, seed)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Logits (1, V) -> 0 for the drawn token and -inf for every other."""
        self.on_step()
        logits = scores.float()
        if self.sampling.repetition_penalty != 1:
            logits = penalise(logits, input_ids, self.sampling.repetition_penalty)
        token = draw(logits, self.sampling.temperature, self.sampling.top_p, self.uniforms)
        return torch.full_like(scores, -torch.inf).scatter(1, token[:, None], 0.0)


@torch.no_grad()
def sample_tokens(
    model: Any,
    prompt: Sequence[int],
    budget: int,
    stops: Sequence[int],
    drawn: Drawn,
) -> list[int]:
    """The new tokens after a prompt: up to `budget`, or up to and with a stop token."""
    ids = torch.tensor([list(prompt)], device=model.device)
    settings = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False, max_new_tokens=budget, eos_token_id=list(stops) or None, pad_token_id=0
    )
    written = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        generation_config=settings,
        logits_processor=LogitsProcessorList([drawn]),
    )
    tokens: list[int] = written[0, len(prompt) :].tolist()
    return tokens
