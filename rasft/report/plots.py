"""The report's pictures, as PNG bytes. Each is one function of plain results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rasft.method.routing import UNVERIFIED
from rasft.records import Group
from rasft.report.canvas import BLUE, CLASSES, GREEN, GREY, RED, Picture
from rasft.results.accuracy import Accuracy

NEVER, SOMETIMES, ALWAYS = CLASSES
_SERIES = (GREY, BLUE, RED, GREEN)


def solvability_class(group: Group) -> str:
    """Whether the policy solved a rolled-out problem never, sometimes or always."""
    if not group.solvability:
        return NEVER
    return ALWAYS if group.solvability == 1 else SOMETIMES


def solvability(groups: Sequence[Group]) -> bytes:
    """How many problems were solved in which share of their unique rollouts."""
    rolled = [g for g in groups if g.solvability is not None]

    picture = Picture(f"Solvability of {len(rolled)} problems", height=4.5)
    axes = picture.axes
    for name in CLASSES:
        values = Counter(g.solvability for g in rolled if solvability_class(g) == name)
        label = f"{name}: {values.total()}"
        axes.bar(list(values), list(values.values()), 0.045, color=CLASSES[name], label=label)
    axes.set_xlim(-0.05, 1.05)
    axes.set_xlabel("solvability (share of a problem's unique rollouts that are correct)")
    axes.set_ylabel("problems")
    _legend(axes, *axes.get_legend_handles_labels())
    return picture.png()


def weights(groups: Sequence[Group]) -> bytes:
    """The weight given to expert responses and own solutions, by solvability class.

    Problems without a verifier, which have none, stand beside the classes.
    """

    picture = Picture("Training weight by solvability", height=4.5)
    axes = picture.axes
    unverified = [g for g in groups if g.bucket == UNVERIFIED]
    bars = {
        f"{name} solved": [g for g in groups if g.sampled and solvability_class(g) == name]
        for name in CLASSES
    } | ({UNVERIFIED: unverified} if unverified else {})
    for position, members in enumerate(bars.values()):
        expert = sum(g.expert_weight for g in members)
        own = sum(sum(g.rollout_weights) for g in members)
        count = max(1, len(members))
        axes.bar(position - 0.2, expert / count, 0.38, color=_SERIES[1])
        axes.bar(position + 0.2, own / count, 0.38, color=_SERIES[2])
        for x, value in ((position - 0.2, expert), (position + 0.2, own)):
            axes.text(x, value / count, f"{value / count:.3g}", ha="center", va="bottom")
    axes.set_xticks(range(len(bars)), list(bars))
    axes.set_ylabel("mean weight a problem")
    patches = [_patch(_SERIES[1]), _patch(_SERIES[2])]
    _legend(axes, patches, ["expert", "own correct rollouts"])
    axes.margins(y=0.15)
    return picture.png()


def curve(steps: Sequence[Mapping[str, float]], title: str) -> bytes:
    """The weighted loss and the plain negative log-likelihood over optimizer steps."""

    picture = Picture(title, height=4.5)
    axes = picture.axes
    x = [row["step"] for row in steps]
    axes.plot(x, [row["nll"] for row in steps], color=_SERIES[1], label="NLL (nats per token)")
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("NLL, nats per token")
    other = axes.twinx()
    other.plot(x, [row["loss"] for row in steps], color=_SERIES[2], label="weighted loss")
    other.set_ylabel("weighted loss")
    other.spines["top"].set_visible(False)
    lines = [*axes.get_lines(), *other.get_lines()]
    _legend(axes, lines, [line.get_label() for line in lines])
    return picture.png()


def rewards(steps: Sequence[Mapping[str, float]], title: str) -> bytes:
    """The mean reward over optimizer steps, and the share of groups that taught nothing."""

    picture = Picture(title, height=4.5)
    axes = picture.axes
    x = [row["step"] for row in steps]
    axes.plot(x, [row["reward"] for row in steps], color=_SERIES[1], label="mean reward")
    idle = [row["equal_groups"] for row in steps]
    axes.plot(x, idle, color=_SERIES[2], label="groups with equal rewards")
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("share")
    axes.set_ylim(-0.02, 1.02)
    _legend(axes, *axes.get_legend_handles_labels())
    return picture.png()


def accuracy(rows: Sequence[Accuracy]) -> bytes:
    """Accuracy of each checkpoint by benchmark, with its interval."""
    benchmarks = list(dict.fromkeys(row.benchmark for row in rows))
    checkpoints = list(dict.fromkeys(row.checkpoint for row in rows))
    height = 0.8 / max(1, len(checkpoints))

    picture = Picture("Accuracy by benchmark", height=max(3.6, 0.55 * len(benchmarks) + 1.2))
    axes = picture.axes
    for series, checkpoint in enumerate(checkpoints):
        for row in (row for row in rows if row.checkpoint == checkpoint):
            y = benchmarks.index(row.benchmark) + (series - (len(checkpoints) - 1) / 2) * height
            error = [[row.mean - row.low], [row.high - row.mean]]
            axes.barh(y, row.mean, height * 0.9, color=_SERIES[series % 4], alpha=0.85)
            axes.errorbar(row.mean, y, xerr=error, color="black", capsize=2, linewidth=1)
    axes.set_yticks(range(len(benchmarks)), benchmarks)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("accuracy, mean over samples, with its interval")
    _legend(axes, [_patch(_SERIES[i % 4]) for i in range(len(checkpoints))], checkpoints)
    return picture.png()


def _legend(axes: Any, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """A legend above the picture, where it covers nothing."""
    axes.figure.legend(handles, labels, loc="outside upper right", ncols=len(labels), frameon=False)


def _patch(colour: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=colour)
