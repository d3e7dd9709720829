"""Pictures of the training examples: how long they are, and how much each token weighs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rasft.records import EXPERT
from rasft.report.canvas import BLUE, RED, Picture

KINDS = {"expert": BLUE, "own": RED}

LEAST = 1e-6  # weights below are drawn here

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


def lengths(examples: pa.Table) -> bytes:
    """How many tokens the prompts and responses of the training sequences have."""
    whole = pc.list_value_length(examples["input_ids"]).to_numpy()
    prompts = examples["prompt_tokens"].to_numpy()
    measured = {"prompt, tokens": prompts, "response, tokens": whole - prompts}

    picture = Picture("Lengths of the training sequences", 2, 2, 8, 3.8)
    grid = picture.grid
    for axes, (name, values) in zip(grid, measured.items(), strict=True):
        bins = np.histogram_bin_edges(values, bins=min(40, max(8, len(values) // 8)))
        _outlines(axes, values, _is_expert(examples), bins, "sequences")
        axes.set_xlabel(name)
    grid[0].set_ylabel("sequences")
    return picture.png()


def token_weights(examples: pa.Table) -> bytes | None:
    """The weight of each response token at the first step: w pi_ref(y_t).

    The policy is then the reference, so the clipped ratio is 1 and this is what the RASFT loss
    multiplies -log pi(y_t) by. None where no reference log-probabilities were stored.
    """
    logps = examples["reference_logps"]
    counts = pc.list_value_length(logps).to_numpy()
    if not counts.sum():
        return None
    probability = np.exp(pc.list_flatten(logps).to_numpy())
    weights = np.maximum(LEAST, probability * np.repeat(examples["weight"].to_numpy(), counts))
    expert = np.repeat(_is_expert(examples), counts)

    picture = Picture("Weight of each response token", width=8, height=3.8)
    axes = picture.axes
    bins = np.geomspace(weights.min() * 0.99, weights.max() * 1.01, 40)
    _outlines(axes, weights, expert, bins, "tokens")
    axes.set_xscale("log")
    axes.set_xlabel(f"w π(y) at the first step ({LEAST:g} holds all that is less)")
    axes.set_ylabel("tokens")
    return picture.png()


def _is_expert(examples: pa.Table) -> Flags:
    found: Flags = examples["sample_index"].to_numpy() <= EXPERT
    return found


def _outlines(axes: Any, values: Numbers, expert: Flags, bins: Numbers, unit: str) -> None:
    """A histogram of the expert responses and one of the own solutions, each with its label."""
    for place, (kind, colour) in enumerate(KINDS.items()):
        chosen = values[expert if kind == "expert" else ~expert]
        if len(chosen):
            axes.hist(chosen, bins, histtype="step", color=colour, linewidth=1.8)
            said = f"{kind}: {len(chosen)} {unit}, median {np.median(chosen):.3g}"
            axes.text(
                0.02, 1.0 - 0.075 * place, said, color=colour, va="top", fontsize=9,
                transform=axes.transAxes,
            )  # fmt: skip
    axes.set_ylim(top=axes.get_ylim()[1] * 1.25)
