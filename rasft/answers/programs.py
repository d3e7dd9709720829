"""Takes the program out of a chat answer.

Where the program stands, by one rule:
1. What is thought is no answer (`rasft.answers.thinking`); thinking without an end is none.
2. The rest falls into pieces (`program_blocks`). Candidates are, in this order,
   a. the pieces that define or assign the entry point at the left margin, the last first: of the
      fenced blocks, then of what stands without a fence;
   b. those that import it under its name (`from math import gcd as f`), in the same order.
   Where the prompt is code to be continued, that code with each piece that may be its body
   (`program_completions`) comes before those pieces of a. that only assign.
   Where there is no entry point, every piece is one; blocks fenced as Python, then those that
   print, come first.
   An indent that all lines share and no-break spaces are taken away where a piece has them. In
   front of it come what the prompt's code has before its own definition (imports, helpers), and
   those other pieces that only define or import what it names and lacks.
3. The first candidate that compiles and binds the entry point is the program; where none does,
   the first that compiles; where none compiles, the first, and it is malformed. No candidate is
   no answer. The sandbox compiles them, before anything runs: here text is looked at, and no
   program is parsed.
The tests have no part in it, so an answer with two different programs is judged by one of them,
and no program gets a second try. There are at most MOST_CANDIDATES, of MOST_BYTES in all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from rasft.answers.program_blocks import Block, dedented, from_margin, only_defines, readings
from rasft.answers.program_completions import continued, reindented
from rasft.answers.thinking import after_thinking

Binds = Callable[[str, str], bool]
MOST_CANDIDATES = 12
MOST_BYTES = 1 << 20
MOST_HELPERS = 32  # pieces looked through for what a program lacks

_BOUND = re.compile(r"^\s*(?:def|class)\s+(\w+)|^\s*(\w+)\s*=[^=]|import\s+(.*)", re.M)
_WORD = re.compile(r"\w+")
_DECLARED = re.compile(r"^(?:(?:async[ \t]+)?def|class)[ \t]+(\w+)", re.M)
# possessive, so that no white space is tried twice
_ASSIGNED = re.compile(r"^(\(?[\w*][\w, \t*]*+\)?)[ \t]*+(?::[^=\n]+)?=[^=]", re.M)
_IMPORTED_NAMES = re.compile(r"^(?:from[ \t]+[\w.]+[ \t]+)?import\b([^\n#]*)", re.M)


def extract_program(
    response: str, entry_point: str | None = None, code_prefix: str | None = None
) -> str | None:
    """Return the best candidate, for who cannot compile; None where there is none.

    >>> extract_program("Try this:\\n```python\\ndef f(x):\\n    return x\\n```\\n", "f")
    'def f(x):\\n    return x\\n'
    """
    return next(iter(candidates(response, entry_point, code_prefix)), None)


def candidates(
    response: str, entry_point: str | None = None, code_prefix: str | None = None
) -> tuple[str, ...]:
    """Return what may be the program of an answer, in the order of the module's rule.

    >>> candidates("def f(x):\\n    return x\\nI hope it helps", "f")[1:]
    ('def f(x):\\n    return x\\n',)
    >>> candidates("    return x\\nI hope it helps", "f", "def f(x):\\n")
    ('def f(x):\\n    return x\\n',)
    """
    visible = after_thinking(response)
    if visible is None:
        return ()
    found: dict[str, str] = {}
    for source in _in_order(visible, entry_point, code_prefix or ""):
        found.setdefault(source.strip(), source)
        if len(found) == MOST_CANDIDATES:
            break
    return _within(list(found.values()))


def _within(sources: list[str]) -> tuple[str, ...]:
    """The first, whatever its size, and those after it that fit."""
    kept, size = sources[:1], sum(len(source.encode("utf-8", "replace")) for source in sources[:1])
    for source in sources[1:]:
        size += len(source.encode("utf-8", "replace"))
        if size > MOST_BYTES:
            break
        kept.append(source)
    return tuple(kept)


def _in_order(text: str, entry_point: str | None, code_prefix: str) -> Iterator[str]:
    groups = list(readings(text))
    helpers = [block.text for block in groups[0] or groups[-1]][-MOST_HELPERS:]
    if entry_point is None:
        for group in groups[:-1]:
            last_first = group[::-1]
            for block in sorted(last_first, key=_rank):
                for source in _mended(block.text):
                    yield from _completed(source, helpers)
        return
    if code_prefix.strip():
        yield from _whole(groups, helpers, declares, entry_point, code_prefix)
        pieces = [piece for group in groups[:-1] for piece in _bodies(group, entry_point)]
        for join in (continued, reindented):
            for piece in pieces:
                yield from join(code_prefix, piece)
    for binds in (defines, imports):
        yield from _whole(groups, helpers, binds, entry_point, code_prefix)


def _whole(
    groups: list[list[Block]], helpers: list[str], binds: Binds, entry_point: str, code_prefix: str
) -> Iterator[str]:
    for group in groups:
        for block in reversed(group):
            for source in _mended(block.text):
                if binds(source, entry_point):
                    for whole in _completed(source, helpers):
                        yield _after_preamble(whole, entry_point, code_prefix)


def _rank(block: Block) -> tuple[bool, bool]:
    prints = "print" in block.text or "write" in block.text
    return not block.language.lower().startswith("py"), not prints


def _bodies(group: list[Block], entry_point: str) -> Iterator[str]:
    for block in reversed(group):
        if block.text.strip() and not declares(block.text, entry_point):
            yield block.text.replace("\u00a0", " ")


def _mended(piece: str) -> Iterator[str]:
    """A piece as it stands, from its first line at the margin, and without what garbles it."""
    for text in dict.fromkeys((piece, piece.replace("\u00a0", " "))):
        if not text.strip():
            continue
        yield from_margin(text)
        if text.lstrip("\n")[:1].isspace():
            yield dedented(text)


def declares(source: str, name: str) -> bool:
    """True when some line at the left margin is the `def` or `class` of `name`.

    >>> declares("def f(x): return x", "f"), declares("    def f(x): return x", "f")
    (True, False)
    """
    return name in source and name in _DECLARED.findall(source)


def defines(source: str, name: str) -> bool:
    """True when some line at the left margin declares or assigns `name`.

    >>> defines("f, g = abs, max", "f"), defines("g = f(3)", "f")
    (True, False)
    """
    return name in source and (declares(source, name) or _among(_ASSIGNED, source, name))


def imports(source: str, name: str) -> bool:
    """True when some line at the left margin imports `name`.

    >>> imports("from math import gcd as f", "f"), imports("import f_of_x", "f")
    (True, False)
    """
    return name in source and _among(_IMPORTED_NAMES, source, name)


def _among(pattern: re.Pattern[str], source: str, name: str) -> bool:
    return any(name in _WORD.findall(found) for found in pattern.findall(source) if name in found)


def _completed(source: str, others: list[str]) -> Iterator[str]:
    """The program after the pieces that define what it lacks, if any, then the program alone."""
    if len(others) < 2:
        yield source
        return
    lacks = _words(source) - bound(source)
    taken: set[int] = set()
    if "from __future__" not in source:  # which must come first in a module
        while more := [
            number
            for number, other in enumerate(others)
            if number not in taken and _helps(other, lacks) and other.strip() not in source
        ]:
            taken.update(more)
            lacks |= {word for number in more for word in _words(others[number])}
    if taken:
        yield "\n\n".join([*(others[number].rstrip() for number in sorted(taken)), source])
    yield source


def _helps(other: str, lacks: set[str]) -> bool:
    return not lacks.isdisjoint(bound(other)) and only_defines(other)


def _words(source: str) -> set[str]:
    return set(_WORD.findall(source))


def bound(source: str) -> set[str]:
    """Return the names that lines of a source define, import or set, as far as its looks tell."""
    return {
        name
        for match in _BOUND.finditer(source)
        for name in _WORD.findall(" ".join(filter(None, match.groups())))
    }


def _after_preamble(source: str, entry_point: str, code_prefix: str) -> str:
    declared = _DECLARED.finditer(code_prefix)
    start = next((match for match in declared if match[1] == entry_point), None)
    # a __future__ import must come first in a module
    if start is None or "from __future__" in source:
        return source
    preamble = code_prefix[: start.start()]
    return f"{preamble.rstrip()}\n\n\n{source}" if preamble.strip() else source
