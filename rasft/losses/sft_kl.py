"""Supervised fine-tuning held to the reference by a penalty.

    L_t = w (-log pi_theta(y_t) + kl_weight KL(pi_ref || pi_theta) at position t)

The divergence is over the whole vocabulary, which the loop computes for plugins with USES_KL.
"""

from __future__ import annotations

from rasft.losses import LossInputs, LossOutput, LossSettings, divergence

USES_REFERENCE = False  # the stored log-probs are of single tokens: the divergence needs all
USES_KL = True
EXAMPLES = "expert"


def token_loss(inputs: LossInputs, settings: LossSettings) -> LossOutput:
    """The formula above, (B, T)."""
    terms_BT = settings.kl_weight * divergence(inputs) - inputs.logp_BT
    return LossOutput(inputs.weights_B[:, None] * inputs.mask_BT * terms_BT)
