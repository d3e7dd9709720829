"""What DeepSpeed's ZeRO-3 has to be told, and how its weights are known and made whole.

It cuts a model up and gathers a layer's weights whenever any process calls the layer, so all
processes must call the same layers equally often.
"""

from __future__ import annotations

import warnings
from typing import Any

from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch import Tensor, nn
from transformers.integrations.deepspeed import unset_hf_deepspeed_config


def prepare_zero3(accelerator: Accelerator) -> None:
    """Before a model is loaded; nothing where DeepSpeed does not train."""
    if not _trains(accelerator):
        return
    # A model is loaded whole and checked before it is cut up.
    unset_hf_deepspeed_config()  # type: ignore[no-untyped-call]
    # It wants to know a batch size; with a token budget they differ.
    accelerator.state.deepspeed_plugin.deepspeed_config["train_micro_batch_size_per_gpu"] = 1
    # It calls what torch has renamed, and would say so in each pass.
    warnings.filterwarnings("ignore", r"`torch\.distributed\.\w+` is deprecated", FutureWarning)


def is_cut_up(layer: nn.Module) -> bool:
    """Whether the layer's weight is whole only while its forward runs."""
    return hasattr(getattr(layer, "weight", None), "ds_id")


def whole_weights(accelerator: Accelerator, module: Any) -> dict[str, Tensor]:
    """Every weight of the prepared module, whole, on the first process; every process calls.

    Those that are trained come as the optimizer has them: of a training in bf16 ZeRO-3 would hand
    out the rounded ones.
    """
    state: dict[str, Tensor] = accelerator.get_state_dict(module) or {}
    if _trains(accelerator):
        from deepspeed.utils import safe_get_full_fp32_param

        for name, weight in module.module.named_parameters():
            if weight.requires_grad:
                whole = safe_get_full_fp32_param(weight)
                if accelerator.is_main_process:
                    state[name] = whole.cpu()
    return state


def _trains(accelerator: Accelerator) -> bool:
    return bool(accelerator.distributed_type == DistributedType.DEEPSPEED)
