"""Answers in words: names, letters of a choice, number words, and phrases with one meaning."""

from __future__ import annotations

import re

_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = (
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
)  # fmt: skip
NUMBERS = {word: value for value, word in enumerate(_UNITS)} | {
    word: 10 * (value + 2) for value, word in enumerate(_TENS)
} | {"hundred": 100, "a hundred": 100, "one hundred": 100, "one thousand": 1000}  # fmt: skip

_MEANINGS = {
    "no solution": "none", "no solutions": "none", "empty set": "none", "none": "none",
    "does not exist": "none", "dne": "none", "undefined": "undefined", "no real solution": "none",
    "no real solutions": "none", "\\emptyset": "none", "there are no solutions": "none",
    "all real numbers": "reals", "all reals": "reals", "real numbers": "reals",
    "any real number": "reals", "infinitely many solutions": "infinitely many",
    "infinite": "infinitely many", "infinity": "infinitely many",
    "true": "yes", "false": "no", "equilateral triangle": "equilateral",
}  # fmt: skip
_IGNORED = frozenset(
    ["the", "a", "an", "is", "answer", "option", "choice", "it", "its", "function"]
)
_INTRODUCTION = re.compile(
    r"(?:.*\b(?:is|are|be|about|approximately|equals?|answer|therefore|thus|so|roughly|get|hence"
    r"|choice|option|area|volume|length|probability|total|sum|value)\b[\s:=]*|[^:]{0,40}[:=]\s*)",
    re.IGNORECASE | re.DOTALL,
)


def is_introduction(text: str) -> bool:
    """Whether words before an expression only lead up to it: "the answer is", "Area:"."""
    return bool(_INTRODUCTION.fullmatch(text.strip()) or not text.strip())


def number_word(text: str) -> int | None:
    """The number a word names: "four", "twenty-one"."""
    words = re.sub(r"[\s-]+", " ", text.strip().lower())
    if words in NUMBERS:
        return NUMBERS[words]
    tens, _, unit = words.partition(" ")
    if tens in _TENS and unit in _UNITS[1:10]:
        return NUMBERS[tens] + NUMBERS[unit]
    return None


def plain(text: str) -> str:
    """The words alone: lower case, no markup, no punctuation, no articles, synonyms as one.

    >>> plain("The Ellipse."), plain(r"\\words<(C)>")
    ('ellipse', 'c')
    """
    text = re.sub(r"\\words<([^<>]*)>", r" \1 ", text)
    text = re.sub(r"\\(?:overline|text|mbox)\s*|[${}]", " ", text).lower()
    text = re.sub(r"(?<=[ap])\.\s*m\.?", "m", text)
    text = " ".join(text.split()).strip(" .,;:!'\"()[]")
    if text in _MEANINGS:
        return _MEANINGS[text]
    kept = [word for word in re.findall(r"[\w\\+/-]+|[^\w\s]", text) if word not in _IGNORED]
    kept = [str(number_word(word) if number_word(word) is not None else word) for word in kept]
    joined = " ".join(word for word in kept if word not in ".,;:\"'()[]")
    return _MEANINGS.get(joined, joined or text)
