"""Hugging Face model folders: load in fp32, save, and prove that what was saved reloads."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from rasft.errors import MachineError, UserError
from rasft.models.traits import Traits, traits_of

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# Attributes of modules that say how much is dropped or shaken, as transformers' models name them.
_RANDOM = re.compile(r"dropout|pdrop|layerdrop|jitter")


def load_model(path: str | Path) -> Any:
    """The model with fp32 weights, in evaluation mode, on the CPU.

    Small updates are lost in bf16 weights, and the reference must be read as the policy is. Dropout
    is left as the model has it: evaluation mode draws none. Raises UserError if the folder cannot
    be read.
    """
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            path, dtype=torch.float32, attn_implementation=own_attention(path)
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"cannot load a causal language model from {path}: {error}") from error
    return model.eval()


def traits_of_model(model: Any) -> Traits:
    """The traits of a loaded model: transformers knows of some classes that they carry a state."""
    stated = traits_of(model.config.to_dict())
    return replace(stated, carries_state=stated.carries_state or bool(model._is_stateful))


def attend_plainly(model: Any) -> None:
    """Give a model the attention that it was loaded with, for padded rows."""
    model.set_attn_implementation(_attention_for(model.config.to_dict()))


def own_attention(path: str | Path) -> str:
    """The attention implementation that computes what the model of a folder means."""
    try:
        return _attention_for(json.loads((Path(path) / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return "sdpa"  # what is wrong with the folder is told where it is loaded


def _attention_for(config: Mapping[str, Any]) -> str:
    """torch's own kernel ignores capped scores and sinks without a word."""
    return "eager" if traits_of(config).scores_changed else "sdpa"


def without_dropout(model: Any) -> Any:
    """Switch off what draws at random in training mode: dropout, dropped layers, router jitter.

    With it the policy's log-probs would differ from the stored reference's from the first step.
    The model's configuration, which is saved with it, keeps its values.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).items():
            if isinstance(value, float) and _RANDOM.search(name):
                setattr(module, name, 0.0)
    return model


def load_tokenizer(path: str | Path, chat_template: str | None = None) -> Any:
    """The tokenizer of a model folder, with another chat template if given.

    Raises UserError if it cannot be read.
    """
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot load a tokenizer from {path}: {error}") from error
    if chat_template:
        tokenizer.chat_template = chat_template
    return tokenizer


def stop_at(model: Any, token_ids: Sequence[int]) -> None:
    """Make these the EOS of the model's generation config, where it does not say so already."""
    known = model.generation_config.eos_token_id
    if token_ids and set(token_ids) != set(known if isinstance(known, list) else [known]):
        model.generation_config.eos_token_id = list(token_ids) if token_ids[1:] else token_ids[0]


def save_checked(model: Any, state: dict[str, torch.Tensor], tokenizer: Any, folder: Path) -> None:
    """Write the folder under another name, reload it, compare every weight, then rename it.

    A folder at the final name is therefore whole. Raises MachineError if what was read back is
    not what was written.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    tied = model.all_tied_weights_keys  # shards are gathered into a copy for each name
    state = {name: weight for name, weight in state.items() if name not in tied}
    model.save_pretrained(partial, state_dict=state)
    tokenizer.save_pretrained(partial)
    _compare(load_model(partial).state_dict(), state, partial)
    if load_tokenizer(partial).chat_template != tokenizer.chat_template:
        raise MachineError(f"{partial}: the reloaded tokenizer has another chat template")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)


def _compare(
    reloaded: dict[str, torch.Tensor], state: dict[str, torch.Tensor], folder: Path
) -> None:
    """A weight may be missing from `state` only if it is tied to one that is there."""
    known = {reloaded[name].data_ptr() for name in state.keys() & reloaded.keys()}
    lost = [name for name in state if name not in reloaded]
    untied = [
        name for name, weight in reloaded.items()
        if name not in state and weight.data_ptr() not in known
    ]  # fmt: skip
    changed = [
        name for name in state.keys() & reloaded.keys()
        if not torch.equal(reloaded[name], state[name])
    ]  # fmt: skip
    if faults := sorted({*lost, *untied, *changed}):
        raise MachineError(f"{folder}: not as saved after reload: {', '.join(faults[:5])}")
