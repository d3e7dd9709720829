"""Sets of reals as sorted, merged pieces: intervals, rays, points, and what inequalities say."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rasft.answers.comparing.numeric import Undefined, value_at
from rasft.answers.reading.expression import Apply, Node, symbols
from rasft.answers.reading.names import ORDERED
from rasft.answers.reading.shapes import (
    Bracketed,
    Listing,
    RealSet,
    Relation,
    Scalar,
    Shape,
    Side,
    Words,
)
from rasft.answers.reading.words import plain

_INFINITY = float("inf")
_TINY = 1e-30
_FLIPPED = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le", "\\ne": "\\ne", "=": "="}


class NoRegion(ValueError):
    """The shape is no set of reals with known ends."""


@dataclass(frozen=True)
class Piece:
    """The reals between two ends, each closed or open; a point has equal closed ends."""

    low: Any
    high: Any
    low_closed: bool
    high_closed: bool


_ALL = [Piece(-_INFINITY, _INFINITY, False, False)]
Region = list[Piece]


def same_region(first: Shape, second: Shape) -> bool | None:
    """Whether two shapes are the same set of reals; None when one of them is no such set."""
    try:
        regions = merged(region_of(first)), merged(region_of(second))
    except (NoRegion, Undefined, TypeError):
        return None
    if len(regions[0]) != len(regions[1]):
        return False
    return all(_same_piece(a, b) for a, b in zip(*regions, strict=True))


def _same_piece(a: Piece, b: Piece) -> bool:
    return (
        (a.low_closed, a.high_closed) == (b.low_closed, b.high_closed)
        and _near(a.low, b.low)
        and _near(a.high, b.high)
    )


def _near(a: Any, b: Any) -> bool:
    finite = abs(a) < _INFINITY and abs(b) < _INFINITY
    return bool(a == b or (finite and abs(a - b) <= _TINY * max(abs(a), abs(b))))


def region_of(shape: Shape) -> Region:
    """The pieces of a shape, unmerged; raises NoRegion."""
    if isinstance(shape, RealSet):
        return _combined(shape)
    if isinstance(shape, Bracketed):
        return _interval(shape)
    if isinstance(shape, Listing) and shape.braces:
        return [piece for item in shape.items for piece in region_of(item)]
    if isinstance(shape, Scalar):
        value = _real(shape.node)
        return [Piece(value, value, True, True)]
    if isinstance(shape, Relation):
        return _from_relation(shape)
    if isinstance(shape, Words) and plain(shape.text) in ("reals", "none"):
        return _ALL if plain(shape.text) == "reals" else []
    raise NoRegion


def _combined(shape: RealSet) -> Region:
    if shape.kind == "reals":
        return _ALL
    regions = [region_of(part) for part in shape.parts]
    if shape.kind == "union":
        return [piece for region in regions for piece in region]
    result = regions[0]
    for region in regions[1:]:
        result = _cut(result, complement(region) if shape.kind == "difference" else region)
    return result


def _interval(shape: Bracketed) -> Region:
    if len(shape.items) != 2 or shape.opening not in "([]" or shape.closing not in ")][":
        raise NoRegion
    ends = [_real(item.node) for item in shape.items if isinstance(item, Scalar)]
    if len(ends) != 2 or ends[0] > ends[1]:
        raise NoRegion
    return [Piece(ends[0], ends[1], shape.opening == "[", shape.closing == "]")]


def _real(node: Node) -> Any:
    if symbols(node):
        raise NoRegion
    value = value_at(node, {})
    if getattr(value, "imag", 0) != 0:
        raise NoRegion
    return value.real


def _from_relation(relation: Relation) -> Region:
    if relation.signs[-1] == "\\in" and len(relation.signs) == 1:
        return region_of(relation.sides[1].shape)
    if relation.signs == ("=",) and relation.sides[0].name:
        return region_of(relation.sides[1].shape)
    if not set(relation.signs) <= set(ORDERED):
        raise NoRegion
    result, names = _ALL, set()
    for left, sign, right in zip(relation.sides, relation.signs, relation.sides[1:], strict=False):
        name, piece = _constraint(left, sign, right)
        names.add(name)
        result = _cut(result, piece)
    if len(names) != 1:
        raise NoRegion
    return result


def _constraint(left: Side, sign: str, right: Side) -> tuple[str, Region]:
    """The unknown's name and where it may lie, from `left sign right`."""
    absolute = _absolute(left, sign, right) or _absolute(right, _FLIPPED[sign], left)
    if absolute is not None:
        return absolute
    if left.name and not right.name:
        return left.name, _side_of(sign, _real(_node(right)))
    if right.name and not left.name:
        return right.name, _side_of(_FLIPPED[sign], _real(_node(left)))
    difference = Apply("add", (_node(left), Apply("neg", (_node(right),))))
    unknown = symbols(difference)
    if len(unknown) != 1:
        raise NoRegion
    name = next(iter(unknown))
    start, slope = _line(difference, name)
    return name, _side_of(sign if slope > 0 else _FLIPPED[sign], -start / slope)


