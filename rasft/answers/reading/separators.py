"""What stands between the parts of an answer: list separators, relation signs, colons."""

from __future__ import annotations

import re

from rasft.answers.reading.tokens import Token, Tokens

SIGNS = {
    "=": "=", "<": "<", ">": ">", "\\le": "\\le", "\\ge": "\\ge", "\\ne": "\\ne", "\\in": "\\in",
    "\\approx": "\\approx", "\\to": "\\to", "\\equiv": "=",
}  # fmt: skip
_GOES_ON = {"+", "-", "*", "/", "\\cdot", "\\times", "\\pm", "\\mp", "^", *SIGNS}
_SEPARATORS = (",", ";", "\\and", "\\or", "\\&", "&", "\\\\")


def separates(token: Token) -> bool:
    """Whether a token stands between two items of a list."""
    if token.kind == "words":
        return bool(re.fullmatch(r"[,; ]*(?:and|or)[,; ]*", token.text.lower()))
    return token.kind == "mark" and token.text in _SEPARATORS


def breaks(lines: list[Tokens]) -> bool:
    r"""Whether a line may go on with the one before it, as `a + b \\ - c` does."""
    return any(line[0].text in _GOES_ON for line in lines[1:])


def colon(token: Token) -> bool:
    """Whether a token stands between two terms of a ratio."""
    return token.text == ":" or (token.kind in ("words", "letters") and token.text == "to")
