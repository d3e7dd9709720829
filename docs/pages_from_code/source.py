"""Reads the code that the pages describe: what a place names, a class's source and comments."""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import textwrap
import tokenize
from collections.abc import Mapping
from typing import Any

PLUGINS = "rasft.plugins"  # two pages name plugins


def find(place: str) -> Any:
    """What a place names, as module:name."""
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)


def comments_of(*classes: type) -> dict[str, str]:
    """What the source says of each field: the comment on its lines, after one right above it."""
    found: dict[str, str] = {}
    for each in classes:
        source = textwrap.dedent(inspect.getsource(each))
        beside, above = _comments(source)
        for node in tree_of(each).body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                said = [*_directly_above(node.lineno, above), *(beside.get(n, "") for n in lines)]
                found[node.target.id] = " ".join(filter(None, said))
    return found


def line_of(section: type) -> list[type]:
    """A class after those of this project that it inherits from."""
    own = section.__module__.split(".")[0]
    return [each for each in reversed(section.__mro__) if each.__module__.startswith(own)]


def _comments(source: str) -> tuple[dict[int, str], dict[int, str]]:
    """The comments by line: those beside code, and those with a line of their own."""
    beside: dict[int, str] = {}
    alone: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            place = beside if token.line[: token.start[1]].strip() else alone
            place[token.start[0]] = token.string.lstrip("# ")
    return beside, alone


def _directly_above(line: int, alone: Mapping[int, str]) -> list[str]:
    first = line
    while first - 1 in alone:
        first -= 1
    return [alone[number] for number in range(first, line)]


def tree_of(section: type) -> ast.ClassDef:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    assert isinstance(tree, ast.ClassDef)
    return tree
