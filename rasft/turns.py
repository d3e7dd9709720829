"""How an assistant's turn begins and ends, read from the chat template itself.

A conversation whose answer is a marker is rendered alone and with a next message. What both have
after the marker ends the turn: its first special tokens, such as `<|im_end|>`, `<end_of_turn>` or
`<|end|>`, often not the tokenizer's EOS. Where both have no such token in common (gpt-oss ends a
conversation with `<|return|>`, a message with `<|end|>`), the conversation's counts; where that
just breaks off (GLM), the next role's token, which the model writes to end its own turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from rasft.chat_template import Message
from rasft.errors import UserError

Render = Callable[[Sequence[Message], bool], str]  # messages, whether the answer's turn is opened

QUESTION, ANSWER, NEXT = "Zq7Question", "Zq7Answer", "Zq7Next"  # in no template
_Piece = str | int  # a stretch of text, or the id of a special token


@dataclass(frozen=True)
class Turn:
    """What stands around the text of an answer, beyond the prompt."""

    closing: str  # text between the answer and what ends the turn: nearly always none
    end_ids: tuple[int, ...]  # special tokens; sampling stops at the last, nearly always the only


def read_turn(render: Render, tokenizer: Any) -> Turn:
    """The turn of a template. Raises UserError where no special token ends it."""
    question = {"role": "user", "content": QUESTION}
    answer = {"role": "assistant", "content": ANSWER}
    following = {"role": "user", "content": NEXT}
    alone = _after(render([question, answer], False))
    followed = _after(render([question, answer, following], False)).partition(NEXT)[0]
    special = special_tokens(tokenizer)
    last, middle = _pieces(alone, special), _pieces(followed, special)
    for candidate in (
        _common(last, middle),
        _to_first(last),
        [] if alone.strip() else _to_first(middle),
    ):
        closing, ids = _end(candidate)
        if ids:
            return Turn(closing, ids)
    raise UserError(
        f"the chat template of {tokenizer.name_or_path!r} ends an answer with {alone!r}, which is "
        "no special token of the tokenizer: nothing would tell sampling where to stop; set "
        "chat.template to one whose turns end with one of its tokens, such as the EOS (zephyr)"
    )


def special_tokens(tokenizer: Any) -> dict[str, int]:
    """Token -> id of those that stand for themselves in a text; not the blanks that some add."""
    added = {str(token): index for index, token in tokenizer.added_tokens_decoder.items()}
    return {text: index for text, index in added.items() if text.strip("\u2581 \t\r\n")}


def _after(rendered: str) -> str:
    """What follows the answer. Raises UserError where the template leaves the answer out."""
    _, found, tail = rendered.partition(ANSWER)
    if not found:
        raise UserError(
            "the chat template leaves out the text of a message: it is for messages that are "
            "lists, such as those with images; take a model for text"
        )
    return tail


def _pieces(text: str, special: dict[str, int]) -> list[_Piece]:
    """The text cut at its special tokens.

    >>> _pieces(" </s><s>[INST]", {"<s>": 1, "</s>": 2})
    [' ', 2, 1, '[INST]']
    """
    longest_first = sorted(special, key=len, reverse=True)
    parts = re.split("(" + "|".join(map(re.escape, longest_first)) + ")", text) if special else []
    return [special.get(part, part) for part in parts or [text] if part]


def _common(one: Iterable[_Piece], other: Iterable[_Piece]) -> list[_Piece]:
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return [piece for piece, _ in pairs]


def _to_first(pieces: list[_Piece]) -> list[_Piece]:
    """Up to and with the first special token."""
    first = next((i for i, piece in enumerate(pieces) if isinstance(piece, int)), len(pieces))
    return pieces[: first + 1]


def _end(pieces: list[_Piece]) -> tuple[str, tuple[int, ...]]:
    """The text before the first special tokens, and these tokens, as far as they stand together."""
    texts = list(takewhile(lambda piece: isinstance(piece, str), pieces))
    ids = takewhile(lambda piece: isinstance(piece, int), pieces[len(texts) :])
    return "".join(map(str, texts)), tuple(map(int, ids))
