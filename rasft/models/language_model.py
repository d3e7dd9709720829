"""Hugging Face model folders: load in fp32, save, and prove that what was saved reloads."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from rasft.errors import MachineError, UserError
from rasft.models.traits import Traits, traits_of

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_model(path: str | Path, device_map: str | None = None) -> Any:
    """The model with fp32 weights, in evaluation mode, on the CPU.

    A device map of transformers, such as "auto", lays its layers out over the GPUs.

    Small updates are lost in bf16 weights, and the reference must be read as the policy is. Dropout
    is left as the model has it: evaluation mode draws none. Raises UserError if the folder cannot
    be read.
    """
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=torch.float32,
            attn_implementation=own_attention(path),
            device_map=device_map,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"cannot load a causal language model from {path}: {error}") from error
    return model.eval()


def traits_of_model(model: Any) -> Traits:
    """The traits of a loaded model, with what transformers knows of its class."""
    stated = traits_of(model.config.to_dict())
    return replace(
        stated,
        carries_state=stated.carries_state or bool(model._is_stateful),
        fixed_attention=not model._supports_attention_backend,
    )


def attend_plainly(model: Any) -> None:
    """Give a model the attention that it was loaded with, for padded rows."""
    if not model._supports_attention_backend:
        return  # it has no other
    changed = traits_of(model.config.to_dict()).scores_changed  # which torch's kernel ignores
    model.set_attn_implementation("sdpa" if model._supports_sdpa and not changed else "eager")


def own_attention(path: str | Path) -> str | None:
    """The attention implementation that computes what the model of a folder means.

    None leaves it to transformers: torch's own kernel wherever the class has it.
    """
    try:
        stated = json.loads((Path(path) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # what is wrong with the folder is told where it is loaded
    return "eager" if traits_of(stated).scores_changed else None


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
