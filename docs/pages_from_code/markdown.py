"""Plain text, docstrings and tables as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_TAG = re.compile(r"<(?=[a-zA-Z/!])(?=[^`\n]*(?:`[^`\n]*`[^`\n]*)*$)", re.MULTILINE)  # outside code
_ALIGNED = re.compile(r"\S {2,}\S")  # a line of a list whose columns are set by spaces


def prose(lines: Sequence[str]) -> Iterator[str]:
    """A docstring's lines as Markdown: what is aligned by spaces becomes code."""
    aligned = False
    for line in lines:
        was, aligned = aligned, _is_aligned(line, aligned)
        if aligned and not was:
            yield ""
        yield f"    {line}" if aligned else escape(line)


def _is_aligned(line: str, before: bool) -> bool:
    if line.startswith("    "):
        return before
    return bool(_ALIGNED.search(line)) or (before and line.startswith("   "))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    for cells in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(_cell(value) for value in cells)} |"


def _cell(value: str) -> str:
    return escape(" ".join(value.split())).replace("|", "\\|")


def escape(text: str) -> str:
    """Plain text as Markdown: no HTML; code stays as it is."""
    return _TAG.sub(r"&lt;", text)


def slug(heading: str) -> str:
    """The anchor that both MkDocs and GitHub give a heading.

    >>> slug("data.datasets[]")
    'datadatasets'
    """
    kept = "".join(c for c in heading.lower() if c.isalnum() or c in "-_ ")
    return kept.replace(" ", "-")
