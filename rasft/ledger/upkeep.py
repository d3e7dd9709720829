"""What the ledger holds, and what may go: listing, merging of small files, removal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from rasft.ledger.rows import ProblemRow, SampleRow, ScoreRow, VerdictRow
from rasft.ledger.store import KEY, Facts, Store
from rasft.ledger.trainings import KIND as TRAININGS
from rasft.tables import schema, take

ROWS = {"samples": SampleRow, "verdicts": VerdictRow, "scores": ScoreRow, "problems": ProblemRow}
KINDS = (*ROWS, TRAININGS)
MERGED_ROWS = 50_000  # of a merged file; at 1,000 tokens a sample about 100 MB


@dataclass(frozen=True)
class Folder:
    """Rows, or a training, that share their facts."""

    kind: str
    path: str
    facts: Facts
    files: int
    bytes: int
    rows: int  # of a training: 1

    def what(self) -> str:
        """The facts in a few words."""
        names = ("checkpoint", "engine", "verifier", "version", "dtype", "temperature", "top_p")
        shown = {name: self.facts[name] for name in names if name in self.facts}
        return ", ".join(f"{name} {str(value)[:40]}" for name, value in shown.items()) or "all"


def inventory(store: Store) -> list[Folder]:
    """Every folder of the ledger. Damaged and foreign files are counted in `store.ignored`."""
    return [
        _folder(store, kind, path, facts)
        for kind in KINDS
        for path, facts in sorted(store.folders(kind).items())
    ]


def garbage(
    folders: Collection[Folder], checkpoints: Collection[str], versions: Mapping[str, str]
) -> Iterator[tuple[Folder, str]]:
    """The folders that nobody wants, each with the reason.

    Those of other checkpoints than the ones whose fingerprint begins with one of `checkpoints`
    (none given: all are wanted), and verdicts of another version of a verifier than `versions` has.
    """
    for folder in folders:
        checkpoint = folder.facts.get("checkpoint")
        if checkpoint and checkpoints and not checkpoint.startswith(tuple(checkpoints)):
            yield folder, "another checkpoint"
        verifier = folder.facts.get("verifier", "")
        if verifier in versions and folder.facts["version"] != versions[verifier]:
            yield folder, "another version of the verifier"


def merge(store: Store, folder: Folder) -> int:
    """Write the rows of small files into larger ones; how many files there are fewer.

    The larger one is there before the small ones go, and a reader that misses one looks again.
    Memory holds the rows of one merged file.
    """
    if folder.kind not in ROWS:
        return 0
    return sum(_merge(store, folder, some) for some in _together(store, folder.path))


def _together(store: Store, path: str) -> Iterator[list[str]]:
    """The folder's small files, in lists that make up a merged file."""
    some: list[str] = []
    rows = 0
    for each in store.files(path):
        more = _rows(store, each)
        if some and rows + more > MERGED_ROWS:
            yield some
            some, rows = [], 0
        if more < MERGED_ROWS:
            some.append(each)
            rows += more
    yield some


def _merge(store: Store, folder: Folder, paths: list[str]) -> int:
    tables = {path: store.read(path, schema(ROWS[folder.kind])) for path in paths}
    whole = {path: table for path, table in tables.items() if table is not None}
    if len(whole) < 2:
        return 0
    written = store.append(folder.path, _unique(pa.concat_tables(whole.values())))
    for path in whole.keys() - {written}:
        store.remove(path)
    return len(whole) - 1


def _unique(table: pa.Table) -> pa.Table:
    """The first row of each key."""
    first: dict[str, int] = {}
    for place, key in enumerate(table[KEY].to_pylist()):
        first.setdefault(key, place)
    return take(table, list(first.values()))


def _folder(store: Store, kind: str, path: str, facts: Facts) -> Folder:
    if kind == TRAININGS:
        sizes = [store.size(each) for each in store.paths(path)]
        return Folder(kind, path, facts, len(sizes), sum(sizes), 1)
    files = store.files(path)
    rows = sum(_rows(store, each) for each in files)
    return Folder(kind, path, facts, len(files), sum(map(store.size, files)), rows)


def _rows(store: Store, path: str) -> int:
    """The rows of a file; none if it is damaged."""
    try:
        with store.fs.open(path, "rb") as file:
            return int(pq.ParquetFile(file).metadata.num_rows)
    except (pa.ArrowException, OSError):
        store.ignored[path] = "damaged"
        return 0
