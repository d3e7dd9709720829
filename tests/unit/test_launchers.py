"""The files of configs/accelerate as accelerate itself reads them, and the command lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_multi_gpu_env

from rasft.config.settings import TrainingConfig
from rasft.errors import UserError
from rasft.stages import training_method
from rasft.training.launch import command_line
from rasft.training.launch.nodes import PORTS, Node, port_of
from rasft.training.launch.program import precision_of_shards

FILES = sorted(command_line.LAUNCHERS.glob("*.yaml"))
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
    monkeypatch.setattr(command_line, "_gpus", lambda: 4)
    monkeypatch.setattr("rasft.extras.installed", lambda name: True)
    training = TrainingConfig(launcher=path.stem, max_grad_norm=0.5)
    line = command_line.command(Path("job"), training)
    arguments = launch_command_parser().parse_args(line[line.index("--config_file") :])
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    arguments, _, _ = _validate_launch_command(arguments)
    assert arguments.num_processes == 4
    assert float(arguments.gradient_clipping) == 0.5
    assert arguments.module
    assert arguments.training_script == "rasft.training.launch.program"
    assert arguments.use_deepspeed == (path.stem == "deepspeed_zero3")
    assert arguments.use_fsdp == (path.stem == "fsdp2")


@pytest.mark.parametrize("name", ["ddp", "fsdp2"])
def test_command_of_a_node_is_what_accelerate_takes(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of three machines with two GPUs each: six processes that meet at the first."""
    monkeypatch.setattr(command_line, "_gpus", lambda: 2)
    node = Node(rank=1, count=3, address="10.0.0.7", port=23456)
    line = command_line.command(Path("job"), TrainingConfig(launcher=name, nodes=3), node=node)
    arguments = launch_command_parser().parse_args(line[line.index("--config_file") :])
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    arguments, _, _ = _validate_launch_command(arguments)
    environment = prepare_multi_gpu_env(arguments)
    assert environment
    assert (arguments.num_processes, arguments.nproc_per_node) == (6, "2")
    assert (int(arguments.nnodes), int(arguments.node_rank)) == (3, 1)
    assert (arguments.main_process_ip, arguments.main_process_port) == ("10.0.0.7", 23456)
    assert arguments.training_script_args == ["job", "--processes", "6"]


def test_checkpoints_in_parts_are_for_one_node() -> None:
    training = TrainingConfig(launcher="deepspeed_zero3", nodes=2)
    with pytest.raises(UserError, match=r"a part of each checkpoint on every node.*use 'fsdp2'"):
        command_line.command(Path("job"), training, node=Node(count=2))


def test_nodes_of_one_machine_are_refused_its_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "_gpus", lambda: 2)
    with pytest.raises(UserError, match="nodes on one machine would take each other's GPUs"):
        command_line.command(Path("job"), TrainingConfig(nodes=2), node=Node(count=2))


def test_shards_hand_on_log_probs_in_fp32() -> None:
    policy = precision_of_shards("bfloat16")
    assert (policy.param_dtype, policy.reduce_dtype) == (torch.bfloat16, torch.float32)
    assert policy.output_dtype is None  # as the module made them


def test_a_second_try_takes_another_port() -> None:
    first, second = (port_of(f"1/train/{attempt}") for attempt in range(2))
    assert first != second
    assert {first, second} <= set(PORTS)


def test_threads_are_shared_unless_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line.os, "cpu_count", lambda: 8)
    given = [command_line.environment(2), command_line.environment(2, threads=3)]
    assert [each["OMP_NUM_THREADS"] for each in given] == ["4", "3"]


def test_nodes_that_meet_on_one_machine_share_its_cores() -> None:
    assert Node(count=2).sharers == 2
    assert Node(count=2, address="10.0.0.7").sharers == 1


@pytest.mark.parametrize(
    ("training", "several", "message"),
    [
        ({"nodes": 1}, True, "training.nodes is 1, and this flow trains on several machines"),
        ({"nodes": 2}, False, "training.nodes is 2, and this flow trains on one"),
        ({"launcher": "dpp"}, False, "training.launcher = 'dpp' is no file of"),
        ({"launcher": "deepspeed_zero3", "nodes": 2}, True, "a part of each checkpoint"),
    ],
)
def test_what_cannot_be_launched_is_refused_at_the_start(
    training: dict[str, Any], several: bool, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        training_method.check_launch(TrainingConfig(**training), several)


def test_a_launcher_whose_extra_is_missing_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "_gpus", lambda: 4)
    monkeypatch.setattr("rasft.extras.installed", lambda name: False)
    with pytest.raises(UserError, match=r"needs the extra deepspeed, .*pip install -c locks/cuda"):
        command_line.command(Path("job"), TrainingConfig(launcher="deepspeed_zero3"))
