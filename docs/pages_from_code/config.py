"""The page of the config's values: a table for each section."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import AfterValidator, BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from pages_from_code.classes import paragraphs
from pages_from_code.markdown import slug, table
from pages_from_code.source import PLUGINS, comments_of, find, line_of, tree_of

CONFIG = "rasft.config.settings:Config"
LOSS_CONSTANTS = "rasft.losses:LossSettings"


def page() -> Iterator[str]:
    """Every value of the config: a table for each section, from the top down."""
    yield from (
        "# Config values",
        "",
        "A run reads one YAML file. The file holds only what differs from the defaults below, or",
        "from the file that it `extends`: another file of `configs/`, or an absolute path. An",
        "unknown key, a wrong type or a value outside its limits stops the run at once, with one",
        "message. `rasft resolve` prints a file with everything it extends and every default.",
        "",
        "`[]` stands for each entry of a list, a name in capitals for any key of a mapping.",
        "",
    )
    for path, section in sections(find(CONFIG), ""):
        yield from _section(path, section)
        if path == "training":
            yield from _constants()


def sections(section: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """A section with its path, then those inside it, in the order of their fields."""
    yield path, section
    for name, hint in _hints(section).items():
        for place, inner in _inner_sections(hint, name):
            yield from sections(inner, f"{path}.{place}" if path else place)


def _inner_sections(hint: Any, place: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """The sections that a type holds, each with its place: `datasets[]`, `prompts.VERIFIER`."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield place, hint
        return
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is dict:
        yield from _inner_sections(arguments[1], f"{place}.{_any_key(place)}")
    elif origin is tuple:
        yield from _inner_sections(arguments[0], f"{place}[]")
    else:
        for part in arguments:
            yield from _inner_sections(part, place)


def _any_key(place: str) -> str:
    return {"prompts": "VERIFIER", "steps": "STEP"}.get(place, "NAME")


def _section(path: str, section: type[BaseModel]) -> Iterator[str]:
    yield from (f"## `{path}`" if path else "## The top level", "")
    yield from (*paragraphs(section), "")
    comments = comments_of(*line_of(section))
    rows = [
        (f"`{name}`", _type_of(section, name, path), _default(field), comments[name] or said)
        for name, field in section.model_fields.items()
        for said in [_summary(section, name)]
    ]
    yield from table(["key", "type and limits", "default", "meaning"], rows)
    rules = list(_rules(section))
    if rules:
        yield from ("", "Also: " + "; ".join(rules) + ".")
    yield ""


def _constants() -> Iterator[str]:
    constants = find(LOSS_CONSTANTS)
    yield from ("### `training.loss`", "", *paragraphs(constants), "")
    comments = comments_of(constants)
    rows = [
        (f"`{field.name}`", "number", f"`{field.default}`", comments.get(field.name, ""))
        for field in dataclasses.fields(constants)
    ]
    yield from (*table(["key", "type", "default", "meaning"], rows), "")


def _type_of(section: type[BaseModel], name: str, path: str) -> str:
    least = [each for each in section.model_fields[name].metadata if isinstance(each, MinLen)]
    limit = f"; at least {least[0].min_length}" if least else ""
    said = kind(_hints(section)[name]) + limit
    below = [f"{path}.{place}" if path else place for place, _ in _placed(section, name)]
    return "; ".join([said, *(f"see [`{each}`](#{slug(each)})" for each in below)])


def _summary(section: type[BaseModel], name: str) -> str:
    """The first sentence of the section that a value is, if it is one."""
    inner = [each for place, each in _placed(section, name) if place == name]
    return (inspect.getdoc(inner[0]) or "").split("\n\n")[0] if inner else ""


def _placed(section: type[BaseModel], name: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield from _inner_sections(_hints(section)[name], name)


def kind(hint: Any) -> str:
    """A type with its limits in words.

    >>> kind(typing.Annotated[int, Ge(1)] | None)
    'integer, at least 1, or `null`'
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _limited(arguments[0], _flat(arguments[1:]))
    if origin in (typing.Union, types.UnionType):
        parts = [kind(part) for part in arguments if part is not type(None)]
        return ", or ".join([*parts, *(["`null`"] if type(None) in arguments else [])])
    if origin is typing.Literal:
        return _one_of(arguments)
    if origin is tuple:
        return _list(arguments)
    if origin is dict:
        return f"mapping of {kind(arguments[0])} to {kind(arguments[1])}"
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return "section"
    names = {int: "integer", float: "number", str: "text", bool: "`true` or `false`", Any: "any"}
    return names[hint]


def _list(arguments: Sequence[Any]) -> str:
    if arguments[-1] is Ellipsis:
        return f"list: {kind(arguments[0])}"
    return f"list of {len(arguments)}: {kind(arguments[0])}"


def _flat(metadata: Sequence[Any]) -> list[Any]:
    """What a type is annotated with; pydantic's Field holds limits of its own."""
    found: list[Any] = []
    for each in metadata:
        found += each.metadata if isinstance(each, FieldInfo) else [each]
    return found


def _limited(base: Any, metadata: Sequence[Any]) -> str:
    names = [name for each in metadata for name in _choices(each)]
    if names:
        return _one_of(names)
    limits = ", ".join(said for each in metadata if (said := _limit(each)))
    limits = limits.replace("at least 0, at most 1", "0 to 1")
    return ", ".join(filter(None, [kind(base), limits]))


def _one_of(names: Sequence[Any]) -> str:
    shown = [f"`{name}`" for name in names]
    return f"one of {', '.join(shown)}" if len(shown) > 1 else shown[0]


def _limit(limit: Any) -> str:
    if isinstance(limit, Ge):
        return f"at least {limit.ge}"
    if isinstance(limit, Gt):
        return f"above {limit.gt}"
    if isinstance(limit, Le):
        return f"at most {limit.le}"
    if isinstance(limit, Lt):
        return f"below {limit.lt}"
    pattern = limit.pattern if isinstance(limit, StringConstraints) else _pattern(limit)
    return f"matching `{pattern}`" if pattern else ""


def _pattern(limit: Any) -> str | None:
    found = getattr(limit, "pattern", None)
    return str(found) if found else None


def _choices(limit: Any) -> list[str]:
    """The names that a validator takes: those of a kind of plugin, or a list of the module."""
    if not isinstance(limit, AfterValidator):
        return []
    used = inspect.getclosurevars(limit.func)
    if "kind" in used.nonlocals:
        plugins = importlib.import_module(PLUGINS)
        return [*plugins.names(used.nonlocals["kind"]), *used.nonlocals["others"]]
    lists = [value for value in used.globals.values() if isinstance(value, tuple)]
    return [str(name) for value in lists for name in value]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "defaults"
    return f"`{json.dumps(value)}`"


def _hints(section: type) -> dict[str, Any]:
    hints = typing.get_type_hints(section, include_extras=True)
    return {name: hints[name] for name in section.model_fields}  # type: ignore[attr-defined]


def _rules(section: type) -> Iterator[str]:
    """What a section's validators say of several values at once: their messages."""
    for node in ast.walk(tree_of(section)):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield from (str(each.value) for each in node.exc.args if isinstance(each, ast.Constant))
