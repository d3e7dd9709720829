"""The rows of one folder, by key: asked first, and added to while work goes on."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Generic, Self, TypeVar

import pyarrow as pa

from rasft.ledger.store import KEY, Facts, Store
from rasft.tables import from_table, schema, to_table

Row = TypeVar("Row", bound=Any)


class LedgerTable(Generic[Row]):
    """Rows of one class that share their facts. Without a store it is empty and keeps nothing.

    Put rows reach the store together: with the first one that comes `flush_seconds` after the last
    write, and on leaving, also by an exception. A killed process loses what it put since then.
    """

    def __init__(
        self, store: Store | None, kind: str, facts: Facts, row: type[Row], flush_seconds: float
    ):
        self.store = store
        self.facts = facts
        self.row = row
        self.flush_seconds = flush_seconds
        self.folder = store.folder(kind, facts) if store else ""
        self._described = False
        self._waiting: list[Row] = []
        self._written = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def find(self, keys: Iterable[str]) -> dict[str, Row]:
        """The stored rows of these keys. Of rows with the same key any is as good: the first."""
        wanted = pa.array(sorted(set(keys)), pa.string())
        found: dict[str, Row] = {}
        if not self.store or not len(wanted):
            return found
        for table in self.store.tables(self.folder, schema(self.row), wanted):
            for row in from_table(table, self.row):
                found.setdefault(row.key, row)
        return found

    def has(self, keys: Iterable[str]) -> set[str]:
        """Those of these keys that are stored."""
        wanted = pa.array(sorted(set(keys)), pa.string())
        if not self.store or not len(wanted):
            return set()
        tables = self.store.tables(self.folder, schema(self.row), wanted)
        return {key for table in tables for key in table[KEY].to_pylist()}

    def rows(self) -> Iterable[Row]:
        """Every stored row once."""
        seen: set[str] = set()
        if self.store:
            for table in self.store.tables(self.folder, schema(self.row), None):
                for row in from_table(table, self.row):
                    if row.key not in seen:
                        seen.add(row.key)
                        yield row

    def put(self, row: Row) -> None:
        """Keep a row."""
        if self.store:
            self._waiting.append(row)
            if time.monotonic() - self._written >= self.flush_seconds:
                self.flush()

    def flush(self) -> None:
        """Write what waits, as one file."""
        if self.store and self._waiting:
            if not self._described:
                self.store.describe(self.folder, self.facts)
                self._described = True
            self.store.append(self.folder, to_table(self._waiting, self.row))
            self._waiting = []
        self._written = time.monotonic()
