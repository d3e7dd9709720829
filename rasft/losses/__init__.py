"""Loss plugins: one method's token loss each, a pure function of tensors.

A plugin module defines `token_loss(inputs: LossInputs, settings: LossSettings) -> LossOutput`,
`USES_REFERENCE`, whether it reads the stored reference log-probs, and `EXAMPLES`, which of a
group's sequences it trains on (a key of `aggregation.WEIGHTS`). With `USES_KL = True` the loop
keeps the frozen reference beside the policy and fills in `kl_BT`. The loop owns the models and the
denominator: a loss returns per-token terms and never divides.
Shapes: B sequences, T response positions (padded), so `logp_BT` is (B, T).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import ModuleType
from typing import TYPE_CHECKING

from rasft.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LossInputs:
    """What a token loss sees of a micro-batch.

    logp_BT is log pi_theta(y_t) in nats, fp32, with its graph; reference_logp_BT is the stored
    log pi_ref(y_t), NaN where none was stored; mask_BT is True on response tokens; weights_B
    multiplies each sequence. kl_BT is KL(pi_ref || pi_theta) over the vocabulary at each position,
    in nats, fp32, with its graph; None unless the plugin has USES_KL. logp_BT, reference_logp_BT
    and kl_BT are 0 off the mask. B may be 0.
    """

    logp_BT: Tensor
    reference_logp_BT: Tensor
    mask_BT: Tensor
    weights_B: Tensor
    kl_BT: Tensor | None = None


def uses_kl(plugin: ModuleType) -> bool:
    """Whether a loss plugin reads `kl_BT`."""
    return bool(getattr(plugin, "USES_KL", False))


def divergence(inputs: LossInputs) -> Tensor:
    """`kl_BT` of a plugin that reads it. Raises ValueError where it was not computed."""
    if inputs.kl_BT is None:
        raise ValueError("this loss needs kl_BT: the plugin must say USES_KL = True")
    return inputs.kl_BT


@dataclass(frozen=True)
class LossSettings:
    """The methods' constants; each method reads its own."""

    ratio_min: float = 0.4  # rasft: lower clip of rho
    ratio_max: float = 1.2  # rasft: upper clip of rho
    probability_power: float = 1.0  # rasft: of the factor pi_theta(y_t); 0 leaves it out
    clip_low: float = 0.2  # psft: the ratio is clipped to [1 - clip_low, 1 + clip_high]
    clip_high: float = 0.28  # psft: see clip_low
    kl_weight: float = 0.05  # sft_kl, asft: lambda, of the divergence from the reference
    probability_threshold: float = 0.1  # profit: tokens above it are kept
    importance_min: float = 0.1  # iw_sft: the ratio q / pi_ref is clipped to [min, max]
    importance_max: float = 2.0  # iw_sft: see importance_min

    @classmethod
    def of(cls, constants: Mapping[str, float]) -> LossSettings:
        """The defaults with `training.loss` of the config over them.

        Raises UserError for a constant that no method has.
        """
        known = [constant.name for constant in fields(cls)]
        for name in constants:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                raise UserError(
                    f"training.loss: unknown constant {name!r}{hint}; known: {', '.join(known)}"
                )
        return cls(**constants)


@dataclass(frozen=True)
class LossOutput:
    """Per-token loss terms (B, T), zero off the mask, and numbers for the log.

    `counted_BT` marks the tokens that the denominator counts: None means all of the mask.
    `metrics` holds detached (B,) tensors, one number a sequence, named as a field of
    records.TrainingStep; the log shows their mean over the step's sequences.
    """

    loss_BT: Tensor
    counted_BT: Tensor | None = None
    metrics: dict[str, Tensor] = field(default_factory=dict)
