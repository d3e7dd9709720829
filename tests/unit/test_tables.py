"""Records survive a table unchanged, and rows leave it without the rest of the table."""

import pickle
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasft import records, tables
from rasft.records import BenchmarkResult, Group, Problem, Rollout, Status, Verdict

RECORDS = [
    value
    for value in vars(records).values()
    if isinstance(value, type) and hasattr(value, "__dataclass_fields__")
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_record_has_a_schema(record: type) -> None:
    empty = tables.to_table([], record)
    assert empty.schema == tables.schema(record)
    assert tables.from_table(empty, record) == []


@given(
    st.builds(
        Rollout,
        problem_id=st.text(max_size=8),
        sample_index=st.integers(0, 99),
        seed=st.integers(0, 2**62),
        token_ids=st.lists(st.integers(0, 99)).map(tuple),
        text=st.text(st.characters(exclude_categories=["Cs"])),
        finish_reason=st.sampled_from(["stop", "length"]),
    )
)
def test_a_rollout_comes_back(rollout: Rollout) -> None:
    assert tables.from_table(tables.to_table([rollout], Rollout), Rollout) == [rollout]


def test_optional_and_enum_fields_come_back() -> None:
    verdict = Verdict("p", 0, "math", "v", Status.TIMED_OUT)
    assert tables.from_table(tables.to_table([verdict], Verdict), Verdict) == [verdict]
    result = BenchmarkResult("b", "base", "p", (True, None, False), ("correct",) * 3)
    back = tables.from_table(tables.to_table([result], BenchmarkResult), BenchmarkResult)
    assert back == [result]
    group = Group("p", "easy", 0, 0, 0, 0, 0, None, None, 1.0, (), (), ())
    assert tables.from_table(tables.to_table([group], Group), Group) == [group]


def test_a_column_that_an_older_run_lacks_takes_its_default() -> None:
    result = BenchmarkResult("b", "base", "p", (True,), ("correct",), ("5",))
    older = tables.to_table([result], BenchmarkResult).drop_columns(["answers"])
    assert tables.from_table(older, BenchmarkResult)[0].answers == ()
    with pytest.raises(KeyError, match="statuses"):
        tables.from_table(older.drop_columns(["statuses"]), BenchmarkResult)


def test_shards_hold_every_row_once_and_pickle_small() -> None:
    rows = [Problem(id=str(i), prompt="x" * 1000, verifier="math") for i in range(1000)]
    table = tables.to_table(rows, Problem)
    shards = [tables.shard_rows(table, shard, 7) for shard in range(7)]
    ids = [row for shard in shards for row in shard["id"].to_pylist()]
    assert sorted(ids) == sorted(row.id for row in rows)
    assert len(pickle.dumps(tables.take(table, [3, 1]))) < 10_000


def test_a_written_table_is_read_back_and_leaves_nothing_else(tmp_path: Path) -> None:
    table = tables.to_table([Problem(id="a", prompt="b", verifier="math")], Problem)
    tables.write(table, tmp_path / "deep" / "rows.parquet")
    assert tables.read(tmp_path / "deep" / "rows.parquet").equals(table)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["rows.parquet"]


def test_a_field_outside_the_rules_is_refused() -> None:
    @dataclass(frozen=True)
    class Odd:
        value: dict

    with pytest.raises(TypeError, match="cannot be stored"):
        tables.schema(Odd)
