"""Low-rank adapters (LoRA, arXiv 2106.09685; on 4-bit weights QLoRA, arXiv 2305.14314), by peft.

The model keeps its class and its forward pass: peft puts the adapters into its layers, the base
weights are frozen. At the end the adapters are saved, loaded onto the untouched base and merged
there; the merged model is what a run hands on, once its logits equal those of base and adapters.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from rasft import extras
from rasft.config.settings import LoraSettings
from rasft.errors import MachineError, UserError
from rasft.models.language_model import DTYPES, load_model, own_attention

TOLERANCE = 1e-3  # of the logits, fp32


def load_quantized(path: str, dtype: str) -> Any:
    """As `quantized`, on a GPU. Raises UserError where it cannot be had."""
    if not torch.cuda.is_available():
        raise UserError("training.lora.quantize needs a GPU: take it out to train LoRA in fp32")
    extras.require("qlora", "training.lora.quantize")
    return quantized(path, dtype)


def quantized(path: str, dtype: str) -> Any:
    """The model in 4-bit NF4 with double quantisation, on this process's device."""
    packed = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=DTYPES[dtype],
    )
    model: Any = AutoModelForCausalLM.from_pretrained(
        path,
        quantization_config=packed,
        attn_implementation=own_attention(path),
        device_map={"": PartialState().device},
    )
    return model.eval()


def with_adapters(model: Any, settings: LoraSettings, seed: int) -> Any:
    """peft's model around `model`, whose layers now hold the adapters and whose own weights are
    frozen. Every process draws the same adapters.

    Raises UserError for modules that the model does not have.
    """
    modules = settings.target_modules
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(modules) if modules else "all-linear",
        task_type="CAUSAL_LM",
    )
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return get_peft_model(model, config).eval()
    except ValueError as error:
        raise UserError(f"training.lora.target_modules = {list(modules)}: {error}") from None


def merge_checked(base: str, adapter: Path, ids: torch.Tensor) -> Any:
    """The base with the saved adapters merged into its weights, fp32.

    Raises MachineError if its logits on the token ids (1, S) are not those of base and adapters.
    """
    adapted = PeftModel.from_pretrained(load_model(base), adapter).eval()
    with torch.no_grad():
        expected = adapted(input_ids=ids).logits
        merged: Any = adapted.merge_and_unload()
        difference = (merged(input_ids=ids).logits - expected).abs().max().item()
    if not difference <= TOLERANCE:
        raise MachineError(
            f"the merged model's logits differ by {difference:.2g} from those of base and adapters "
            f"in {adapter}; the adapters are saved, merge them elsewhere"
        )
    return merged
