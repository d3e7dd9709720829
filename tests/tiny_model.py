"""A tiny Llama with seeded random weights, for tests that need a model but not its skill."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from rasft.models import tiny_llama

SIZE = tiny_llama.Size(hidden=64, intermediate=128, layers=2, heads=2, key_value_heads=1)


def build(path: Path, seed: int = 0) -> Path:
    """Write a Hugging Face folder of about 100,000 parameters at `path`; returns `path`."""
    return tiny_llama.build(path, seed, SIZE)


def build_untied(path: Path, seed: int = 0) -> Path:
    """As `build`, with an output head of its own, whose logits spread by about 2.

    The tied head of random weights nearly always repeats its input.
    """
    build(path, seed)
    model = LlamaForCausalLM.from_pretrained(path, dtype=torch.float32)
    shape = model.get_output_embeddings().weight.shape
    head = 0.25 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    model.config.tie_word_embeddings = False
    model.get_output_embeddings().weight = torch.nn.Parameter(head)
    model.save_pretrained(path)
    return path
