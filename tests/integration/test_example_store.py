"""Training examples on disk, and launchers that cannot be."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rasft.errors import UserError
from rasft.records import TrainingExample
from rasft.training.launch.launcher import command
from rasft.training.storage.example_store import ExampleStore, write_store
from rasft.training.storage.jobs import EXAMPLES
from tests.training_jobs import CONFIG, table


class TestBadInput:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"prompt_tokens": 0}, "no prompt token"),
            ({"input_ids": (5, 6, 7, 8)}, "its response has no tokens"),
            ({"weight": float("inf")}, "its weight is not a finite number"),
            ({"input_ids": (5, 6, 7, 8, 259), "reference_logps": (-1.0,)}, "vocabulary of 259"),
            ({"reference_logps": (-1.0,)}, "not one for each response token"),
            ({"reference_logps": ()}, "no reference log-probs, which the method needs"),
        ],
    )
    def test_row_that_cannot_be_trained_on(
        self,
        tmp_path: Path,
        examples: list[TrainingExample],
        change: dict[str, Any],
        message: str,
    ) -> None:
        rows = [*examples, dataclasses.replace(examples[0], problem_id="bad", **change)]
        write_store(table(rows), tmp_path / EXAMPLES)
        with pytest.raises(UserError, match=f"problem 'bad'.*{message}"):
            ExampleStore(tmp_path / EXAMPLES).check(259, needs_reference=True)

    def test_no_examples(self, tmp_path: Path) -> None:
        write_store(table([]), tmp_path / EXAMPLES)
        with pytest.raises(UserError, match="no training examples"):
            ExampleStore(tmp_path / EXAMPLES).check(259, needs_reference=False)

    def test_unknown_launcher(self, tmp_path: Path) -> None:
        config = CONFIG.model_copy(update={"launcher": "dpp"})
        with pytest.raises(UserError, match=r"'dpp' is no file of .*; known: ddp, deepspeed_zero3"):
            command(tmp_path, config)

    def test_sharded_launcher_needs_a_gpu(self, tmp_path: Path) -> None:
        config = CONFIG.model_copy(update={"launcher": "fsdp2"})
        with pytest.raises(UserError, match="'fsdp2' needs a GPU"):
            command(tmp_path, config)


def test_store_gives_the_rows_it_was_given(tmp_path: Path, examples: list[TrainingExample]) -> None:
    rows = [dataclasses.replace(examples[i % 30], problem_id=f"r{i}") for i in range(700)]
    write_store(table(rows), tmp_path / EXAMPLES)
    store = ExampleStore(tmp_path / EXAMPLES)
    picked = [699, 0, 256, 255, 512]
    assert store.take(picked) == [rows[i] for i in picked]
    assert store.lengths.tolist() == [len(row.input_ids) for row in rows]
    assert len(store) == 700
    assert store.keys(picked)["problem_id"].to_pylist() == [f"r{i}" for i in picked]


def test_equal_rows_give_an_equal_file(tmp_path: Path, examples: list[TrainingExample]) -> None:
    rows = table(examples * 20)
    pieces = pa.concat_tables([rows.slice(0, 7), rows.slice(7, 400), rows.slice(407)])
    write_store(rows, tmp_path / "one")
    write_store(pieces, tmp_path / "other")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
