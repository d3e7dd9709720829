"""Special spellings, recognised on the whole text: times, digits in a base, grouped digits."""

from __future__ import annotations

import re

from rasft.answers.reading.notation import normal_form
from rasft.answers.reading.scalars import whole
from rasft.answers.reading.shapes import Clock, Numeral, Shape
from rasft.answers.reading.words import number_word

_CLOCK = re.compile(
    r"(\d{1,2}) ?: ?(\d{2})(?: ?: ?(\d{2}))? ?(?:([ap])\.? ?m\.?|(noon))?"
    r"|(\d{1,2}) ?([ap])\.? ?m\.?",
    re.IGNORECASE,
)
_NUMERAL = re.compile(
    r"(-?) ?\(?(?:\\words<)?([0-9A-Z]+(?:\.[0-9A-Z]+)?) ?>?\)? ?"
    r"(?:_ ?\{? ?(?:\\words<)?\(? ?(?:base[- ]?)?(\d{1,2}|[a-z]{3,8})\)?>? ?\}?"
    r"|,? ?\\words<[ (]*(?:in )?base[- ]?(\d{1,2}|[a-z]{3,8})[ )]*>"
    r"|,? ?\(?(?:in )?base[- ]?(\d{1,2}|[a-z]{3,8})\)?)"
)
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_SPACED = re.compile(r"-?\d{1,3}(?: \d{3})+(?:\.\d+)?")
_CHOICE = re.compile(
    r"(?:\\words<[^<>]*>)? ?(?:\(? ?([A-J]) ?\)[.:]?|([A-J])(?:\.|:(?= )))"
    r"(?: ?([^\s+*/^=!_-].*)| (-\S.*))?"
)


def choice(text: str) -> tuple[str, str] | None:
    """(letter, rest) of a labelled choice such as `(C) 15`; None for anything else."""
    found = _CHOICE.fullmatch(normal_form(text))
    return (found[1] or found[2], found[3] or found[4] or "") if found else None


def special(plain: str) -> Shape | None:
    """The shape of a normal form that is a time, a numeral or a number word, else None."""
    flat = " ".join(re.sub(r"\\words<|>", " ", plain).split())
    clock = _CLOCK.fullmatch(flat)
    if clock and (clock[4] or clock[7] or clock[3] or clock[1].startswith("0")):
        half = (clock[4] or clock[7] or ("p" if clock[5] else "")).lower()
        fields = [int(field) for field in (clock[1] or clock[6], clock[2], clock[3]) if field]
        return Clock(tuple(fields) if len(fields) > 1 else (fields[0], 0), half and half + "m")
    named = number_word(plain)
    if named is not None:
        return whole(named)
    numeral = _NUMERAL.fullmatch(plain) or _NUMERAL.fullmatch(flat)
    if numeral and any(character.isdigit() for character in numeral[2]):
        base = numeral[3] or numeral[4] or numeral[5]
        base = str(number_word(base) or base) if base.isalpha() else base
        if base.isdigit():
            return Numeral(numeral[1] + (numeral[2].lstrip("0") or "0"), base)
    return None


def without_groups(plain: str) -> str:
    """Thousands separators outside brackets joined: 58,500 but not (312,123)."""
    if _SPACED.fullmatch(plain):
        return plain.replace(" ", "")
    pieces, depth, start = [], 0, 0
    for match in re.finditer(r"[(\[]|[)\]]|\\\{|\\\}", plain):
        if depth == 0:
            pieces.append(_join_groups(plain[start : match.start()]))
        else:
            pieces.append(plain[start : match.start()])
        pieces.append(match[0])
        depth += 1 if match[0] in ("(", "[", "\\{") else -1
        start = match.end()
    pieces.append(_join_groups(plain[start:]) if depth == 0 else plain[start:])
    return "".join(pieces)


def _join_groups(text: str) -> str:
    return _GROUPED.sub(lambda match: match[0].replace(",", ""), text)
