"""What a model does between its last hidden state and its logits beside the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class LogitRule:
    """logits = cap * tanh(head(scale * hidden) / cap); without a cap, head(scale * hidden).

    A head without a bias commutes with the scale, and models that scale have none.
    """

    scale: float = 1.0
    cap: float | None = None

    def capped(self, logits_NV: Tensor) -> Tensor:
        """Logits as the model gives them, in fp32."""
        logits_NV = logits_NV.float()
        return logits_NV if self.cap is None else self.cap * torch.tanh(logits_NV / self.cap)


def logit_rule(config: Any) -> LogitRule:
    """Read from a model's configuration: Gemma caps, Granite divides, Cohere multiplies."""
    text = config.get_text_config()
    divisor = getattr(text, "logits_scaling", None) or 1.0
    factor = getattr(text, "logit_scale", None) or 1.0
    return LogitRule(factor / divisor, getattr(text, "final_logit_softcapping", None))
