"""What a method's loss multiplies a token's gradient by, for each probability of the token.

It is read from the loss plugin itself: the derivative of its token loss. At a training's first step
the policy is the reference, so the factor depends on the token's probability alone, and a
sequence's weight multiplies it. Later the policy moves, and ratios and divergences with it.
"""

from __future__ import annotations

from collections.abc import Mapping

from rasft import plugins
from rasft.losses import LossInputs, LossSettings

LEVELS = 2000  # hundredths of a nat; less probable tokens share the last factor


def factors(method: str, constants: Mapping[str, float]) -> list[float]:
    """The factor of a token of each level of `tokens.level`, for a sequence of weight 1."""
    import torch

    logps = -torch.arange(LEVELS, dtype=torch.float64)[None, :] / 100
    logp_BT = logps.clone().requires_grad_()
    inputs = LossInputs(
        logp_BT=logp_BT,
        reference_logp_BT=logps,
        mask_BT=torch.ones_like(logps, dtype=torch.bool),
        weights_B=torch.ones(1, dtype=torch.float64),
        kl_BT=torch.zeros_like(logps),
    )
    output = plugins.load("losses", method).token_loss(inputs, LossSettings.of(constants))
    (gradient,) = torch.autograd.grad(output.loss_BT.sum(), logp_BT)
    return [float(f"{-value:.4g}") for value in gradient[0].tolist()]
