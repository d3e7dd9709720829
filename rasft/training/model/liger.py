"""Hidden states -> log-probs of the target tokens, on a GPU: liger-kernel's fused linear
cross-entropy, where it is installed.

It too makes the logits of some positions at a time and makes them again in the backward pass, where
Triton turns them into their gradient in place. It gives each token's loss, so a loss may weigh the
tokens as it likes. https://github.com/linkedin/Liger-Kernel
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from rasft import extras
from rasft.training.model import kernel_check
from rasft.training.model.precision import compute_dtype

IGNORED = -100  # no target is this
TOLERANCE = 0.02  # half precision rounds each value by up to 0.004


def installed() -> bool:
    """Whether the package is there."""
    return extras.installed("liger")


@cache
def fits(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the package is there and its kernels say what the plain way says."""
    if not installed():
        return False
    random = torch.Generator().manual_seed(0)
    shapes = ((37, 24), (301, 24))
    inputs = [torch.randn(shape, generator=random).to(device, dtype) for shape in shapes]
    target_N = torch.randint(301, (37,), generator=random).to(device)
    return kernel_check.agrees(
        "liger-kernel",
        lambda hidden, weight: liger_logps(hidden, weight, target_N),
        lambda hidden, weight: _plain_logps(hidden, weight, target_N),
        inputs,
        TOLERANCE,
    )


def liger_logps(hidden_ND: Tensor, weight_VD: Tensor, target_N: Tensor) -> Tensor:
    """log softmax(hidden @ weight.T) at the targets, (N,), fp32; of at least one position."""
    from liger_kernel.ops import LigerFusedLinearCrossEntropyFunction

    compute = compute_dtype(hidden_ND)
    # cast here, once: within, autocast would cast the whole head for each chunk
    loss_N: Tensor
    loss_N, *_ = LigerFusedLinearCrossEntropyFunction.apply(
        hidden_ND.to(compute),
        weight_VD.to(compute),
        target_N,
        None,  # bias
        None,  # weights of the vocabulary
        IGNORED,
        0.0,  # z-loss
        0.0,  # label smoothing
        "none",  # no reduction: a loss a token
        None,  # softcap
        False,  # no z-loss returned
        torch.float32,  # the head's gradient is summed in it
    )
    return -loss_N


def _plain_logps(hidden_ND: Tensor, weight_VD: Tensor, target_N: Tensor) -> Tensor:
    logits_NV = (hidden_ND @ weight_VD.T).float()
    return logits_NV.log_softmax(-1).gather(1, target_N[:, None])[:, 0]
