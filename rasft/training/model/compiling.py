"""torch.compile over a model's decoder layers, each on its own.

Layers share their code, so one is compiled for all; lengths are symbolic, so batches of every size
share it. Attention stays outside (`attention`), and so does the head, which is fused by hand.
"""

from __future__ import annotations

import os
import shutil

import torch
from transformers.modeling_layers import GradientCheckpointingLayer

from rasft.errors import UserError


def compile_layers(model: torch.nn.Module) -> None:
    """Compile in place: names of weights stay. Raises UserError where no compiler is there."""
    compiler = os.environ.get("CXX", "g++")
    if not torch.cuda.is_available() and shutil.which(compiler) is None:
        raise UserError(
            f"training.compile needs a C++ compiler, and there is no {compiler}: "
            "install it, name another in CXX, or set training.compile to false"
        )
    for layer in model.modules():
        if isinstance(layer, GradientCheckpointingLayer):
            layer.compile(dynamic=True)
