"""Reads numbers: decimals, e-notation and repeating decimals, all exact."""

from __future__ import annotations

import re
from fractions import Fraction

from rasft.answers.reading.cursor import Cursor, Unreadable
from rasft.answers.reading.expression import Node, Number, number


def number_from(text: str) -> Number:
    """An exact number from digits, with an optional e-notation exponent."""
    mantissa, _, exponent = text.lower().partition("e")
    value = Fraction(mantissa.rstrip(".") or "0")
    power = int(exponent or 0)
    if abs(power) > 5_000:
        raise Unreadable("an exponent beyond 5000")
    return Number(value * Fraction(10) ** power, text)


class Numerals(Cursor):
    """The part of the grammar that starts with a digit."""

    def numeral(self, text: str) -> Node:
        """A number with the repeating part that may follow; raises Unreadable for two in a row."""
        node = number_from(text)
        if "." in text and self.peek() in ("\\overline", "\\dot", "\\bar"):
            dots = self.take().text == "\\dot"
            return self.repeating(text, node, self.under_dots() if dots else self.digits())
        if "." in text and self.accept("\\ldots"):
            return self.dotted(text)
        if self.kind() == "number":
            raise Unreadable("two numbers side by side")
        if self.peek() == "_":
            raise Unreadable("a number with a subscript")
        return node

    def slashed(self) -> Node | None:
        """The mixed number `1 4/5`, or None with nothing taken."""
        texts = [self.peek(ahead) for ahead in range(4)]
        if texts[2] != "/" or not all(texts[n].isdigit() for n in (0, 1, 3)):
            return None
        if int(texts[3]) == 0:
            raise Unreadable("a zero denominator")
        self.position += 4
        return number(int(texts[0]) + Fraction(int(texts[1]), int(texts[3])))

    def digits(self) -> str:
        """A group of digits, as text."""
        return "".join(token.text for token in self.group_tokens())

    def under_dots(self) -> str:
        r"""The repeating digits of `0.\dot{1}4285\dot{7}`: from the first dot to the last."""
        digits = self.dotted_digit()
        between = self.take().text if self.kind() == "number" and self.peek(1) == "\\dot" else ""
        if self.accept("\\dot"):
            digits += between + self.dotted_digit()
        return digits

    def dotted_digit(self) -> str:
        """What one dot stands over: a group, or the first digit after it."""
        return self.first(self.take(), 1) if self.kind() == "number" else self.digits()

    def repeating(self, text: str, node: Number, digits: str) -> Node:
        r"""`0.1\overline{6}`: digits that a bar or dots mark as repeating for ever."""
        if not digits.isdigit() or len(digits) > 60 or self.kind() == "number":
            raise Unreadable("a repeating part that is no digits")
        places = len(text.partition(".")[2])
        tail = Fraction(int(digits), (10 ** len(digits) - 1) * 10**places)
        return number(node.value + tail)

    def dotted(self, text: str) -> Node:
        """`0.333...`: the shortest block that the last digits repeat at least twice."""
        found = re.fullmatch(r"(\d*\.\d*?)(\d{1,6}?)\2{2,}", text) or re.fullmatch(
            r"(\d*\.\d*?)(\d{2,6}?)\2+", text
        )
        if found is None:
            raise Unreadable("an unfinished decimal")
        places = len(found[1].partition(".")[2])
        tail = Fraction(int(found[2]), (10 ** len(found[2]) - 1) * 10**places)
        return number(number_from(found[1]).value + tail)
