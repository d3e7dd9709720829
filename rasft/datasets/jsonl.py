"""One JSON lines file: `files` under the name that older configs have, whatever the file's suffix.

Its options are those of `files`, without `file_type`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import rows_of_files
from rasft.data.source import Source
from rasft.records import Dropped, Problem


def load(source: Source) -> Iterator[Problem | Dropped]:
    """Yield the rows of the file. Raises UserError naming the option or the row."""
    return rows_of_files.load("jsonl", source, "jsonl")
