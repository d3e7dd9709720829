"""Training examples on disk: any rows on demand, memory independent of how many there are.

Parquet cannot be read by row, so the rows are copied once, a piece at a time, to an Arrow file
that every process maps into memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rasft import tables
from rasft.errors import UserError
from rasft.records import TrainingExample

ROWS_A_PIECE = 256


def convert(parquet: Path, arrow: Path) -> None:
    """Copy the rows to an Arrow file, atomically."""
    partial = arrow.with_name(f".{arrow.name}.{os.getpid()}.partial")
    source = pq.ParquetFile(parquet)
    with pa.OSFile(str(partial), "wb") as sink:
        schema = tables.schema(TrainingExample)
        with pa.ipc.new_file(sink, schema) as writer:
            for batch in source.iter_batches(ROWS_A_PIECE):
                writer.write_batch(batch.cast(schema))
    os.replace(partial, arrow)


class ExampleStore:
    """The rows of an Arrow file that `convert` wrote.

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
