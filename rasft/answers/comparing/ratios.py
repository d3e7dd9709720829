"""Ratios: their quotients, and those that say whose each term is, `a:b = 1:2`."""

from __future__ import annotations

from dataclasses import dataclass

from rasft.answers.reading.expression import Apply, Node, Symbol, number
from rasft.answers.reading.shapes import Ratio, Relation, Scalar, Shape, Words


@dataclass(frozen=True)
class Labelled:
    """The things whose ratio is given, and the ratio, with as many terms."""

    things: tuple[Shape, ...]
    values: Ratio


def quotients(shape: Shape) -> tuple[Shape, ...] | None:
    """The terms of a ratio divided by its last one; a scalar is the quotient of two terms."""
    if isinstance(shape, Scalar):
        return (shape,)
    nodes = _nodes(shape)
    if nodes is None:
        return None
    return tuple(Scalar(Apply("div", (node, nodes[-1]))) for node in nodes[:-1])


def labelled(relation: Relation) -> Labelled | None:
    """The ratio that an equation gives some names; None for any other relation."""
    if relation.signs != ("=",):
        return None
    things, values = (side.shape for side in relation.sides)
    if not isinstance(things, Ratio) or not all(_is_name(term) for term in things.terms):
        return None
    if isinstance(values, Scalar) and len(things.terms) == 2:
        values = Ratio((values, Scalar(number(1))))
    fits = isinstance(values, Ratio) and len(values.terms) == len({*things.terms})
    return Labelled(things.terms, values) if isinstance(values, Ratio) and fits else None


def in_order_of(gold: Labelled, answer: Labelled) -> Ratio | None:
    """The answer's ratio with its terms in the gold's order; None for other things."""
    if set(gold.things) != set(answer.things):
        return None
    return Ratio(tuple(answer.values.terms[answer.things.index(thing)] for thing in gold.things))


def _nodes(shape: Shape) -> tuple[Node, ...] | None:
    if not isinstance(shape, Ratio) or not all(isinstance(t, Scalar) for t in shape.terms):
        return None
    return tuple(term.node for term in shape.terms if isinstance(term, Scalar))


def _is_name(shape: Shape) -> bool:
    """A letter with its subscript, or the letters of a segment."""
    return isinstance(shape, Words) or (
        isinstance(shape, Scalar) and isinstance(shape.node, Symbol)
    )
