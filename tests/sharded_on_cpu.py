"""The training program with its weights in shards over CPU processes.

torch's FSDP2 and DeepSpeed's ZeRO-3 work over gloo, but Accelerate takes them up on GPUs alone:
told here what it would find out there.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import torch
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType
from torch.distributed.tensor import DTensor

from rasft.records import TrainingStep
from rasft.training.launch import program
from rasft.training.loop.trainer import Trainer
from tests import short_of_memory

_open, _run = AcceleratorState.__init__, program.run_steps


def _open_with_shards(self: AcceleratorState, *arguments: Any, **named: Any) -> None:
    _open(self, *arguments, **named)
    if self.distributed_type != DistributedType.MULTI_CPU:
        return
    if shards := named["fsdp_plugin"]:
        kind, self.fsdp_plugin = DistributedType.FSDP, shards
        if self._mixed_precision != "no":
            shards.set_mixed_precision(self._mixed_precision)
    else:
        import deepspeed

        # its own way between processes of one machine would have to be compiled
        import_module("deepspeed.comm.torch").build_shm_op = lambda: None
        deepspeed.comm.init_distributed("gloo", auto_mpi_discovery=False)
        shards = named["deepspeed_plugin"]
        shards.set_mixed_precision(named["mixed_precision"])
        shards.select(_from_accelerator_state=True)
        kind, self.deepspeed_plugins = DistributedType.DEEPSPEED, {"default": shards}
        self._mixed_precision = "no"
    self.distributed_type = PartialState._shared_state["distributed_type"] = kind


def _run_checked(trainer: Trainer, *rest: Any) -> list[TrainingStep]:
    """Every weight is in shards, and the log-probs that a loss sees are whole and exact."""
    for weight in trainer.module.parameters():
        assert isinstance(weight, DTensor) or hasattr(weight, "ds_id")
    trainer.module.register_forward_hook(_check_logps)
    return _run(trainer, *rest)


def _check_logps(_module: Any, _inputs: Any, logp_BT: Any) -> None:
    assert type(logp_BT) is torch.Tensor
    assert logp_BT.dtype == torch.float32


if __name__ == "__main__":
    AcceleratorState.__init__ = _open_with_shards  # type: ignore[method-assign]
    program.run_steps = _run_checked
    if os.environ.get("SHORT_OF_MEMORY"):
        short_of_memory.shorten()
    sys.exit(program.main())
