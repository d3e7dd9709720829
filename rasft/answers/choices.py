r"""Which choice of a multiple-choice question an answer names: by its letter, or by its text.

By letter: `C`, `(C)`, `C.`, `C) 12 kg`, `\text{C}`, `option C`, `C is correct`. By text: equal to
exactly one choice, in one spelling of spaces and LaTeX wrappers; plain numbers by their value;
the case of letters counts where it may carry meaning, in formulas, with digits and in symbols. A
letter whose text is another choice's, or has other numbers than its own, names nothing; nor do two
letters, or a letter beyond the choices. Strings only, and of bounded length.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

LETTERS = "ABCDEFGHIJ"
MOST_CHARACTERS = 2_000  # of an answer or a choice
_MOST_WRAPPERS = 4  # within each other

_WRAPPER = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|mbox|bm|boldsymbol|operatorname)"
    r"\s*\{([^{}]*)\}"
)
_MARKUP = re.compile(r"\\?\$|\\[()\[\]]|\\(?:left|right|displaystyle|bf|rm)(?![a-zA-Z])")
_SPACE = re.compile(r"\\[,;:! ]|\\q?quad(?![a-zA-Z])|[~\s]+")
_IDLE_SPACE = re.compile(r"(?<!\w) | (?!\w)")  # separates nothing
_ENDS = " .,;:*_。、'\"‘’“”`"
_FULL_WIDTH = {code + 0xFEE0: code for code in range(0x21, 0x7F)}
_NUMBER = re.compile(r"([+-]?)(?:(\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})|\\frac\{(\d+)\}\{(\d+)\})")
_QUOTIENT = re.compile(r"([+-]?\d{1,40})/(\d{1,40})")
_NUMERAL = re.compile(r"\d+(?:\.\d+)?")
_THOUSANDS = re.compile(r"(?<=\d)(?:,|\{,\})(?=\d{3}(?!\d))")
_WORD = re.compile(r"[^\W\d_]{4}")

_LEAD = re.compile(
    r"(?:the\s+)?(?:(?:correct|right|best|final)\s+)?(?:answer|option|choice|letter)\s*(?:is|:)?\s*"
    r"(?=[(\[]?[A-Za-z][)\].:\s]|[(\[]?[A-Za-z]$)|选项?\s*",
    re.IGNORECASE,
)
_PRAISE = re.compile(
    r"\s+is\s+(?:the\s+)?(?:correct|right|best)(?:\s+(?:answer|option|choice))?$", re.IGNORECASE
)
_ALONE = re.compile(r"[(\[{]?([A-Za-z])[)\]}]?")
_LABEL = re.compile(
    r"(?:[(\[]([A-Za-z])[)\]]|([A-Za-z])\)|([A-Z])(?:[.:,](?=\s)|\s[-–—](?=\s)|(?=\s*\()))[.:,]?"
    r"\s*(.+)",
    re.DOTALL,
)
_SPACED = re.compile(r"([A-Z])\s*[=\s]\s*(.+)", re.DOTALL)
_ANOTHER = re.compile(
    r"(?:\b(?:and|or)\b|[,;/&+]|和|或)\s*(?:option\s+|choice\s+)?([A-J])(?=$|[).:,;\s])"
    r"|[(\[]([A-J])[)\]]"
)
_LABELLED = re.compile(r"[(\[]?([A-J])[)\].:,](?=[\s(\[]|$)")


def letter_of(pieces: Sequence[str], choices: Sequence[str] = ()) -> str | None:
    r"""The letter of the one choice that all pieces of an answer name, None where there is none.

    >>> letter_of([r"\text{(B) 12 kg}"], ["10 kg", "12 kg"]), letter_of(["12kg"], ["10kg", "12kg"])
    ('B', 'B')
    >>> letter_of(["A and B"]), letter_of(["A) 12 kg"], ["10 kg", "12 kg"])
    (None, None)
    """
    named = {_letter(piece, choices) for piece in pieces}
    return named.pop() if len(named) == 1 else None


def gold_letter(answer: str | None, choices: Sequence[str] = ()) -> str | None:
    """The letter that a gold is, None where it is none of the choices'."""
    letter = (answer or "").strip().upper()
    return letter if len(letter) == 1 and letter in _letters(choices) else None


