"""When the loss of a step says that something broke: far above that of the steps before it.

What is watched is the plain mean negative log-likelihood, since the minimised loss moves with the
weights of a batch. A spike is `factor` times the median of the last steps and a nat above it: near
zero, a multiple of the median is noise.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Sequence

WINDOW = 20  # steps that say what is usual
FEWEST = 5  # of them, before a spike can be told
LEAST_RISE = 1.0  # nats per token


class SpikeGuard:
    """Watches the NLL of each step; `factor` None never finds a spike.

    >>> guard = SpikeGuard(4.0, [0.5, 0.6, 0.5, 0.4, 0.5])
    >>> guard.fault(1.9), guard.fault(2.5)
    (None, 'the NLL is 2.5 where 0.5 was usual')
    """

    def __init__(self, factor: float | None, earlier: Sequence[float] = ()):
        self.factor = factor
        self._usual = deque(earlier, maxlen=WINDOW)

    def fault(self, nll: float) -> str | None:
        """What is wrong with a step of this NLL; None takes it into what is usual."""
        if self.factor and len(self._usual) >= FEWEST:
            usual = statistics.median(self._usual)
            if nll > max(self.factor * usual, usual + LEAST_RISE):
                return f"the NLL is {nll:.4g} where {usual:.4g} was usual"
        self._usual.append(nll)
        return None
