"""Tokens of a response as text and log-probability, packed for the page.

A piece is the text that a token adds: a character of several tokens belongs to its last one. A
log-probability is stored in hundredths of a nat as two letters, a length as one or more, so that
the whole compresses well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rasft.errors import UserError

FIRST = 35  # the letter of 0: "#"; the backslash, which JSON would double, is beyond
BASE = 56
HIGHEST = BASE * BASE - 1  # hundredths of a nat
BROKEN = "�"  # what a tokenizer decodes half a character to


class Pieces:
    """Cuts responses into their tokens' texts; each token is decoded once.

    `decode` gives the text of token ids, special ones too.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]):
        self._decode = decode
        self._known: dict[int, str] = {}

    def text(self, ids: Sequence[int]) -> str:
        """The tokens' whole text, with special tokens."""
        return "".join(self.pieces(ids))

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """One piece a token."""
        found: list[str] = []
        waiting: list[int] = []
        for token in ids:
            waiting.append(token)
            piece = self._piece(token) if len(waiting) == 1 else self._decode(waiting)
            whole = BROKEN not in piece or len(waiting) > 4
            found.append(piece if whole else "")
            if whole:
                waiting = []
        if waiting:
            found[-1] = self._decode(waiting)
        return found

    def _piece(self, token: int) -> str:
        if token not in self._known:
            self._known[token] = self._decode([token])
        return self._known[token]


def open_pieces(model: Path) -> Pieces:
    """Of a model folder's tokenizer. Raises UserError where it is not there as data alone."""
    from tokenizers import Tokenizer

    path = model / "tokenizer.json"
    if not path.is_file():
        raise UserError(f"{model} has no tokenizer.json")
    tokenizer = Tokenizer.from_file(str(path))
    # some tokenizers leave out the blank before a text's first token: none of ours is the first
    before = tokenizer.encode("a", add_special_tokens=False).ids
    start = len(tokenizer.decode(before))

    def decode(ids: Sequence[int]) -> str:
        return str(tokenizer.decode([*before, *ids], skip_special_tokens=False))[start:]

    return Pieces(decode)


def pack_lengths(pieces: Iterable[str]) -> str:
    """The pieces' lengths in characters; one of BASE - 1 or more goes on in the next letter.

    >>> pack_lengths(["ab", "", "c" * 60])
    '%#Z('
    """
    return "".join(_length(len(piece)) for piece in pieces)


def pack_logps(logps: Iterable[float]) -> str:
    """Log-probabilities as two letters each, in hundredths of a nat, capped.

    >>> pack_logps([-0.0, -0.25, -1.0])
    '###<$O'
    """
    return "".join(_level(level(value)) for value in logps)


def level(logp: float) -> int:
    """The hundredths of a nat below 0, as they are stored."""
    return min(HIGHEST, max(0, round(-100 * logp)))


def _length(length: int) -> str:
    more, rest = divmod(length, BASE - 1)
    return chr(FIRST + BASE - 1) * more + chr(FIRST + rest)


def _level(value: int) -> str:
    high, low = divmod(value, BASE)
    return chr(FIRST + high) + chr(FIRST + low)
