"""The processes of one training: who holds what, what they add up, what they decide together.

Where each holds a whole copy they are independent until the step's last backward pass, and add up
their gradients after it: so a process that runs out of memory can say so, and all begin the step
again. Where the model is in shards they talk in every layer, and a process that leaves a pass in
the middle leaves the others waiting: that cannot be begun again.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator
from accelerate.utils import DistributedType

SHARDED = (DistributedType.FSDP, DistributedType.DEEPSPEED)


def is_sharded(accelerator: Accelerator) -> bool:
    """Whether each process holds a part of the model."""
    return accelerator.distributed_type in SHARDED


def prepare(
    accelerator: Accelerator, module: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[Any, Any]:
    """Module and optimizer on their device, in shards where the launcher says so.

    Whole copies are not wrapped in DDP: it would add gradients up while one process may still run
    out of memory, and it holds a second copy of them.
    """
    if is_sharded(accelerator):
        prepared: tuple[Any, Any] = accelerator.prepare(module, optimizer)
        return prepared
    placed = accelerator.prepare_model(module, evaluation_mode=True)
    return placed, accelerator.prepare_optimizer(optimizer)


def one_says(accelerator: Accelerator, said: bool) -> bool:
    """Whether any process says so; all must ask."""
    vote = torch.tensor(int(said), device=accelerator.device)
    return bool(accelerator.reduce(vote, "sum") > 0)


def add_up_gradients(accelerator: Accelerator, module: torch.nn.Module) -> None:
    """Give each process the sum of all gradients. Shards have theirs from the backward pass.

    A parameter that no process used (an expert without a token) stays without one.
    """
    if accelerator.num_processes == 1 or is_sharded(accelerator):
        return
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    used = torch.tensor([p.grad is not None for p in trained], device=accelerator.device).int()
    dist.all_reduce(used)
    for parameter, processes in zip(trained, used.tolist(), strict=True):
        if not processes:
            continue
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        dist.all_reduce(parameter.grad)
