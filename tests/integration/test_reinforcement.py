"""DAPO for real: TRL, the verifier and a tiny model that was taught eight sums, seconds each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import tiny_model
import torch
from safetensors.torch import load_file

from rasft import tables
from rasft.config import files as config_files
from rasft.config.settings import Config
from rasft.errors import UserError
from rasft.models.language_model import load_model
from rasft.records import Problem, ReinforcementStep
from rasft.stages import reinforce, warmup
from rasft.training.reinforcement.jobs import ReinforcementJob

CONFIG = """
extends: tiny
name: rewards
seed: 3
warmup: {problems: 8, epochs: 40, learning_rate: 5e-3, batch_size: 8}
verification: {math: {workers: 1}}
training: {method: dapo, batch_size: 16, epochs: 1, learning_rate: 1e-3, warmup_steps: 0}
reinforcement: {group_size: 4, micro_batch: 16, max_new_tokens: 12, resamples: 2}
"""


def config(**changes: Any) -> Config:
    parsed = config_files.parse(CONFIG)
    return parsed.model_copy(
        update={key: getattr(parsed, key).model_copy(update=v) for key, v in changes.items()}
    )


@pytest.fixture(scope="module")
def problems() -> pa.Table:
    """2+1 to 2+8, with solutions of one word."""
    rows = [
        Problem(f"p{n}", f"2+{n}", "math", f"\\boxed{{{2 + n}}}", str(2 + n)) for n in range(1, 9)
    ]
    return tables.to_table(rows, Problem)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory, problems: pa.Table) -> Path:
    """A model that gets some of them right some of the time."""
    folder = tmp_path_factory.mktemp("policy")
    trained = warmup.warm_up(config(), problems, tiny_model.build(folder / "base"), folder)
    assert trained is not None
    return trained.folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_dapo_trains_on_mixed_groups_alone(
    policy: Path, problems: pa.Table, tmp_path: Path
) -> None:
    trained = reinforce.reinforce(config(), problems, policy, tmp_path)
    summary = trained.summary
    assert summary["steps"] == 2
    assert summary["sequences"] == 32
    assert summary["mixed"] > 0
    assert summary["groups"] == sum(
        summary[kind] for kind in ("mixed", "all_right", "all_wrong", "undecided")
    )
    curve = tables.from_table(trained.curve, ReinforcementStep)
    assert [row.step for row in curve] == [1, 2]
    assert 0 < curve[0].reward < 1
    assert curve[0].grad_norm > 0
    before, after = weights(policy), weights(trained.folder)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert trained.checkpoint.base_fingerprint != trained.checkpoint.fingerprint
    assert load_model(trained.folder).config.vocab_size == 259


@pytest.mark.parametrize(
    ("batch_size", "message"),
    [(18, "must be a multiple of"), (64, "takes 16 problems a step, and there are 8")],
)
def test_batches_that_break_groups_are_refused(
    problems: pa.Table, tmp_path: Path, batch_size: int, message: str
) -> None:
    wrong = config(training={"batch_size": batch_size})
    with pytest.raises(UserError, match=message):
        reinforce.reinforce(wrong, problems, tmp_path / "nowhere", tmp_path)


def test_shape_splits_a_step_among_processes() -> None:
    shape = ReinforcementJob("m", config(reinforcement={"micro_batch": 5})).shape(8, processes=2)
    assert (shape.micro_batch, shape.accumulation, shape.steps) == (4, 2, 2)


def test_the_same_reinforcement_is_made_once(
    policy: Path, problems: pa.Table, tmp_path: Path
) -> None:
    strict = config().verification.math.model_copy(update={"format": "stated"})

    def trained(name: str, **changes: Any) -> tuple[int, str]:
        kept = config(ledger={"path": str(tmp_path / "ledger")}, **changes)
        folder = tmp_path / name
        folder.mkdir()
        done = reinforce.reinforce(kept, problems, policy, folder)
        assert load_model(done.folder).config.vocab_size == 259
        assert done.curve.num_rows == done.summary["steps"] == 2
        (work,) = done.work
        return work.made, done.checkpoint.fingerprint

    made, fingerprint = trained("first")
    assert made == 1
    assert trained("again") == (0, fingerprint)
    assert trained("hotter", reinforcement={"temperature": 0.9})[0] == 1
    assert trained("stricter", verification={"math": strict})[0] == 1
