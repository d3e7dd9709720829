"""Tokens that the policy finds improbable weigh more."""

from rasft.losses import LossInputs, LossOutput, LossSettings

USES_REFERENCE = False
EXAMPLES = "expert"


def token_loss(inputs: LossInputs, settings: LossSettings) -> LossOutput:
    """-w sg[(1 - p)^2] log p, (B, T)."""
    miss_BT = 1 - inputs.logp_BT.detach().exp()
    factor_BT = inputs.weights_B[:, None] * inputs.mask_BT * miss_BT**2
    return LossOutput(-factor_BT * inputs.logp_BT)
