"""ProFit (arXiv 2601.09195): train only the tokens that the policy finds probable.

    L_t = -w 1[sg(pi_theta(y_t)) > probability_threshold] log pi_theta(y_t)

divided by the number of kept tokens, not of all response tokens. A step that keeps no token has
loss and gradient 0.
"""

from __future__ import annotations

from rasft.losses import LossInputs, LossOutput, LossSettings

USES_REFERENCE = False
EXAMPLES = "expert"


def token_loss(inputs: LossInputs, settings: LossSettings) -> LossOutput:
    """The formula above, (B, T)."""
    probable_BT = inputs.logp_BT.detach().exp() > settings.probability_threshold
    kept_BT = probable_BT & inputs.mask_BT
    return LossOutput(-inputs.weights_B[:, None] * kept_BT * inputs.logp_BT, counted_BT=kept_BT)
