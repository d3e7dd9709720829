"""Loading problems: what stops a run, what only drops a row, and what stands in a benchmark."""

import json
import os
import weakref
from dataclasses import replace

import pytest

from rasft import tables
from rasft.config import files as config_files
from rasft.config.settings import BenchmarkConfig
from rasft.data import decontamination, problems, rows
from rasft.data.account import Account
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.ledger.rows import problem_digest
from rasft.plugins import load
from rasft.records import Dropped, Problem
from rasft.tables import from_table, take, to_table

DATA = os.environ.get("RASFT_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="RASFT_DATA_DIR is not set")

ROW = {"id": "a", "prompt": "What is 2+2?", "expert_response": "\\boxed{4}", "answer": "4"}


@pytest.fixture
def loaded(tmp_path):
    """Load rows given as dictionaries through the `jsonl` plugin."""

    def run(*values, benchmarks=(), **data):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(value) + "\n" for value in values))
        options = {"path": str(path), "verifier": "math"}
        found = problems.load_problems(settings("jsonl", options, **data), None, benchmarks)
        return from_table(found.problems, Problem), found.dropped

    return run


def settings(name, options=None, **data):
    datasets = [{"name": name, "options": options or {}}]
    return config_files.build(
        {"name": "t", "model": {"path": "m"}, "prompts": {}, "data": {"datasets": datasets, **data}}
    )


def test_usable_rows_come_through_in_order(loaded):
    kept, dropped = loaded(ROW, ROW | {"id": "b", "prompt": "What is 3+1?"})
    assert [row.id for row in kept] == ["a", "b"]
    assert dropped == []
    assert kept[0] == Problem("a", "What is 2+2?", "math", "\\boxed{4}", "4", source="rows")


def test_the_account_has_what_was_read_also_where_a_mistake_ends_the_run(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(ROW | {"id": each, "answer": ""}) + "\n" for each in "ab"))
    config = settings("jsonl", {"path": str(path), "verifier": "math"})
    account = Account()
    with pytest.raises(UserError, match="no training problem is left of 2 read from jsonl"):
        problems.load_problems(config, None, account=account)
    (dataset,) = account.datasets
    assert (dataset.name, dataset.rows, dataset.verifiers) == ("jsonl", 2, {"math": 2})
    assert dataset.source.places == [f"the file {path}"]
    assert [(row.problem_id, row.reason) for row in account.dropped] == [
        ("a", "no_answer"),
        ("b", "no_answer"),
    ]


@pytest.mark.parametrize("missing", [{"expert_response": None}, {"expert_response": "  \n"}])
def test_a_row_without_an_expert_response_stops_the_run(loaded, missing):
    message = r"data.datasets\[0\] \(jsonl\) row 2: problem 'b' has no expert response; add one"
    with pytest.raises(UserError, match=message):
        loaded(ROW, ROW | {"id": "b"} | missing)


def test_choices_need_a_gold_and_are_part_of_it(loaded):
    choices = {"verifier": "choice", "answer": "B", "expert_response": "\\boxed{B}"}
    asked = "Which of the numbers that stand below is a prime number and no other one is?"
    row = ROW | choices | {"prompt": asked, "choices": ["4", "5"]}
    kept, dropped = loaded(
        row, row | {"id": "b", "answer": " "}, row | {"id": "c", "choices": ["6", "7"]},
        row | {"id": "d"},
    )  # fmt: skip
    assert [(each.id, each.choices) for each in kept] == [("a", ("4", "5")), ("c", ("6", "7"))]
    assert [(each.problem_id, each.reason) for each in dropped] == [
        ("b", "no_answer"), ("d", "near_duplicate"),
    ]  # fmt: skip


def test_a_duplicate_id_names_both_rows(loaded):
    message = (
        r"duplicate problem id 'a': data.datasets\[0\] \(jsonl\) row 1 and "
        r"data.datasets\[0\] \(jsonl\) row 3"
    )
    with pytest.raises(UserError, match=message):
        loaded(ROW, ROW | {"id": "b"}, ROW)


def test_an_unknown_verifier_is_named(loaded):
    with pytest.raises(UserError, match=r"row 1: unknown verifier 'maths' .*did you mean 'math'"):
        loaded(ROW | {"verifier": "maths"})


def test_rows_with_nothing_to_verify_are_dropped_and_counted(loaded):
    kept, dropped = loaded(
        ROW,
        ROW | {"id": "b", "answer": " "},
        ROW | {"id": "c", "verifier": "python"},
    )
    assert [row.id for row in kept] == ["a"]
    assert dropped == [
        Dropped("b", "no_answer", "rows: nothing to verify with"),
        Dropped("c", "no_tests", "rows: nothing to verify with"),
    ]


