"""Reads variables: letters, subscripts, primes, accents and the derivatives they stand for."""

from __future__ import annotations

import re

from rasft.answers.reading.cursor import Cursor, Unreadable
from rasft.answers.reading.expression import Apply, Node, Symbol
from rasft.answers.reading.tokens import Tokens

_DOTS = {"\\dot": 1, "\\ddot": 2}
_DERIVATIVE = re.compile(
    r"\{d(?:\^\{?([23])\}?)?([A-Za-z]|\\[a-z]+)(_\{?\w\}?)?\}\{d[a-z](?:\^\{?([23])\}?)?\}"
)


class Variables(Cursor):
    """The part of the grammar that starts with a letter or an accent."""

    def calls_at_number(self) -> bool:
        """`f(2)` or `I(0)`: a value of a function, never a product."""
        return self.peek() == "(" and self.kind(1) == "number" and self.peek(2) == ")"

    def called(self, name: str) -> str:
        return name + "".join(self.take().text for _ in range(3))

    def letter(self, name: str) -> Node:
        if name == "i":
            return Apply("i")
        return Apply("e") if name == "e" else Symbol(name)

    def subscripted(self, name: str, primes: int = 0) -> str:
        """A name with the subscript and the primes that follow, in one order."""
        subscript = ""
        while True:
            if self.peek() == "_" and self.kind() == "mark":
                self.take()
                subscript += "_" + "".join(token.text for token in self.group_tokens())
            elif self.accept("'"):
                primes += 1
            elif self.peek() == "^" and self.peek(1) == "\\prime":
                self.position += 2
                primes += 1
            elif self.peek() == "^" and self.peek(1) == "{" and self.peek(2) == "\\prime":
                marks = self.group_after_caret()
                primes += len(marks)
            else:
                self.skip_time()
                return name + subscript + "'" * primes

    def skip_time(self) -> None:
        """`x(t)` names the same as `x` in an equation of motion."""
        if [self.peek(ahead) for ahead in range(3)] == ["(", "t", ")"]:
            self.position += 3

    def group_after_caret(self) -> Tokens:
        self.take()
        return self.group_tokens()

    def decorated(self, command: str) -> Node:
        inside = "".join(token.text for token in self.group_tokens())
        if not inside or len(inside) > 20:
            raise Unreadable("an accent over no name")
        if command in _DOTS:
            return Symbol(self.subscripted(inside, _DOTS[command]))
        return Symbol(self.subscripted(f"{command}{{{inside}}}"))

    def derivative(self) -> Node | None:
        """`{dx}{dt}` and `{d^2 x}{dt^2}` name the same as x' and x''."""
        spelled = "".join(token.text for token in self.tokens[self.position : self.position + 24])
        found = _DERIVATIVE.match(spelled)
        if found is None or (found[1] or "1") != (found[4] or "1"):
            return None
        consumed = 0
        while consumed < found.end():
            consumed += len(self.take().text)
        return Symbol(
            found[2] + (found[3] or "").replace("{", "").replace("}", "") + "'" * int(found[1] or 1)
        )
