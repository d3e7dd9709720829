"""Pictures of methods side by side: accuracy, solvability before and after, training curves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rasft.records import BenchmarkResult
from rasft.report.canvas import BLUE, CLASSES, COLOURS, GREY, Picture, spread
from rasft.results import statistics
from rasft.results.cells import BASE, WARM_UP, Cell, StoredRun, labels
from rasft.results.result_table import Entry, ResultTable
from rasft.results.statistics import share_correct

ACROSS = 3  # panels to a line
BUCKETS = ("never", "up to half", "over half", "always")

Key = tuple[str, str, int]  # benchmark, problem, seed
Shares = Mapping[str, Mapping[Key, float]]  # row -> share of a problem's samples that are correct


def pictures(
    table: ResultTable, found: Sequence[Cell], runs: Sequence[StoredRun]
) -> dict[str, bytes]:
    """Every picture that these runs give, by file name."""
    rows = solved(found)
    drawn = {
        "accuracy.png": accuracy(table),
        "problems-solved.png": solvability(rows),
        "accuracy-by-solvability.png": by_bucket(rows),
        "drift-and-accuracy.png": drift(rows, runs),
        "training-curves.png": curves(runs),
    }
    return {name: picture for name, picture in drawn.items() if picture}


def solved(found: Sequence[Cell]) -> Shares:
    """What each row solved of each problem, by seed."""
    by_row: dict[str, dict[Key, float]] = {}
    for cell in found:
        by_row.setdefault(cell.row, {}).update(shares(cell.results, cell.seed))
    return by_row


def shares(results: Iterable[BenchmarkResult], seed: int = 0) -> dict[Key, float]:
    """The share of each problem's samples that are correct; a problem with none decided is out."""
    rows = list(results)
    scores = share_correct([row.correct for row in rows]).tolist()
    return {
        (row.benchmark, row.problem_id, seed): score
        for row, score in zip(rows, scores, strict=True)
        if not np.isnan(score)
    }


