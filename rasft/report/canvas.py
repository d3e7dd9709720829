"""One way to make a picture: PNG bytes, readable in print, by the colour-blind and at small size.

The colours are those of Okabe and Ito, Color Universal Design (2008), which stay apart under every
common form of colour blindness. Lines and bars are labelled where they are, not in a legend.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442",
)  # fmt: skip
GREY = "#6b6b6b"
COLOURS = (BLUE, RED, GREEN, PURPLE, GREY, ORANGE, SKY, YELLOW)  # the readable ones first
DPI = 120


def figure(
    draw: Callable[[Any], None], title: str, width: float = 8.0, height: float = 4.0
) -> bytes:
    """A picture with one pair of axes, `width` x `height` in inches."""
    return panels(lambda axes: draw(axes[0]), title, 1, 1, width, height)


def panels(
    draw: Callable[[list[Any]], None],
    title: str,
    number: int,
    across: int,
    width: float = 8.0,
    height: float = 4.0,
) -> bytes:
    """A picture with `number` pairs of axes, `across` to a line, sharing the vertical axis."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    down = -(-number // across)
    grid = made.subplots(down, across, squeeze=False, sharey=True).ravel().tolist()
    for axes in grid:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(length=3)
    for axes in grid[number:]:
        axes.set_visible(False)
    made.suptitle(title, x=0.01, ha="left", fontweight="bold")
    draw(grid[:number])
    buffer = io.BytesIO()
    made.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def spread(values: list[float], least: float) -> list[float]:
    """Places for labels, at least `least` apart, each as near its value as the order allows.

    >>> spread([0.5, 0.51, 0.9], 0.1)
    [0.455, 0.555, 0.9]
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    groups: list[tuple[list[int], float]] = []  # labels that touch, and their common centre
    for index in order:
        members, centre = [index], values[index]
        while groups and centre - groups[-1][1] < least * (len(members) + len(groups[-1][0])) / 2:
            earlier, _ = groups.pop()
            members = [*earlier, *members]
            centre = sum(values[i] for i in members) / len(members)
        groups.append((members, centre))
    placed = [0.0] * len(values)
    for members, centre in groups:
        for place, index in enumerate(members):
            placed[index] = round(centre + least * (place - (len(members) - 1) / 2), 9)
    return placed
