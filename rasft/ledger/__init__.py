"""The ledger: every sample, verdict and score that was ever made, so that none is made twice.

    <path>/samples/<digest of SampleSource>/      facts.json  <sha256>.parquet ...   SampleRow
    <path>/verdicts/<verifier, version, settings>/                                   VerdictRow
    <path>/scores/<checkpoint, dtype>/                                               ScoreRow
    <path>/problems/<all>/                                                           ProblemRow
    <path>/trainings/<digest of the job>/         a finished training's folder

A stage asks for the keys of what it needs and makes only what is missing. What decides a row's
content is in its folder's facts or in its key, so another run, a retried shard, other weights,
another method or more samples a problem find what exists, and a changed checkpoint, engine version
or verifier finds nothing. Several writers never meet: each adds files of its own, and a row that
two of them made is read once.

How many files: a writer adds one in `ledger.flush_seconds` and one at its end. A million problems x
8 samples at 100 samples a second are 22 hours of sampling, thus about 1,300 files of samples at the
default of 60 s, and as many of scores and verdicts at most, however many shards there are; `rasft
ledger gc` merges them into files of up to 50,000 rows, here 160. Asking for keys reads the one
column of keys of each file, then the files that hold a wanted one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from rasft.config.settings import LedgerConfig
from rasft.ledger.rows import (
    ProblemRow,
    SampleRow,
    SampleSource,
    ScoreRow,
    VerdictRow,
    problem_row,
    score_facts,
    verdict_facts,
)
from rasft.ledger.store import Store
from rasft.ledger.table import LedgerTable
from rasft.paths import cache_folder
from rasft.records import Problem, Work


class Ledger:
    """One stage's view of the store, which counts what was reused and what was made."""

    def __init__(self, store: Store | None, flush_seconds: float = 60.0, trainings: bool = True):
        self.store = store
        self.flush_seconds = flush_seconds
        self.trainings = trainings  # whether finished trainings are kept too
        self._reused: Counter[str] = Counter()
        self._made: Counter[str] = Counter()

    def samples(self, source: SampleSource) -> LedgerTable[SampleRow]:
        """The samples of one policy under one way of sampling."""
        return self._table("samples", source.facts(), SampleRow)

    def verdicts(
        self, verifier: str, version: str, settings: Mapping[str, Any]
    ) -> LedgerTable[VerdictRow]:
        """The verdicts of one version of a verifier under one set of deciding settings."""
        return self._table("verdicts", verdict_facts(verifier, version, settings), VerdictRow)

    def scores(self, checkpoint: str, dtype: str) -> LedgerTable[ScoreRow]:
        """The scores under one reference model."""
        return self._table("scores", score_facts(checkpoint, dtype), ScoreRow)

    def problems(self) -> LedgerTable[ProblemRow]:
        """Every problem that was ever sampled."""
        return self._table("problems", {}, ProblemRow)

    def remember(self, problems: Iterable[Problem]) -> None:
        """Keep the problems that are not there yet."""
        rows = {row.key: row for row in map(problem_row, problems)}
        with self.problems() as stored:
            known = stored.has(rows)
            for key, row in rows.items():
                if key not in known:
                    stored.put(row)

    def count(self, kind: str, reused: int, made: int) -> None:
        """Note how much of a kind ("samples", "verdicts", ...) was found, and how much was not."""
        self._reused[kind] += reused
        self._made[kind] += made

    def work(self, stage: str) -> list[Work]:
        """What this stage reused and made, and how many files of the store it would not read."""
        ignored = len(self.store.ignored) if self.store else 0
        return [
            Work(stage, kind, self._reused[kind], self._made[kind], ignored) for kind in self._made
        ]

    def _table(self, kind: str, facts: Mapping[str, Any], row: type[Any]) -> LedgerTable[Any]:
        return LedgerTable(self.store, kind, facts, row, self.flush_seconds)


def open_ledger(settings: LedgerConfig) -> Ledger:
    """The configured ledger; one that holds and keeps nothing where it is switched off.

    Raises UserError for a path that cannot be opened.
    """
    store = Store(location(settings)) if settings.enabled else None
    return Ledger(store, settings.flush_seconds, settings.trainings)


def location(settings: LedgerConfig) -> str:
    """`ledger.path`, else `$RASFT_LEDGER_DIR`, else a folder of the cache."""
    return settings.path or os.environ.get("RASFT_LEDGER_DIR") or str(cache_folder() / "ledger")
