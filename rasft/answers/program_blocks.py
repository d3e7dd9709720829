"""The pieces of an answer that may be its program: what stands in fences, and what looks like code.

Text only, and linear in its length: a line is looked at once for each way of reading. An answer
can be read in several ways, because models close fences too late, nest them or leave them out:

fenced       as CommonMark has it, but a fence inside a triple-quoted string is text
reopened     each fence with a language opens a block, whatever is open; any other closes it
whole        all of it, where there is no fence and some of it looks like code
runs         lines in a row that are code by their looks, indented, or empty
definitions  the same, of which the lines at the margin only define and import

A fence may stand at the end of a line: of prose, where it opens, or of code, where it closes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from os.path import commonprefix
from typing import NamedTuple

_LANGUAGE = re.compile(r"[\w+#.-]*")
_MARKER = re.compile(
    r"^[ \t]*(?P<opens>\[(?:PYTHON|CODE|BEGIN|ANSWER)\]|<(?:answer|code|python)>)"
    r"|(?P<closes>\[(?:/PYTHON|/CODE|/ANSWER|DONE|END)\]|</(?:answer|code|python)>)[ \t]*$",
    re.M,
)
_BREAK = "[/]"  # stands for a marker: `[BEGIN]` would be Python, this is not
# a string that never ends is one up to the end of its line, so that no text is read twice
_OUTSIDE = re.compile(r"""#.*|(\"{3}|'{3})|"(?:\\.|[^"\\])*+"?|'(?:\\.|[^'\\])*+'?""")
_INSIDE = {quote: re.compile(rf"\\.|({quote})") for quote in ('"""', "'''")}
_DEFINITION = re.compile(
    r"(?:async[ \t]+)?def[ \t]+\w|class[ \t]+\w+[ \t]*[(:\[]|import[ \t]+\w"
    r"|from[ \t]+[\w.]+[ \t]+import\b|@\w|\#|[)\]}]|[rRbBfFuU]{0,2}(?:\"{3}|'{3})"
    r"|\w+[ \t]*=[ \t]*[rRbBfFuU]{0,2}[-+\d\"'\[({](?!.*\w\()"
)
_STATEMENT = re.compile(
    r"(?:if|elif|while|with|except|async)\b.*:|for\b(?=.*:).*\bin\b|(?:else|try|finally)[ \t]*:"
    r"|(?:return|yield|raise|assert|del|global)\b|(?:pass|break|continue)[ \t]*(?:#|$)"
    r"|\(?\*?[\w.]+(?:\[[^\]\n]*\])?(?:[ \t]*,[ \t]*\*?[\w.]+)*\)?[ \t]*(?::[^=\n]+)?"
    r"(?:[-+*/%&|^@]|//|\*\*|<<|>>)?=(?!=)"
    r"|\w[\w.]*\(.*[)(,\[{][ \t]*(?:\#.*)?$"
)


class Block(NamedTuple):
    """A piece of an answer; `language` is what its fence says, "" where there is none."""

    text: str
    language: str = ""


class _Fence(NamedTuple):
    before: str
    mark: str
    language: str


def readings(text: str) -> Iterator[list[Block]]:
    """The pieces of a text in order, in each way of reading that the module names.

    >>> [len(blocks) for blocks in readings("So:\\n```python\\nx = 1\\n```\\nIt is one.")]
    [1, 1, 0, 1, 1]
    """
    lines = _lines(text)
    fenced = _fenced(lines)
    runs = _runs(lines, definitions=False)
    yield fenced
    yield _reopened(lines)
    yield [] if fenced or not any(map(_has_code, runs)) else [Block("\n".join(lines))]
    yield [Block(run) for run in runs]
    yield [Block(run) for run in _runs(lines, definitions=True)]


def looks_like_code(line: str) -> bool:
    """True when a line at the left margin is more likely code than prose."""
    return bool(_DEFINITION.match(line) or _STATEMENT.match(line))


def only_defines(source: str) -> bool:
    """True when executing it does nothing but bind names, as far as its looks tell."""
    quote = ""
    for line in source.split("\n"):
        if not quote and line[:1].strip() and not _DEFINITION.match(line):
            return False
        quote = _quote_after(line, quote)
    return True


