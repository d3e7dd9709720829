"""A tiny Llama with seeded random weights: a model that two cores train in a minute.

It knows nothing until a warm-up has taught it. The tokenizer is byte-level with no merges: every
text has tokens, one a byte, and the chat template is ChatML, as SmolLM2's and Qwen's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rasft.config.named_templates import CHATML

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"


@dataclass(frozen=True)
class Size:
    """The shape of the model; the default has about 360,000 parameters."""

    hidden: int = 96
    intermediate: int = 256
    layers: int = 3
    heads: int = 4
    key_value_heads: int = 2
    context: int = 2048  # tokens


def build(folder: Path, seed: int = 0, size: Size | None = None) -> Path:
    """Write the model as a Hugging Face folder; returns the folder."""
    tokenizer = _tokenizer()
    _model(tokenizer, seed, size or Size()).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([PAD, START, END, *alphabet])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[START],
        chat_template=CHATML,
        model_max_length=2048,
    )


def _model(tokenizer: Any, seed: int, size: Size) -> Any:
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.key_value_heads,
        max_position_embeddings=size.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        **ids,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]
    model.generation_config = GenerationConfig(**ids)  # type: ignore[no-untyped-call]
    return model
