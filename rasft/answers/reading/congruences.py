r"""Finds the modulus that ends a congruence: `x \equiv 3 \pmod 7`, `3 (mod 7)`."""

from __future__ import annotations

from rasft.answers.reading.tokens import Tokens, split

_ENDS = ("\\pmod", "\\mod")
_NAMES = (*_ENDS, "\\bmod", "mod")


def congruence_parts(tokens: Tokens) -> tuple[Tokens, Tokens, Tokens] | None:
    """(what is congruent, residue, modulus) as tokens; None where no modulus ends the text."""
    places = [n for n, token in enumerate(tokens) if token.text in _NAMES]
    if len(places) != 1:
        return None
    start, end = places[0], len(tokens)
    bracketed = start > 0 and tokens[start - 1].text == "(" and tokens[-1].text == ")"
    if not bracketed and tokens[start].text not in _ENDS:
        return None
    before = tokens[: start - bracketed]
    modulus = tokens[start + 1 : end - bracketed]
    sides, _ = split(before, lambda token: token.text in ("\\equiv", "="))
    if len(sides) > 2 or not sides[-1] or not modulus:
        return None
    return (sides[0] if len(sides) == 2 else []), sides[-1], modulus
