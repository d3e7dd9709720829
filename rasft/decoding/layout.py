"""How many engines sample side by side, and which devices each of them has.

An engine takes as few of the task's GPUs as hold one copy of the model (tensor parallel: each
matrix is split over them). What is left holds further engines over the same requests (data
parallel). Each sample has a seed of its own, so the layout changes none but for rounding. On a CPU
both are 1 unless they are stated; then they share its cores.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from rasft.config.settings import ModelConfig, RolloutConfig
from rasft.decoding import engine_choice
from rasft.decoding.engine import EngineOptions
from rasft.errors import UserError
from rasft.models import memory
from rasft.models.shape import read_shape

SPLITS, ELSEWHERE = "vllm", "openai"  # who splits a model over devices; whose devices are not here


@dataclass(frozen=True)
class Devices:
    """What a task has to sample with."""

    count: int  # GPUs; of a machine without one, cores
    are_gpus: bool
    memory: int = 0  # bytes of one GPU; 0: not known

    @property
    def words(self) -> str:
        """How many of what.

        >>> Devices(4, are_gpus=True).words
        '4 GPUs'
        """
        return f"{self.count} {'GPU' if self.are_gpus else 'core'}{'s' * (self.count != 1)}"


def devices(step_gpus: int) -> Devices:
    """The devices of a step that asks for so many GPUs (0: it says nothing, all are its own)."""
    seen = engine_choice.gpus()
    if not seen:
        return Devices(len(cores()), are_gpus=False)
    import torch

    count = min(seen, step_gpus or seen)
    memory = torch.cuda.get_device_properties(0).total_memory if count > 1 else 0
    return Devices(count, are_gpus=True, memory=memory)


def cores() -> list[int]:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))  # macOS binds no process


def lay_out(
    options: EngineOptions, settings: RolloutConfig, engine: str, model: Path, here: Devices
) -> EngineOptions:
    """The options with the layout that the config states, or else the one that suits the devices.

    Raises UserError for one that the engine or the devices cannot have.
    """
    if engine != SPLITS and (settings.tensor_parallel or 1) > 1:
        raise UserError(
            f"rollout.tensor_parallel = {settings.tensor_parallel} needs the engine {SPLITS}, and "
            f"{engine} samples here; take it out: data_parallel serves every engine"
        )
    if engine == ELSEWHERE:
        return options
    split = settings.tensor_parallel or (_split(options, model, here) if engine == SPLITS else 1)
    free = here.count // split if here.are_gpus else 1
    side_by_side = settings.data_parallel or max(1, free)
    if split * side_by_side > here.count:
        raise UserError(
            f"rollout.tensor_parallel {split} x data_parallel {side_by_side} takes "
            f"{split * side_by_side} devices, and this step has {here.words}; lower one of them, "
            "or raise the step's gpu in resources.steps"
        )
    return replace(options, tensor_parallel=split, data_parallel=side_by_side)


def statement(options: EngineOptions) -> list[str]:
    """Clauses for the report; none for one engine on one device."""
    split, engines = options.tensor_parallel, options.data_parallel
    if split == engines == 1:
        return []
    return [f"tensor_parallel {split}, data_parallel {engines}"]


def environments(options: EngineOptions) -> list[dict[str, str]]:
    """What each engine's process must have in its environment to keep to its own devices."""
    import torch

    split, engines = options.tensor_parallel, options.data_parallel
    if split == engines == 1:
        return [{}]
    if torch.cuda.is_available():
        named = os.environ.get("CUDA_VISIBLE_DEVICES")
        seen = named.split(",") if named else list(map(str, range(torch.cuda.device_count())))
        return [{"CUDA_VISIBLE_DEVICES": ",".join(own)} for own in _groups(seen, split, engines)]
    own_cores, each = cores(), max(1, len(cores()) // (split * engines))
    lists = [
        ",".join(map(str, own_cores[first : first + each]))
        for first in range(0, each * split * engines, each)
    ]
    return [
        # torch reads the one; vllm, whose workers bind themselves, the other
        {"OMP_NUM_THREADS": str(each), "VLLM_CPU_OMP_THREADS_BIND": "|".join(own)}
        for own in _groups(lists, split, engines)
    ]


def _groups(names: list[str], size: int, count: int) -> list[list[str]]:
    return [names[number * size : (number + 1) * size] for number in range(count)]


def _split(options: EngineOptions, model: Path, here: Devices) -> int:
    """The fewest GPUs that hold a copy. Raises UserError where all of them do not."""
    if not (here.are_gpus and here.count > 1):
        return 1
    shape, dtype = read_shape(ModelConfig(path=str(model))), options.quantization or options.dtype
    room = here.memory * options.gpu_memory_utilization
    fewest = memory.fewest_to_sample(shape, dtype, here.count, room)
    if fewest is None:
        weights = memory.weight_bytes(shape, dtype) / memory.GIB
        raise UserError(
            f"the weights of {model} take {weights:.0f} GiB, and this step's {here.words} "
            f"of {here.memory / memory.GIB:.0f} GiB cannot share them; give the step more GPUs in "
            "resources.steps, or state rollout.tensor_parallel to try all the same"
        )
    return fewest
