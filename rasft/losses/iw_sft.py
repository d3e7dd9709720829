"""Importance-weighted supervised fine-tuning (arXiv 2507.12856).

    L_t = -w sg[clip(q(y_t) / pi_ref(y_t), importance_min, importance_max)] log pi_theta(y_t)

The paper leaves the auxiliary distribution q open. Here q is the policy itself, detached: the
ratio starts at 1, where the loss is plain SFT, and grows where the policy has moved towards the
data. The ratio is taken a token at a time and clipped, to bound the variance.
"""

from __future__ import annotations

from rasft.losses import LossInputs, LossOutput, LossSettings

USES_REFERENCE = True
EXAMPLES = "expert"


def token_loss(inputs: LossInputs, settings: LossSettings) -> LossOutput:
    """The formula above, (B, T)."""
    ratio_BT = (inputs.logp_BT.detach() - inputs.reference_logp_BT).exp()
    clipped_BT = ratio_BT.clamp(settings.importance_min, settings.importance_max)
    return LossOutput(-inputs.weights_B[:, None] * inputs.mask_BT * clipped_BT * inputs.logp_BT)
