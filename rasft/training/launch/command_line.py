"""The command line that starts the training program by Accelerate on this node.

One process on a CPU, one for each GPU, or as many as the config says. Several processes on a CPU
go through torchrun: `accelerate launch --cpu --num_processes 2` silently runs one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rasft import extras
from rasft.config.files import CONFIGS
from rasft.config.settings import TrainingConfig
from rasft.errors import UserError
from rasft.paths import PACKAGE
from rasft.training.launch.nodes import ONE_NODE, Node

PROGRAM = "rasft.training.launch.program"
LAUNCHERS = CONFIGS / "accelerate"
ALONE = ["--cpu", "--num_processes=1", "-m"]
ON_ONE_NODE = ("deepspeed_zero3",)  # launchers whose checkpoints are cut up by process


def world_size(training: TrainingConfig) -> int:
    """Processes of a training on each node: as configured, else one for each GPU, else one."""
    return training.processes or max(1, _gpus())


def command(
    job_dir: Path, training: TrainingConfig, module: str = PROGRAM, node: Node = ONE_NODE
) -> list[str]:
    """The command line that trains the job on this node, or runs another module on it.

    Raises UserError for a launcher that is unknown, or cannot do it here.
    """
    processes = world_size(training)
    program = ["-m", module, str(job_dir), "--processes", str(processes * node.count)]
    settings = launcher_file(training)
    accelerate = ["-m", "accelerate.commands.launch", "--config_file", str(settings)]
    if _gpus():
        if training.launcher == "deepspeed_zero3":
            extras.require("deepspeed", f"training.launcher = {training.launcher!r}")
        if node.sharers > 1:
            raise UserError(
                "nodes on one machine would take each other's GPUs: training.processes is for them"
            )
        clipping = f"--gradient_clipping={training.max_grad_norm}"  # DeepSpeed alone reads it
        shape = [f"--num_processes={processes * node.count}", *_accelerate_place(node), clipping]
        return [sys.executable, *accelerate, *shape, *program]
    if training.launcher != "ddp":
        raise UserError(
            f"training.launcher = {training.launcher!r} needs a GPU; on a CPU it is 'ddp'"
        )
    if processes * node.count == 1:
        return [sys.executable, *accelerate, *ALONE, *program[1:]]
    torchrun = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}"]
    return [sys.executable, *torchrun, *_torchrun_place(node), *program]


def program_alone(line: Sequence[str]) -> list[str]:
    """Module and arguments, where a command line runs one process on a CPU; else nothing."""
    first = next((place for place, word in enumerate(line) if word == ALONE[0]), len(line))
    after = first + len(ALONE)
    return list(line[after:]) if list(line[first:after]) == ALONE else []


def _accelerate_place(node: Node) -> list[str]:
    if node.count == 1:
        return ["--main_process_port=0"]
    return [
        f"--num_machines={node.count}",
        f"--machine_rank={node.rank}",
        f"--main_process_ip={node.address}",
        f"--main_process_port={node.port}",
        f"--rdzv_conf=timeout={_patience(node)}",
    ]


def _torchrun_place(node: Node) -> list[str]:
    if node.count == 1:
        return ["--standalone"]
    return [
        f"--nnodes={node.count}",
        f"--node-rank={node.rank}",
        f"--master-addr={node.address}",
        f"--master-port={node.port}",
        f"--rdzv-conf=timeout={_patience(node)}",
    ]


def _patience(node: Node) -> int:
    """Seconds for all nodes to come: on a cluster one may wait for its machine and its image."""
    return 3600 if node.sharers == 1 else 120


def _gpus() -> int:
    import torch  # here, so that a scheduler that only imports the flow stays light

    return torch.cuda.device_count()


def launcher_file(training: TrainingConfig) -> Path:
    """Accelerate's settings for the launcher.

    Raises UserError for one that is unknown or does not do what the training asks.
    """
    name = training.launcher
    path = LAUNCHERS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in LAUNCHERS.glob("*.yaml")))
        raise UserError(f"training.launcher = {name!r} is no file of {LAUNCHERS}; known: {known}")
    if training.nodes > 1 and name in ON_ONE_NODE:
        raise UserError(
            f"training.launcher = {name!r} leaves a part of each checkpoint on every node, and "
            f"training.nodes is {training.nodes}: use 'fsdp2' or 'ddp'"
        )
    return path


def environment(processes: int, threads: int | None = None) -> dict[str, str]:
    """This process's, so that the program finds this rasft, and shares the cores if no number of
    threads is given."""
    root = str(PACKAGE.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    shared = max(1, (os.cpu_count() or 1) // processes)
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads or shared),
        "PYTHONPATH": os.pathsep.join(paths),
        "TOKENIZERS_PARALLELISM": "false",
    }
