"""Small real trainings: rows that can be learnt, their job folders, and what came of them."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from rasft import tables
from rasft.config.settings import TrainingConfig
from rasft.errors import MachineError, UserError
from rasft.records import TrainingExample, TrainingStep
from rasft.training.launch.launcher import LaunchContext, launch
from rasft.training.launch.nodes import Node
from rasft.training.launch.program import open_accelerator
from rasft.training.loop.trainer import Trainer
from rasft.training.scoring import score
from rasft.training.storage.example_store import ExampleStore
from rasft.training.storage.jobs import (
    CURVE,
    EXAMPLES,
    MODEL,
    Served,
    TrainingJob,
    read_job,
    write_job,
)

CONFIG = TrainingConfig(
    method="rasft",
    epochs=4.0,
    batch_size=8,
    learning_rate=3e-3,
    micro_batch_tokens=150,
    trackers=(),
)


def counting(base: Path, rows: int = 30) -> list[TrainingExample]:
    """Counting by one from a start, up to the EOS (2): can be learnt, scored under the base."""
    draw = random.Random(0)
    sequences = []
    for i in range(rows):
        start, length = draw.randrange(3, 150), draw.randrange(12, 50)
        ids = tuple(range(start, start + length))
        sequences.append((f"p{i}", -1, ids[:4], (*ids[4:], 2)))
    scores = score(str(base), sequences, "float32", 500)
    return [
        TrainingExample(
            name,
            index,
            prompt + response,
            len(prompt),
            draw.choice([0.1, 1.0]),
            row.reference_logps,
        )
        for (name, index, prompt, response), row in zip(sequences, scores, strict=True)
    ]


def table(examples: list[TrainingExample]) -> pa.Table:
    return tables.to_table(examples, TrainingExample)


def job(
    folder: Path,
    base: Path,
    rows: list[TrainingExample],
    dtype: str = "float32",
    **changes: Any,
) -> Path:
    config = CONFIG.model_copy(update=changes)
    write_job(
        folder, TrainingJob(str(base), config, dtype, seed=1, served=Served((2,))), table(rows)
    )
    return folder


def open_trainer(folder: Path, base: Path, rows: list[TrainingExample], **changes: Any) -> Trainer:
    """A trainer in this process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    values = read_job(job(folder, base, rows, **changes))
    accelerator = open_accelerator(values, 1, folder)
    return Trainer(values, ExampleStore(folder / EXAMPLES), accelerator)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / MODEL / "model.safetensors")


def equal_bits(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return all(torch.equal(first[name], second[name]) for name in first)


def what_was_trained(folder: Path) -> list[tuple[int, int, int, float]]:
    """Of each step: which one, how many sequences and tokens, and the exact loss."""
    rows = tables.from_table(tables.read(folder / CURVE), TrainingStep)
    return [(row.step, row.sequences, row.tokens, row.loss) for row in rows]


def quiet(line: str) -> None:
    """Swallow the program's lines."""


def kill_at(step: int) -> Callable[[str], None]:
    """Kill the program and its children, as the kernel does, once that step is saved."""
    others = set(psutil.Process().children(recursive=True))

    def watch(line: str) -> None:
        if line.endswith(f"step-{step:08}"):
            for process in set(psutil.Process().children(recursive=True)) - others:
                process.kill()

    return watch


def on_two_nodes(
    folders: list[Path],
    on_line: Callable[[str], None] = quiet,
    on_checkpoint: Callable[[Path], None] | None = None,
) -> list[dict | Exception]:
    """What each node's launch returns or raises; the first one's lines and checkpoints are told."""
    port = _free_port()

    def one(rank: int) -> dict | Exception:
        node, training = Node(rank, 2, port=port), read_job(folders[rank]).training
        told = (on_line, on_checkpoint) if rank == 0 else (quiet, None)
        try:
            return launch(folders[rank], training, *told, context=LaunchContext(node=node))
        except (UserError, MachineError) as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, range(2)))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
