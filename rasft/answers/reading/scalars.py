"""Reads one scalar: an expression, with the currency before it or the unit after it."""

from __future__ import annotations

from fractions import Fraction

from rasft.answers.reading.cursor import Unreadable
from rasft.answers.reading.expression import Apply, Number
from rasft.answers.reading.grammar import read_expression
from rasft.answers.reading.shapes import Scalar, Shape, Words
from rasft.answers.reading.tokens import Token, Tokens
from rasft.answers.reading.units import LETTERS, is_unit_word
from rasft.answers.reading.words import is_introduction, number_word

__all__ = [
    "is_introduction",
    "number_word",
    "product",
    "read_scalar",
    "whole",
    "without_condition",
    "without_introduction",
]

_CURRENCY = {"\\$": "dollar", "€": "euro", "£": "pound sterling"}
_BOUNDS = ("<", ">", "\\le", "\\ge", "\\ne", "\\in")
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_CONDITIONS = ("for", "where", "with", "when", "if", "whenever", "provided")
_MARKS = {"percent": "%", "degree": "degree"}
_IN_UNITS = ("/", "^", "{", "}", "*", "-", "\\cdot", "(", ")", "\\%")


def whole(value: int) -> Scalar:
    """A scalar with an integer value."""
    return Scalar(Number(Fraction(value), str(value)))


def product(first: Scalar, second: Scalar) -> Scalar:
    """The product of two scalars without units."""
    return Scalar(Apply("mul", (first.node, second.node)))


def without_introduction(tokens: Tokens) -> Tokens:
    """Drop leading words that only lead up to the answer, if anything follows them."""
    start = 0
    while start < len(tokens) and tokens[start].kind in ("words", "letters"):
        start += 1
    if start in (0, len(tokens)) or tokens[start].text in ("=", "(", "_", "^", "'"):
        return tokens
    said = " ".join(token.text for token in tokens[:start])
    wordy = all(token.kind == "words" or len(token.text) > 1 for token in tokens[:start])
    return tokens[start:] if wordy and is_introduction(said) else tokens


def without_condition(tokens: Tokens) -> Tokens:
    """Drop what follows "for all", "where" and the like: it limits the answer, it is none."""
    for position, token in enumerate(tokens[1:], start=1):
        first = token.text.split(" ")[0].lower() if token.text else ""
        if token.kind in ("words", "letters") and first in _CONDITIONS:
            kept = tokens[:position]
            return kept[:-1] if len(kept) > 1 and kept[-1].text == "," else kept
    return _without_bracketed_bounds(tokens)


def _without_bracketed_bounds(tokens: Tokens) -> Tokens:
    """`n^2 + 1 (n >= 1)` without its last bracket."""
    opening = max((n for n, token in enumerate(tokens) if token.text == "("), default=0)
    inside = tokens[opening + 1 : -1]
    bounds = any(token.text in _BOUNDS for token in inside)
    return tokens[:opening] if opening and bounds and tokens[-1].text == ")" else tokens


def read_scalar(tokens: Tokens, loose_units: bool) -> Shape:
    """A Scalar, or Words for a bare word; raises Unreadable."""
    word = _bare_word(tokens)
    if word is not None:
        return word
    currency = next((_CURRENCY[t.text] for t in tokens[:2] if t.text in _CURRENCY), "")
    tokens = [token for token in tokens if token.text not in _CURRENCY]
    end = _unit_start(tokens, loose_units)
    unit = "".join(f" {t.text}" if t.kind in ("words", "letters") else t.text for t in tokens[end:])
    node = read_expression(tokens[:end])
    scale, _, rest = unit.strip().partition(" ")
    if scale in _SCALES:
        node, unit = Apply("mul", (node, Number(Fraction(_SCALES[scale])))), rest
    if not unit and isinstance(node, Apply):
        inner = node.operands[0] if node.kind == "neg" else node
        if isinstance(inner, Apply) and inner.kind in _MARKS:
            value = inner.operands[0]
            signed = value if inner is node else Apply("neg", (value,))
            return Scalar(signed, _MARKS[inner.kind])
    return Scalar(node, currency or unit.strip())


def _bare_word(tokens: Tokens) -> Shape | None:
    if any(token.kind not in ("letters", "words") for token in tokens):
        return None
    text = " ".join(token.text for token in tokens)
    value = number_word(text)
    if value is not None:
        return whole(value)
    single = len(tokens) == 1 and len(text) <= 2 and not text.isupper()
    if len(text) == 1 or single:
        return None
    product_like = text.islower() and len(text) <= 3 and len(tokens) == 1
    return None if product_like else Words(text)


def _unit_start(tokens: Tokens, loose_units: bool) -> int:
    """Where the unit begins: after a number or group, nothing but unit-like tokens to the end."""
    for start in range(1, len(tokens)):
        token = tokens[start]
        if token.kind == "words" and tokens[start - 1].text not in ("_", "{", "^"):
            if _unit_like(tokens[start:]):
                return start
            raise Unreadable(f"text {token.text!r} inside an expression")
        if _is_unit(token, loose_units, tokens[start - 1]) and _unit_like(tokens[start:]):
            return start
    return len(tokens)


def _is_unit(token: Token, loose_units: bool, before: Token) -> bool:
    if token.text in ("\\in", "\\circ") and before.text not in ("^", "{"):
        return True
    if token.kind != "letters" or before.text in ("_", "^", "{", "(", "/", "*", "+", "-"):
        return False
    if is_unit_word(token.text) or len(token.text) > 3:
        return True
    return loose_units and token.text in LETTERS


def _unit_like(tokens: Tokens) -> bool:
    return all(
        token.kind in ("words", "letters")
        or token.text in (*_IN_UNITS, "\\in", "\\circ")
        or (token.kind == "number" and tokens[position - 1].text in ("^", "{", "-"))
        for position, token in enumerate(tokens)
    )