def _letters(choices: Sequence[str]) -> str:
    return LETTERS[: len(choices)] if choices else LETTERS


def _letter(text: str, choices: Sequence[str]) -> str | None:
    if len(text) > MOST_CHARACTERS:
        return None
    plain = _unwrapped(text)
    plain = _PRAISE.sub("", _LEAD.sub("", plain, count=1) if _LEAD.match(plain) else plain)
    if alone := _ALONE.fullmatch(plain):
        return _known(alone[1], choices)
    return _by_text(text, choices) or _by_label(plain, choices)


def _known(letter: str, choices: Sequence[str]) -> str | None:
    return letter.upper() if letter.upper() in _letters(choices) else None


def _by_label(plain: str, choices: Sequence[str]) -> str | None:
    """The letter that stands before a text, where the text does not speak against it."""
    if label := _LABEL.fullmatch(plain):
        letter, rest = _known(label[1] or label[2] or label[3], choices), label[4]
        return letter if letter and not _contradicts(letter, rest, choices) else None
    spaced = _SPACED.fullmatch(plain)
    agrees = spaced and _by_text(spaced[2], choices) == spaced[1]
    return spaced[1] if spaced and agrees else None


def _contradicts(letter: str, rest: str, choices: Sequence[str]) -> bool:
    if (named := _by_text(rest.strip("()"), choices) or _by_text(rest, choices)) is not None:
        return named != letter
    own, said = _numerals(choices[LETTERS.index(letter)] if choices else ""), _numerals(rest)
    return not (own <= said or said <= own) or _other_letter(letter, rest)


def _other_letter(letter: str, rest: str) -> bool:
    others = [each[1] or each[2] for each in _ANOTHER.finditer(rest)]
    if first := _ALONE.fullmatch(rest) or _LABELLED.match(rest):
        others.append(first[1].upper())
    return any(other != letter for other in others)


def _by_text(text: str, choices: Sequence[str]) -> str | None:
    """The letter of the only choice with this text."""
    plain = _plain(text)
    spelt = [_plain(choice) if len(choice) <= MOST_CHARACTERS else "" for choice in choices]
    for same in (_same_spelling, _same_words, _same_number):
        found = [n for n, choice in enumerate(spelt) if plain and same(choice, plain)]
        if found:
            return LETTERS[found[0]] if len(found) == 1 and found[0] < len(LETTERS) else None
    return None


def _same_spelling(choice: str, text: str) -> bool:
    return choice == text


def _same_words(choice: str, text: str) -> bool:
    symbolic = "\\" in text or any(character.isdigit() for character in text)
    return not symbolic and bool(_WORD.search(text)) and choice.casefold() == text.casefold()


def _same_number(choice: str, text: str) -> bool:
    value = _value(text)
    return value is not None and value == _value(choice)


def _value(text: str) -> Fraction | None:
    text = _THOUSANDS.sub("", text)
    if quotient := _QUOTIENT.fullmatch(text):
        return Fraction(int(quotient[1]), int(quotient[2])) if int(quotient[2]) else None
    found = _NUMBER.fullmatch(text)
    if found is None or (found[4] and not int(found[4])):
        return None
    value = Fraction(found[2]) if found[2] else Fraction(int(found[3]), int(found[4]))
    return -value if found[1] == "-" else value


def _numerals(text: str) -> set[Fraction]:
    return {Fraction(each) for each in _NUMERAL.findall(_THOUSANDS.sub("", text))}


def _plain(text: str) -> str:
    """One spelling of a text: without LaTeX wrappers, and with spaces only where they part words.

    >>> print(_plain(r"$\\text{12 kg}$."), _plain(r"x  =  \\dfrac12"))
    12 kg x=\\frac12
    """
    return _IDLE_SPACE.sub("", _unwrapped(text)).strip(_ENDS)


def _unwrapped(text: str) -> str:
    for _ in range(_MOST_WRAPPERS):
        text = _WRAPPER.sub(r"\1", text)
    text = _MARKUP.sub("", text).replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    text = _SPACE.sub(" ", text.replace("\\%", "%").translate(_FULL_WIDTH))
    return " ".join(text.split()).strip(_ENDS)