def test_a_row_without_a_verifier_needs_no_gold_and_is_no_benchmark(loaded, tmp_path, monkeypatch):
    kept, dropped = loaded(ROW, {"prompt": "Greet.", "expert_response": "Hi!", "verifier": "none"})
    assert [row.verifier for row in kept] == ["math", "none"]
    assert dropped == []
    plugin = load("benchmarks", "amc23")
    monkeypatch.setattr(plugin, "load", lambda source: iter([replace(kept[1], id="7")]))
    with pytest.raises(UserError, match="amc23: problem '7' has the verifier 'none', and what"):
        problems.load_benchmark(BenchmarkConfig(name="amc23"), None)


def test_a_row_that_is_no_problem_is_dropped_and_what_was_recognised_is_noted(tmp_path):
    path = tmp_path / "chat.jsonl"
    turns = [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "\\boxed{4}"}]
    rows_ = [{"conversations": turns}, {"conversations": turns * 2}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows_))
    options = {"path": str(path), "verifier": "math", "answer": "boxed"}
    found = problems.load_problems(settings("files", options), None)
    assert [row.id for row in from_table(found.problems, Problem)] == ["chat/0"]
    assert [(row.problem_id, row.reason) for row in found.dropped] == [("chat/1", "multi_turn")]
    assert [note.split(",")[0] for note in found.notes] == [
        "files: the rows of chat are read as format 'sharegpt'"
    ]


def test_rows_with_system_texts_of_their_own_do_not_repeat_each_other(loaded):
    long = "A baker sells 12 loaves of bread each morning and 30 rolls each evening: in all?"
    row = ROW | {"prompt": long}
    kept, _ = loaded(row | {"system": "A."}, row | {"id": "b", "system": "B."})
    assert [each.system for each in kept] == ["A.", "B."]


def test_no_problem_left_is_an_error_that_counts_the_reasons(loaded):
    with pytest.raises(UserError, match=r"no training problem is left of 0 read from jsonl; check"):
        loaded()
    with pytest.raises(UserError, match=r"left of 1 read from jsonl \(dropped: 1 no_answer\)"):
        loaded(ROW | {"answer": None})


def test_a_problem_of_a_benchmark_is_dropped_unless_told_otherwise(loaded):
    benchmark = [Problem("7", "what is  2 + 2", "math", source="amc23")]
    other = ROW | {"id": "b", "prompt": "What is 2+3?"}
    kept, dropped = loaded(ROW, other, benchmarks=[benchmark])
    assert [row.id for row in kept] == ["b"]
    assert dropped == [
        Dropped("a", "in_benchmark", "amc23: 7, 100% of the shorter one's 13-token runs")
    ]
    kept, dropped = loaded(ROW, other, benchmarks=[benchmark], decontaminate=False)
    assert (len(kept), dropped) == (2, [])


def test_a_repetition_is_dropped_unless_told_otherwise(loaded):
    long = (
        "A baker sells 12 loaves of bread each morning and 30 rolls each evening, how many in all?"
    )
    rows_ = [
        ROW | {"prompt": long},
        ROW | {"id": "b", "prompt": long.replace("A baker", "The baker")},
        ROW | {"id": "c", "prompt": long.replace("in all", "in total"), "answer": "5"},
    ]
    kept, dropped = loaded(*rows_)
    assert [row.id for row in kept] == ["a", "c"]
    assert dropped == [Dropped("b", "near_duplicate", "a, 87% of their 5-word shingles are shared")]
    kept, dropped = loaded(*rows_, near_duplicates=None)
    assert (len(kept), dropped) == (3, [])


def test_rows_are_not_held_while_they_are_read(tmp_path, monkeypatch):
    """Of 1,000 rows no more exist as objects at once than one batch of the table takes."""
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps(ROW | {"id": str(i), "prompt": f"What is {i}+1?"}) for i in range(1000)]
    path.write_text("\n".join(lines))
    alive = weakref.WeakSet()
    most = 0

    def watched(*arguments):
        nonlocal most
        for problem in read(*arguments):
            alive.add(problem)
            most = max(most, len(alive))
            yield problem

    read = problems._rows
    monkeypatch.setattr(problems, "_rows", watched)
    monkeypatch.setattr(tables, "AT_ONCE", 50)
    options = {"path": str(path), "verifier": "math"}
    found = problems.load_problems(settings("jsonl", options), None)
    assert found.problems.num_rows == 1000
    assert most <= 2 * 50


def words(start, count):
    return " ".join(f"w{i}" for i in range(start, start + count))


