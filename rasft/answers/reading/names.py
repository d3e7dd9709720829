r"""Names on the sides of relations (`x`, `f(x)`, `AB`, `\angle A`) and lists of named values."""

from __future__ import annotations

from rasft.answers.reading.shapes import Bracketed, Listing, Opaque, RealSet, Relation, Shape, Side
from rasft.answers.reading.tokens import GREEK, Tokens

ORDERED = ("<", ">", "\\le", "\\ge", "\\ne")
_GREEK = {"\\" + name for name in GREEK}
_AROUND = {"\\angle", "\\triangle", "\\overline", "\\vec", "\\dot", "\\ddot", "\\hat", "\\bar", "'"}
_DERIVATIVE = ("\\frac", "{", "}", "^", "_")
_INSIDE = {"{", "}", "_", "^", "\\prime", "|", "\\max", "\\min", "\\circ"}


def name_of(tokens: Tokens) -> tuple[str, str]:
    """(name, argument of a function's name) of tokens that only name something, else ("", "")."""
    opening = next((n for n, token in enumerate(tokens) if token.text == "("), len(tokens))
    head, arguments = tokens[:opening], tokens[opening:]
    if not head and arguments:
        return _tuple_name(arguments)
    if not head or not _is_name(head):
        return "", ""
    name = "".join(token.text for token in head)
    if not arguments:
        return name, ""
    if arguments[-1].text != ")" or sum(token.text == "(" for token in arguments) != 1:
        return "", ""
    inside = arguments[1:-1]
    single = len(inside) == 1 and inside[0].kind == "letters" and len(inside[0].text) == 1
    return (name + "()", inside[0].text) if single else (_spelled(tokens), "")


def _spelled(tokens: Tokens) -> str:
    return "".join(token.text for token in tokens)


def _tuple_name(tokens: Tokens) -> tuple[str, str]:
    inner = tokens[1:-1]
    simple = all(token.kind == "letters" or token.text in (",", "_", *_GREEK) for token in inner)
    commas = any(token.text == "," for token in inner)
    return (_spelled(tokens), "") if simple and commas and tokens[-1].text == ")" else ("", "")


def _is_name(tokens: Tokens) -> bool:
    """One variable with decorations, a geometric name in capitals, or words."""
    if all(token.kind == "words" for token in tokens):
        return True
    if tokens[0].text == "\\frac":
        return all(t.kind == "letters" or t.text in _DERIVATIVE for t in tokens)
    runs = [token for token in tokens if token.kind == "letters" or token.text in _GREEK]
    rest = [token for token in tokens if token not in runs and token.kind != "words"]
    if not runs or runs[0].text in ("e", "i"):
        return False
    if any(t.text not in _AROUND | _INSIDE and t.kind != "number" for t in rest):
        return False
    if tokens[0].kind == "number" or (any(t.text == "^" for t in rest) and not _primed(tokens)):
        return False
    subscripted = any(token.text == "_" for token in tokens)
    marked = any(token.text in ("\\angle", "\\triangle", "\\overline") for token in tokens)
    capitals = all(run.text.isupper() for run in runs if run.kind == "letters")
    long_word = len(runs) == 1 and len(runs[0].text) > 3
    return (
        subscripted
        or marked
        or capitals
        or long_word
        or (len(runs) == 1 and (len(runs[0].text) == 1 or runs[0].text in _GREEK))
    )


def _primed(tokens: Tokens) -> bool:
    return any(token.text == "\\prime" for token in tokens)


def joined(items: tuple[Shape, ...], separators: list[str]) -> Shape:
    """Items of a list as one shape: inequalities joined by "or" are one set of reals."""
    signs = [set(item.signs) for item in items if isinstance(item, Relation)]
    bounded = any(found <= set(ORDERED) for found in signs)
    if bounded and len(signs) == len(items) and all(s <= {*ORDERED, "=", "\\in"} for s in signs):
        narrows = any(s & {"\\ne", "\\in"} for s in signs)
        both = narrows or any("and" in text for text in separators)
        return RealSet("intersection" if both else "union", items)
    kept = tuple(item for item in items if not _only_says_where(item))
    if len(kept) == 1:
        return kept[0]
    tuples = _assigned_tuples(kept)
    if tuples is not None:
        return Listing(tuples)
    return Listing(_shared_name(kept or items))


def _only_says_where(item: Shape) -> bool:
    """`x in R` beside a formula limits the variable and is no answer of its own."""
    if not isinstance(item, Relation) or item.signs != ("\\in",):
        return False
    where = item.sides[1].shape
    return isinstance(where, Opaque) or where == RealSet("reals")


def _shared_name(items: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """`x = 1, 2` and `x = 1, x = 2` name every item by the one name they share: drop it."""
    named = [item for item in items if isinstance(item, Relation) and _assigns(item)]
    bare = [item for item in items if not isinstance(item, Relation)]
    different = {item.sides[0].name for item in named}
    if len(different) != 1 or len(named) + len(bare) != len(items) or named[0] is not items[0]:
        return items
    if named[0].sides[0].variable or (bare and len(named) > 1):
        return items
    return tuple(i.sides[-1].shape if isinstance(i, Relation) else i for i in items)


def _assigns(relation: Relation) -> bool:
    return bool(relation.sides[0].name) and set(relation.signs) <= {"=", "\\in"}


def assignment(relation: Relation) -> tuple[Side, tuple[Side, ...]] | None:
    """(named side, the other sides) when the relation gives one name a value, else None."""
    if set(relation.signs) - {"=", "\\in", "\\approx", "\\to"}:
        return None
    first, last = relation.sides[0], relation.sides[-1]
    if first.name:
        return first, relation.sides[1:]
    if last.name and len(relation.sides) == 2:
        return last, relation.sides[:1]
    return None


def _assigned_tuples(items: tuple[Shape, ...]) -> tuple[Shape, ...] | None:
    """`p = 5, q = 2; p = 7, q = 2` as (5, 2), (7, 2): the same names, given values in turn."""
    if not all(isinstance(item, Relation) and _assigns(item) for item in items):
        return None
    width = len({item.sides[0].name for item in items if isinstance(item, Relation)})
    if width < 2 or len(items) < 2 * width or len(items) % width:
        return None
    groups = [assigned_tuple(items[n : n + width]) for n in range(0, len(items), width)]
    found = tuple(group for group in groups if group is not None)
    return found if len(found) == len(groups) else None


def assigned_tuple(items: tuple[Shape, ...]) -> Bracketed | None:
    """`x = 2, y = 3` as the tuple (2, 3), when the names are in alphabetical order."""
    pairs = [assignment(item) if isinstance(item, Relation) else None for item in items]
    if len(pairs) < 2 or any(pair is None for pair in pairs):
        return None
    ordered = sorted((pair[0].name, n) for n, pair in enumerate(pairs) if pair is not None)
    if len({name for name, _ in ordered}) < len(pairs):
        return None
    values = [pair[1][-1].shape for pair in pairs if pair is not None]
    return Bracketed(tuple(values[n] for _, n in ordered), "(", ")")
