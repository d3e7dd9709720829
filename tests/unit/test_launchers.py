"""The files of configs/accelerate as accelerate itself reads them, and the command lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser

from rasft.config import TrainingConfig
from rasft.training import launcher

FILES = sorted(launcher.LAUNCHERS.glob("*.yaml"))
KINDS = {"ddp": "MULTI_GPU", "fsdp2": "FSDP", "deepspeed_zero3": "DEEPSPEED"}


def test_every_kind_has_a_file() -> None:
    assert {path.stem for path in FILES} == set(KINDS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_accelerate_reads_the_file(path: Path) -> None:
    found = load_config_from_file(str(path))
    assert isinstance(found, ClusterConfig)
    assert found.distributed_type == KINDS[path.stem]
    assert found.num_machines == 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_command_on_gpus_is_what_accelerate_takes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsed by accelerate's own parser, with its file: four processes, and clipping as configured
    even where the file speaks of DeepSpeed."""
    monkeypatch.setattr(launcher, "_gpus", lambda: 4)
    training = TrainingConfig(launcher=path.stem, max_grad_norm=0.5)
    line = launcher.command(Path("job"), training)
    arguments = launch_command_parser().parse_args(line[line.index("--config_file") :])
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    arguments, _, _ = _validate_launch_command(arguments)
    assert arguments.num_processes == 4
    assert float(arguments.gradient_clipping) == 0.5
    assert arguments.module
    assert arguments.training_script == "rasft.training.program"
    assert arguments.use_deepspeed == (path.stem == "deepspeed_zero3")
    assert arguments.use_fsdp == (path.stem == "fsdp2")
