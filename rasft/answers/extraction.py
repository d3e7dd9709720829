r"""The answer a response states: its boxed groups, or (evaluation only) an explicit statement.

Strings only, linear in the length of the response. Boxes joined by nothing but separators form
one group, a list; boxes apart in prose are separate groups and the last one counts, unless there
are more than three different ones, which is guessing. A box that never closes is truncated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rasft.answers.reading.bounds import MOST_CHARACTERS as MOST_ANSWER_CHARACTERS
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
_BETWEEN = re.compile(
    r"(?:[\s,;&$~]|\\[,;:! ()\[\]]|\\q?quad(?![a-zA-Z])|\band\b|\bor\b"
    r"|\\(?:text|mbox|mathrm)\{\s*,?\s*(?:and|or)\s*\})*"
)
_STATED = re.compile(
    r"(?:final\s+answer|the\s+answer|answer)(?:\s+to\s+[^.\n]{1,60}?)?[*_ ]*"
    r"(?:\s+is(?!\s+not\b)(?:\s*:)?|\s*:)[*_]*\s*(?:\\\(|\\\[|\$\$?)?",
    re.IGNORECASE,
)
_STOP = re.compile(r"\n|\.(?=\s|$)|\\\)|\\\]|(?<!\\)\$|\s(?:because|since|so|which|where|when)\s")


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
    """Find the answer; `stated` also takes an explicit "the answer is ..." where no box is."""
    if len(response) > MOST_CHARACTERS:
        return Extraction(missing=f"longer than {MOST_CHARACTERS} characters")
    visible = after_thinking(response)
    if visible is None:
        return Extraction(missing="the thinking never ends")
    found = _boxed(visible)
    if found is not None:
        return found
    statement = _statement(visible) if stated else ""
    return Extraction((statement,)) if statement else Extraction(missing="no boxed answer")


def _boxed(text: str) -> Extraction | None:
    boxes = _boxes(text)
    if boxes is None:
        return Extraction(missing="the last box is not closed")
    if len(boxes) > MOST_BOXES:
        return Extraction(missing=f"more than {MOST_BOXES} boxes")
    groups: list[list[str]] = []
    previous_end = 0
    for start, end, content in boxes:
        joined = groups and _BETWEEN.fullmatch(text, previous_end, start)
        if joined:
            groups[-1].append(content)
        else:
            groups.append([content])
        previous_end = end
    if not groups:
        return None
    return _last_group(groups)


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


def _statement(text: str) -> str:
    starts = [match.end() for match in _STATED.finditer(text)]
    if not starts:
        return ""
    start = starts[-1]
    stop = _STOP.search(text, start)
    return text[start : stop.start() if stop else len(text)].strip().strip("*_").strip()
