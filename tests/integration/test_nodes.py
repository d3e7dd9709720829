"""A training on two nodes, each with processes and a disk of its own, that meet over TCP."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from rasft.errors import MachineError, UserError
from rasft.records import TrainingExample
from rasft.training.launch.launcher import launch
from rasft.training.storage.checkpoint_store import give, take
from rasft.training.storage.checkpoints import found
from rasft.training.storage.jobs import CHECKPOINTS, CONSUMED, MODEL, SUMMARY, read_job
from tests.training_jobs import equal_bits, job, on_two_nodes, quiet, weights, what_was_trained


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, base: Path, examples: list[TrainingExample]
) -> list[Path]:
    folders = [job(tmp_path_factory.mktemp("node"), base, examples, nodes=2) for _ in range(2)]
    first, second = on_two_nodes(folders)
    assert isinstance(first, dict), first
    assert first["processes"] == 2
    assert second == {}
    return folders


def test_two_nodes_train_what_one_process_trains(
    undisturbed: list[Path], tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    alone = job(tmp_path, base, examples)
    launch(alone, read_job(alone).training, quiet)
    one, two = weights(alone), weights(undisturbed[0])
    assert max((one[name] - two[name]).abs().max().item() for name in one) < 1e-6


def test_the_first_node_alone_keeps_the_model(undisturbed: list[Path]) -> None:
    assert (undisturbed[0] / SUMMARY).is_file()
    for name in (MODEL, SUMMARY, CONSUMED, CHECKPOINTS):
        assert not (undisturbed[1] / name).exists()


def test_lost_node_ends_both_and_they_go_on_elsewhere(
    undisturbed: list[Path], tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    """The second node is killed; new machines get what the first one kept."""
    changes = {"nodes": 2, "checkpoint_steps": 1}
    lost = [job(tmp_path / f"lost{rank}", base, examples, **changes) for rank in range(2)]
    kept: list[Path] = []

    def kill_second_node(line: str) -> None:
        if line.endswith("step-00000004"):
            for process in psutil.Process().children(recursive=True):
                if str(lost[1]) in process.cmdline():
                    process.kill()

    def keep(checkpoint: Path) -> None:
        if taken := take(checkpoint, tmp_path / "kept"):
            kept.append(taken)

    first, second = on_two_nodes(lost, kill_second_node, keep)
    assert isinstance(first, MachineError)
    assert isinstance(second, MachineError)
    assert found(lost[1] / CHECKPOINTS) == []
    assert {path.name for path in kept[-1].glob("random_states_*")} == {
        "random_states_0.pkl",
        "random_states_1.pkl",
    }
    new = [job(tmp_path / f"new{rank}", base, examples, **changes) for rank in range(2)]
    for folder in new:
        give(kept[-1], folder)
    lines: list[str] = []
    first, _ = on_two_nodes(new, lines.append)
    assert isinstance(first, dict), first
    assert any(line.startswith("resumed from") for line in lines)
    assert equal_bits(new[0], undisturbed[0])
    assert what_was_trained(new[0]) == what_was_trained(undisturbed[0])


def test_nodes_go_on_from_the_newest_checkpoint_that_each_of_them_has(
    undisturbed: list[Path], tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    """The first has those after 5 and 15 steps, the second the one after 5."""
    changes = {"nodes": 2, "checkpoint_steps": 5}
    folders = [job(tmp_path / f"node{rank}", base, examples, **changes) for rank in range(2)]
    on_two_nodes(folders, on_checkpoint=lambda path: take(path, tmp_path) and None)
    again = [job(folder, base, examples, **changes) for folder in folders]
    for folder, steps in ((again[0], 5), (again[0], 15), (again[1], 5)):
        give(tmp_path / f"step-{steps:08}", folder)
    lines: list[str] = []
    on_two_nodes(again, lines.append)
    assert [line[-8:] for line in lines if line.startswith("resumed from")] == ["00000005"]
    assert equal_bits(again[0], undisturbed[0])


def test_nodes_with_different_jobs_are_refused(
    tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    rows = [examples, examples[:-1]]
    folders = [job(tmp_path / f"{n}", base, part, nodes=2) for n, part in enumerate(rows)]
    for outcome in on_two_nodes(folders):
        assert isinstance(outcome, UserError)
        assert "the nodes were given 2 different jobs" in str(outcome)
