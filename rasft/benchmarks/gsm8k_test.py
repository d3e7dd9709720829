"""GSM8K, the 1,319 test problems (Cobbe et al. 2021), as `rasft.data.gsm8k` reads them.

Licence MIT. Published figures are greedy, mostly with four to eight worked examples.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import gsm8k
from rasft.data.source import Source
from rasft.records import Problem

KIND = "math"
ROWS = 1_319


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    return gsm8k.load(source, "gsm8k_test", "test")
