"""Whether an answer's shape says the same as the gold's: True, False, or None for cannot tell.

A wrong acceptance costs more than a wrong refusal, so two shapes of different kinds are equal only
by a rule written here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rasft.answers.comparing import ratios, relations
from rasft.answers.comparing.regions import same_region
from rasft.answers.comparing.rules import EXACT, Rules
from rasft.answers.comparing.scalar_equality import same_scalar
from rasft.answers.comparing.vectors import components
from rasft.answers.reading.expression import Number
from rasft.answers.reading.names import ORDERED, assigned_tuple, assignment
from rasft.answers.reading.shapes import (
    Bracketed,
    Clock,
    Congruence,
    Listing,
    Matrix,
    Numeral,
    Opaque,
    Ratio,
    RealSet,
    Relation,
    Scalar,
    Shape,
    Words,
)
from rasft.answers.reading.words import plain


@dataclass(frozen=True)
class Matcher:
    """Compares shapes under one benchmark's rules and one problem's absolute tolerance."""

    rules: Rules = EXACT
    tolerance: float | None = None

    def same(self, gold: Shape, answer: Shape) -> bool | None:
        """Whether the answer says what the gold says; None when that cannot be told."""
        if gold == answer:
            return True
        if isinstance(gold, Relation) or isinstance(answer, Relation):
            return self.with_relation(gold, answer)
        if isinstance(gold, Opaque) or isinstance(answer, Opaque):
            return self.by_spelling(gold, answer)
        if isinstance(gold, RealSet) or isinstance(answer, RealSet):
            return same_region(gold, _as_union(answer))
        if isinstance(gold, Words) or isinstance(answer, Words):
            return self.by_words(gold, answer)
        return self.by_kind(gold, answer)

    def same_answer(self, gold: Shape, answer: Shape) -> bool | None:
        """`same` for whole answers, where a set of one is its element."""
        return self.same(_alone(gold), _alone(answer))

    def by_kind(self, gold: Shape, answer: Shape) -> bool | None:
        """Two shapes of the kinds that hold values."""
        if isinstance(gold, Scalar) and isinstance(answer, Scalar):
            return same_scalar(gold, answer, self.rules, self.tolerance)
        if isinstance(gold, Clock) and isinstance(answer, Clock | Ratio):
            return _same_clock(gold, answer)
        if isinstance(gold, Numeral) or isinstance(answer, Numeral):
            return gold == answer
        if isinstance(gold, Congruence) or isinstance(answer, Congruence):
            return self.congruence(gold, answer)
        if isinstance(gold, Ratio) or isinstance(answer, Ratio):
            return self.ratio(gold, answer)
        if isinstance(gold, Listing) and isinstance(answer, Listing):
            return self.lists(gold.items, answer.items)
        return self.ordered(gold, answer)

    def ordered(self, gold: Shape, answer: Shape) -> bool | None:
        """Tuples, intervals, vectors and matrices: order and ends matter."""
        if isinstance(gold, Matrix) and isinstance(answer, Matrix):
            if [len(row) for row in gold.rows] != [len(row) for row in answer.rows]:
                return False
            return self.in_order(_cells(gold), _cells(answer))
        if isinstance(gold, Scalar) or isinstance(answer, Scalar):
            return self.unit_vectors(gold, answer)
        if isinstance(gold, Matrix) or isinstance(answer, Matrix):
            vectors = _as_vector(gold), _as_vector(answer)
            return bool(vectors[0] and vectors[1]) and self.in_order(vectors[0], vectors[1])
        if isinstance(gold, Bracketed) and isinstance(answer, Bracketed):
            return _same_brackets(gold, answer) and self.in_order(gold.items, answer.items)
        if isinstance(gold, Bracketed) and isinstance(answer, Listing):
            return self.unbracketed(gold, answer)
        if isinstance(gold, Listing) and isinstance(answer, Bracketed):
            named = assigned_tuple(gold.items)
            if named is not None:
                return _same_brackets(named, answer) and self.in_order(named.items, answer.items)
            plain_list = (answer.opening, answer.closing) == ("[", "]") and len(answer.items) > 2
            return plain_list and self.any_order(gold.items, answer.items)
        return False

    def unit_vectors(self, gold: Shape, answer: Shape) -> bool | None:
        """A sum of unit vectors against a tuple or a column."""
        places = len(_as_vector(gold) or _as_vector(answer))
        if places not in (2, 3):
            return False
        sides = [components(shape, places) or _as_vector(shape) for shape in (gold, answer)]
        return self.in_order(sides[0], sides[1])

    def congruence(self, gold: Shape, answer: Shape) -> bool | None:
        """The same class of the same modulus, of the same thing where both name one."""
        if not isinstance(gold, Congruence) or not isinstance(answer, Congruence):
            return False
        if gold.name and answer.name and gold.name != answer.name:
            return False
        if self.same(gold.modulus, answer.modulus) is not True:
            return False
        same = relations.congruent(gold.residue, answer.residue, gold.modulus)
        return self.same(gold.residue, answer.residue) if same is None else same

    def unbracketed(self, gold: Bracketed, answer: Listing) -> bool | None:
        """A tuple given without brackets: three or more in order, or named in order."""
        named = assigned_tuple(answer.items)
        if named is not None:
            return gold.opening == "(" == named.opening and self.in_order(gold.items, named.items)
        if answer.braces or len(gold.items) < 3:
            return False
        return self.in_order(gold.items, answer.items)

    def in_order(self, gold: tuple[Shape, ...], answer: tuple[Shape, ...]) -> bool | None:
        """Item by item."""
        if len(gold) != len(answer):
            return False
        verdicts = [self.same(g, a) for g, a in zip(gold, answer, strict=True)]
        return False if False in verdicts else None if None in verdicts else True

    def lists(self, gold: tuple[Shape, ...], answer: tuple[Shape, ...]) -> bool | None:
        """Lists are multisets, unless several names say which value is whose."""
        names = _names(gold), _names(answer)
        if len(names[0]) < 2:
            return self.any_order(gold, answer)
        if names[0] == names[1]:
            return self.in_order(_by_name(gold), _by_name(answer))
        return self.in_order(gold, answer) if not names[1] else False

    def any_order(self, gold: tuple[Shape, ...], answer: tuple[Shape, ...]) -> bool | None:
        """As multisets: each gold item is met by exactly one item of the answer."""
        if len(gold) != len(answer):
            return False
        left, unsure = list(answer), False
        for item in gold:
            verdicts = [self.same(item, other) for other in left]
            if True in verdicts:
                del left[verdicts.index(True)]
            elif None in verdicts:
                unsure = True
            else:
                return False
        return None if unsure else True

    def ratio(self, gold: Shape, answer: Shape) -> bool | None:
        """Ratios are equal up to a factor; a two-term ratio is also its quotient."""
        first, second = ratios.quotients(gold), ratios.quotients(answer)
        if first is None or second is None or len(first) != len(second):
            return False
        return self.in_order(first, second)

    def by_words(self, gold: Shape, answer: Shape) -> bool | None:
        """A word equals the same word, and a single letter its symbol."""
        texts = _words_of(gold), _words_of(answer)
        if None in texts:
            return same_region(gold, answer) or False
        return texts[0] == texts[1]

    def by_spelling(self, gold: Shape, answer: Shape) -> bool | None:
        """Opaque notation: equal spelling is equal, anything else is not known."""
        texts = [shape.text for shape in (gold, answer) if isinstance(shape, Opaque)]
        if len(texts) == 2 and _squeezed(texts[0]) == _squeezed(texts[1]):
            return True
        if isinstance(gold, Opaque) and isinstance(answer, Words):
            return plain(gold.text) == plain(answer.text) or None
        if isinstance(answer, Opaque) and isinstance(gold, Words):
            return plain(gold.text) == plain(answer.text)
        return None

    def with_relation(self, gold: Shape, answer: Shape) -> bool | None:
        """At least one side is an equation, an inequality or a named value."""
        if isinstance(gold, Relation) and isinstance(answer, Relation):
            return self.two_relations(gold, answer)
        if isinstance(answer, Relation):
            return self.named_value(gold, answer)
        assert isinstance(gold, Relation)
        return self.bare_value(gold, answer)

    def two_relations(self, gold: Relation, answer: Relation) -> bool | None:
        """Two assignments, two equations or two inequalities."""
        ratio = ratios.labelled(gold), ratios.labelled(answer)
        if ratio[0] is not None and ratio[1] is not None:
            ordered = ratios.in_order_of(ratio[0], ratio[1])
            return ordered is not None and self.same(ratio[0].values, ordered)
        named = assignment(gold), assignment(answer)
        if named[0] is not None and named[1] is not None:
            verdict = self.two_assignments(gold, answer)
            if verdict is not None:
                return verdict
        if set(gold.signs) & set(ORDERED) or set(answer.signs) & set(ORDERED):
            verdict = same_region(gold, answer)
            return relations.same_chain(gold, answer, self.same) if verdict is None else verdict
        return relations.same_equation(gold, answer, self.rules, self.same)

    def two_assignments(self, gold: Relation, answer: Relation) -> bool | None:
        """Named values: names agree, are both functions, or one is y; then the values decide."""
        first, second = assignment(gold), assignment(answer)
        assert first is not None
        assert second is not None
        values = relations.value_of(gold, self), relations.value_of(answer, self)
        if values[0] is None or values[1] is None:
            return False if values[1] is None else None
        return relations.compatible_values(first[0], second[0], values, self.same)

    def named_value(self, gold: Shape, answer: Relation) -> bool | None:
        """The gold is bare and the answer names it: `x = 5` for 5, `x > 2` for an interval."""
        if set(answer.signs) & set(ORDERED):
            return same_region(gold, answer) or False
        value = relations.value_of(answer, self)
        if value is None:
            return relations.agreed_side(gold, answer, self.same)
        return self.same_answer(gold, value)

    def bare_value(self, gold: Relation, answer: Shape) -> bool | None:
        """The gold names a value or states bounds and the answer gives the bare value or set."""
        if set(gold.signs) & set(ORDERED):
            return same_region(gold, answer) or False
        if assignment(gold) is None and ratios.labelled(gold) is None:
            return relations.agreed_side(answer, gold, self.same)
        value = relations.value_of(gold, self)
        return None if value is None else self.same_answer(value, answer)


def _as_union(shape: Shape) -> Shape:
    """Intervals in a list, where the gold is a set of reals, are its parts."""
    intervals = isinstance(shape, Listing) and all(isinstance(i, Bracketed) for i in shape.items)
    return RealSet("union", shape.items) if isinstance(shape, Listing) and intervals else shape


def _names(items: tuple[Shape, ...]) -> set[str]:
    return {item.sides[0].name for item in items if isinstance(item, Relation)} - {""}


def _by_name(items: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """Relations sorted by the name on their left; the sort keeps equal names in order."""
    return tuple(sorted(items, key=lambda i: i.sides[0].name if isinstance(i, Relation) else ""))


def _alone(shape: Shape) -> Shape:
    single = isinstance(shape, Listing) and len(shape.items) == 1
    return shape.items[0] if single and isinstance(shape, Listing) else shape


def _cells(matrix: Matrix) -> tuple[Shape, ...]:
    return tuple(cell for row in matrix.rows for cell in row)


def _as_vector(shape: Shape) -> tuple[Shape, ...]:
    """The entries of a column or of a tuple; () for what is no vector."""
    if isinstance(shape, Matrix):
        return _cells(shape) if all(len(row) == 1 for row in shape.rows) else ()
    if isinstance(shape, Bracketed) and (shape.opening, shape.closing) != ("[", ")"):
        return shape.items
    return ()


def _same_brackets(gold: Bracketed, answer: Bracketed) -> bool:
    return _brackets(gold) == _brackets(answer)


def _brackets(shape: Bracketed) -> tuple[str, str]:
    opening = {"\\langle": "(", "<": "(", "]": "(", "{": "("}.get(shape.opening, shape.opening)
    closing = {"\\rangle": ")", ">": ")", "[": ")", "}": ")"}.get(shape.closing, shape.closing)
    return opening, closing


def _same_clock(gold: Clock, answer: Clock | Ratio) -> bool:
    if isinstance(answer, Ratio):
        fields = tuple(_whole(term) for term in answer.terms)
        return not gold.half and fields == gold.fields
    told = answer.half or not gold.half or gold.fields[0] > 12
    return bool(told) and _day_time(gold) == _day_time(answer)


def _whole(term: Shape) -> int:
    if isinstance(term, Scalar) and isinstance(term.node, Number):
        return int(term.node.value)
    return -1


def _day_time(clock: Clock) -> tuple[int, ...]:
    hour, *rest = clock.fields
    if clock.half:
        hour = hour % 12 + (12 if clock.half == "pm" else 0)
    return (hour, *rest, *[0] * (2 - len(rest)))


def _words_of(shape: Shape) -> str | None:
    if isinstance(shape, Words):
        return plain(shape.text)
    if isinstance(shape, Scalar):
        return relations.symbol_name(shape)
    return None


def _squeezed(text: str) -> str:
    return re.sub(r"\{(\w)\}", r"\1", "".join(text.split()))
