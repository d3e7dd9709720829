"""The ledger in an object store: moto's S3 server on the loopback, through Arrow's own client."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from rasft.cli import main
from rasft.config.settings import LedgerConfig, TrainingConfig
from rasft.errors import MachineError
from rasft.ledger import Ledger, open_ledger
from rasft.ledger.rows import SampleRow, SampleSource
from rasft.ledger.store import Facts, Store
from rasft.ledger.trainings import train_once, training_facts
from rasft.ledger.upkeep import inventory, merge
from rasft.training.storage.jobs import EXAMPLES, SUMMARY, TrainingJob
from tests import tiny_model
from tests.integration.cluster.storage import BUCKET, KEYS, s3

SOURCE = SampleSource("model", "engine 1", "float32", 1.0, 0.9, 1.0, (2,))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with s3() as endpoint, pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        yield f"s3://{BUCKET}/some/ledger"


def row(number: int) -> SampleRow:
    return SampleRow(f"k{number:02}", "d", "p", 1, number, number, (3, 2), f"text {number}", "stop")


def test_rows_written_by_several_come_back_once(address: str) -> None:
    def write(writer: int) -> None:
        with open_ledger(LedgerConfig(path=address)).samples(SOURCE) as stored:
            for number in range(writer, writer + 3):  # each row by up to three writers
                stored.put(row(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    stored = open_ledger(LedgerConfig(path=address)).samples(SOURCE)
    assert sorted(stored.rows(), key=lambda each: each.key) == [row(number) for number in range(6)]
    assert stored.find(["k01", "none"]) == {"k01": row(1)}


def test_what_is_not_whole_is_not_read_and_small_files_are_merged(address: str) -> None:
    store = Store(f"{address}/other")
    stored = Ledger(store).samples(SOURCE)
    for number in range(3):
        stored.put(row(number))
        stored.flush()
    content = store.fs.cat_file(store.files(stored.folder)[0])
    store.put(f"{stored.folder}/{'0' * 64}.parquet", content[:-20])
    assert len(list(stored.rows())) == 3
    assert list(store.ignored.values()) == ["damaged"]
    (folder,) = inventory(store)
    assert merge(store, folder) == 2
    assert stored.has([f"k{number:02}" for number in range(3)]) == {"k00", "k01", "k02"}
    done = CliRunner().invoke(main, ["ledger", "ls", "--path", f"{address}/other"])
    assert "checkpoint model, engine engine 1" in done.output


def test_a_bucket_that_is_not_there_is_one_message(address: str) -> None:
    stored = open_ledger(LedgerConfig(path="s3://no-such-bucket/x")).samples(SOURCE)
    stored.put(row(0))
    with pytest.raises(MachineError, match="the ledger cannot write"):
        stored.flush()


@pytest.mark.parametrize("where", ["local", "s3"])
def test_a_finished_training_is_made_once(address: str, tmp_path: Path, where: str) -> None:
    root = f"{address}/{where}" if where == "s3" else str(tmp_path / "ledger")
    job = TrainingJob(str(tiny_model.build(tmp_path / "tiny")), TrainingConfig(), "float32", 1)
    trained = []

    def run(name: str, examples: bytes) -> dict[str, int]:
        folder = tmp_path / name
        folder.mkdir()
        (folder / EXAMPLES).write_bytes(examples)

        def train() -> dict[str, int]:
            trained.append(name)
            (folder / "model").mkdir()
            (folder / "model" / "weights").write_bytes(b"w" * 100_000)
            (folder / SUMMARY).write_text('{"steps": 3}')
            return {"steps": 3}

        def facts() -> Facts:
            return training_facts(job, folder)

        summary = train_once(Ledger(Store(root)), facts, folder, train)
        assert (folder / "model" / "weights").read_bytes() == b"w" * 100_000
        return dict(summary)

    assert [run("first", b"rows"), run("again", b"rows"), run("other", b"more")] == [
        {"steps": 3}
    ] * 3
    assert trained == ["first", "other"]
    store = Store(root)
    for path in store.folders("trainings"):
        for each in store.paths(path):
            if len(each.rpartition("/")[2]) == 64:
                store.put(each, b"damaged")
    run("mended", b"rows")
    assert trained[-1] == "mended"