def _absolute(left: Side, sign: str, right: Side) -> tuple[str, Region] | None:
    """`|inner| sign bound` as what it says of the inner expression; None for no such relation."""
    if not isinstance(left.shape, Scalar) or not isinstance(right.shape, Scalar):
        return None
    node, bound = left.shape.node, right.shape.node
    if not isinstance(node, Apply) or node.kind != "abs" or len(symbols(node)) != 1:
        return None
    inner, opposite = Side(Scalar(node.operands[0])), Side(Scalar(Apply("neg", (bound,))))
    name, upper = _constraint(inner, sign, right)
    _, lower = _constraint(inner, _FLIPPED[sign], opposite)
    if sign in ("<", "\\le", "\\ne"):
        return name, _cut(upper, lower)
    return name, [*upper, *lower]


def _line(node: Node, name: str) -> tuple[Any, Any]:
    """(value at 0, slope) of an expression that is linear in one variable; raises NoRegion."""
    places = (0, 1, 2, 5, -3, -7)
    values = [value_at(node, {name: Fraction(place)}) for place in places]
    start, slope = values[0], values[1] - values[0]
    bends = (abs(start + n * slope - v) > 1e-40 for n, v in zip(places, values, strict=True))
    if slope == 0 or any(bends):
        raise NoRegion
    return start, slope


def _node(side: Side) -> Node:
    if not isinstance(side.shape, Scalar):
        raise NoRegion
    return side.shape.node


def _side_of(sign: str, value: Any) -> Region:
    if sign == "\\ne":
        return complement([Piece(value, value, True, True)])
    closed = sign in ("\\le", "\\ge")
    if sign in ("<", "\\le"):
        return [Piece(-_INFINITY, value, False, closed and value != _INFINITY)]
    return [Piece(value, _INFINITY, closed and value != -_INFINITY, False)]


def complement(region: Region) -> Region:
    """The reals outside a region."""
    result = _ALL
    for piece in region:
        outside = [
            Piece(-_INFINITY, piece.low, False, not piece.low_closed),
            Piece(piece.high, _INFINITY, not piece.high_closed, False),
        ]
        result = _cut(result, [p for p in outside if _holds_any(p)])
    return result


def _cut(first: Region, second: Region) -> Region:
    pieces = []
    for a in first:
        for b in second:
            piece = _overlap(a, b)
            if _holds_any(piece):
                pieces.append(piece)
    return pieces


def _overlap(a: Piece, b: Piece) -> Piece:
    low = max(a.low, b.low)
    high = min(a.high, b.high)
    low_closed = all(p.low_closed for p in (a, b) if p.low == low)
    high_closed = all(p.high_closed for p in (a, b) if p.high == high)
    return Piece(low, high, low_closed, high_closed)


def _holds_any(piece: Piece) -> bool:
    if abs(piece.low) == _INFINITY and piece.low == piece.high:
        return False
    return bool(
        piece.low < piece.high
        or (piece.low == piece.high and piece.low_closed and piece.high_closed)
    )


def merged(region: Region) -> Region:
    """Sorted pieces, with those that touch joined."""
    result: Region = []
    for piece in sorted(region, key=lambda p: (p.low, not p.low_closed)):
        if not _holds_any(piece):
            continue
        last = result[-1] if result else None
        if last is None or not _touch(last, piece):
            result.append(piece)
            continue
        if piece.high > last.high or (piece.high == last.high and piece.high_closed):
            result[-1] = Piece(last.low, piece.high, last.low_closed, piece.high_closed)
    return result


def _touch(a: Piece, b: Piece) -> bool:
    if b.low < a.high:
        return True
    return bool(_near(b.low, a.high) and (a.high_closed or b.low_closed))
