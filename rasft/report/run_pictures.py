"""What one run's pictures show beside its method: its matrices and its training examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from rasft.records import BenchmarkResult
from rasft.report import comparison_plots, example_plots

Part = tuple[str, str, bytes]  # title, text, picture


def parts(results: Sequence[BenchmarkResult], examples: pa.Table | None) -> Iterator[Part]:
    """Solvability of the benchmarks under each checkpoint; lengths and token weights."""
    shares = {
        name: comparison_plots.shares(row for row in results if row.checkpoint == name)
        for name in dict.fromkeys(row.checkpoint for row in results)
    }
    if shares:
        text = "Benchmark problems by how many of their samples are correct."
        yield "Solvability before and after", text, comparison_plots.solvability(shares)
    if examples is not None and examples.num_rows:
        yield from _of_examples(examples)


def _of_examples(examples: pa.Table) -> Iterator[Part]:
    tokens = pc.sum(pc.list_value_length(examples["input_ids"])).as_py()
    text = f"{examples.num_rows} training sequences of {tokens} tokens in all."
    yield "Sequence lengths", text, example_plots.lengths(examples)
    if weights := example_plots.token_weights(examples):
        text = "What multiplies -log π(y) of each response token at the first step of RASFT."
        yield "Token weights", text, weights
