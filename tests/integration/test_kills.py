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

LIVES = 10  # shards, each killed KILLS times before it may finish
KILLS = 5


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
    kills = unfinished = 0
    for life in range(LIVES):
        ledger, result = tmp_path / f"ledger{life}", tmp_path / f"result{life}.parquet"
        for _ in range(KILLS):
            process = start(fork, model, ledger, result)
            process.join(chance.uniform(0, whole_seconds))
            kills += process.is_alive()
            process.kill()
            process.join()
        kept = len(set(stored_keys(ledger)))
        unfinished += 0 < kept < undisturbed.num_rows
        finish(start(fork, model, ledger, result))
        assert tables.read(result).equals(undisturbed)
        assert sorted(set(stored_keys(ledger))) == sorted(stored_keys(ledger))
        assert len(stored_keys(ledger)) == undisturbed.num_rows
    print(f"{kills} of {LIVES * KILLS} kills hit; {unfinished} of {LIVES} ledgers half full")
    assert unfinished > 0
