"""What a dataset or benchmark plugin is asked for: where its rows are, and how many are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Source:
    """Where a plugin finds its rows, and how many are wanted.

    `data_dir` is the folder of JSONL files named by RASFT_DATA_DIR; where it is None, or lacks
    the plugin's file, the plugin loads from the hub at its pinned revision.
    """

    data_dir: str | None = None
    limit: int | None = None  # rows; None for all
    seed: int = 0  # of generated problems
    options: Mapping[str, Any] = field(default_factory=dict)  # the plugin's own settings
    # What a reader of the report must know of how the rows were read: the plugin adds to it.
    notes: list[str] = field(default_factory=list, compare=False)
    places: list[str] = field(default_factory=list, compare=False)  # where they lie, likewise


@dataclass(frozen=True)
class ByParts:
    """Published numbers of rows by the parts that one option lists; without it all are meant."""

    option: str
    rows: Mapping[Any, int]

    def of(self, options: Mapping[str, Any]) -> int:
        """The number for a plugin's options, which the plugin has checked."""
        return sum(self.rows[part] for part in set(options.get(self.option, self.rows)))


@dataclass(frozen=True)
class ByOption:
    """Published numbers of rows by the value of one option; the first value is the default."""

    option: str
    rows: Mapping[str, int]

    def of(self, options: Mapping[str, Any]) -> int:
        """The number for a plugin's options, which the plugin has checked."""
        return self.rows[options.get(self.option, next(iter(self.rows)))]
