"""Scoring by several processes, and with little memory: the scores are those of one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rasft.decoding.layout import Devices
from rasft.errors import UserError
from rasft.models.memory import GIB, Batch
from rasft.records import TrainingExample
from rasft.training import scoring
from rasft.training.scoring import passes_of, score, score_passes
from rasft.training.scoring_processes import Layout, lay_out, score_together


@pytest.fixture(scope="module")
def responses(examples: list[TrainingExample]) -> list[scoring.Response]:
    cut = [
        (row.input_ids[: row.prompt_tokens], row.input_ids[row.prompt_tokens :]) for row in examples
    ]
    return [(row.problem_id, -1, *ids) for row, ids in zip(examples, cut, strict=True)]


def test_two_processes_score_as_one(base: Path, responses: list[scoring.Response]) -> None:
    alone = score(str(base), responses, "float32", 200)
    passes = passes_of(responses, 200, packed=True)
    assert len(passes.rows) > 3
    both = score_together(base, passes, "float32", Layout(processes=2))
    assert [both[row] for row in range(len(responses))] == alone  # bit for bit


def test_what_a_process_cannot_read_is_one_sentence(
    tmp_path: Path, responses: list[scoring.Response]
) -> None:
    passes = passes_of(responses, 200, packed=True)
    with pytest.raises(UserError, match="cannot load a causal language model from"):
        score_together(tmp_path / "none", passes, "float32", Layout(processes=2))


def test_layers_on_several_devices_score_alike(
    base: Path, responses: list[scoring.Response]
) -> None:
    passes = passes_of(responses, 200, packed=True)
    whole = score_passes(str(base), passes, "float32")
    assert score_passes(str(base), passes, "float32", spread=True) == whole


def test_a_pass_without_memory_is_made_in_halves(
    base: Path, responses: list[scoring.Response], monkeypatch: Any, capsys: Any
) -> None:
    alone, own = score(str(base), responses, "float32", 200), scoring._score

    def short(module: Any, rows: Any, *rest: Any) -> Any:
        if len(rows) > 2:
            raise torch.OutOfMemoryError
        return own(module, rows, *rest)

    monkeypatch.setattr(scoring, "_score", short)
    halves = score(str(base), responses, "float32", 200)
    for one, other in zip(alone, halves, strict=True):
        assert other.reference_logps == pytest.approx(one.reference_logps, abs=1e-5)
    assert "is made in halves" in capsys.readouterr().out


def test_one_sequence_without_memory_is_the_users(
    base: Path, responses: list[scoring.Response], monkeypatch: Any
) -> None:
    def none(*_: Any) -> Any:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(scoring, "_score", none)
    with pytest.raises(UserError, match=r"one sequence of \d+ tokens to score: lower data\.max_"):
        score(str(base), responses, "float32", 200)


@pytest.mark.parametrize(
    ("stated", "gpus", "card", "layout"),
    [
        (None, 0, 0, Layout(1)),
        (2, 0, 0, Layout(2)),
        (None, 1, 1, Layout(1, 1)),
        (None, 4, 80, Layout(4, 1)),
        (2, 4, 80, Layout(2, 2)),
        (None, 4, 1, Layout(1, 4)),  # not even all four hold it: it is tried over all
    ],
)
def test_as_many_processes_as_the_gpus_hold_copies(
    base: Path, stated: int | None, gpus: int, card: float, layout: Layout
) -> None:
    here = Devices(gpus or 2, are_gpus=bool(gpus), memory=int(card * GIB))
    assert lay_out(base, "bfloat16", Batch(8192, 512), stated, here) == layout


def test_more_processes_than_gpus_are_refused(base: Path) -> None:
    with pytest.raises(UserError, match="score_processes is 3, and the task has 2 GPUs"):
        lay_out(base, "bfloat16", Batch(8192, 512), 3, Devices(2, are_gpus=True))
