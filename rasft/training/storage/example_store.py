"""Training examples on disk: any rows on demand, memory independent of how many there are.

The rows lie in an Arrow file in pieces of equal size, which every process maps into memory: any
row can be read without its neighbours, and equal rows give an equal file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rasft import tables
from rasft.errors import UserError
from rasft.records import TrainingExample

ROWS_A_PIECE = 256
KEY = ["problem_id", "sample_index"]


def write_store(rows: pa.Table, path: Path) -> None:
    """Write TrainingExample rows to an Arrow file, atomically."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    schema = tables.schema(TrainingExample)
    with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for start in range(0, rows.num_rows, ROWS_A_PIECE):
            stop = min(start + ROWS_A_PIECE, rows.num_rows)
            piece = tables.take(rows, range(start, stop)).cast(schema).combine_chunks()
            writer.write_batch(piece.to_batches()[0])
    os.replace(partial, path)


class ExampleStore:
    """The rows of an Arrow file that `write_store` wrote.

    `lengths` are the tokens of each row, `responses` those that are supervised.
    """

    def __init__(self, arrow: Path):
        self._file = pa.ipc.open_file(pa.memory_map(str(arrow)))
        pieces = [self._piece_lengths(i) for i in range(self._file.num_record_batches)]
        empty = [np.zeros((2, 0), dtype=np.int64)]
        self.lengths, self.responses = np.concatenate(pieces or empty, axis=1)

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, rows: Iterable[int]) -> list[TrainingExample]:
        """The examples of these rows, in the order asked."""
        slices = [self._slice(row) for row in rows]  # read at once: nothing keeps their buffers
        return tables.from_table(pa.Table.from_batches(slices, self._file.schema), TrainingExample)

    def keys(self, rows: Iterable[int]) -> pa.Table:
        """(problem_id, sample_index) of these rows, in the order asked: what names a sequence."""
        pieces = [self._slice(row).select(KEY) for row in rows]
        schema = pa.schema([self._file.schema.field(name) for name in KEY])
        return pa.Table.from_batches(pieces, schema).combine_chunks()

    def check(self, vocabulary: int, needs_reference: bool) -> None:
        """Raise UserError for the first row that cannot be trained on."""
        if not len(self):
            raise UserError("no training examples: every problem was dropped or filtered out")
        for piece in range(self._file.num_record_batches):
            batch = self._file.get_batch(piece)
            for fault, bad in _faults(batch, vocabulary, needs_reference):
                if (first := pc.index(bad, True).as_py()) >= 0:
                    problem = batch.column("problem_id")[first].as_py()
                    sample = batch.column("sample_index")[first].as_py()
                    raise UserError(
                        f"training example of problem {problem!r}, sample {sample}: {fault}"
                    )

    def _slice(self, row: int) -> pa.RecordBatch:
        piece, place = divmod(row, ROWS_A_PIECE)
        return self._file.get_batch(piece).slice(place, 1)

    def _piece_lengths(self, piece: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        batch = self._file.get_batch(piece)
        lengths = pc.list_value_length(batch.column("input_ids"))
        responses = pc.subtract(lengths, batch.column("prompt_tokens"))
        return np.stack([np.asarray(lengths, np.int64), np.asarray(responses, np.int64)])


def _faults(
    batch: pa.RecordBatch, vocabulary: int, needs_reference: bool
) -> list[tuple[str, pa.Array]]:
    """What may be wrong with a row, and where it is."""
    lengths = pc.list_value_length(batch.column("input_ids"))
    responses = pc.subtract(lengths, batch.column("prompt_tokens"))
    stored = pc.list_value_length(batch.column("reference_logps"))
    absent = pc.equal(stored, 0)
    accepted = pc.equal(stored, responses)
    ids = batch.column("input_ids").flatten()
    owner = pc.list_parent_indices(batch.column("input_ids"))
    outside = owner.filter(pc.or_(pc.less(ids, 0), pc.greater_equal(ids, vocabulary)))
    rows = pa.array(range(batch.num_rows), type=owner.type)
    return [
        ("it has no prompt token to predict its response from",
         pc.less(batch.column("prompt_tokens"), 1)),
        ("its response has no tokens", pc.less(responses, 1)),
        ("its weight is not a finite number", pc.invert(pc.is_finite(batch.column("weight")))),
        (f"a token id lies outside the model's vocabulary of {vocabulary}",
         pc.is_in(rows, outside)),
        ("it has no reference log-probs, which the method needs",
         pc.and_(absent, pa.scalar(needs_reference))),
        ("its reference log-probs are not one for each response token",
         pc.invert(pc.or_(accepted, absent))),
    ]  # fmt: skip