def from_margin(text: str) -> str:
    """Without the indented lines before the first at the margin; all of it where none is there."""
    lines = text.split("\n")
    first = next((n for n, line in enumerate(lines) if line[:1].strip()), 0)
    return "\n".join(lines[first:])


def dedented(text: str) -> str:
    """Without the indent that all its lines share."""
    lines = text.split("\n")
    indents = [indent_of(line) for line in lines if line.strip()]
    margin = commonprefix(indents)  # noqa: RUF071  (character by character is what is meant)
    return "\n".join(line.removeprefix(margin) for line in lines)


def indent_of(line: str) -> str:
    """The white space that a line begins with."""
    return line[: len(line) - len(line.lstrip())]


def _lines(text: str) -> list[str]:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n\ufeff", "\n")
    return _MARKER.sub(_apart, text.removeprefix("\ufeff")).split("\n")


def _apart(marker: re.Match[str]) -> str:
    return f"{_BREAK}\n" if marker["opens"] else f"\n{_BREAK}"


def _has_code(run: str) -> bool:
    return any(map(looks_like_code, run.split("\n")))


def _fence(line: str) -> _Fence | None:
    start = line.find("```")
    if start < 0 and line.lstrip().startswith("~~~"):
        start = line.index("~")
    if start < 0:
        return None
    rest = line[start:].lstrip(line[start])
    fence = _Fence(line[:start], line[start : len(line) - len(rest)], rest.strip())
    if "`" in fence.before or (fence.mark[0] == "`" and "`" in rest):
        return None  # code within a line
    if fence.before.strip() and not _LANGUAGE.fullmatch(fence.language):
        return None
    return fence


def _fenced(lines: list[str]) -> list[Block]:
    blocks: list[Block] = []
    opened: _Fence | None = None
    kept: list[str] = []
    quote = ""
    for line in lines:
        fence = None if quote else _fence(line)
        if opened is None:
            opened = fence
        elif fence and not fence.language and fence.mark.startswith(opened.mark):
            blocks.append(_block(opened, kept, fence.before))
            opened, kept = None, []
        else:
            kept.append(line)
            quote = _quote_after(line, quote)
    return [*blocks, _block(opened, kept, "")] if opened else blocks


def _reopened(lines: list[str]) -> list[Block]:
    blocks: list[Block] = []
    opened: _Fence | None = None
    kept: list[str] = []
    for line in lines:
        fence = _fence(line)
        if fence is None:
            kept.append(line)
            continue
        if opened is not None:
            blocks.append(_block(opened, kept, "" if fence.language else fence.before))
        kept = []
        opened = fence if fence.language or opened is None else None
    return [*blocks, _block(opened, kept, "")] if opened else blocks


def _block(opened: _Fence, lines: list[str], last: str) -> Block:
    text = "\n".join([*lines, last] if last.strip() else lines)
    return Block(f"{text}\n" if not text.endswith("\n") else text, opened.language)


def _runs(lines: list[str], definitions: bool) -> list[str]:
    """Lines in a row that are code; a fence ends a run, and so does prose at the margin."""
    runs: list[list[str]] = [[]]
    quote = ""
    for line in lines:
        fence = None if quote else _fence(line)
        kept = fence.before if fence else line
        code = bool(quote) or not kept[:1].strip() or _matches(kept, definitions)
        if code:
            runs[-1].append(kept)
            quote = _quote_after(kept, quote)
        if fence or not code:
            runs.append([])
            quote = ""
    texts = ["\n".join(run).strip("\n") for run in runs]
    return [f"{text}\n" for text in texts if text.strip()]


def _matches(line: str, definitions: bool) -> bool:
    return bool(_DEFINITION.match(line)) if definitions else looks_like_code(line)


def _quote_after(line: str, quote: str) -> str:
    """The triple quotation mark that is open after a line which begins inside `quote` or ""."""
    if not quote and '"""' not in line and "'''" not in line:
        return ""
    position = 0
    while token := (_INSIDE[quote] if quote else _OUTSIDE).search(line, position):
        position = token.end()
        if token[1]:
            quote = "" if quote else token[1]
    return quote
