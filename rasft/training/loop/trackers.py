"""The curve in the experiment trackers that Accelerate knows: TensorBoard, W&B, MLflow.

TensorBoard's event files are written into the job's folder and travel with the trained model,
where a model hub finds them.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from rasft.config.settings import TrainingConfig
from rasft.errors import UserError
from rasft.records import TrainingStep

RUNS = "runs"  # the folder of the event files, as model hubs expect it beside the weights


def check_trackers(names: tuple[str, ...]) -> None:
    """Raise UserError for a tracker whose package is not installed."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise UserError(
                f"training.trackers names {name}, which is not installed; "
                f"run: pip install {name}, or take it out"
            )


def start_trackers(accelerator: Accelerator, config: TrainingConfig) -> None:
    """Open the trackers that the accelerator was made with; they get the settings as numbers
    and words."""
    accelerator.init_trackers("rasft", config=_flat(config.model_dump(mode="json")))


def track(accelerator: Accelerator, row: TrainingStep) -> None:
    """Send one step's numbers."""
    values = {f"train/{name}": value for name, value in dataclasses.asdict(row).items()}
    accelerator.log({k: v for k, v in values.items() if v is not None}, step=row.step)


def event_folder(job_dir: Path) -> Path:
    """Where TensorBoard's event files of a job are."""
    return job_dir / RUNS


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str | int | float | bool]:
    """Nested settings as one level, the way trackers take them."""
    found: dict[str, str | int | float | bool] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            plain = isinstance(value, str | int | float | bool)
            found[prefix + name] = value if plain else str(value)
    return found
