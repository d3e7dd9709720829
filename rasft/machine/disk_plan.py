"""How much disk a run takes: the models that it trains, which are nearly all of it."""

from __future__ import annotations

from dataclasses import dataclass

from rasft.config.comparison import cell
from rasft.config.settings import Config

BYTES = 4  # of a parameter: trained in float32, and kept so
STATES = 3  # of a checkpoint: the parameters and Adam's two moments
GB = 1e9


@dataclass(frozen=True)
class DiskPlan:
    """The models of a run, and the bytes of one."""

    stored: int  # in the datastore
    known: int  # in the ledger
    model: float
    checkpoints: float  # bytes of one training while it runs

    def told(self) -> str:
        """In one line."""
        stay, model, more = (
            f"{size / GB:,.1f}"
            for size in ((self.stored + self.known) * self.model, self.model, self.checkpoints)
        )
        return (
            f"{stay} GB stay: models of {model}, {self.stored} in the datastore and {self.known} "
            f"in the ledger; checkpoints take {more} while one trains"
        )


def disk_plan(config: Config, parameters: float) -> DiskPlan:
    """Of a run that trains a model of so many parameters."""
    model = parameters * BYTES
    stored, known = _models(config)
    keeps = config.ledger.enabled and config.ledger.trainings
    checkpoints = model * STATES * config.training.checkpoints_kept
    return DiskPlan(stored, known if keeps else 0, model, checkpoints)


def _models(config: Config) -> tuple[int, int]:
    """In the datastore, and in the ledger: there a warm-up that all seeds share is one, and each
    round of a cell is a training."""
    comparison, warmup = config.comparison, config.warmup
    taught = int(warmup is not None)
    if not comparison:
        return 1 + taught, 1 + taught
    seeds = len(comparison.seeds)
    cells = [cell(config, name, comparison.seeds[0]) for name in comparison.methods]
    shared = warmup is not None and warmup.seed is not None
    rounds = sum(each.rounds for each in cells)
    return seeds * (len(cells) + taught), seeds * rounds + taught * (1 if shared else seeds)
