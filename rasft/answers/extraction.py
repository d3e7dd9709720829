r"""The answer of a response: its boxed groups, or (evaluation only) what `statements` reads.

Strings only, linear in the length of the response. Boxes joined by nothing but separators form
one group, a list, also where each has its label and "and" or "or" joins them (`x=\boxed{2} or
x=\boxed{3}`); boxes apart in prose are separate groups and the last one counts, unless there
are more than three different ones, which is guessing. A box that never closes is truncated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rasft.answers.reading.bounds import MOST_CHARACTERS as MOST_ANSWER_CHARACTERS
from rasft.answers.statements import stated_answer
from rasft.answers.thinking import after_thinking

MOST_CHARACTERS = 4_000_000
MOST_CHARACTERS_OF_ONE = 2 * MOST_ANSWER_CHARACTERS  # longer is refused later, as it is
MOST_BOXES = 1_000
MOST_GUESSES = 3
MOST_WRAPPERS = 4  # boxes around boxes

# The patterns start with one literal or a small set: they are tried all over long responses.
_BOX = re.compile(r"[\\\x08](?:boxed|fbox|framebox|oxed)(?![a-zA-Z])\s*")
_BARE = re.compile(
    r"[+-]?(?:\d[\d,]*\.?\d*|\.\d+|[A-Za-z]|\\[a-zA-Z]+(?:\{[^{}]*\})*)|\([^()\n]*\)"
)
_AND_OR = r"\band\b|\bor\b|\\(?:text|mbox|mathrm)\{\s*,?\s*(?:and|or)\s*\}"
_SEPARATOR = rf"[\s,;&$~]|\\[,;:!& ()\[\]]|\\\\|\\q?quad(?![a-zA-Z])|{_AND_OR}"
_BETWEEN = re.compile(rf"(?:{_SEPARATOR})*")
_LABEL = r"([A-Za-z](?:_(?:\w|\{\w{1,3}\}))?|\\[a-z]{2,7})\s*=\s*\$?\s*"
_LABELLED = re.compile(rf"(?=[^=]{{0,40}}?(?:{_AND_OR}))(?:{_SEPARATOR})*+{_LABEL}")
_LABEL_BEFORE = re.compile(rf"(?<![A-Za-z\\]){_LABEL}$")


@dataclass(frozen=True)
class Extraction:
    """What was found: the pieces of the answer, or the reason why there is none.

    `pieces` has one entry for a single answer and several for boxes that form one list.

    >>> extract(r"So \\boxed{3} or \\boxed{4}").pieces
    ('3', '4')
    """

    pieces: tuple[str, ...] = ()
    missing: str = ""

    @property
    def text(self) -> str:
        """The answer as one string: a joined list when there are several boxes."""
        return ", ".join(self.pieces)


def extract(response: str, *, stated: bool = False) -> Extraction:
    """Find the answer: the last boxes, and where no box is, with `stated`, what else states one.

    `statements` has the order: tags, `####`, a sentence, a bold last line, a lone letter. The
    text is as it was written; a letter may come as `C`, `(C)`, `C. 12` or `option C`.
    """
    if len(response) > MOST_CHARACTERS:
        return Extraction(missing=f"longer than {MOST_CHARACTERS} characters")
    visible = after_thinking(response)
    if visible is None:
        return Extraction(missing="the thinking never ends")
    found = _boxed(visible)
    if found is not None:
        return found
    statement = stated_answer(visible) if stated else ""
    return Extraction((statement,)) if statement else Extraction(missing="no boxed answer")


def _boxed(text: str) -> Extraction | None:
    boxes = _boxes(text)
    if boxes is None:
        return Extraction(missing="the last box is not closed")
    if len(boxes) > MOST_BOXES:
        return Extraction(missing=f"more than {MOST_BOXES} boxes")
    groups: list[list[str]] = []
    first_start = previous_end = 0
    for start, end, content in boxes:
        label = _LABELLED.fullmatch(text, previous_end, start) if groups else None
        if groups and _BETWEEN.fullmatch(text, previous_end, start):
            groups[-1].append(content)
        elif label:
            if len(groups[-1]) == 1:
                groups[-1][0] = _label_before(text, first_start) + groups[-1][0]
            groups[-1].append(f"{label[1]}={content}")
        else:
            groups.append([content])
            first_start = start
        previous_end = end
    if not groups:
        return None
    return _last_group(groups)


def _label_before(text: str, start: int) -> str:
    """`x=` where the box at `start` has such a label, else nothing."""
    label = _LABEL_BEFORE.search(text[max(0, start - 20) : start])
    return f"{label[1]}=" if label else ""


def _last_group(groups: list[list[str]]) -> Extraction:
    different = {tuple(_squeeze(piece) for piece in group) for group in groups}
    if len(different) > MOST_GUESSES:
        return Extraction(missing=f"{len(different)} different boxed answers")
    last = groups[-1]
    if len({_squeeze(piece) for piece in last}) == 1:
        last = last[:1]
    if any(not _squeeze(piece) for piece in last):
        return Extraction(missing="the box is empty")
    return Extraction(tuple(last))


def _squeeze(piece: str) -> str:
    return re.sub(r"[\s$]|\\[,;:! ]", "", piece[:MOST_CHARACTERS_OF_ONE])


def _boxes(text: str) -> list[tuple[int, int, str]] | None:
    """(start, end, content) of each outermost box, in order; None when the last never closes."""
    boxes: list[tuple[int, int, str]] = []
    first = _BOX.search(text)
    if first is None:
        return boxes
    position, unclosed = first.start(), False
    closing = _closing_braces(text, position)
    while mark := _BOX.search(text, position):
        position = mark.end()
        if len(boxes) > MOST_BOXES:
            return boxes
        unclosed = text[position : position + 1] == "{" and position not in closing
        if position in closing:
            end = closing[position]
            boxes.append((mark.start(), end + 1, _innermost(text[position + 1 : end])))
            position = end + 1
        elif bare := _BARE.match(text, position):
            boxes.append((mark.start(), bare.end(), bare[0]))
            position = bare.end()
    return None if unclosed else boxes


_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


def _closing_braces(text: str, start: int = 0) -> dict[int, int]:
    """Where each brace that opens from `start` on closes; one that never does is left out."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for mark in _BRACE.finditer(text, start):
        if mark[0] == "{":
            opened.append(mark.start())
        elif mark[0] == "}" and opened:
            closing[opened.pop()] = mark.start()
    return closing


def _innermost(content: str) -> str:
    """The content of a box that only wraps another box: `\\boxed{\\boxed{5}}`."""
    if len(content) > MOST_CHARACTERS_OF_ONE:
        return content
    for _ in range(MOST_WRAPPERS):
        inner = content.strip()
        mark = _BOX.match(inner)
        if mark is None:
            return content
        if inner[mark.end() : mark.end() + 1] != "{":
            return inner[mark.end() :]
        if _closing_braces(inner).get(mark.end()) != len(inner) - 1:
            return content
        content = inner[mark.end() + 1 : -1]
    return content
