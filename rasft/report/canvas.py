"""One way to make a picture: PNG bytes, readable in print, by the colour-blind and at small size.

The colours are those of Okabe and Ito, Color Universal Design (2008), which stay apart under every
common form of colour blindness. Lines and bars are labelled where they are, not in a legend.
"""

from __future__ import annotations

import io
import math
from typing import Any

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442",
)  # fmt: skip
GREY = "#6b6b6b"
COLOURS = (BLUE, RED, GREEN, PURPLE, GREY, ORANGE, SKY, YELLOW)  # the readable ones first
CLASSES = {"never": ORANGE, "sometimes": SKY, "always": BLUE}  # of solvability
DPI = 120


class Picture:
    """`number` pairs of axes, `across` to a line, that share the vertical axis; sizes in inches."""

    def __init__(
        self,
        title: str,
        number: int = 1,
        across: int = 1,
        width: float = 8.0,
        height: float = 4.0,
    ):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(self._figure)
        down = -(-number // across)
        places = self._figure.subplots(down, across, squeeze=False, sharey=True).ravel().tolist()
        self.grid: list[Any] = places[:number]
        for axes in self.grid:
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(length=3)
        for axes in places[number:]:
            axes.set_visible(False)
        self._figure.suptitle(title, x=0.01, ha="left", fontweight="bold")

    @property
    def axes(self) -> Any:
        """The axes of a picture that has one pair."""
        (only,) = self.grid
        return only

    def png(self) -> bytes:
        """What was drawn."""
        buffer = io.BytesIO()
        self._figure.savefig(buffer, format="png", dpi=DPI)
        return buffer.getvalue()


def spread(values: list[float], least: float, lowest: float = -math.inf) -> list[float]:
    """Places for labels, at least `least` apart and none below `lowest`, each as near its value as
    the order allows.

    >>> spread([0.5, 0.51, 0.9], 0.1)
    [0.455, 0.555, 0.9]
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    groups: list[tuple[list[int], float]] = []  # labels that touch, and their common centre
    for index in order:
        members, centre = [index], max(values[index], lowest)
        while groups and centre - groups[-1][1] < least * (len(members) + len(groups[-1][0])) / 2:
            earlier, _ = groups.pop()
            members = [*earlier, *members]
            middle = sum(values[i] for i in members) / len(members)
            centre = max(middle, lowest + least * (len(members) - 1) / 2)
        groups.append((members, centre))
    placed = [0.0] * len(values)
    for members, centre in groups:
        for place, index in enumerate(members):
            placed[index] = round(centre + least * (place - (len(members) - 1) / 2), 9)
    return placed
