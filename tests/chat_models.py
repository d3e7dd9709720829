"""Tiny models that speak as others do: the tokens and the chat template of a family."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rasft.models import tiny_llama
from tests.tiny_model import SIZE

EOS = "<|the_end|>"

ROLES = "{% for m in messages %}"
GEMMA = (
    ROLES + "{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' }}"
    "{{ m.content + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
GEMMA_TOKENS = ("<start_of_turn>", "<end_of_turn>")


def tokenizer(template: str | None, tokens: Sequence[str] = (), eos: str = EOS) -> Any:
    """Byte-level, with these tokens as special ones."""
    made = tiny_llama._tokenizer()
    special = {"bos_token": "<|the_begin|>", "eos_token": eos}
    made.add_special_tokens({**special, "additional_special_tokens": list(tokens)})
    made.chat_template = template
    return made


def build(folder: Path, template: str | None, tokens: Sequence[str] = ()) -> Path:
    """A model folder of random weights; its generation config names the tokenizer's EOS alone."""
    made = tokenizer(template, tokens)
    tiny_llama._model(made, 0, SIZE).save_pretrained(folder)
    made.save_pretrained(folder)
    return folder
