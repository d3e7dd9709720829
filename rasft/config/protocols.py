"""The protocol of an evaluation, as tables name it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rasft.config import files
from rasft.config.settings import Config


def label(config: Config) -> str | None:
    """The protocol's name, with the keys in which a run departs from it; None without one."""
    name = config.evaluation.protocol
    if name is None:
        return None
    chosen = config.model_dump(mode="json")
    changed = [key for key, value in _flat(files.protocol(name)) if _at(chosen, key) != value]
    return f"{name}, but for {', '.join(changed)}" if changed else name


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _at(values: Any, dotted: str) -> Any:
    for key in dotted.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values
