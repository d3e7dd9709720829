"""What several trainings start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from rasft.records import TrainingExample
from tests import tiny_model
from tests.training_jobs import counting


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's folder; no test writes into it."""
    return tiny_model.build(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def examples(base: Path) -> list[TrainingExample]:
    """Rows that it can learn."""
    return counting(base)
