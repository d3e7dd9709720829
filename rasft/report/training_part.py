"""How the training went: its text and its picture, of supervised or reinforcement learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rasft.report import plots

MIXED = (
    "The plain NLL of a step is over two kinds of sequences: the policy's own solutions, which it "
    "finds probable, and expert solutions, which on hard problems it finds improbable. So it moves "
    "with how many of each a step holds. It is not what is minimised: the weighted loss is. RASFT "
    "also multiplies each token's term by the token's probability, so improbable tokens are hardly "
    "trained on. The plain NLL may therefore rise while the training works; the held-out accuracy "
    "tells."
)


def of(method: str, curve: Sequence[Mapping[str, Any]]) -> tuple[str, bytes]:
    """The text and the picture."""
    if curve and "reward" in curve[0]:
        return _text(method, curve), plots.rewards(curve, "Training")
    return _text(method, curve), plots.curve(curve, "Training")


def _text(method: str, curve: Sequence[Mapping[str, Any]]) -> str:
    if not curve:
        return "No optimizer step was taken."
    first, last = curve[0], curve[-1]
    steps = f"Method `{method}`, {len(curve)} optimizer steps; "
    if "reward" in first:
        return (f"{steps}mean reward {first['reward']:.3f} at the first, {last['reward']:.3f} at "
                "the last.")  # fmt: skip
    told = (f"{steps}plain negative log-likelihood {first['nll']:.3f} at the first, "
            f"{last['nll']:.3f} at the last.")  # fmt: skip
    return f"{told}\n\n{MIXED}" if plots.has_own(curve) else told
