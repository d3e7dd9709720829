r"""The binomial coefficient of school books, `C_{10}^{3}`, as `\binom{10}{3}`.

`C_1` is more often a constant, so a C with both marks is a coefficient only where no C of the same
text goes without an exponent, and only where the numbers can be chosen: `C_{1}^{2}` is a square.
"""

from __future__ import annotations

import re

_LOWER = r"_\s*(?:\{\s*([\dmn+-]{1,7})\s*\}|(\d+|[mn]))"
_UPPER = r"\^\s*(?:\{\s*([\dkmnr+-]{1,7})\s*\}|([\dkmnr]))"
_COEFFICIENT = re.compile(
    rf"(?<![A-Za-z\\])C\s*(?:{_LOWER}\s*{_UPPER}|{_UPPER}\s*{_LOWER})(?!\s*[\^_])"
)
_CONSTANT = re.compile(r"(?<![A-Za-z\\])C\s*_?\s*(?:\{[^{}]*\}|\w)?(?!\s*[\^_\w{])")


def binomials(text: str) -> str:
    """The text with each such C written as a binomial."""
    if "C" not in text or _CONSTANT.search(_COEFFICIENT.sub("", text)):
        return text
    return _COEFFICIENT.sub(_binomial, text)


def _binomial(match: re.Match[str]) -> str:
    groups = match.groups()
    lower, upper = groups[0] or groups[1], groups[2] or groups[3]
    if lower is None or upper is None:
        upper, lower = groups[4] or groups[5], groups[6] or groups[7]
    numbers = lower.isdigit() and upper.isdigit()
    if (numbers and not 0 <= int(upper) <= int(lower)) or lower == "1":
        return match[0]
    return f"\\binom{{{lower}}}{{{upper}}}"
