"""How many problems a dataset or benchmark has, told without a hub and before anything runs.

A plugin that states its `ROWS` is not read: its number is the same wherever the data lies, and it
is an assumption. Any other makes its problems or reads a local file, so they are counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import ModuleType
from typing import Literal

from rasft import plugins
from rasft.config.settings import SourceConfig
from rasft.data.rows import SourceUnavailable
from rasft.data.source import ByOption, ByParts, Source
from rasft.errors import UserError
from rasft.records import Problem


@dataclass(frozen=True)
class Size:
    """The number of problems of one dataset or benchmark, within its limit, and what tells it.

    Counted, or bounded by `published` rows of the whole, or, with neither, the limit itself.
    """

    name: str
    problems: int
    counted: bool = False
    published: int | None = None


def size_of(
    kind: Literal["datasets", "benchmarks"], wanted: SourceConfig, data_dir: str | None, seed: int
) -> Size:
    """The size of one dataset or benchmark.

    Raises UserError for options that the plugin refuses, for rows that cannot be read, and for a
    missing file without a limit.
    """
    plugin = plugins.load(kind, wanted.name)
    source = Source(data_dir, wanted.limit, seed, wanted.options)
    published = _published(plugin, source)
    if published is not None:
        return Size(wanted.name, min(published, wanted.limit or published), published=published)
    try:
        found = sum(isinstance(row, Problem) for row in plugin.load(source))
        return Size(wanted.name, found, counted=True)
    except SourceUnavailable as error:
        if wanted.limit is None:
            raise UserError(f"{error}; to plan without it, set its limit in the config") from None
        return Size(wanted.name, wanted.limit)


def _published(plugin: ModuleType, source: Source) -> int | None:
    rows: int | ByOption | ByParts | None = getattr(plugin, "ROWS", None)
    if rows is None:
        return None
    list(plugin.load(replace(source, limit=0)))  # reads nothing, but refuses a wrong option
    return rows if isinstance(rows, int) else rows.of(source.options)
