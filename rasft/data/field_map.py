"""Rows of any dataset -> problems, by the options that `files` and `hub` share.

- `fields` maps a field of a Problem, or of a chat format, to the row's own: `{prompt: question,
  answer: extra.gold}`. A name with dots is a field within a field. A field that `fields` does not
  name has its own name in the row, unless `fields` gives that one to another;
  `{choices: null}` takes none.
- `expert_response` may be a list of texts: several expert responses for one problem.
- `format` is one of `chat_formats.FORMATS`. Left out, the first row tells it, which is noted.
- `verifier` is for rows without such a field.
- `answer` says where the gold answer of rows without one stands: see `gold_rules`.
- `group: true` makes one problem of rows with one id, `group: NAME` of rows with an equal field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from rasft.data import chat_formats, gold_rules
from rasft.data.experts import grouped
from rasft.data.rows import Row
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.records import Dropped, Problem

OPTIONS = ("verifier", "fields", "format", "answer", "group")
FIELDS = tuple(field.name for field in fields(Problem))
KNOWN = tuple(dict.fromkeys((*FIELDS, *chat_formats.FIELDS)))
LISTS = ("choices", "experts")
REQUIRED = ("prompt", "verifier")
NUMBERS = {"tolerance": float, "cpu_seconds": float, "memory_mb": int}

Names = Mapping[str, str | None]  # field of a problem or a chat format -> the row's own
Named = tuple[Row, str, str]  # a row, the id that it has if it names none, and its source


@dataclass(frozen=True)
class FieldMap:
    """The options, checked."""

    plugin: str  # whose options they are, for messages
    names: Names  # what `fields` maps, and what `answer` and `group` add
    verifier: str | None
    format: str | None  # None: the first row tells
    gold: gold_rules.Rule
    group: bool


def field_map(plugin: str, options: Mapping[str, Any]) -> FieldMap:
    """The options of a plugin as a map. Raises UserError for one that is not sound."""
    format_ = options.get("format")
    if format_ not in (None, *chat_formats.FORMATS):
        known = ", ".join(chat_formats.FORMATS)
        raise UserError(f"{plugin}: option format = {format_!r} must be one of: {known}")
    group = options.get("group", False)
    if not isinstance(group, bool | str):
        raise UserError(f"{plugin}: option group = {group!r} must be true, or name a field")
    gold = options.get("answer")
    rule = gold_rules.rule(plugin, gold)
    names = _names(plugin, options.get("fields", {}))
    for field, given in (("answer", gold_rules.field_of(gold)), ("id", group)):
        if isinstance(given, str) and names.setdefault(field, given) != given:
            raise UserError(
                f"{plugin}: option fields takes {field} from {names[field]!r}, and another option "
                f"from {given!r}; name it once"
            )
    return FieldMap(plugin, names, options.get("verifier"), format_, rule, bool(group))


def problems(named: Iterable[Named], by: FieldMap, source: Source) -> Iterator[Problem | Dropped]:
    """The rows as problems, and those that can be none; what was recognised goes to the notes.

    Raises UserError naming the row and the field.
    """
    found = _each(named, by, source)
    return grouped(found, by.plugin) if by.group else found


def _each(named: Iterable[Named], by: FieldMap, source: Source) -> Iterator[Problem | Dropped]:
    format_ = by.format
    for row, name, origin in named:
        if format_ is None:
            format_ = chat_formats.recognise(row, by.names)
            if format_ != chat_formats.DEFAULT:
                source.notes.append(
                    f"{by.plugin}: the rows of {origin} are read as format {format_!r}, which "
                    f"their fields tell; format: {format_} states it"
                )
        name = row.optional(_own(by.names, "id")) or name
        try:
            said = _said(row, format_, by)
        except chat_formats.SeveralTurns as error:
            yield Dropped(name, "multi_turn", str(error))
            continue
        problem = _problem(row, {"id": name, **said}, by, origin)
        yield problem if problem.answer else by.gold(problem, row.where)


def _own(names: Names, field: str) -> str:
    """The row's field that fills a problem's; "" where `fields` gives its name to another."""
    return names.get(field, "" if field in names.values() else field) or ""


def _said(row: Row, format_: str, by: FieldMap) -> dict[str, Any]:
    """What a chat format says; in no format the expert responses, a text or a list of them."""
    if format_ != chat_formats.DEFAULT:
        return chat_formats.read(row, format_, by.names)
    field = _own(by.names, "expert_response")
    if not isinstance(row.value(field), list):
        return {"expert_response": row.optional(field)}
    texts = [text for text in row.texts(field) if text.strip()]
    return {"expert_response": texts[0] if texts else None, "experts": tuple(texts[1:])}


def _problem(row: Row, said: Mapping[str, Any], by: FieldMap, origin: str) -> Problem:
    """`said` are values that the row's fields do not give."""
    own = {field: _own(by.names, field) for field in FIELDS if field not in said}
    values: dict[str, Any] = {
        field: row.texts(name) if field in LISTS else row.optional(name)
        for field, name in own.items()
    }
    values |= said
    values["verifier"] = values["verifier"] or by.verifier
    values["source"] = values["source"] or origin
    for field in REQUIRED:
        values[field] = values[field] or row.text(own.get(field) or field)
    for field, kind in NUMBERS.items():
        if values[field] is not None:
            values[field] = _number(row, field, values[field], kind)
    return Problem(**values)


def _number(row: Row, field: str, text: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(text)
    except ValueError:
        number = "whole number" if kind is int else "number"
        raise UserError(f"{row.where}: {field} {text!r} is not a {number}") from None


def _names(plugin: str, value: object) -> dict[str, str | None]:
    named = value.values() if isinstance(value, Mapping) else (value,)
    if not isinstance(value, Mapping) or not all(isinstance(name, str | None) for name in named):
        raise UserError(
            f"{plugin}: option fields = {value!r} must map problem fields to a row's fields"
        )
    if unknown := sorted(set(value) - set(KNOWN)):
        raise UserError(
            f"{plugin}: option fields names {unknown[0]!r}, which a problem does not have; "
            f"known: {', '.join(KNOWN)}"
        )
    return dict(value)
