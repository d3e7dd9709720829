"""`rasft plan --gpu`: the peak memory of each step on a card, and what makes it fit."""

from __future__ import annotations

from collections.abc import Sequence

from rasft import plugins
from rasft.commands.plan import gpus_of_steps
from rasft.config import judged
from rasft.config.settings import REINFORCEMENT, Config
from rasft.errors import UserError
from rasft.machine import cards
from rasft.machine.fitting import NO, StepMemory, steps
from rasft.models.memory import ERROR, GIB, OVERHEAD, TIMES_A_LLAMA
from rasft.models.shape import ModelShape, read_shape
from rasft.report.markdown import markdown_table

AT_A_SERVER = ("http://", "https://")


def text(config: Config, gpus: int, card: str | None, memory: float | None) -> str:
    """The memory of each step on a card by name, or on one of so many GiB.

    `gpus`: of a task, where the config states none. Raises UserError for an unknown card, for both
    a name and a size, and for a model that is neither here nor reachable.
    """
    if card and memory:
        raise UserError("--gpu and --gpu-memory both say how large the GPU is: give one of them")
    gib = memory or cards.gib_of(str(card))
    title = f"memory of one {card or 'GPU'}, which has {gib:g} GiB"
    if not config.models:
        return _of_one(config, gpus, gib, title)
    rows = judged.rows(config)
    here = {name: row for name, row in rows.items() if not row.model.path.startswith(AT_A_SERVER)}
    return "\n\n".join(_of_one(row, gpus, gib, f"{name}: {title}") for name, row in here.items())


def _of_one(config: Config, gpus: int, gib: float, title: str) -> str:
    shape = read_shape(config.model)
    each = {step: max(1, count) for step, count in gpus_of_steps(config, gpus).items()}
    found = steps(config, shape, each, gib * GIB, _keeps_reference(config))
    header = ["step", "GPUs a copy", "GiB", "", "GiB of"]
    rows = [_row(step, gib * GIB) for step in found]
    return "\n".join(
        [
            title,
            "",
            markdown_table(header, rows),
            "",
            *_changes(found, gib * GIB),
            *_notes(config, shape),
        ]
    )


def _keeps_reference(config: Config) -> bool:
    from rasft.losses import uses_kl

    method = config.training.method
    return method not in REINFORCEMENT and uses_kl(plugins.load("losses", method))


def _row(step: StepMemory, card: float) -> tuple[object, ...]:
    terms = " + ".join(f"{name} {size / GIB:.1f}" for name, size in step.terms.items() if size)
    told = f"{terms}; {step.note}" if step.note else terms
    return step.step, step.gpus, f"{step.total / GIB:.1f}", step.verdict(card), told


def _changes(found: Sequence[StepMemory], card: float) -> list[str]:
    """What to set for the steps that do not surely fit; where nothing helps, that."""
    lines = []
    for step in found:
        ways = list(step.ways_out(card))
        lines += [
            f"{step.step + ':':<11} {setting} -> {total / GIB:.1f} GiB, {told}"
            for setting, total, told in ways
        ]
        if step.verdict(card) == NO and all(told == NO for _, _, told in ways):
            lines.append(f"{step.step + ':':<11} nothing that is known here makes it fit this GPU")
    return [*lines, ""] if lines else []


def _notes(config: Config, shape: ModelShape) -> list[str]:
    notes = [
        f"Each sum may be off by {ERROR:.0%} either way, and the driver takes about "
        f"{OVERHEAD / GIB:g} GiB more: 'fits' allows for both, 'may fit' for the second alone.",
        f"{shape.parameters / 1e9:.2f} billion parameters, by config.json.",
    ]
    if shape.kind not in TIMES_A_LLAMA:
        notes.append(
            f"What a layer of a {shape.kind!r} keeps was not measured: its activations are told as "
            "a Llama's of the same size, and may be several times as much."
        )
    if config.training.method in REINFORCEMENT and not config.models:
        notes.append(f"The training of {config.training.method} is TRL's and is not told here.")
    return notes
