"""What several trainings start from, and what no file may leave to the next."""

from __future__ import annotations

import sys
from collections.abc import Iterator
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


@pytest.fixture(scope="module", autouse=True)
def runs_of_this_file() -> Iterator[None]:
    """Metaflow's client stays with the first store that it finds; each file has one of its own."""
    yield
    if client := sys.modules.get("metaflow.client.core"):
        client.current_metadata = False
        sys.modules["metaflow.plugins.datastores.local_storage"].LocalStorage.datastore_root = None
