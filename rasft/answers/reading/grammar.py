r"""Reads one expression from tokens: a recursive-descent parser for school and contest notation.

Juxtaposition multiplies (`f(x)` reads as a product on both sides of a comparison, which keeps it
consistent); an integer before a numeric fraction is a mixed number; a function without brackets
takes the juxtaposed factors that follow it (`\sin 2x`). Nothing is ever evaluated as code.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from rasft.answers.reading.cursor import Unreadable
from rasft.answers.reading.expression import Apply, Node, Number, Symbol, number
from rasft.answers.reading.numerals import Numerals, number_from
from rasft.answers.reading.tokens import FUNCTIONS, GREEK, OPENING, Tokens
from rasft.answers.reading.variables import Variables

_DECORATIONS = (
    "\\dot",
    "\\ddot",
    "\\hat",
    "\\bar",
    "\\overline",
    "\\tilde",
    "\\widehat",
    "\\check",
)
_TIMES = ("*", "\\cdot", "\\times")
_NAMED = {"\\" + name for name in GREEK} | {"\\angle", "\\triangle", "\\nabla", "\\partial"}
_FUNCTIONS = {"\\" + name for name in FUNCTIONS} | {"\\abs", "\\floor", "\\ceil", "\\cbrt"}
_INVERSES = {"sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot"}
_MANY = ("max", "min", "gcd", "lcm")
_DEGREE = (("^", "\\circ"), ("^", "{", "\\circ", "}"))


def read_expression(tokens: Tokens) -> Node:
    """The expression that all of `tokens` spell; raises Unreadable."""
    reader = _Reader(tokens)
    node = reader.chosen()
    if reader.position != len(tokens):
        raise Unreadable(f"stopped at {reader.peek()!r}")
    return node


class _Reader(Numerals, Variables):
    opens_bars = True  # False inside |...|, where the next bar closes

    def sum(self) -> Node:
        """`a + b - c`; the lowest precedence."""
        terms = [self.signed_term()]
        while self.peek() in ("+", "-"):
            terms.append(self.signed_term())
        return terms[0] if len(terms) == 1 else Apply("add", tuple(terms))

    def signed_term(self) -> Node:
        """A term with any number of signs before it."""
        negative = False
        while self.peek() in ("+", "-"):
            negative ^= self.take().text == "-"
        term = self.term()
        return Apply("neg", (term,)) if negative else term

    def term(self) -> Node:
        """Factors that `*`, `/` or juxtaposition joins, from left to right."""
        node = self.power()
        while True:
            if self.accept(*_TIMES):
                node = Apply("mul", (node, self.signed_factor()))
            elif self.accept("/"):
                node = Apply("div", (node, self.signed_factor()))
            elif self.starts_factor():
                node = Apply("mul", (node, self.power()))
            else:
                return node

    def signed_factor(self) -> Node:
        """The factor after an operator, which may have signs of its own: `2 * -3`."""
        if self.peek() in ("+", "-"):
            negative = self.take().text == "-"
            factor = self.signed_factor()
            return Apply("neg", (factor,)) if negative else factor
        return self.power()

    def starts_factor(self) -> bool:
        """Whether the next token begins a factor that juxtaposition multiplies."""
        kind, text = self.kind(), self.peek()
        if kind in ("number", "letters"):
            return True
        if kind != "mark":
            return False
        if text == "|":
            return self.opens_bars
        return text in _STARTS

    def power(self) -> Node:
        """A mixed number or an atom with what follows it."""
        node = self.mixed() or self.atom()
        return self.postfix(node)

    def postfix(self, node: Node) -> Node:
        """Powers, degrees, per cent and factorials after a factor, as many as there are."""
        while True:
            if self.degree_mark():
                node = Apply("degree", (node,))
            elif self.accept("\\%", "%"):
                node = Apply("percent", (node,))
            elif self.accept("!"):
                node = Apply("factorial", (node,))
            elif self.peek() == "^" and self.kind() == "mark":
                self.take()
                node = Apply("pow", (node, self.exponent()))
            else:
                return node

    def degree_mark(self) -> bool:
        r"""Take `\degree`, `^\circ` or `^{\circ}` if it is next."""
        if self.accept("\\degree"):
            return True
        for spelling in _DEGREE:
            if tuple(self.peek(n) for n in range(len(spelling))) == spelling:
                self.position += len(spelling)
                return True
        return False

    def exponent(self) -> Node:
        """What `^` raises to: an atom with any signs."""
        if self.peek() in ("+", "-"):
            negative = self.take().text == "-"
            node = self.exponent()
            return Apply("neg", (node,)) if negative else node
        return self.atom()

    def mixed(self) -> Node | None:
        """`1\\frac{4}{5}` and `1 4/5`."""
        if self.kind() != "number" or not self.peek().isdigit():
            return None
        if self.peek(1) == "\\frac":
            whole, start = int(self.peek()), self.position
            self.take()
            fraction = self.atom()
            if _is_numeric_fraction(fraction):
                return Apply("add", (number(whole), fraction))
            self.position = start
            return None
        return self.slashed()

    def atom(self) -> Node:
        """The smallest thing that has a value; raises Unreadable for text."""
        token = self.take()
        if token.kind == "number":
            return self.numeral(token.text)
        if token.kind == "letters":
            return self.letters(token.text)
        if token.kind != "mark":
            raise Unreadable(f"text {token.text!r}")
        return self.mark(token.text)

    def letters(self, run: str) -> Node:
        """A run of letters is a product of variables; the last one takes the subscript."""
        if len(run) > 3:
            raise Unreadable(f"the word {run!r}")
        before, last = run[:-1], run[-1]
        if not before and self.calls_at_number():
            return Symbol(self.called(last))
        nodes = [*(self.letter(one) for one in before), self.letter(self.subscripted(last))]
        node = nodes[0]
        for other in nodes[1:]:
            node = Apply("mul", (node, other))
        if len(nodes) > 1 and self.peek() == "^":
            self.take()
            powered = Apply("pow", (nodes[-1], self.exponent()))
            for other in reversed(nodes[:-1]):
                powered = Apply("mul", (other, powered))
            return powered
        return node

    def mark(self, text: str) -> Node:
        """What a bracket, a command or a sign begins; raises Unreadable for an unknown one."""
        if text in _BRACKETED:
            return self.bracketed(text)
        if text in _NAMED:
            return Symbol(self.subscripted(text))
        if text in _FUNCTIONS:
            return self.function(text[1:])
        if text in _DECORATIONS:
            return self.decorated(text)
        if text in _READERS:
            return _READERS[text](self)
        raise Unreadable(f"the mark {text!r}")

    def bracketed(self, opening: str) -> Node:
        """A group, a floor or a ceiling up to its closing bracket."""
        if opening == "|":
            return self.bars()
        outer, self.opens_bars = self.opens_bars, True
        inner = self.chosen()
        self.expect(OPENING[opening])
        self.opens_bars = outer
        kind = {"\\lfloor": "floor", "\\lceil": "ceil"}.get(opening)
        return Apply(kind, (inner,)) if kind else inner

    def chosen(self) -> Node:
        """A sum, or plain TeX's `n \\choose k` and `a \\over b`."""
        above = self.sum()
        if self.accept("\\choose"):
            return Apply("binomial", (above, self.sum()))
        return Apply("div", (above, self.sum())) if self.accept("\\over") else above

    def bars(self) -> Node:
        """An absolute value; the first bar is taken."""
        outer, self.opens_bars = self.opens_bars, False
        inner = self.sum()
        self.expect("|")
        self.opens_bars = outer
        return Apply("abs", (inner,))

    def fraction(self) -> Node:
        r"""What follows `\frac`: a derivative, or two arguments."""
        derivative = self.derivative()
        if derivative is not None:
            return derivative
        above = self.argument(digits=1)
        return Apply("div", (above, self.argument(digits=1)))

    def binomial(self) -> Node:
        r"""The two arguments of `\binom`."""
        above = self.argument(digits=1)
        return Apply("binomial", (above, self.argument(digits=1)))

    def root(self) -> Node:
        r"""What follows `\sqrt`: an optional degree in brackets, then the argument."""
        degree: Node | None = None
        if self.accept("["):
            degree = self.sum()
            self.expect("]")
        inside = self.argument(digits=0)
        if degree is None:
            return Apply("sqrt", (inside,))
        return Apply("root", (inside, degree))

    def argument(self, digits: int) -> Node:
        """A braced group, or one token: the first `digits` digits of a number when not 0."""
        token = self.take()
        if token.kind == "number":
            return number_from(self.first(token, digits) if digits else token.text)
        if token.kind == "letters" and len(token.text) > 1:
            return self.letter(self.first(token, 1))
        self.position -= 1
        return self.atom()

    def function(self, name: str) -> Node:
        """A function with its base and exponent: `log_2 x`, `sin^2 x`; `^{-1}` is the inverse."""
        name = {"lg": "log"}.get(name, name)
        base: Node | None = None
        exponent: Node | None = None
        if name in ("log", "ln") and self.accept("_"):
            base = self.subscript()
        if self.accept("^"):
            exponent = self.exponent()
        if name == "log" and base is None and self.accept("_"):
            base = self.subscript()
        if exponent == Apply("neg", (Number(Fraction(1), "1"),)) and name in _INVERSES:
            name, exponent = _INVERSES[name], None
        node = self.applied(name, base)
        return node if exponent is None else Apply("pow", (node, exponent))

    def subscript(self) -> Node:
        """The base of a logarithm: a group, or one whole number."""
        return number_from(self.take().text) if self.kind() == "number" else self.argument(0)

    def applied(self, name: str, base: Node | None) -> Node:
        """The function of its operands; a logarithm of a base is a quotient."""
        operands = self.operands(name)
        if base is not None:
            return Apply("div", (Apply("ln", operands), Apply("ln", (base,))))
        if name == "cbrt":
            return Apply("root", (*operands, number(3)))
        return Apply(name, operands)

    def operands(self, name: str) -> tuple[Node, ...]:
        """What a function is applied to: a bracketed list for max and its like, else one."""
        if self.peek() in ("(", "{", "["):
            closing = OPENING[self.take().text]
            items = [self.sum()]
            while name in _MANY and self.accept(","):
                items.append(self.sum())
            self.expect(closing)
            return tuple(items)
        return (self.bare_operand(),)

    def bare_operand(self) -> Node:
        """The juxtaposed factors that a function without brackets takes."""
        negative = self.accept("-")
        node = self.power()
        while self.starts_factor() and self.peek() not in _FUNCTIONS and self.peek() != "(":
            node = Apply("mul", (node, self.power()))
        return Apply("neg", (node,)) if negative else node


def _is_numeric_fraction(node: Node) -> bool:
    return (
        isinstance(node, Apply)
        and node.kind == "div"
        and all(isinstance(p, Number) and p.value.denominator == 1 for p in node.operands)
    )


_BRACKETED = ("(", "[", "{", "|", "\\lfloor", "\\lceil")
_READERS: dict[str, Callable[[_Reader], Node]] = {
    "\\frac": _Reader.fraction,
    "\\binom": _Reader.binomial,
    "\\sqrt": _Reader.root,
    "\\pi": lambda reader: Apply("pi"),
    "\\infty": lambda reader: Apply("infinity"),
}
_STARTS = {"(", "[", "{", "\\lfloor", "\\lceil", *_READERS, *_FUNCTIONS, *_NAMED, *_DECORATIONS}
