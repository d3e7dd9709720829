"""A program whose header stands in the prompt: the prompt's code with the body that goes on there.

A body counts as one in these forms, in this order, so that the form which asks for the least
repair wins:
1. indented as the prompt's code goes on, or going on in the middle of its last line;
2. with its first line alone indented otherwise, as where a tokenizer or a strip took the space;
3. indented by another width, or not at all, and then set to the prompt's own.
A body that begins at the left margin must return or yield something: a call of the function
beside its program is no body. Text only: what does not parse is found out in the sandbox.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from rasft.answers.program_blocks import dedented, indent_of, looks_like_code

_RETURNS = re.compile(r"\b(?:return|yield)\b")


def continued(code_prefix: str, piece: str) -> Iterator[str]:
    """The prompt's code and a piece that goes on as it stands.

    >>> list(continued("def f(x):\\n", "    return x\\n"))
    ['def f(x):\\n    return x\\n']
    """
    head = code_prefix if code_prefix.endswith("\n") else code_prefix + "\n"
    if indent_of(_first_line(piece)):
        yield head + piece.strip("\n") + "\n"
    elif piece.strip() and not code_prefix.endswith("\n"):
        first, *rest = piece.split("\n")
        yield code_prefix + "\n".join([first, *_up_to_prose(rest)]).rstrip() + "\n"


def reindented(code_prefix: str, piece: str) -> Iterator[str]:
    """The prompt's code and a piece whose indent is mended.

    >>> list(reindented("def f(x):\\n", "return x\\n"))
    ['def f(x):\\n    return x\\n']
    """
    indent = _body_indent(code_prefix)
    first = _first_line(piece)
    if not indent or not (indent_of(first) or _RETURNS.search(piece)):
        return
    lines = piece.strip("\n").split("\n")
    end = len(lines) if not indent_of(first) else _end_of_body(lines)
    body, tail = lines[:end], "\n".join(lines[end:])
    head = code_prefix if code_prefix.endswith("\n") else code_prefix + "\n"
    rest = [indent_of(line) for line in body[1:] if line.strip()]
    texts = [
        "\n".join([own + body[0].lstrip(), *body[1:]])
        for own in (*_free_indents(code_prefix, rest), indent)
        if all(rest)
    ]
    texts.append(textwrap.indent(dedented("\n".join(body)), indent))
    for text in dict.fromkeys(texts):
        yield f"{head}{text}\n{tail}".rstrip() + "\n"


def _free_indents(code_prefix: str, rest: list[str]) -> list[str]:
    """What the other lines say of the first one's indent, where the prompt's code has no body yet.

    It is theirs, or a narrower one where they all belong to what the first line begins.
    """
    if not rest or not code_prefix.rstrip().endswith(":"):
        return []
    narrowest = min(rest, key=lambda indent: len(indent.expandtabs()))
    return [own for own in (narrowest, narrowest[:-1]) if own]


def _first_line(text: str) -> str:
    return next((line for line in text.split("\n") if line.strip()), "")


def _end_of_body(lines: list[str]) -> int:
    at_margin = (n for n, line in enumerate(lines) if line[:1].strip())
    return next(at_margin, len(lines))


def _body_indent(code_prefix: str) -> str:
    """The indent of the body that the prompt begins; "" where it begins none."""
    last = code_prefix.rstrip().rpartition("\n")[2]
    return indent_of(last) + ("    " if last.endswith(":") else "")


def _up_to_prose(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if line[:1].strip() and not looks_like_code(line):
            return
        yield line
