r"""Other ways to read two scalars, under which they may be equal: one idea each.

`parameter_renamed`: `2k\pi` and `2n\pi` are the same angles. `real_roots`: `(x-2)^{1/3}` is the
real root, as `\sqrt[3]{x-2}` is, also where x is less than 2.
"""

from __future__ import annotations

from rasft.answers.reading.expression import (
    Apply,
    Node,
    Symbol,
    contains,
    exact_value,
    number,
    substitute,
    symbols,
)

_INTEGERS = ("k", "m", "n")


def parameter_renamed(gold: Node, answer: Node) -> Node:
    r"""The answer with its integer parameter named as in the gold.

    Only where a multiple of pi or of degrees shows that the letter counts turns, and where no other
    letter stands: `2k` or `n\pi r^2` speak of a number that the problem gave.
    """
    names = symbols(gold), symbols(answer)
    if names[0] == names[1] or not all(len(n) == 1 and n <= set(_INTEGERS) for n in names):
        return answer
    old, new = next(iter(names[1])), next(iter(names[0]))
    if not (_counts_turns(gold, new) and _counts_turns(answer, old)):
        return answer
    return substitute(answer, old, Symbol(new))


def _counts_turns(node: Node, name: str) -> bool:
    """Whether a term is the parameter times pi or degrees, and every other term is free of it."""
    if not isinstance(node, Apply) or node.kind not in ("add", "neg"):
        turning = contains(node, "pi", "degree") and not contains(node, "pow", "sqrt", "root")
        return turning and _is_factor(node, name)
    terms = [part for part in node.operands if name in symbols(part)]
    return bool(terms) and all(_counts_turns(part, name) for part in terms)


def _is_factor(node: Node, name: str) -> bool:
    """Whether the parameter stands once, as a factor of the numerator."""
    if isinstance(node, Symbol):
        return node.name == name
    if not isinstance(node, Apply) or node.kind not in ("mul", "div", "add", "neg", "degree"):
        return False
    holding = [part for part in node.operands if name in symbols(part)]
    if len(holding) != 1 or (node.kind == "div" and holding[0] is node.operands[1]):
        return False
    return _is_factor(holding[0], name)


def real_roots(node: Node) -> Node:
    """The tree with each power whose exponent is a fraction of odd denominator as a real root."""
    if not isinstance(node, Apply):
        return node
    operands = tuple(real_roots(part) for part in node.operands)
    if node.kind == "pow" and not symbols(operands[1]) and symbols(operands[0]):
        return _real_power(*operands)
    return Apply(node.kind, operands)


def _real_power(base: Node, exponent: Node) -> Node:
    try:
        value = exact_value(exponent)
    except ZeroDivisionError:
        value = None
    if value is None or value.denominator % 2 == 0 or not 1 < value.denominator <= 64:
        return Apply("pow", (base, exponent))
    root = Apply("root", (base, number(value.denominator)))
    return Apply("pow", (root, number(value.numerator)))
