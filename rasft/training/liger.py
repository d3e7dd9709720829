"""Hidden states -> log-probs of the target tokens, on a GPU: liger-kernel's fused linear
cross-entropy, where it is installed.

It too makes the logits of some positions at a time and makes them again in the backward pass, where
Triton turns them into their gradient in place. It gives each token's loss, so a loss may weigh the
tokens as it likes. https://github.com/linkedin/Liger-Kernel
"""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor

from rasft.training.precision import compute_dtype

IGNORED = -100  # no target is this


def installed() -> bool:
    """Whether the package is there: `pip install -e .[liger]`."""
    return find_spec("liger_kernel") is not None


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
