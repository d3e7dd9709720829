"""Anchored supervised fine-tuning (arXiv 2509.23753): DFT held to the reference by a penalty.

    L_t = w (-sg[pi_theta(y_t)] log pi_theta(y_t) + kl_weight KL(pi_ref || pi_theta) at position t)

The divergence is over the whole vocabulary, which the loop computes for plugins with USES_KL.
"""

from __future__ import annotations

from rasft.losses import LossInputs, LossOutput, LossSettings, divergence

USES_REFERENCE = False  # the stored log-probs are of single tokens: the divergence needs all
USES_KL = True
EXAMPLES = "expert"


def token_loss(inputs: LossInputs, settings: LossSettings) -> LossOutput:
    """The formula above, (B, T)."""
    dft_BT = -inputs.logp_BT.detach().exp() * inputs.logp_BT
    terms_BT = dft_BT + settings.kl_weight * divergence(inputs)
    return LossOutput(inputs.weights_B[:, None] * inputs.mask_BT * terms_BT)
