"""A tiny Llama with seeded random weights, for tests that need a model but not its skill.

The tokenizer is byte-level with no merges: every text has tokens, one a byte, and the chat
template is ChatML, as SmolLM2's and Qwen's. Nothing is downloaded.
"""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def build(path: Path, seed: int = 0) -> Path:
    """Write a Hugging Face folder of about 100,000 parameters at `path`; returns `path`."""
    tokenizer = _tokenizer()
    model = _model(tokenizer, seed)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


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


def _tokenizer() -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([PAD, START, END, *alphabet])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[START],
        chat_template=CHATML,
        model_max_length=2048,
    )


def _model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        **ids,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(**ids)
    return model
