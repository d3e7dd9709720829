"""YAML files -> a validated Config.

A file holds only what differs from the defaults or from the file it `extends`, a name in the
project's `configs/` folder or an absolute path. Where it names a protocol, that file's values stand
between the two. A mistake dies here with one message: which file, which key, which value, what is
allowed.
"""

from __future__ import annotations

import difflib
import json
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rasft import paths
from rasft.config import devices, plugin_folders
from rasft.config.section import Section
from rasft.config.settings import Config
from rasft.errors import UserError

CONFIGS = paths.folder("configs")
PROTOCOLS = CONFIGS / "protocols"
APART = ("accelerate", "protocols")  # folders of configs/ whose files are no config of a run


def load(path: str | Path) -> Config:
    """Read, extend and validate one YAML file, or the one of that name in `configs/`.

    Raises UserError with one clear message.
    """
    named = CONFIGS / f"{path}.yaml"
    where = named if not Path(path).exists() and named.is_file() else Path(path)
    return devices.check(build(resolve(_read(where), str(where)), str(where)), str(where))


def parse(text: str, where: str = "config") -> Config:
    """As `load`, from the file's text; `where` names it in messages."""
    return devices.check(build(resolve(_parse(text, where), where), where), where)


def build(values: Mapping[str, Any], where: str = "config") -> Config:
    """Validate plain values. Raises UserError with one clear message."""
    try:
        return Config.model_validate_json(_as_json(values, where))
    except ValidationError as error:
        raise UserError(_message(error, where)) from None


def resolve(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Follow `extends`: the values of the named file with these laid over them.

    Folders of plugins become the sources that they hold.
    """
    chain = [plugin_folders.taken_in(values, where)]
    seen = {where}
    while base := chain[-1].pop("extends", None):
        path = _find(str(base), where)
        if str(path) in seen:
            raise UserError(f"{where}: 'extends' runs in a circle through {path}")
        seen.add(str(path))
        where = str(path)
        chain.append(plugin_folders.taken_in(_read(path), where))
    merged: dict[str, Any] = {}
    for layer in reversed(chain):
        merged = merge(merged, over_protocol(layer, where))
    return merged


def over_protocol(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """These values over those of the protocol that they name, if any. Raises UserError."""
    evaluation = values.get("evaluation")
    name = evaluation.get("protocol") if isinstance(evaluation, Mapping) else None
    return merge(protocol(str(name), where), values) if name else dict(values)


def protocol(name: str, where: str = "config") -> dict[str, Any]:
    """The values of a file of configs/protocols. Raises UserError with the known names."""
    path = PROTOCOLS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in PROTOCOLS.glob("*.yaml")))
        raise UserError(f"{where}: evaluation.protocol = {name!r} is none; known: {known}")
    return _read(path)


def _find(base: str, where: str) -> Path:
    path = CONFIGS / base if base.endswith(".yaml") else CONFIGS / f"{base}.yaml"
    if not path.is_file():
        raise UserError(f"{where}: extends {base!r}, which is no config; known: {_known()}")
    return path


def _known() -> str:
    """The configs that have a name."""
    names = (path.relative_to(CONFIGS).with_suffix("") for path in CONFIGS.rglob("*.yaml"))
    return ", ".join(sorted(name.as_posix() for name in names if name.parts[0] not in APART))


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `base` with those of `over` laid over them, key by key."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _read(path: Path) -> dict[str, Any]:
    try:
        return _parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise UserError(
            f"cannot read the config {path}: there is no such file; name a YAML file, or one of: "
            f"{_known()}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the config {path}: {error}; name a YAML file") from None


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        values = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise UserError(f"{where} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise UserError(f"{where} must hold keys and values, not {type(values).__name__}")
    return values


class _Loader(yaml.SafeLoader):
    """Safe YAML that reads 5e-5 as a number (YAML 1.1: text) and 2026-01-31 as text (YAML 1.1: a
    date), and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [str(key) for i, key in enumerate(keys) if key in keys[:i]]
        if twice:
            raise yaml.YAMLError(f"the key {twice[0]!r} stands twice in one section")
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def _as_json(values: Mapping[str, Any], where: str) -> str:
    try:
        return json.dumps(values)
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: a value is no number, text, list or mapping: {error}") from None


def _message(error: ValidationError, where: str) -> str:
    details = error.errors()
    # A list also complains of the items that its own mistakes cost it: once is enough.
    inner = [d for d in details if not any(_below(other["loc"], d["loc"]) for other in details)]
    return f"{where}: " + "; ".join(_sentence(detail) for detail in inner)


def _below(location: tuple[Any, ...], above: tuple[Any, ...]) -> bool:
    return len(location) > len(above) and location[: len(above)] == above


def _sentence(detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "missing":
        return f"{key} is missing"
    if detail["type"] == "extra_forbidden":
        return f"unknown key {key!r}{_nearest_key(detail['loc'])}"
    text = detail["msg"].removeprefix("Value error, ")
    return f"{key} = {detail['input']!r}: {text[:1].lower()}{text[1:]}"


def _nearest_key(location: tuple[Any, ...]) -> str:
    section: Any = Config
    for part in location[:-1]:
        section = _section_of(section, part)
    if section is None:
        return ""
    known = list(section.model_fields)
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else f"; known: {', '.join(known)}"


def _section_of(section: Any, part: Any) -> Any:
    """The section class behind one step of a location; list positions stay where they are."""
    if section is None or not isinstance(part, str):
        return section
    field = section.model_fields.get(part)
    return _first_section(field.annotation) if field else None


def _first_section(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    found = (_first_section(part) for part in typing.get_args(annotation))
    return next((section for section in found if section is not None), None)
