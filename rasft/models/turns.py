"""How an assistant's turn begins and ends, read from the chat template itself.

A conversation whose answer is a marker is rendered alone and with a next message. What both have
after the marker ends the turn: its first special tokens, such as `<|im_end|>`, `<end_of_turn>` or
`<|end|>`, often not the tokenizer's EOS. Where both have no such token in common (gpt-oss ends a
conversation with `<|return|>`, a message with `<|end|>`), the conversation's counts; where that
just breaks off (GLM), the next role's token, which the model writes to end its own turn.

What stands before the marker is compared with the prompt of the same question. Most conversations
go on where the prompt ends. Some templates put a text between the two (Qwen3 a closed thinking,
gpt-oss a channel), and of some the prompt is no beginning of the conversation (DeepSeek-R1 opens
the thinking in the prompt alone).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from rasft.errors import UserError
from rasft.models.chat_template import Message

Render = Callable[[Sequence[Message], bool], str]  # messages, whether the answer's turn is opened

QUESTION, ANSWER, NEXT = "Zq7Question", "Zq7Answer", "Zq7Next"  # in no template
THINK, THOUGHT = "<think>", "</think>"
TEMPLATE = "template"  # of `chat.opening`
CLOSING = "\n</think>\n\n"
_Piece = str | int  # a stretch of text, or the id of a special token


@dataclass(frozen=True)
class Turn:
    """What stands around the text of an answer, beyond the prompt."""

    between: str | None  # text between prompt and answer; None: not read on from the prompt
    prompt_end: str  # the prompt's text from where the conversation parts from it
    answer_begin: str  # the conversation's text from there to the answer
    thinking: str  # where the prompt opens the thinking: its text from there, such as "<think>\n"
    closing: str  # text between the answer and what ends the turn: nearly always none
    end_ids: tuple[int, ...]  # special tokens; sampling stops at the last, nearly always the only


def read_turn(render: Render, tokenizer: Any) -> Turn:
    """The turn of a template. Raises UserError where no special token ends it."""
    question = {"role": "user", "content": QUESTION}
    answer = {"role": "assistant", "content": ANSWER}
    following = {"role": "user", "content": NEXT}
    before, alone = _around(render([question, answer], False))
    _, followed = _around(render([question, answer, following], False))
    closing, end_ids = _read_end(alone, followed.partition(NEXT)[0], tokenizer)
    prompt = render([question], True)
    shared = len(_common(prompt, before))
    return Turn(
        between=before[shared:] if shared == len(prompt) else None,
        prompt_end=prompt[shared:],
        answer_begin=before[shared:],
        thinking=_open_thinking(prompt.rpartition(QUESTION)[2]),
        closing=closing,
        end_ids=end_ids,
    )


def opening_of(turn: Turn, setting: str | None) -> str:
    """What the model is to write before an expert's text, as the setting `chat.opening` decides.

    Raises UserError where the template leaves a choice and the setting makes none.
    """
    if setting not in (None, TEMPLATE):
        return str(setting)
    if turn.between is None:
        raise UserError(
            f"the chat template's prompt ends with {turn.prompt_end!r}, where its conversations "
            f"have {turn.answer_begin!r} before an answer: set chat.opening to the text that the "
            f"model is to write first ({CLOSING!r}, or '' for experts that think), or have the "
            "template open no thinking, by chat.switches"
        )
    if turn.between.strip() and setting is None:
        raise UserError(
            f"the chat template puts {turn.between!r} between its prompt and an answer: set "
            f"chat.opening: {TEMPLATE} to have the model write it before the expert's text, or the "
            "text that it is to write ('' for experts that think), or have the template write no "
            "such thing, by chat.switches"
        )
    return turn.between


def _open_thinking(after_question: str) -> str:
    """From a `<think>` on that the prompt's text after the question leaves open.

    >>> _open_thinking("<|assistant|><think>\\n"), _open_thinking("<think>\\n\\n</think>")
    ('<think>\\n', '')
    """
    _, found, rest = after_question.rpartition(THINK)
    return found + rest if found and THOUGHT not in rest else ""


def _read_end(alone: str, followed: str, tokenizer: Any) -> tuple[str, tuple[int, ...]]:
    """Turn.closing and Turn.end_ids, from what follows the answer at the end and in the middle."""
    special = special_tokens(tokenizer)
    last, middle = _pieces(alone, special), _pieces(followed, special)
    for candidate in (
        _common(last, middle),
        _to_first(last),
        [] if alone.strip() else _to_first(middle),
    ):
        closing, ids = _end(candidate)
        if ids:
            return closing, ids
    raise UserError(
        f"the chat template of {tokenizer.name_or_path!r} ends an answer with {alone!r}, which is "
        "no special token of the tokenizer: nothing would tell sampling where to stop; set "
        "chat.template to one whose turns end with one of its tokens, such as the EOS (zephyr)"
    )


def special_tokens(tokenizer: Any) -> dict[str, int]:
    """Token -> id of those that stand for themselves in a text; not the blanks that some add."""
    added = {str(token): index for index, token in tokenizer.added_tokens_decoder.items()}
    return {text: index for text, index in added.items() if text.strip("\u2581 \t\r\n")}


def _around(rendered: str) -> tuple[str, str]:
    """What precedes the answer and what follows it. Raises UserError where it is left out."""
    head, found, tail = rendered.partition(ANSWER)
    if not found:
        raise UserError(
            "the chat template leaves out the text of a message: it is for messages that are "
            "lists, such as those with images; take a model for text"
        )
    return head, tail


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
