"""Rollout-adaptive supervised fine-tuning (arXiv 2606.07006).

    rho = clip(exp(mean_t log pi_ref(y_t) - mean_t log pi_theta(y_t)), ratio_min, ratio_max)
    L_t = -sg[w * rho * pi_theta(y_t)] * log pi_theta(y_t)

sg stops the gradient, w is the sequence's weight. rho is one number a sequence, the clipped
inverse ratio between the frozen reference and the policy; pi_theta(y_t) is DFT's factor, whose
exponent is `probability_power`, 1 in the paper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rasft.losses import LossInputs, LossOutput, LossSettings

if TYPE_CHECKING:
    from torch import Tensor

USES_REFERENCE = True
EXAMPLES = "group"


def token_loss(inputs: LossInputs, settings: LossSettings) -> LossOutput:
    """The formula above, (B, T)."""
    logp_BT = inputs.logp_BT.detach()
    ratio_B = (
        mean_over_tokens(inputs.reference_logp_BT, inputs.mask_BT)
        - mean_over_tokens(logp_BT, inputs.mask_BT)
    ).exp()
    clipped_B = ratio_B.clamp(settings.ratio_min, settings.ratio_max)
    probability_BT = (settings.probability_power * logp_BT).exp()
    factor_BT = (inputs.weights_B * clipped_B)[:, None] * probability_BT * inputs.mask_BT
    return LossOutput(
        loss_BT=-factor_BT * inputs.logp_BT,
        metrics={
            "mean_ratio": clipped_B,
            "ratio_clip_share": (clipped_B != ratio_B).to(ratio_B.dtype),
        },
    )


def mean_over_tokens(values_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """The mean over each sequence's response tokens, (B,)."""
    return (values_BT * mask_BT).sum(dim=1) / mask_BT.sum(dim=1).clamp(min=1)
