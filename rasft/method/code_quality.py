"""What is wrong with a code answer as a thing to train on; a verdict is another matter.

format     no program: neither a fenced block nor a definition at the margin
shortcut   a program that does not compute: every line of it defines, compares an argument with a
           literal, or gives back a literal: one constant, or a table such as the tests' answers

All of it looks at text only: an untrusted program is never parsed outside the sandbox.
"""

from __future__ import annotations

import re

from rasft.answers.programs import extract_program

_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_DEFINITION = re.compile(r"^(?:async\s+def|def|class)\s", re.MULTILINE)
_DOCSTRING = re.compile(r'"""(?:.|\n)*?"""' + r"|'''(?:.|\n)*?'''")
# With the spaces around it and a colon after it; atomic, so that no text takes long to refuse.
_LITERAL = r"""(?>(?:[-+\d.,:eE\s()\[\]{}]|True|False|None|'[^'\n]*'|"[^"\n]*")+)"""
_CONDITION = rf"(?>\w+\s*==){_LITERAL}(?>and\s+\w+\s*=={_LITERAL})*"
_ANSWER = rf"(?:return\b{_LITERAL}?|print\b{_LITERAL}|pass|\.\.\.)"
_IDLE_LINE = re.compile(
    rf"(?:\#.*|@.*|(?:from|import)\s.*|(?:async\s+)?def\s.*:|(?:if|elif)\s+{_CONDITION}|else\s*:"
    rf"|(?:(?:if|elif)\s+{_CONDITION}|else\s*:)?\s*{_ANSWER})\s*"
)
FEWEST_LOOKUPS = 3  # comparisons make a table of answers; one or two may be all there is to do
_TAKES_NOTHING = re.compile(r"def\s+\w+\s*\(\s*\)")


def prose(text: str) -> str:
    """The answer without its program: fenced blocks, or all from the first definition on.

    >>> prose("Here: ```def f(x): return x``` as asked").split()
    ['Here:', 'as', 'asked']
    """
    if "```" in text:
        return _FENCED.sub(" ", text)
    found = _DEFINITION.search(text)
    return text[: found.start()] if found else text


def code_fault(text: str) -> str | None:
    """`format`, `shortcut` or None."""
    program = extract_program(text)
    if program is None or not ("```" in text or _DEFINITION.search(text)):
        return "format"
    lines = _DOCSTRING.sub("", program).splitlines()
    working = [line for line in lines if line.strip()]
    idle = all(_IDLE_LINE.fullmatch(line.strip()) for line in working)
    if not idle or _TAKES_NOTHING.search(program):
        return None
    return None if 0 < program.count("==") < FEWEST_LOOKUPS else "shortcut"