def accuracy(table: ResultTable) -> bytes:
    """Each row's accuracy on each benchmark with its interval, a panel a benchmark."""
    names = [row.name for row in table.rows if row.remark is None]
    across = min(ACROSS, len(table.columns))
    down = -(-len(table.columns) // across)

    height = 0.7 + down * (0.95 + 0.38 * len(names))
    title = "Accuracy with intervals"
    picture = Picture(title, len(table.columns), across, 1.6 + 2.7 * across, height)
    grid = picture.grid
    for place, (axes, column) in enumerate(zip(grid, table.columns, strict=True)):
        for y, row in enumerate(row for row in table.rows if row.remark is None):
            _dot(axes, y, row.entries[place])
        axes.set_title(column, loc="left", fontsize=10)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(left=0)
        axes.margins(x=0.18)
        axes.set_xlabel("accuracy, %")
    return picture.png()


def _dot(axes: Any, y: int, entry: Entry) -> None:
    if entry.value is None:
        axes.text(0, y, " failed" if entry.failure else " none", color=GREY, va="center")
        return
    x = 100 * entry.value
    if entry.low is not None and entry.high is not None:
        axes.plot([100 * entry.low, 100 * entry.high], [y, y], color=BLUE, linewidth=2)
    axes.plot(x, y, "o", color=BLUE, markersize=6)
    axes.annotate(
        f"{x:.1f}", (x, y), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8
    )


def solvability(found: Shares) -> bytes:
    """What part of the benchmarks' problems each row solves never, sometimes and always."""
    rows = list(found)

    picture = Picture("Problems solved by their samples", width=8, height=1.5 + 0.42 * len(rows))
    axes = picture.axes
    for y, row in enumerate(rows):
        left = 0.0
        counts = _classes(found[row].values())
        for name, colour in CLASSES.items():
            width = 100 * counts[name] / max(1, len(found[row]))
            axes.barh(y, width, left=left, color=colour, height=0.7)
            if width >= 4:
                ink = "white" if colour == BLUE else "black"
                axes.text(left + width / 2, y, f"{width:.0f}", ha="center", va="center", color=ink)
            left += width
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel("problems of all benchmarks, % (each counts once a seed)")
    bars = [axes.barh(0, 0, color=colour) for colour in CLASSES.values()]
    axes.figure.legend(bars, CLASSES, loc="outside upper right", ncols=3, frameon=False)
    return picture.png()


def _classes(values: Any) -> dict[str, int]:
    counts = dict.fromkeys(CLASSES, 0)
    for value in values:
        counts["never" if value == 0 else "always" if value == 1 else "sometimes"] += 1
    return counts


def by_bucket(found: Shares) -> bytes | None:
    """Accuracy of the trained rows by how the model they started from solved the problem.

    The start is the warm-up where there is one, else the base. It is not drawn: a problem counted
    as never solved because of the samples it was judged by would look worse than it is. The trained
    rows have samples of their own, so no such thing befalls them.
    """
    start = found.get(WARM_UP) or found.get(BASE)
    trained = [row for row in found if row not in (BASE, WARM_UP)]
    if not start or not trained:
        return None
    members = {name: [key for key in start if _bucket(start[key]) == name] for name in BUCKETS}
    present = [name for name in BUCKETS if members[name]]

    picture = Picture("Accuracy by solvability before training", width=8, height=4.4)
    axes = picture.axes
    means = {
        row: [_mean([found[row][k] for k in members[n] if k in found[row]]) for n in present]
        for row in trained
    }
    _lines(axes, means, len(present))
    ticks = [f"{name}\nn = {len(members[name])}" for name in present]
    axes.set_xticks(range(len(present)), ticks)
    axes.set_ylim(-4, 104)
    axes.set_xlabel("samples that the starting model solved (n: problems x seeds)")
    axes.set_ylabel("accuracy after training, %")
    return picture.png()


def drift(found: Shares, runs: Sequence[StoredRun]) -> bytes | None:
    """Each trained row's change in accuracy against how far it moved from its start, a panel a
    benchmark; small marks are seeds."""
    start = found.get(WARM_UP) or found.get(BASE)
    points = _moved(found, start or {}, runs)
    if not points:
        return None
    benchmarks = list(dict.fromkeys(name for name, _ in points))
    across = min(ACROSS, len(benchmarks))
    height = 3.6 * -(-len(benchmarks) // across) + 0.6
    picture = Picture("Drift and accuracy", len(benchmarks), across, 1.6 + 3.2 * across, height)
    rows = list(dict.fromkeys(row for _, row in points))
    colours = {row: COLOURS[place % len(COLOURS)] for place, row in enumerate(rows)}
    changes = [change for cloud in points.values() for _, change in cloud]
    reach = min(changes), max(changes)
    for axes, benchmark in zip(picture.grid, benchmarks, strict=True):
        clouds = {
            row: np.array(points[benchmark, row]) for row in rows if (benchmark, row) in points
        }
        _clouds(axes, clouds, colours, reach)
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set_title(benchmark, loc="left", fontsize=10)
        axes.set_xlabel("drift, nats a token")
    picture.grid[0].set_ylabel("accuracy - that of the start, points")
    return picture.png()


def _moved(
    found: Shares, start: Mapping[Key, float], runs: Sequence[StoredRun]
) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """(drift, change in points) of each seed, by benchmark and row."""
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row, run in zip(labels(runs), runs, strict=True):
        changes: dict[str, list[float]] = {}
        for key, share in found.get(row, {}).items():
            if key[2] == run.seed and key in start:
                changes.setdefault(key[0], []).append(share - start[key])
        for benchmark, change in changes.items() if run.drift is not None else ():
            place = points.setdefault((benchmark, row), [])
            place.append((float(run.drift or 0.0), 100 * float(np.mean(change))))
    return points


def _clouds(
    axes: Any,
    clouds: Mapping[str, Any],
    colours: Mapping[str, str],
    reach: tuple[float, float],
) -> None:
    """Each row's seeds and their mean, with its name to the right of all, joined by a thin line.

    `reach` is that of the vertical axis, which all panels share.
    """
    low, high = reach
    drifts = np.concatenate([cloud[:, 0] for cloud in clouds.values()])
    left, right = drifts.min(), drifts.max()
    room, edge = max(high - low, 1.0), right + 0.12 * max(right - left, 1e-6)
    means = {row: cloud.mean(axis=0) for row, cloud in clouds.items()}
    places = spread([mean[1] for mean in means.values()], 0.062 * room, lowest=low - 0.1 * room)
    for (row, cloud), place in zip(clouds.items(), places, strict=True):
        colour, (x, y) = colours[row], means[row]
        axes.plot(*cloud.T, "o", color=colour, markersize=3, alpha=0.5)
        axes.plot(x, y, "o", color=colour, markersize=7)
        axes.plot([x, edge], [y, place], color=colour, linewidth=0.5)
        axes.text(edge, place, f" {row}", color=colour, va="center", fontsize=9)
    names = 0.03 * max(map(len, clouds)) + 0.1
    axes.set_xlim(left - 0.05 * (edge - left), edge + names * (edge - left))


def _bucket(share: float) -> str:
    if share in (0, 1):
        return BUCKETS[0] if share == 0 else BUCKETS[3]
    return BUCKETS[1] if share <= 0.5 else BUCKETS[2]


def _mean(values: Sequence[float]) -> statistics.Estimate:
    return statistics.mean(np.array(values, dtype=np.float64), samples=2000)


def _lines(axes: Any, means: Mapping[str, Sequence[statistics.Estimate]], number: int) -> None:
    """A line with intervals for each row, shifted so that they do not cover each other."""
    shift = 0.06
    for place, found in enumerate(means.values()):
        colour = COLOURS[place % len(COLOURS)]
        x = np.arange(number) + shift * (place - (len(means) - 1) / 2)
        y = 100 * np.array([each.value for each in found])
        reach = [
            [100 * (e.value - e.low) for e in found],
            [100 * (e.high - e.value) for e in found],
        ]
        axes.errorbar(x, y, yerr=reach, color=colour, marker="o", capsize=2, linewidth=1.5)
    last = [100 * found[-1].value for found in means.values()]
    edge = number - 1 + shift * (len(means) - 1) / 2  # where the last line ends
    _direct_labels(axes, dict(zip(means, last, strict=True)), edge + shift, 6.0)
    axes.set_xlim(-0.4, edge + 0.2 + 0.09 * max(map(len, means)))


def _direct_labels(axes: Any, last: Mapping[str, float], x: float, least: float) -> None:
    """Each line's name beside its end, moved apart where they would touch."""
    places = spread(list(last.values()), least, lowest=axes.get_ylim()[0])
    for place, (name, y) in enumerate(zip(last, places, strict=True)):
        axes.text(x, y, name, color=COLOURS[place % len(COLOURS)], va="center", fontsize=9)


def curves(runs: Sequence[StoredRun]) -> bytes | None:
    """The plain negative log-likelihood of the training sequences by step, a line a run."""
    named = zip(labels(runs), runs, strict=True)
    by_row: dict[str, list[Sequence[Mapping[str, float]]]] = {}
    for name, run in named:
        if run.curve and "nll" in run.curve[0]:
            by_row.setdefault(name, []).append(run.curve)
    if not by_row:
        return None

    picture = Picture("Training curves, a line for each seed", width=8, height=4.2)
    axes = picture.axes
    for place, steps in enumerate(by_row.values()):
        for one in steps:
            x, y = [row["step"] for row in one], [row["nll"] for row in one]
            axes.plot(x, y, color=COLOURS[place % len(COLOURS)], linewidth=1.2, alpha=0.8)
    end = max(row["step"] for steps in by_row.values() for one in steps for row in one)
    low, high = axes.get_ylim()
    last = {n: float(np.mean([s[-1]["nll"] for s in steps])) for n, steps in by_row.items()}
    _direct_labels(axes, last, end * 1.02, (high - low) * 0.055)
    axes.set_xlim(0, end * (1.06 + 0.016 * max(map(len, by_row))))
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("negative log-likelihood,\nnats a response token, unweighted")
    return picture.png()
