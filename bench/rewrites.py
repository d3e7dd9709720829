"""Answers rewritten in many forms whose truth is known: the same value, or a near miss.

Each rewrite is one small function of the gold's text; it gives "" where it does not apply. They
know nothing of the graders that are judged with them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

_INTEGER = re.compile(r"-?\d{1,15}")
_FRACTION = re.compile(r"(-?)\\[dt]?frac\{(\d{1,9})\}\{([1-9]\d{0,8})\}")
_TUPLE = re.compile(r"\(([^()\[\],]+),([^()\[\],]+)\)")
_HALF_OPEN = re.compile(r"(?:\[([^()\[\],]+),([^()\[\],]+)\))|(?:\(([^()\[\],]+),([^()\[\],]+)\])")
_GROUPED = re.compile(r"\d,\d{3}(?!\d)")


@dataclass(frozen=True)
class Rewrite:
    """One answer to a gold: how it was made, its text, and whether it is right."""

    kind: str
    answer: str
    right: bool


def rewrites(gold: str, chance: random.Random) -> Iterator[Rewrite]:
    """Every rewrite that applies to a gold; a gold with sums of money is only repeated."""
    plain = gold.replace("$", "").strip()
    if "\\$" in gold:
        yield Rewrite("as written", gold, True)
        return
    for table, right in ((_SAME, True), (_NEAR, False)):
        for kind, rewrite in table.items():
            answer = rewrite(plain, chance)
            if answer and (answer != plain or kind == "as written"):
                yield Rewrite(kind, answer, right)


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.fullmatch(text) else None


def _fraction(text: str) -> Fraction | None:
    found = _FRACTION.fullmatch(text)
    return Fraction(int(found[1] + found[2]), int(found[3])) if found else None


def _items(text: str) -> list[str]:
    """The items of a list without brackets; [] for anything else."""
    if "," not in text or re.search(r"[()\[\]{}=!]", text) or _GROUPED.search(text):
        return []
    return [item.strip() for item in text.split(",")]


def _named(text: str, _: random.Random) -> str:
    return f"x = {text}" if _integer(text) is not None or _fraction(text) else ""


def _decimal_point(text: str, _: random.Random) -> str:
    return f"{text}.0" if _integer(text) is not None else ""


def _thousands(text: str, _: random.Random) -> str:
    value = _integer(text)
    return f"{value:,}" if value is not None and abs(value) >= 1000 else ""


def _thin_spaces(text: str, chance: random.Random) -> str:
    return _thousands(text, chance).replace(",", r"\,")


def _power_of_ten(text: str, _: random.Random) -> str:
    found = re.fullmatch(r"(-?\d*?[1-9])(0{3,})", text)
    return rf"{found[1]} \times 10^{{{len(found[2])}}}" if found else ""


def _slash(text: str, _: random.Random) -> str:
    return _FRACTION.sub(r"\1\2/\3", text) if _fraction(text) else ""


def _unreduced(text: str, _: random.Random) -> str:
    found = _FRACTION.fullmatch(text)
    return rf"{found[1]}\frac{{{3 * int(found[2])}}}{{{3 * int(found[3])}}}" if found else ""


def _terminates(value: Fraction) -> bool:
    return 10**12 % value.denominator == 0


def _exact_decimal(text: str, _: random.Random) -> str:
    value = _fraction(text)
    if value is None or not _terminates(value):
        return ""
    digits = f"{abs(value.numerator) * 10**12 // value.denominator:013d}"
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-12]}.{digits[-12:]}".rstrip("0").rstrip(".")


def _mixed(text: str, _: random.Random) -> str:
    value = _fraction(text)
    if value is None or value < 1 or value.denominator == 1:
        return ""
    whole, left = divmod(value.numerator, value.denominator)
    return rf"{whole}\frac{{{left}}}{{{value.denominator}}}"


def _minus_inside(text: str, _: random.Random) -> str:
    return _FRACTION.sub(r"\\frac{-\2}{\3}", text) if text.startswith("-") else ""


def _unicode(text: str, _: random.Random) -> str:
    for command, character in (("\\pi", "π"), ("\\infty", "∞"), ("\\cup", "∪"), ("\\sqrt", "√")):
        text = re.sub(rf"\\{command[1:]}(?![a-zA-Z])", character, text)
    return text


def _roots_as_powers(text: str, _: random.Random) -> str:
    return re.sub(r"\\sqrt\{(\d+)\}", r"(\1)^{1/2}", text)


def _reordered(text: str, chance: random.Random) -> str:
    return ", ".join(chance.sample(found, len(found))) if (found := _items(text)) else ""


def _other_number(text: str, _: random.Random) -> str:
    return re.sub(r"\d+", lambda number: str(2 * int(number[0]) + 7), text, count=1)


def _other_sign(text: str, _: random.Random) -> str:
    if not _integer(text) and not _fraction(text):
        return ""
    return text[1:] if text.startswith("-") else f"-{text}"


def _next(text: str, chance: random.Random) -> str:
    value = _integer(text)
    return "" if value is None else str(value + chance.choice((-1, 1)))


def _lost_digit(text: str, _: random.Random) -> str:
    value = _integer(text)
    return text[:-1] if value is not None and abs(value) >= 10 else ""


def _hundredfold(text: str, _: random.Random) -> str:
    return f"{text}00" if _integer(text) else ""


def _rounded(text: str, _: random.Random) -> str:
    value = _fraction(text)
    return "" if value is None or _terminates(value) else f"{float(value):.4f}"


def _item_lost(text: str, _: random.Random) -> str:
    return ", ".join(_items(text)[:-1])


def _item_more(text: str, chance: random.Random) -> str:
    return f"{text}, {chance.randint(1001, 9999)}" if _items(text) else ""


def _swapped(text: str, _: random.Random) -> str:
    found = _TUPLE.fullmatch(text)
    return f"({found[2]},{found[1]})" if found and found[1].strip() != found[2].strip() else ""


def _end_closed(text: str, _: random.Random) -> str:
    closed = _HALF_OPEN.fullmatch(text) and "\\infty" not in text
    return f"[{text[1:-1]}]" if closed else ""


def _two_answers(text: str, chance: random.Random) -> str:
    value = _integer(text)
    return "" if value is None else rf"{text} \text{{ or }} {value + chance.randint(1, 9)}"


_SAME: dict[str, Callable[[str, random.Random], str]] = {
    "as written": lambda text, _: text,
    "in display style": lambda text, _: f"\\displaystyle {text}",
    "dfrac": lambda text, _: text.replace("\\frac", "\\dfrac"),
    "left and right": lambda text, _: re.sub(
        r"(?<!\\left)\((.*)(?<!\\right)\)", r"\\left(\1\\right)", text
    ),
    "x =": _named,
    "with .0": _decimal_point,
    "thousands by comma": _thousands,
    "thousands by thin space": _thin_spaces,
    "power of ten": _power_of_ten,
    "a/b": _slash,
    "unreduced": _unreduced,
    "exact decimal": _exact_decimal,
    "mixed number": _mixed,
    "minus in the numerator": _minus_inside,
    "Unicode": _unicode,
    "roots as powers": _roots_as_powers,
    "list in another order": _reordered,
}
_NEAR: dict[str, Callable[[str, random.Random], str]] = {
    "another number": _other_number,
    "the other sign": _other_sign,
    "one more or less": _next,
    "last digit lost": _lost_digit,
    "a hundredfold": _hundredfold,
    "rounded to four places": _rounded,
    "an item lost": _item_lost,
    "an item more": _item_more,
    "coordinates swapped": _swapped,
    "an open end closed": _end_closed,
    "two answers": _two_answers,
}
