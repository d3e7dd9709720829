"""The ledger: what is stored comes back, and only what is whole is read."""

import io
import threading
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from rasft.config.settings import LedgerConfig
from rasft.errors import MachineError, UserError
from rasft.ledger import Ledger, location, open_ledger
from rasft.ledger.rows import (
    SampleRow,
    SampleSource,
    VerdictRow,
    problem_digest,
    problem_row,
    read_problem,
    sample_key,
    score_key,
    verdict_key,
)
from rasft.ledger.store import Store
from rasft.records import Problem
from rasft.tables import schema

SOURCE = SampleSource("model", "engine 1", "float32", 1.0, 0.9, 1.0, (2,))
PROBLEM = Problem(id="p", prompt="What is 2 + 3?", verifier="math", answer="5")


def row(key: str, text: str = "5") -> SampleRow:
    return SampleRow(key, "digest", "p", 1, 0, 9, (3, 4, 2), text, "stop")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(Store(str(tmp_path)))


def test_rows_come_back_by_key(ledger: Ledger) -> None:
    with ledger.samples(SOURCE) as stored:
        stored.put(row("a"))
        stored.put(row("b", "six"))
    fresh = ledger.samples(SOURCE)
    assert fresh.find(["b", "c"]) == {"b": row("b", "six")}
    assert fresh.has(["a", "c"]) == {"a"}
    assert [each.key for each in fresh.rows()] == ["a", "b"]


def test_other_facts_are_another_table(ledger: Ledger) -> None:
    with ledger.samples(SOURCE) as stored:
        stored.put(row("a"))
    for change in (
        {"checkpoint": "other"},
        {"engine": "engine 2"},
        {"dtype": "bfloat16"},
        {"temperature": 0.5},
        {"stop_token_ids": (2, 3)},
    ):
        assert ledger.samples(replace(SOURCE, **change)).find(["a"]) == {}, change


def test_two_writers_of_one_row_leave_it_once(ledger: Ledger, tmp_path: Path) -> None:
    shelves = [Ledger(Store(str(tmp_path))).samples(SOURCE) for _ in range(2)]
    for number, stored in enumerate(shelves):
        stored.put(row("a", f"by writer {number}"))
        stored.put(row(f"own {number}"))
        stored.flush()
    found = ledger.samples(SOURCE)
    assert sorted(each.key for each in found.rows()) == ["a", "own 0", "own 1"]
    assert found.find(["a"]) == ledger.samples(SOURCE).find(["a"])


def test_the_same_content_is_one_file(ledger: Ledger) -> None:
    assert ledger.store
    for _ in range(2):
        with ledger.samples(SOURCE) as stored:
            stored.put(row("a"))
    assert len(ledger.store.files(stored.folder)) == 1


