"""The forms in which chat data is published: a row's prompt, expert response and system text.

| format | fields of a row |
|---|---|
| `fields` | those that `fields` maps, else `prompt` and `expert_response` |
| `messages` | turns with `role` and `content`, as OpenAI has them |
| `sharegpt` | `conversations`: turns with `from` and `value` |
| `alpaca` | `instruction`, perhaps `input`, and `output` |
| `prompt_completion` | `prompt` and `completion`: texts or turns, as TRL has them |

The assistant's turn is the expert response. A problem has one question and one answer, so a
conversation of several turns is no problem: it is dropped as `multi_turn`, and so is one with a
tool's turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rasft.data.rows import Row
from rasft.errors import UserError

Values = dict[str, Any]  # prompt and expert_response, and system where there is one
Turn = tuple[str, str]  # role and text

ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
}
DEFAULT = "fields"


class SeveralTurns(Exception):
    """A conversation that is more than one question and one answer; the message names its roles."""


def recognise(row: Row, names: Mapping[str, str | None]) -> str:
    """The format of a row: the first whose fields it has. `names` maps fields to the row's own."""

    def has(*fields: str) -> bool:
        return all(row.value(names.get(field, field) or "") is not None for field in fields)

    if {"prompt", "expert_response"} & set(names) or has("prompt", "expert_response"):
        return DEFAULT
    return next((name for name, needed in NEEDED.items() if has(*needed)), DEFAULT)


def read(row: Row, format_: str, names: Mapping[str, str | None]) -> Values:
    """What the row says in this format.

    Raises SeveralTurns, and UserError naming the row for a field that is not there or has no text.
    """
    return _READERS[format_](row, lambda field: names.get(field, field) or "")


def _messages(row: Row, name: Callable[[str], str]) -> Values:
    return _talk(_turns(row, name("messages"), "messages"), row)


def _sharegpt(row: Row, name: Callable[[str], str]) -> Values:
    return _talk(_turns(row, name("conversations"), "sharegpt"), row)


def _alpaca(row: Row, name: Callable[[str], str]) -> Values:
    asked = [row.text(name("instruction")), row.optional(name("input"))]
    return {
        "prompt": "\n\n".join(part for part in asked if part),
        "expert_response": row.optional(name("output")),
    }


def _prompt_completion(row: Row, name: Callable[[str], str]) -> Values:
    talk: list[Turn] = []
    for field, role in (("prompt", "user"), ("completion", "assistant")):
        if isinstance(row.value(name(field)), list):
            talk += _turns(row, name(field), "prompt_completion")
        else:
            talk.append((role, row.text(name(field))))
    return _talk(talk, row)


def _turns(row: Row, field: str, format_: str) -> list[Turn]:
    turns = row.value(field)
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise UserError(
            f"{row.where}: field {field!r} must be a list of turns for the format {format_!r}, "
            f"not {turns!r:.60}"
        )
    return [_turn(turn, f"{row.where}: field {field!r}") for turn in turns]


def _turn(turn: Mapping[str, Any], where: str) -> Turn:
    role = turn.get("role") or turn.get("from")
    content = turn.get("content") if "content" in turn else turn.get("value")
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        content = "".join(str(part.get("text") or "") for part in content if _is_text(part, where))
    if not isinstance(role, str) or not isinstance(content, str | None):
        raise UserError(f"{where} has a turn without role and text: {dict(turn)!r:.80}")
    return ROLES.get(role.lower(), role.lower()), content or ""


def _is_text(part: Mapping[str, Any], where: str) -> bool:
    if part.get("type", "text") != "text":
        raise UserError(f"{where} has a turn of type {part.get('type')!r}; only text is read")
    return True


def _talk(turns: list[Turn], row: Row) -> Values:
    roles = [role for role, _ in turns]
    plain = roles[1:] if roles[:1] == ["system"] else roles
    if plain not in (["user", "assistant"], ["user"]):
        raise SeveralTurns(f"{row.where}: its turns are {', '.join(roles) or 'none'}")
    texts = {role: text for role, text in turns if text.strip()}
    if "user" not in texts:
        raise UserError(f"{row.where}: the user's turn is empty")
    said = {"prompt": texts["user"], "expert_response": texts.get("assistant")}
    return {**said, "system": texts["system"]} if "system" in texts else said


_READERS: dict[str, Callable[[Row, Callable[[str], str]], Values]] = {
    "messages": _messages,
    "sharegpt": _sharegpt,
    "alpaca": _alpaca,
    "prompt_completion": _prompt_completion,
}
# What tells a format, in the order of looking.
NEEDED = {
    "messages": ("messages",),
    "sharegpt": ("conversations",),
    "alpaca": ("instruction", "output"),
    "prompt_completion": ("prompt", "completion"),
}
FORMATS = (DEFAULT, *NEEDED)
FIELDS = ("messages", "conversations", "instruction", "input", "output", "prompt", "completion")
