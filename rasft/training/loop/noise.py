"""Noise that a model brings for its training: dropout, skipped layers, jittered routers of experts.

With it the policy's log-probs are not those of the stored reference, and the gradient is that of
another loss. So it stays off unless `training.dropout` asks for it, by evaluation mode, which every
kind of noise heeds; adapters keep the dropout that their own setting gives them.
"""

from __future__ import annotations

from typing import Any

from peft.tuners.lora import LoraLayer
from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer


def train_without_noise(model: Any) -> None:
    """Evaluation mode, but for adapters' dropout and what recomputes its activations.

    transformers recomputes in layers that are in training mode themselves: their own rates go.
    """
    model.eval()
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.lora_dropout.train()
        if isinstance(module, GradientCheckpointingLayer) and module.gradient_checkpointing:
            module.training = True
            for name in own_rates(module):
                setattr(module, name, 0.0)


def own_rates(module: nn.Module) -> list[str]:
    """Names of the dropout rates above 0 that a module applies by itself."""
    values = vars(module).items()
    return [name for name, value in values if "drop" in name and isinstance(value, float) and value]
