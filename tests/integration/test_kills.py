"""kill -9 of a rollout shard at random moments: afterwards every sample is there exactly once."""

import multiprocessing
import random
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from rasft import tables
from rasft.ledger.rows import SampleRow
from rasft.ledger.store import Store
from tests import shard_process, tiny_model

pytestmark = pytest.mark.whole

KILLS = 50  # that hit a shard while it works
KILLS_A_LIFE = 5  # tries before a shard may finish


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.build(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def fork():
    """Processes forked from a server that has imported everything: they start in milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.shard_process"])
    return context


def start(fork, model: Path, ledger: Path | None, result: Path) -> BaseProcess:
    arguments = (str(model), str(ledger) if ledger else None, str(result))
    process = fork.Process(target=shard_process.run_shard, args=arguments)
    process.start()
    return process


def finish(process: BaseProcess) -> None:
    process.join(60)
    assert process.exitcode == 0


def stored_keys(ledger: Path) -> list[str]:
    """The keys of every row of samples, as often as they are stored in whole files."""
    store = Store(str(ledger))
    return [
        key
        for folder in store.folders("samples")
        for table in store.tables(folder, tables.schema(SampleRow), None)
        for key in table["key"].to_pylist()
    ]


def test_fifty_kills_lose_nothing_and_repeat_nothing(fork, model: Path, tmp_path: Path) -> None:
    for _ in range(2):  # the first one also starts the server
        began = time.monotonic()
        finish(start(fork, model, None, tmp_path / "undisturbed.parquet"))
        whole_seconds = time.monotonic() - began
    undisturbed = tables.read(tmp_path / "undisturbed.parquet")
    chance = random.Random(0)
    kills = unfinished = lives = 0
    while kills < KILLS:
        lives += 1
        ledger, result = tmp_path / f"ledger{lives}", tmp_path / f"result{lives}.parquet"
        for _ in range(KILLS_A_LIFE):
            process = start(fork, model, ledger, result)
            process.join(chance.uniform(0, whole_seconds))
            kills += process.is_alive()
            process.kill()
            process.join()
            unfinished += 0 < len(set(stored_keys(ledger))) < undisturbed.num_rows
        finish(start(fork, model, ledger, result))
        assert tables.read(result).equals(undisturbed)
        assert sorted(set(stored_keys(ledger))) == sorted(stored_keys(ledger))
        assert len(stored_keys(ledger)) == undisturbed.num_rows
    print(f"{kills} of {lives * KILLS_A_LIFE} kills hit; {unfinished} left a ledger half full")
    assert unfinished > 0
