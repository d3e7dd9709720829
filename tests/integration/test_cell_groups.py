"""Cells that one task trains and evaluates together: the same bits as apart, and failing apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rasft.config import comparison
from rasft.config import files as config_files
from rasft.config.settings import Config
from rasft.models import folders
from rasft.stages import cell_training, cells, prepare, shared
from rasft.stages.cells import Outcome
from rasft.stages.kept import Kept
from rasft.stages.shared import Shared
from rasft.training.launch.launcher import STANDALONE, LaunchContext
from tests import tiny_model

SEED = 3
COMPARED = """
extends: tiny
name: both
model: {{path: {model}, dtype: float32}}
data:
  datasets: [{{name: generated_sums, limit: 8, options: {{steps: {{1: 1}}}}}}]
  max_tokens: 512
warmup: null
ledger: {{enabled: false}}
training: {{batch_size: 4, epochs: 2}}
rollout: {{samples_per_problem: 2, max_new_tokens: 4}}
evaluation:
  max_new_tokens: 4
  benchmarks: [{{name: heldout_sums, limit: 3, samples: 2}}]
comparison:
  cells_per_task: 4
  seeds: [3]
  methods:
    sft: {{}}
    broken: {{training: {{method: dft, learning_rate: 1.0e+30, warmup_steps: 0}}}}
    rasft: {{}}
"""


class Seed:
    """What the cells of a seed start from, and their models as they come."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.policy = tiny_model.build_untied(folder / "model")
        self.config = config_files.parse(COMPARED.format(model=self.policy))
        self.seeded = comparison.seeded(self.config, SEED)
        self.prepared = prepare.prepare(self.seeded)
        problems = self.prepared.training
        self.shared: Shared = shared.share(self.seeded, problems, self.policy, True)

    def train_one(self, config: Config, scratch: Path, context: LaunchContext) -> Outcome:
        done = cell_training.train_cell(config, self.shared, self.policy, scratch, context)
        told = cells.account(config, self.shared, done)
        kept = done.folder.rename(self.folder / f"{config.name}-{id(context)}")
        return {**told, "trained": kept}

    def models(self, trainings: dict[str, Outcome]) -> dict[str, dict[str, Path]]:
        trained = {
            name: {"trained": done["trained"]}
            for name, done in trainings.items()
            if "trained" in done
        }
        return {comparison.START: {"base": self.policy}} | trained


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Seed:
    return Seed(tmp_path_factory.mktemp("seed"))


@pytest.fixture(scope="module")
def together(seed: Seed) -> dict[str, Outcome]:
    (group,) = cells.groups(seed.config)
    return cells.train_group(seed.config, SEED, group, seed.train_one)


def without_times(outcome: Outcome) -> Any:
    times = ("seconds", "step_seconds", "peak_memory_bytes")
    rows = [outcome["summary"], *outcome["curve"]]
    return [{key: value for key, value in row.items() if key not in times} for row in rows]


def test_a_cell_that_fails_fails_alone(together: dict[str, Outcome]) -> None:
    assert list(together) == ["sft", "broken", "rasft"]
    assert set(together["broken"]) == {"failure"}
    assert "training stopped before step 2" in together["broken"]["failure"]


@pytest.mark.parametrize("method", ["sft", "rasft"])
def test_a_cell_of_a_group_has_the_bits_of_one_alone(
    seed: Seed, together: dict[str, Outcome], method: str, tmp_path: Path
) -> None:
    config = comparison.cell(seed.config, method, SEED)
    alone = seed.train_one(config, tmp_path, STANDALONE)
    assert without_times(together[method]) == without_times(alone)
    assert folders.fingerprint(together[method]["trained"]) == alone["summary"]["fingerprint"]


def test_one_engine_gives_each_cell_the_results_of_its_own(
    seed: Seed, together: dict[str, Outcome]
) -> None:
    (group,), models = cells.groups(seed.config), seed.models(together)
    benchmarks = seed.prepared.benchmarks
    found = cells.evaluate_group(seed.seeded, group, benchmarks, models)
    assert list(found) == [comparison.START, "sft", "rasft"]
    for method, outcome in found.items():
        with Kept() as own:
            alone = cells.evaluate_cell(seed.seeded, method, benchmarks, models[method], own)
        assert outcome == alone


def test_an_evaluation_that_fails_fails_alone(
    seed: Seed, together: dict[str, Outcome], tmp_path: Path
) -> None:
    models = {**seed.models(together), "sft": {"trained": tmp_path / "gone"}}
    (group,) = cells.groups(seed.config)
    found = cells.evaluate_group(seed.seeded, group, seed.prepared.benchmarks, models)
    assert ["failure" in each for each in found.values()] == [False, True, False]


def test_the_only_cell_of_a_task_fails_the_task(seed: Seed) -> None:
    def fails(config: Config, scratch: Path, context: LaunchContext) -> Outcome:
        assert context == STANDALONE
        raise ValueError(config.name)

    with pytest.raises(ValueError, match="sft"):
        cells.train_group(seed.config, SEED, ["sft"], fails)
