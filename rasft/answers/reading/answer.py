r"""Reads the shape of an answer from its text: what kind of thing it is, then its parts.

The order matters and is the whole grammar above expressions: special spellings (a time, digits in
a base), lists, set operations, relations, brackets, matrices, ratios, and last a scalar with its
unit. What fits nowhere becomes Words or Opaque, which only their spelling can equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from rasft.answers.reading import names, scalars
from rasft.answers.reading.bounds import MOST_ITEMS, TooLarge
from rasft.answers.reading.congruences import congruence_parts
from rasft.answers.reading.cursor import Unreadable
from rasft.answers.reading.notation import normal_form
from rasft.answers.reading.separators import SIGNS, breaks, colon, separates
from rasft.answers.reading.shapes import (
    Bracketed,
    Congruence,
    Listing,
    Matrix,
    Opaque,
    Ratio,
    RealSet,
    Relation,
    Scalar,
    Shape,
    Side,
    Words,
)
from rasft.answers.reading.spellings import special, without_groups
from rasft.answers.reading.tokens import (
    Token,
    Tokens,
    enclosing,
    joined_negation,
    signed,
    split,
    tokenize,
)

_COUNTED = re.compile(r"(.*?)(-?\d+(?:\.\d+)?(?:/\d+)?)\s*([A-Za-z% ]*)\.?")
_TRANSPOSED = (("^", "T"), ("^", "{", "T", "}"), ("^", "\\top"), ("^", "{", "\\top", "}"))
_ENVIRONMENTS = {"pmatrix", "bmatrix", "matrix", "array", "Bmatrix", "smallmatrix"}


@lru_cache(maxsize=8_192)
def read(text: str, *, loose_units: bool = False) -> Shape:
    """The shape of an answer; `loose_units` reads a letter after a number as a unit (10 m).

    Raises TooLarge for what is beyond the bounds.
    """
    plain = normal_form(text)
    found = special(plain)
    if found is not None:
        return found
    tokens = tokenize(without_groups(plain))
    try:
        return _Reading(loose_units).shape(tokens)
    except Unreadable:
        return Opaque(plain)


def _mark(*texts: str) -> Callable[[Token], bool]:
    return lambda token: token.kind == "mark" and token.text in texts


class _Reading:
    """One reading of one answer; the methods go from the outermost notation inwards."""

    def __init__(self, loose_units: bool) -> None:
        self.loose_units = loose_units

    def shape(self, tokens: Tokens) -> Shape:
        """What the tokens spell, tried from the loosest notation to the tightest."""
        tokens = scalars.without_condition(scalars.without_introduction(tokens))
        if not tokens:
            raise Unreadable("nothing")
        if all(token.kind == "words" for token in tokens):
            return self.worded(tokens)
        for attempt in (
            self.listing, self.congruence, self.set_operation, self.relation, self.plus_minus,
        ):  # fmt: skip
            found = attempt(tokens)
            if found is not None:
                return found
        return self.single(tokens)

    def worded(self, tokens: Tokens) -> Shape:
        """Plain words: a number word, a counted thing, a list of names, or just words."""
        text = " ".join(token.text for token in tokens)
        value = scalars.number_word(text)
        if value is not None:
            return scalars.whole(value)
        counted = _COUNTED.fullmatch(text)
        if counted and scalars.is_introduction(counted[1]):
            return self.shape(tokenize(f"{counted[2]} \\words<{counted[3]}>"))
        parts = re.split(r"\s*(?:,|;|\band\b|\bor\b)\s*", text)
        items = tuple(Words(part) for part in parts if part.strip())
        return Listing(items) if len(items) > 1 else Words(text)

    def listing(self, tokens: Tokens) -> Shape | None:
        """Items between commas, semicolons, and, or; None where nothing separates."""
        parts, separators = split(tokens, separates)
        filled = [part for part in parts if part]
        if not separators or not filled:
            return None
        if any(token.text == "\\\\" for token in separators) and breaks(filled):
            raise Unreadable("a line break within an expression")
        if len(filled) > MOST_ITEMS:
            raise TooLarge(f"{len(filled)} items")
        items = tuple(item for part in filled for item in self.flat(part))
        if len(items) == 1:
            return items[0]
        return names.joined(items, [token.text.lower() for token in separators])

    def flat(self, tokens: Tokens) -> Iterator[Shape]:
        """The items of one part; a plus-minus gives two."""
        shape = self.shape(tokens)
        expands = any(token.text in ("\\pm", "\\mp") for token in tokens)
        if isinstance(shape, Listing) and not shape.braces and expands:
            yield from shape.items
        else:
            yield shape

    def congruence(self, tokens: Tokens) -> Shape | None:
        r"""`x \equiv 3 \pmod 7`; None where no modulus ends it."""
        parts = congruence_parts(tokens)
        if parts is None:
            return None
        name = names.name_of(parts[0])[0] if parts[0] else ""
        if parts[0] and not name:
            return None
        return Congruence(self.shape(parts[1]), self.shape(parts[2]), name)

    def set_operation(self, tokens: Tokens) -> Shape | None:
        """A union, intersection or difference of sets; None where there is none."""
        for mark, kind in (
            ("\\cup", "union"), ("\\cap", "intersection"), ("\\setminus", "difference"),
        ):  # fmt: skip
            parts, separators = split(tokens, _mark(mark))
            if separators:
                relation, signs = split(tokens, _mark("\\in", "="))
                if len(relation) == 2 and signs:
                    return self.relation(tokens)
                return RealSet(kind, tuple(self.shape(part) for part in parts))
        return None

    def relation(self, tokens: Tokens) -> Shape | None:
        r"""`x = 3`, `1 < x \le 2`; None where no sign relates two sides."""
        tokens = joined_negation(tokens)
        parts, signs = split(tokens, lambda token: token.kind == "mark" and token.text in SIGNS)
        if not signs:
            return None
        if not parts[-1] and signs[-1].text == "\\in":
            return None
        if not parts[0] and len(parts) == 2 and signs[0].text in ("=", "\\approx"):
            return self.shape(parts[1])
        if not all(parts):
            raise Unreadable("a relation with an empty side")
        sides = tuple(self.side(part) for part in parts)
        return Relation(sides, tuple(SIGNS[sign.text] for sign in signs))

    def side(self, tokens: Tokens) -> Side:
        """One side of a relation, with the name that it may be."""
        name, variable = names.name_of(tokens)
        try:
            shape = self.shape(tokens)
        except Unreadable:
            if not name:
                raise
            shape = Opaque(name)
        return Side(shape, name, variable)

    def plus_minus(self, tokens: Tokens) -> Shape | None:
        """The two values of a plus-minus; None where there is none outside brackets."""
        places = [n for n, token in enumerate(tokens) if token.text in ("\\pm", "\\mp")]
        if not places or enclosing(tokens):
            return None
        if len(places) > 6:
            raise TooLarge("more than 6 plus-minus signs")
        return Listing(tuple(self.shape(signed(tokens, upper)) for upper in (True, False)))

    def single(self, tokens: Tokens) -> Shape:
        """One thing: a bracket, a matrix, a set of numbers, a ratio or a scalar."""
        pair = enclosing(tokens)
        if pair is not None and pair != ("{", "}"):
            return self.bracketed(tokens[1:-1], pair)
        if pair is not None:
            return self.shape(tokens[1:-1])
        if any(token.text == "\\begin" for token in tokens):
            return self.matrix(tokens)
        if len(tokens) > 1 and tokens[0].text == "\\mathbb":
            return self.number_set(tokens)
        terms, colons = split(tokens, colon)
        if colons:
            return Ratio(tuple(self.shape(term) for term in terms))
        return scalars.read_scalar(tokens, self.loose_units)

    def number_set(self, tokens: Tokens) -> Shape:
        r"""`\mathbb{R}`; another set of numbers only equals its spelling."""
        if [token.text for token in tokens] == ["\\mathbb", "{", "R", "}"]:
            return RealSet("reals")
        return Opaque(" ".join(token.text for token in tokens))

    def bracketed(self, inner: Tokens, pair: tuple[str, str]) -> Shape:
        """A set, an interval or a tuple, by its brackets."""
        builder, bars = split(inner, _mark("|", ":"), inside_bars=True)
        if pair == ("\\{", "\\}") and len(bars) == 1 and len(builder) == 2:
            return self.shape(builder[1])
        parts, separators = split(inner, _mark(",", ";"))
        if pair == ("\\{", "\\}"):
            found = self.shape(inner) if inner else RealSet("union")
            items = found.items if isinstance(found, Listing) else (found,)
            return Listing(items, braces=True) if inner else found
        if not separators:
            return self.alone(inner, pair)
        if len(parts) > MOST_ITEMS:
            raise TooLarge(f"{len(parts)} items")
        if any(token.text in ("\\pm", "\\mp") for token in inner):
            return self.signed_tuples(parts, pair)
        return Bracketed(tuple(self.shape(part) for part in parts), *pair)

    def alone(self, inner: Tokens, pair: tuple[str, str]) -> Shape:
        """A single thing in brackets; mismatched brackets around one thing mean nothing."""
        if pair not in (("(", ")"), ("[", "]"), ("\\langle", "\\rangle")):
            raise Unreadable("brackets that do not match")
        return self.shape(inner)

    def signed_tuples(self, parts: list[Tokens], pair: tuple[str, str]) -> Shape:
        """`(\\pm 3, \\pm 2)`: every choice of signs, one for each entry."""
        options: list[tuple[Shape, ...]] = [()]
        for part in parts:
            found = self.shape(part)
            entries = found.items if isinstance(found, Listing) else (found,)
            options = [(*chosen, entry) for chosen in options for entry in entries]
            if len(options) > MOST_ITEMS:
                raise TooLarge("too many choices of signs")
        return Listing(tuple(Bracketed(option, *pair) for option in options))

    def matrix(self, tokens: Tokens) -> Shape:
        """The rows of an environment, times the scalar before it, transposed as marked."""
        for mark in _TRANSPOSED:
            if tuple(token.text for token in tokens[-len(mark) :]) == mark:
                return _transposed(self.matrix(tokens[: -len(mark)]))
        begin = next(n for n, token in enumerate(tokens) if token.text == "\\begin")
        end = next((n for n, token in enumerate(tokens) if token.text == "\\end"), len(tokens))
        texts = [token.text for token in tokens]
        if texts[begin + 2] not in _ENVIRONMENTS or end + 4 != len(tokens):
            return Opaque(" ".join(texts))
        body = tokens[begin + 4 : end]
        if texts[begin + 2] == "array" and body and body[0].text == "{":
            close = next(n for n, token in enumerate(body) if token.text == "}")
            body = body[close + 1 :]
        rows = [row for row in split(body, _mark("\\\\"))[0] if row]
        factor = self.factor(tokens[:begin])
        cells = [split(row, _mark("&"))[0] for row in rows]
        return Matrix(tuple(tuple(self.entry(cell, factor) for cell in row) for row in cells))

    def factor(self, tokens: Tokens) -> Scalar | None:
        """The scalar before a matrix; a bare minus is -1."""
        if not tokens:
            return None
        found = scalars.whole(-1) if tokens[0].text == "-" and len(tokens) == 1 else None
        shape = found or scalars.read_scalar(tokens, False)
        if not isinstance(shape, Scalar):
            raise Unreadable("a multiple that is no number")
        return shape

    def entry(self, tokens: Tokens, factor: Scalar | None) -> Shape:
        """One entry of a matrix, times the scalar before the matrix."""
        shape = self.shape(tokens)
        if factor is None:
            return shape
        if not isinstance(shape, Scalar):
            raise Unreadable("a multiple of an entry that is no number")
        return scalars.product(factor, shape)


def _transposed(shape: Shape) -> Shape:
    if not isinstance(shape, Matrix) or len({len(row) for row in shape.rows}) != 1:
        raise Unreadable("a transpose of no matrix")
    return Matrix(tuple(zip(*shape.rows, strict=True)))
