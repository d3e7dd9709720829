"""Decides one pair of texts, gold and answer: the stages in order, from exact to symbolic.

Every function here is pure and cheap for text within the bounds; notation that nothing here reads
is left to `symbolic`, in a worker process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from rasft.answers.comparing.matching import Matcher
from rasft.answers.comparing.rules import rules_named
from rasft.answers.reading.answer import read
from rasft.answers.reading.bounds import TooLarge
from rasft.answers.reading.expression import symbols
from rasft.answers.reading.notation import normal_form
from rasft.answers.reading.shapes import Listing, Numeral, Opaque, Scalar, Shape, Words
from rasft.answers.reading.spellings import choice
from rasft.answers.reading.words import plain

_PRODUCT = re.compile(r"(?:[A-Za-z] )*[A-Za-z]")
_PLAIN = re.compile(r"([+-]?)(?:(\d{1,40})(?:\.(\d{0,40}))?|\\frac\{(\d{1,40})\}\{(\d{1,40})\})")


@dataclass(frozen=True)
class Pair:
    """What is compared, and how: JSON-able, so that it can cross to a worker."""

    gold: str
    answer: str
    rules: str | None = None
    tolerance: float | None = None


@dataclass(frozen=True)
class Decision:
    """`correct` is None when no stage could tell; `stage` names what decided."""

    correct: bool | None
    stage: str


def quick(pair: Pair) -> Decision | None:
    """A verdict from spelling or plain numbers alone; None when that does not settle it."""
    rules = rules_named(pair.rules)
    try:
        gold, answer = normal_form(pair.gold), normal_form(pair.answer)
    except TooLarge as error:
        return Decision(False, f"refused: {error}")
    if _squeezed(gold) == _squeezed(answer) and gold:
        return Decision(True, "spelling")
    numbers = _plain_number(gold), _plain_number(answer)
    if numbers[0] is None or numbers[1] is None:
        return None
    if numbers[0] == numbers[1]:
        return Decision(True, "number")
    lenient = rules.relative or rules.half_unit or (rules.long_decimals and len(answer) > 10)
    exact = pair.tolerance is None and not lenient
    return Decision(False, "number") if exact else None


def _squeezed(text: str) -> str:
    """Without the spaces that separate nothing: those beside a mark."""
    return re.sub(r"(?<![A-Za-z0-9]) | (?![A-Za-z0-9])", "", text)


def _plain_number(text: str) -> Fraction | None:
    found = _PLAIN.fullmatch(text)
    if found is None:
        return None
    if found[2] is not None:
        value = Fraction(f"{found[2]}.{found[3] or 0}")
    elif int(found[5]) == 0:
        return None
    else:
        value = Fraction(int(found[4]), int(found[5]))
    return -value if found[1] == "-" else value


def decide(pair: Pair) -> Decision:
    """A verdict by structure and value, without sympy; `correct` None where neither tells."""
    settled = quick(pair)
    if settled is not None:
        return settled
    matcher = Matcher(rules_named(pair.rules), pair.tolerance)
    if _same_words(pair.gold, pair.answer):
        return Decision(True, "words")
    try:
        gold = read(pair.gold)
        verdict = any_reading(matcher, gold, pair.answer)
    except TooLarge as error:
        return Decision(False, f"refused: {error}")
    except RecursionError:
        return Decision(False, "refused: nested too deep")
    return Decision(verdict, "structure" if verdict is not None else "not understood")


def _same_words(gold: str, answer: str) -> bool:
    """Whether both are the same phrase of letters, whatever its case and fonts."""
    phrases = plain(normal_form(gold)), plain(normal_form(answer))
    wordy = len(phrases[0]) > 2 and phrases[0].replace(" ", "").isalpha()
    return wordy and phrases[0] == phrases[1] and not _PRODUCT.fullmatch(normal_form(gold))


def any_reading(matcher: Matcher, gold: Shape, answer_text: str) -> bool | None:
    """The verdict over the sensible readings of the answer: any that equals the gold accepts."""
    verdicts = []
    for answer in readings(gold, answer_text):
        verdict = matcher.same_answer(gold, answer)
        if verdict is True:
            return True
        verdicts.append(verdict)
    return None if None in verdicts else False


def readings(gold: Shape, text: str) -> list[Shape]:
    """How the answer may be meant, given what kind of thing the gold is."""
    found = [read(text)]
    if isinstance(gold, Scalar) and not symbols(gold.node):
        found.append(read(text, loose_units=True))
    if isinstance(gold, Listing) and isinstance(found[0], Scalar) and "," in text:
        found.append(read(re.sub(r"(?<=\d),(?=\d)", ", ", text)))
    if isinstance(gold, Words):
        found.append(Words(normal_form(text)))
    labelled = choice(text)
    if labelled is not None:
        letter, rest = labelled
        is_letter = isinstance(gold, Words | Scalar) and _is_letter(gold)
        found.append(read(letter if is_letter or not rest else rest))
    return list(dict.fromkeys(found))


def _is_letter(shape: Shape) -> bool:
    text = shape.text if isinstance(shape, Words) else ""
    names = symbols(shape.node) if isinstance(shape, Scalar) else frozenset((text,))
    return len(names) == 1 and len(next(iter(names))) == 1


def well_formed(gold: str) -> bool:
    """Whether a gold is read as something other than opaque notation."""
    try:
        return not _opaque(read(gold))
    except TooLarge:
        return False


def _opaque(shape: Shape) -> bool:
    if isinstance(shape, Listing):
        return any(_opaque(item) for item in shape.items)
    return isinstance(shape, Opaque)


__all__ = ["Decision", "Numeral", "Pair", "decide", "quick", "readings", "well_formed"]
