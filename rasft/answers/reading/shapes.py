"""The shapes an answer can have: what was read from the text, before any comparison."""

from __future__ import annotations

from dataclasses import dataclass

from rasft.answers.reading.expression import Node


@dataclass(frozen=True)
class Scalar:
    """One expression with its unit: "" (none), "%", "degree", "dollar", or what was written."""

    node: Node
    unit: str = ""


@dataclass(frozen=True)
class Words:
    """A name, letter or phrase."""

    text: str


@dataclass(frozen=True)
class Numeral:
    """Digits in a stated base, such as 52_8."""

    digits: str
    base: str


@dataclass(frozen=True)
class Clock:
    """A time of day; `half` is "am", "pm" or "" where it was not said."""

    fields: tuple[int, ...]
    half: str = ""


@dataclass(frozen=True)
class Ratio:
    """Terms of a ratio a : b : c."""

    terms: tuple[Shape, ...]


@dataclass(frozen=True)
class Bracketed:
    """Items in order between brackets: a tuple, a vector or an interval."""

    items: tuple[Shape, ...]
    opening: str
    closing: str


@dataclass(frozen=True)
class Listing:
    """Items whose order does not matter; `braces` for a set in braces."""

    items: tuple[Shape, ...]
    braces: bool = False


@dataclass(frozen=True)
class Matrix:
    """Rows of entries."""

    rows: tuple[tuple[Shape, ...], ...]


@dataclass(frozen=True)
class RealSet:
    """A set of reals from parts: kind is "union", "intersection", "difference" or "reals"."""

    kind: str
    parts: tuple[Shape, ...] = ()


@dataclass(frozen=True)
class Side:
    """One side of a relation: its shape, and how it may name the answer ("" when it does not).

    `variable` is the argument of a function's name, such as x of f(x).
    """

    shape: Shape
    name: str = ""
    variable: str = ""


@dataclass(frozen=True)
class Relation:
    """A chain of sides with signs between them: =, <, \\le, \\ne, \\in, \\approx ..."""

    sides: tuple[Side, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True)
class Congruence:
    """A residue modulo a modulus, and what is congruent to it ("" when that was not said)."""

    residue: Shape
    modulus: Shape
    name: str = ""


@dataclass(frozen=True)
class Opaque:
    """Notation that was not understood; only its spelling can be compared."""

    text: str


Shape = (
    Scalar | Words | Numeral | Clock | Ratio | Bracketed | Listing | Matrix | RealSet | Relation
    | Congruence | Opaque
)  # fmt: skip
