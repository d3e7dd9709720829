"""Which rollouts may shape a group: near-duplicates and text that teaches nothing.

Pure functions of text; thresholds are those of the config's `quality` section (arXiv 2606.07006
for long solutions). A near-duplicate leaves the denominator of solvability; a rollout that fails
a text filter stays in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rasft.config.settings import QualityConfig
from rasft.method.code_quality import code_fault, prose

Grams = frozenset[tuple[str, ...]]

_PUNCTUATION = re.compile(r"[^\w\s]|_")
_SPACES = bytes(code for code in range(128) if chr(code).isspace())
_NEITHER = _SPACES + bytes(code for code in range(128) if chr(code).isalnum())
_BOX = re.compile(r"\\f?boxed")
_REASONING = re.compile(
    r"[=<>≤≥→]|\\(?:implies|Rightarrow|le|ge)\b"
    r"|\b(?:so|since|because|then|thus|hence|therefore|first|step|let|means|gives|total|each)\b",
    re.IGNORECASE,
)


def trigrams(text: str) -> Grams:
    """The set of word 3-grams; a text of one or two words is its own single gram."""
    words = text.lower().split()
    return frozenset(_windows(words, min(3, len(words)))) if words else frozenset()


def similarity(left: Grams, right: Grams) -> float:
    """Jaccard similarity in [0, 1]; two empty sets are equal."""
    shared = len(left & right)
    union = len(left) + len(right) - shared
    return shared / union if union else 1.0


def alike(left: Grams, right: Grams, threshold: float) -> bool:
    """Whether the similarity reaches the threshold.

    It is at most the ratio of the sizes, which settles many pairs without comparing a word.
    """
    smaller, larger = len(left), len(right)
    if smaller > larger:
        smaller, larger = larger, smaller
    if larger and smaller / larger < threshold:
        return False
    return similarity(left, right) >= threshold


def first_occurrences(texts: Iterable[Grams], threshold: float) -> list[bool]:
    """For each text's trigrams, whether it is no near-duplicate of an earlier one that was kept."""
    kept: list[Grams] = []
    flags = []
    for grams in texts:
        new = not any(alike(grams, other, threshold) for other in kept)
        flags.append(new)
        if new:
            kept.append(grams)
    return flags


def fault(
    text: str, verifier: str, settings: QualityConfig, grams: Grams | None = None
) -> str | None:
    """The first reason to leave a response out of its group, or None.

    Reasons: too_short, punctuation, loop, format, shortcut. `grams` are the text's trigrams, where
    the caller has them: they tell at once that most texts repeat nothing.
    """
    if len(text.strip()) < settings.min_characters:
        return "too_short"
    words = prose(text) if verifier == "python" else text  # code is full of punctuation
    if punctuation_share(words) > settings.max_punctuation:
        return "punctuation"
    may_loop = grams is None or _may_repeat(text, grams, settings)
    if may_loop and repeats_phrase(text, settings.loop_words, settings.loop_repeats):
        return "loop"
    if verifier == "python":
        return code_fault(text)
    if verifier == "function":  # it alone says what form an answer has
        return None
    return _answer_fault(text, settings)


def punctuation_share(text: str) -> float:
    """Share of the visible characters that are neither letters nor digits."""
    if text.isascii():  # the same, some ten times faster
        plain = text.encode()
        visible = len(plain.translate(None, _SPACES))
        return len(plain.translate(None, _NEITHER)) / visible if visible else 0.0
    visible = sum(map(len, text.split()))
    return len(_PUNCTUATION.findall(text)) / visible if visible else 0.0


def repeats_phrase(text: str, words: int, repeats: int) -> bool:
    """Whether some phrase of so many words stands so often in the text.

    Each of its words then stands so often too: phrases are counted only where such words meet.
    """
    tokens = text.lower().split()
    often = Counter(tokens)
    marks = "".join("1" if often[token] >= repeats else "0" for token in tokens)
    if "1" * words not in marks:
        return False
    return max(Counter(_windows(tokens, words)).values()) >= repeats


def _may_repeat(text: str, grams: Grams, settings: QualityConfig) -> bool:
    """Whether so many trigrams stand more than once that a long phrase may stand so often."""
    repeated = len(text.lower().split()) - 2 - len(grams)
    return settings.loop_words < 3 or repeated >= settings.loop_repeats - 1


def _answer_fault(text: str, settings: QualityConfig) -> str | None:
    if not _BOX.search(text):
        return "format"
    if len(text.strip()) < settings.shortcut_characters:
        return "shortcut"
    if len(text.strip()) < settings.min_format_characters:
        return "format"
    if settings.require_reasoning and not _REASONING.search(_BOX.split(text)[0]):
        return "shortcut"
    return None


def _windows(words: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(size)), strict=False)