@pytest.mark.parametrize(
    ("text", "share"),
    [
        (words(0, 32), 1.0),  # 20 runs in each
        (words(10, 32), 0.5),  # 10 of them shared
        (words(11, 32), None),  # 9 of them
        ("x " * 300 + words(0, 32), 1.0),  # the whole benchmark problem, quoted
        (words(0, 25), 13 / 13),  # its first 25 words alone
        (words(0, 12), None),  # too short to have a run, and not equal
    ],
)
def test_half_of_the_shorter_problems_runs_make_a_match(text, share):
    index = decontamination.index([("b", words(0, 32))])
    match = index.match(text)
    assert (match and match.share) == share


def test_equal_problems_match_however_short_and_whatever_the_punctuation():
    index = decontamination.index([("b", "Find $x$: x^2 = 4.")])
    assert index.match("find x\n\\(X^{2}=4\\)") == decontamination.Match("b", 1.0)
    assert index.match("find y") is None


@needs_data
def test_the_two_olympiadbench_problems_in_math_are_found():
    rows_ = list(load("datasets", "math_train").load(Source(DATA, options={"part": "all"})))
    olympiad = problems.load_benchmark(BenchmarkConfig(name="olympiadbench"), DATA)
    dropped = []
    kept = list(problems.keep(rows_, problems.in_benchmark([olympiad]), dropped))
    assert len(kept) == 11_998
    assert [(row.problem_id, row.reason, row.detail.split(",")[0]) for row in dropped] == [
        ("math_train/3443", "in_benchmark", "olympiadbench: olympiadbench/2890"),
        ("math_test_minus_500/4640", "in_benchmark", "olympiadbench: olympiadbench/2713"),
    ]


@needs_data
def test_gsm8k_shares_nothing_with_the_math_benchmarks():
    names = ("math500", "minerva_math", "olympiadbench", "aime24", "aime25", "amc23")
    benchmarks = [problems.load_benchmark(BenchmarkConfig(name=name), DATA) for name in names]
    kept, dropped, _ = problems.load_problems(settings("gsm8k"), DATA, benchmarks)
    assert len(kept) == 7_472
    assert [(row.problem_id, row.reason) for row in dropped] == [
        ("gsm8k/train/6691", "near_duplicate")
    ]


def test_generated_problems_survive_their_own_held_out_split():
    benchmark = problems.load_benchmark(BenchmarkConfig(name="heldout_math", limit=500), None)
    kept, dropped, _ = problems.load_problems(settings("generated_math"), None, [benchmark])
    assert len(kept) + len(dropped) == 1_000
    assert len(dropped) <= 30


def test_a_benchmark_whose_data_is_nowhere_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "hub_failure", lambda: "no route")
    with pytest.raises(rows.SourceUnavailable, match=r"no rows for math/amc23.jsonl"):
        problems.load_benchmark(BenchmarkConfig(name="amc23"), str(tmp_path))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "benchmark amc23 has no problems"),
        ([{"id": 1, "problem": "?"}], "benchmark amc23: problem '1' has nothing to verify with"),
        (
            [{"id": 1, "problem": "?", "answer": 1}] * 2,
            "duplicate problem id '1': amc23 row 1 and amc23 row 2",
        ),
    ],
)
def test_a_faulty_benchmark_file_is_refused(tmp_path, values, message):
    path = tmp_path / "math" / "amc23.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    with pytest.raises(UserError, match=message):
        problems.load_benchmark(BenchmarkConfig(name="amc23"), str(tmp_path))


def test_the_fingerprint_is_of_the_rows():
    table = to_table(load("datasets", "generated_math").load(Source(limit=20)), Problem)
    fingerprint = problems.fingerprint(table)
    assert len(fingerprint) == 64
    assert fingerprint == problems.fingerprint(take(table, range(20)))
    assert fingerprint != problems.fingerprint(take(table, range(19)))
    assert fingerprint != problems.fingerprint(take(table, range(19, -1, -1)))


def test_fingerprints_of_older_runs_hold() -> None:
    """Recorded before problems had choices and limits of their own."""
    sums = Problem(
        "p1", "What is 2 + 3?", "math", "so \\boxed{5}", "5", rules="math500", source="s"
    )
    code = Problem("p2", "f", "python", tests="assert f(1) == 2", entry_point="f", source="t")
    assert problem_digest(sums) == "95bdb8ba4079a296bb31563f0df039df"
    assert problem_digest(code) == "651631020734b987ff30635a6d6b01ce"
    whole = problems.fingerprint(to_table([sums, code], Problem))
    assert whole == "f43ff3adbdcb14f90083ea8145cb63a1163a91a0cd580236a3ea466940338241"
    assert problem_digest(replace(code, cpu_seconds=9.0)) != problem_digest(code)
