r"""Vectors written in unit vectors: `3\mathbf{i} + 4\mathbf{j}` as (3, 4)."""

from __future__ import annotations

from collections.abc import Callable

from rasft.answers.reading.expression import Apply, Node, Symbol, number
from rasft.answers.reading.shapes import Scalar, Shape

_ACCENTS = ("\\hat", "\\vec", "\\bar", "\\widehat")
_AXES = {"i": 0, "j": 1, "k": 2} | {
    f"{accent}{{{name}}}": axis for accent in _ACCENTS for axis, name in enumerate("ijk")
}
Parts = dict[int, Node]


def components(shape: Shape, dimension: int) -> tuple[Shape, ...] | None:
    """The coordinates of a sum of unit vectors; None where the shape is no such sum.

    An i alone is the imaginary unit: without an accent there must be a j or a k beside it.
    """
    if not isinstance(shape, Scalar) or shape.unit:
        return None
    parts = _parts(shape.node)
    if not parts or max(parts) >= dimension or (set(parts) == {0} and _is_plain_i(shape.node)):
        return None
    return tuple(Scalar(parts.get(axis, number(0))) for axis in range(dimension))


def _axis(node: Node) -> int | None:
    if isinstance(node, Symbol):
        return _AXES.get(node.name)
    return 0 if node == Apply("i") else None


def _is_plain_i(node: Node) -> bool:
    return node == Apply("i") or (
        isinstance(node, Apply) and any(_is_plain_i(part) for part in node.operands)
    )


def _parts(node: Node) -> Parts | None:
    """The coefficient of each axis; None where anything but axes times scalars is added."""
    axis = _axis(node)
    if axis is not None:
        return {axis: number(1)}
    if not isinstance(node, Apply):
        return None
    if node.kind == "add":
        return _sum([_parts(part) for part in node.operands])
    if node.kind == "neg":
        return _scaled(_parts(node.operands[0]), lambda part: Apply("neg", (part,)))
    if node.kind not in ("mul", "div") or len(node.operands) != 2:
        return None
    first, second = node.operands
    if not _holds_axis(second):
        return _scaled(_parts(first), lambda part: Apply(node.kind, (part, second)))
    if node.kind == "mul" and not _holds_axis(first):
        return _scaled(_parts(second), lambda part: Apply("mul", (first, part)))
    return None


def _holds_axis(node: Node) -> bool:
    if _axis(node) is not None:
        return True
    return isinstance(node, Apply) and any(_holds_axis(part) for part in node.operands)


def _sum(terms: list[Parts | None]) -> Parts | None:
    total: Parts = {}
    for term in terms:
        if term is None:
            return None
        for axis, part in term.items():
            total[axis] = Apply("add", (total[axis], part)) if axis in total else part
    return total


def _scaled(parts: Parts | None, change: Callable[[Node], Node]) -> Parts | None:
    return None if parts is None else {axis: change(part) for axis, part in parts.items()}
