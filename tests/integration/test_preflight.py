"""Preflight on a tiny model: what passes, and that each check can fail."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from rasft import plugins
from rasft.decoding.continuous_batching import TransformersEngine
from rasft.errors import UserError
from rasft.models.language_model import load_model
from rasft.records import TrainingExample
from rasft.training.model.forward import response_logps
from rasft.training.preflight.agreement import engine_agrees, references_agree
from rasft.training.preflight.gradients import close
from rasft.training.preflight.job_checks import preflight, raise_if_failed, spread
from rasft.training.preflight.labels import labels_are_right, lengths_of
from rasft.training.storage.example_store import ExampleStore
from rasft.training.storage.jobs import EXAMPLES, read_job
from tests import tiny_model
from tests.training_jobs import job

STOPS = (2,)


def store(folder: Path, base: Path, rows: list[TrainingExample]) -> ExampleStore:
    return ExampleStore(job(folder, base, rows) / EXAMPLES)


def test_everything_passes_on_sound_rows(
    tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    engine = plugins.load("engines", "transformers")
    checks = preflight(job(tmp_path, base, examples), 64, engine)
    assert [check.name for check in checks if not check.passed] == []
    assert [check.name for check in checks] == [
        "the response and its end are supervised, the prompt is not",
        "every row fits whole",
        "positions",
        "what attention sees",
        "sequences in a forward pass",
        "dropout",
        "packed and padded agree on 8 rows",
        "1 x 8 and 2 x 4 rows agree",
        "1 x 8 and 8 x 1 rows agree",
        "2 processes give the gradient of one",
        "stored reference log-probs are the starting model's",
        "the transformers engine's greedy tokens are the trainer's most likely",
        "saved and loaded again, same logits",
    ]
    assert sum(checks[1].numbers["histogram"].values()) == 30
    assert checks[9].numbers["relative_difference"] < 1e-4


def test_cut_off_answer_is_counted(
    tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    cut = dataclasses.replace(
        examples[0],
        input_ids=examples[0].input_ids[:-1],
        reference_logps=examples[0].reference_logps[:-1],
    )
    check = labels_are_right(store(tmp_path, base, [cut, *examples[1:]]), STOPS)
    assert not check.passed
    assert check.numbers["cut_off"] == 1


def test_row_beyond_the_limit_is_counted(
    tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    longest = max(len(row.input_ids) for row in examples)
    assert lengths_of(store(tmp_path / "a", base, examples), longest).passed
    check = lengths_of(store(tmp_path / "b", base, examples), longest - 1)
    assert not check.passed
    assert check.numbers["over"] >= 1


def test_log_probs_of_another_model_are_found(
    tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    other = tiny_model.build(tmp_path / "other", seed=1)
    module = response_logps(load_model(other), packed=False)
    values = read_job(job(tmp_path / "job", other, examples))
    assert not references_agree(values, module, examples[:8]).passed


def test_engine_that_writes_something_else_is_found(
    tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    """An engine that loses the last token of each prompt."""
    own = plugins.load("engines", "transformers")

    class Losing(TransformersEngine):
        def generate(self, requests: Any, sampling: Any) -> Any:
            cut = [dataclasses.replace(each, prompt_ids=each.prompt_ids[:-1]) for each in requests]
            return super().generate(cut, sampling)

    class Stale:
        NAME = "stale"
        open_engine = Losing

    module = response_logps(load_model(base), packed=False)
    values = read_job(job(tmp_path / "job", base, examples))
    assert engine_agrees(values, module, examples[:4], own).passed
    assert not engine_agrees(values, module, examples[:4], Stale).passed


def test_gradients_apart_fail_and_are_named() -> None:
    checks = [close("a", torch.ones(3), torch.ones(3)), close("b", torch.ones(3), torch.zeros(3))]
    assert [check.passed for check in checks] == [True, False]
    with pytest.raises(UserError, match="preflight failed: b: relative difference"):
        raise_if_failed(checks)


def test_rows_are_spread_over_the_lengths(
    tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    rows = store(tmp_path, base, examples)
    lengths = [int(rows.lengths[row]) for row in spread(rows, 8)]
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (rows.lengths.min(), rows.lengths.max())
    assert len(lengths) == 8
    assert len(spread(rows, 100)) == 30
