"""Models of real sizes with random weights: their configurations, as published.

Nothing is fetched: speed and equality need shapes, not skill.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from rasft.models.language_model import attend_plainly


@dataclass(frozen=True)
class Shape:
    """A `config.json` in short."""

    kind: str  # transformers' model type
    layers: int
    hidden: int
    intermediate: int
    heads: int
    groups: int  # heads of keys and values
    head_size: int
    vocabulary: int
    more: dict[str, Any] = field(default_factory=dict)


LLAMA_1B = Shape("llama", 16, 2048, 8192, 32, 8, 64, 128256, {"rope_theta": 500000.0})
QWEN_15B = Shape("qwen2", 28, 1536, 8960, 12, 2, 128, 151936, {"rope_theta": 1000000.0})
GEMMA_2B = Shape("gemma2", 26, 2304, 9216, 8, 4, 256, 256000)  # soft caps of 50 and 30
SHAPES = {
    "Llama 3.2 1B": LLAMA_1B,
    "Qwen2.5 1.5B": QWEN_15B,
    "Gemma 2 2B": GEMMA_2B,
}


def toy(shape: Shape) -> Shape:
    """The same kind of model, for a CPU and a second."""
    groups = max(1, 4 * shape.groups // shape.heads)
    return Shape(shape.kind, 2, 64, 128, 4, groups, 16, 512, shape.more)


def config_of(shape: Shape, layers: int | None = None) -> Any:
    """transformers' configuration, of fewer layers if asked for."""
    return AutoConfig.for_model(
        shape.kind,
        num_hidden_layers=layers or shape.layers,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.groups,
        head_dim=shape.head_size,
        vocab_size=shape.vocabulary,
        max_position_embeddings=32768,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
        **shape.more,
    )


def build(config: Any, device: torch.device, dtype: torch.dtype = torch.float32) -> Any:
    """The model with seeded random weights, made on the device, in evaluation mode."""
    with torch.random.fork_rng(), device:
        torch.manual_seed(0)
        model: Any = AutoModelForCausalLM.from_config(config, dtype=dtype)
    attend_plainly(model)
    return model.to(device).eval()
