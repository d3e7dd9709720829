"""The report's pictures, as PNG bytes. Each is one function of plain results."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rasft.records import Group
from rasft.results.accuracy import Accuracy

CLASSES = NEVER, SOMETIMES, ALWAYS = "never", "sometimes", "always"
_COLOURS = {NEVER: "#c44e52", SOMETIMES: "#dd8452", ALWAYS: "#55a868"}
_SERIES = ("#8c8c8c", "#4c72b0", "#dd8452", "#55a868")


def solvability_class(group: Group) -> str:
    """Whether the policy solved a rolled-out problem never, sometimes or always."""
    if not group.solvability:
        return NEVER
    return ALWAYS if group.solvability == 1 else SOMETIMES


def solvability(groups: Sequence[Group]) -> bytes:
    """How many problems were solved in which share of their unique rollouts."""
    rolled = [g for g in groups if g.solvability is not None]

    def draw(axes: Any) -> None:
        for name in CLASSES:
            values = Counter(g.solvability for g in rolled if solvability_class(g) == name)
            label = f"{name}: {values.total()}"
            axes.bar(list(values), list(values.values()), 0.045, color=_COLOURS[name], label=label)
        axes.set_xlim(-0.05, 1.05)
        axes.set_xlabel("solvability (share of a problem's unique rollouts that are correct)")
        axes.set_ylabel("problems")
        _legend(axes, *axes.get_legend_handles_labels())

    return _figure(draw, f"Solvability of {len(rolled)} problems")


def weights(groups: Sequence[Group]) -> bytes:
    """The weight given to expert responses and own solutions, by solvability class."""

    def draw(axes: Any) -> None:
        for position, name in enumerate(CLASSES):
            members = [g for g in groups if g.sampled and solvability_class(g) == name]
            expert = sum(g.expert_weight for g in members)
            own = sum(sum(g.rollout_weights) for g in members)
            count = max(1, len(members))
            axes.bar(position - 0.2, expert / count, 0.38, color=_SERIES[1])
            axes.bar(position + 0.2, own / count, 0.38, color=_SERIES[3])
            for x, value in ((position - 0.2, expert), (position + 0.2, own)):
                axes.text(x, value / count, f"{value / count:.3g}", ha="center", va="bottom")
        axes.set_xticks(range(3), [f"{name} solved" for name in CLASSES])
        axes.set_ylabel("mean weight a problem")
        patches = [_patch(_SERIES[1]), _patch(_SERIES[3])]
        _legend(axes, patches, ["expert", "own correct rollouts"])
        axes.margins(y=0.15)

    return _figure(draw, "Training weight by solvability")


def curve(steps: Sequence[Mapping[str, float]], title: str) -> bytes:
    """The weighted loss and the plain negative log-likelihood over optimizer steps."""

    def draw(axes: Any) -> None:
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

    return _figure(draw, title)


def rewards(steps: Sequence[Mapping[str, float]], title: str) -> bytes:
    """The mean reward over optimizer steps, and the share of groups that taught nothing."""

    def draw(axes: Any) -> None:
        x = [row["step"] for row in steps]
        axes.plot(x, [row["reward"] for row in steps], color=_SERIES[1], label="mean reward")
        idle = [row["equal_groups"] for row in steps]
        axes.plot(x, idle, color=_SERIES[2], label="groups with equal rewards")
        axes.set_xlabel("optimizer step")
        axes.set_ylabel("share")
        axes.set_ylim(-0.02, 1.02)
        _legend(axes, *axes.get_legend_handles_labels())

    return _figure(draw, title)


def accuracy(rows: Sequence[Accuracy]) -> bytes:
    """Accuracy of each checkpoint by benchmark, with its interval."""
    benchmarks = list(dict.fromkeys(row.benchmark for row in rows))
    checkpoints = list(dict.fromkeys(row.checkpoint for row in rows))
    height = 0.8 / max(1, len(checkpoints))

    def draw(axes: Any) -> None:
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

    return _figure(draw, "Accuracy by benchmark", rows=len(benchmarks))


def _legend(axes: Any, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """A legend above the picture, where it covers nothing."""
    axes.figure.legend(handles, labels, loc="outside upper right", ncols=len(labels), frameon=False)


def _patch(colour: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=colour)


def _figure(draw: Callable[[Any], None], title: str, rows: int = 6) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, max(3.6, 0.55 * rows + 1.2)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, loc="left")
    draw(axes)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
