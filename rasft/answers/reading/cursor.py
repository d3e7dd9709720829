"""A position in a list of tokens, with the few moves that a recursive-descent parser makes."""

from __future__ import annotations

from rasft.answers.reading.tokens import Token, Tokens


class Unreadable(ValueError):
    """The tokens are no expression in this grammar."""


class Cursor:
    """Where a parser stands in its tokens."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.position = 0

    def peek(self, ahead: int = 0) -> str:
        at = self.position + ahead
        return self.tokens[at].text if at < len(self.tokens) else ""

    def kind(self, ahead: int = 0) -> str:
        at = self.position + ahead
        return self.tokens[at].kind if at < len(self.tokens) else ""

    def take(self) -> Token:
        if self.position >= len(self.tokens):
            raise Unreadable("ends too early")
        self.position += 1
        return self.tokens[self.position - 1]

    def accept(self, *texts: str) -> bool:
        if self.peek() in texts and self.kind() == "mark":
            self.position += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise Unreadable(f"expected {text}, found {self.peek()!r}")

    def group_tokens(self) -> Tokens:
        if not self.accept("{"):
            return [self.take()]
        start, depth = self.position, 1
        while depth:
            text = self.take().text
            depth += (text == "{") - (text == "}")
        return self.tokens[start : self.position - 1]

    def first(self, token: Token, count: int) -> str:
        """The first characters of the token just taken; the rest of it is left to be read."""
        rest = token.text[count:]
        if rest:
            self.position -= 1
            after = self.tokens[self.position + 1 :]
            self.tokens = [*self.tokens[: self.position], Token(token.kind, rest), *after]
        return token.text[:count]
