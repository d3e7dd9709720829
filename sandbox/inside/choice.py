"""Which of several sources is the program: by what compiles and what it binds, and nothing else.

It runs in the solution's process, within its limits, before anything untrusted is executed there,
so its answer can be believed.
"""

from __future__ import annotations

import symtable
from collections.abc import Sequence

# what `compile` raises for a source that is no program, or too deep or too large to be one
NOT_COMPILED = (SyntaxError, ValueError, RecursionError, OverflowError, MemoryError)


def choose(sources: Sequence[str], entry_point: str | None) -> int:
    """The first that compiles and binds the entry point; else the first that compiles; else 0.

    >>> choose(["f(", "g = 1", "from math import gcd as f", "def f(): ..."], "f")
    2
    """
    compiled = (number for number, source in enumerate(sources) if _compiles(source))
    first = None
    for number in compiled:
        if entry_point is None or _binds(sources[number], entry_point):
            return number
        first = number if first is None else first
    return first or 0


def _compiles(source: str) -> bool:
    try:
        compile(source, "<solution>", "exec", dont_inherit=True)
    except NOT_COMPILED:
        return False
    return True


def _binds(source: str, name: str) -> bool:
    """True when the module itself assigns, defines or imports `name`."""
    try:
        symbol = symtable.symtable(source, "<solution>", "exec").lookup(name)
    except (KeyError, *NOT_COMPILED):
        return False
    return symbol.is_assigned() or symbol.is_imported()