def test_what_cannot_be_trusted_is_counted_and_not_read(ledger: Ledger) -> None:
    assert ledger.store
    for key in ("whole", "cut", "flipped"):
        with ledger.samples(SOURCE) as stored:
            stored.put(row(key))
    folder = Path(stored.folder)
    by_key = {}
    for path in folder.glob("*.parquet"):
        table = pa.parquet.read_table(path)
        by_key[table["key"][0].as_py()] = path
    content = by_key["cut"].read_bytes()
    by_key["cut"].write_bytes(content[: len(content) // 2])
    damaged = bytearray(by_key["flipped"].read_bytes())
    damaged[len(damaged) // 3] ^= 1
    by_key["flipped"].write_bytes(damaged)
    (folder / "notes.txt").write_text("not ours")
    (folder / f".{'0' * 64}.parquet.17.partial").write_bytes(content[:10])
    ledger.store.append(stored.folder, pa.table({"key": ["whole"], "other": [1]}))
    assert list(ledger.samples(SOURCE).rows()) == [row("whole")]
    reasons = sorted(ledger.store.ignored.values())
    assert reasons == ["damaged", "damaged", "foreign", "half-written", "other schema"]


def test_verdicts_from_before_output_was_kept_are_found(ledger: Ledger) -> None:
    assert ledger.store
    older = {"key": ["a"], "status": ["correct"], "answer": ["5"], "seconds": [0.1], "detail": [""]}
    fields = [field for field in schema(VerdictRow) if field.name in older]
    with ledger.verdicts("math", "1", {}) as stored:
        ledger.store.append(stored.folder, pa.table(older, pa.schema(fields)))
        assert stored.find(["a"]) == {"a": VerdictRow("a", "correct", "5", 0.1, "")}
    assert ledger.store.ignored == {}


def test_damaged_facts_hide_a_folder_and_are_counted(ledger: Ledger) -> None:
    assert ledger.store
    with ledger.samples(SOURCE) as stored:
        stored.put(row("a"))
    assert ledger.store.folders("samples") == {stored.folder: SOURCE.facts()}
    (Path(stored.folder) / "facts.json").write_text('{"checkpoint": "another"}')
    assert ledger.store.folders("samples") == {}
    assert list(ledger.store.ignored.values()) == ["damaged"]


def test_a_file_that_vanishes_was_merged_and_is_found_again(ledger: Ledger) -> None:
    """As `gc` does it: the merged file is there before the small ones go."""
    assert ledger.store
    for key in "abc":
        with ledger.samples(SOURCE) as stored:
            stored.put(row(key))
    store = ledger.store
    reading = store.tables(stored.folder, schema(SampleRow), None)
    seen = [next(reading)]
    small = store.files(stored.folder)
    tables = [pa.parquet.read_table(path) for path in small]
    store.append(stored.folder, pa.concat_tables(tables))
    for path in small:
        store.remove(path)
    seen += reading
    assert {key for table in seen for key in table["key"].to_pylist()} == set("abc")


def test_no_thread_of_arrow_holds_a_file_when_the_program_ends(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that did aborted a finished task ("terminate called without an active exception")."""
    with ledger.samples(SOURCE) as stored:
        for number in range(100):
            stored.put(row(f"{number:032}", "a text that is long enough" * 100))
    readers = set()

    class Watched(io.FileIO):
        def read(self, *size: int) -> bytes:
            readers.add(threading.get_ident())
            return super().read(*size)

    monkeypatch.setattr(ledger.store.fs, "open", Watched)
    assert ledger.samples(SOURCE).has([f"{7:032}"])
    assert readers == {threading.get_ident()}


def test_rows_reach_the_store_while_work_goes_on(tmp_path: Path) -> None:
    ledger = Ledger(Store(str(tmp_path)), flush_seconds=0.05)
    stored = ledger.samples(SOURCE)
    stored.put(row("a"))
    assert stored.has(["a"]) == set()
    time.sleep(0.06)
    stored.put(row("b"))
    assert stored.has(["a", "b"]) == {"a", "b"}


def test_an_exception_leaves_what_was_made(ledger: Ledger) -> None:
    def work() -> None:
        with ledger.samples(SOURCE) as stored:
            stored.put(row("a"))
            raise ValueError("the engine died")

    with pytest.raises(ValueError, match="engine"):
        work()
    assert ledger.samples(SOURCE).has(["a"]) == {"a"}


def test_switched_off_it_holds_nothing_and_still_counts() -> None:
    ledger = open_ledger(LedgerConfig(enabled=False))
    with ledger.samples(SOURCE) as stored:
        stored.put(row("a"))
    assert stored.find(["a"]) == {}
    ledger.count("samples", reused=0, made=3)
    (work,) = ledger.work("rollout")
    assert (work.stage, work.kind, work.reused, work.made, work.ignored) == (
        "rollout",
        "samples",
        0,
        3,
        0,
    )


def test_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert location(LedgerConfig(path="s3://bucket/runs")) == "s3://bucket/runs"
    monkeypatch.setenv("RASFT_LEDGER_DIR", str(tmp_path))
    assert location(LedgerConfig()) == str(tmp_path)
    monkeypatch.delenv("RASFT_LEDGER_DIR")
    monkeypatch.setenv("RASFT_CACHE_DIR", str(tmp_path))
    assert location(LedgerConfig()) == str(tmp_path / "ledger")


def test_a_bad_place_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ledger.path = 'nowhere://x' cannot be opened"):
        Store("nowhere://x")
    (tmp_path / "file").write_text("")
    stored = Ledger(Store(str(tmp_path / "file"))).samples(SOURCE)
    stored.put(row("a"))
    with pytest.raises(MachineError, match="the ledger cannot write"):
        stored.flush()


def test_problems_are_kept_once_and_come_back_whole(ledger: Ledger) -> None:
    other = replace(PROBLEM, id="q", answer="6")
    ledger.remember([PROBLEM, other])
    ledger.remember([other, PROBLEM])
    rows = list(ledger.problems().rows())
    assert sorted(map(read_problem, rows), key=lambda p: p.id) == [PROBLEM, other]
    assert ledger.store
    assert len(ledger.store.files(ledger.problems().folder)) == 1


def test_keys_depend_on_what_they_must() -> None:
    key = sample_key((1, 2), 8, 0, 9)
    assert key == sample_key([1, 2], 8, 0, 9)
    assert len({key, sample_key((1,), 8, 0, 9), sample_key((1, 2), 9, 0, 9)}) == 3
    assert len({key, sample_key((1, 2), 8, 1, 9), sample_key((1, 2), 8, 0, 8)}) == 3
    assert score_key((1, 2), (3,)) != score_key((1,), (2, 3))
    assert verdict_key("ab", "c") != verdict_key("a", "bc")


def test_a_verdict_depends_on_the_problem_but_not_on_its_name() -> None:
    same = replace(PROBLEM, id="q", source="elsewhere", expert_response="\\boxed{5}")
    assert problem_digest(same) == problem_digest(PROBLEM)
    for change in ({"answer": "6"}, {"rules": "minerva"}, {"tests": "assert f"}, {"prompt": "?"}):
        assert problem_digest(replace(PROBLEM, **change)) != problem_digest(PROBLEM), change
    assert problem_row(same).key != problem_row(PROBLEM).key
