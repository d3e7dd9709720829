"""Every benchmark plugin against one suite, on the real files where RASFT_DATA_DIR names them.

Those whose files are not at hand get rows of the same shape (`tests.benchmark_rows`).
"""

import base64
import inspect
import json
import os
import pickle
import zlib
from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from rasft import plugins
from rasft.answers.choices import gold_letter
from rasft.answers.comparing.rules import rules_named
from rasft.answers.golds import check_golds
from rasft.config.settings import BenchmarkConfig
from rasft.data import contests, livecodebench, rows, sizes
from rasft.data.source import Source
from rasft.errors import UserError
from tests import benchmark_rows

DATA = os.environ.get("RASFT_DATA_DIR")
SIZES = {
    "math500": 500,
    "minerva_math": 272,
    "olympiadbench": 675,
    "aime24": 30,
    "aime25": 30,
    "amc23": 40,
    "gsm8k_test": 1_319,
    "humaneval": 164,
    "mbpp": 500,
    "humanevalplus": 164,
    "mbppplus": 378,
    "heldout_math": 1_000,
    "heldout_sums": 1_000,
    "heldout_long_sums": 1_000,
    "heldout_differences": 1_000,
    "heldout_code": 1_000,
    "aime26": 30,
    "hmmt25": 30,
    "math_test": 5_000,
    "livecodebench": 1_055,
    "gpqa_diamond": 198,
    "mmlu_pro": 12_032,
}
HERE = {name: len(found) for name, (_, found) in benchmark_rows.FILES.items()}  # of the rest, all
CODE = ("humaneval", "mbpp", "humanevalplus", "mbppplus", "heldout_code", "livecodebench")
CHOICE = ("gpqa_diamond", "mmlu_pro")
FOLDER = TemporaryDirectory()  # of the rows made here
needs_data = pytest.mark.skipif(not DATA, reason="RASFT_DATA_DIR is not set")


@cache
def made():
    return str(benchmark_rows.write(Path(FOLDER.name)))


def load(name, **settings):
    folder = made() if name in HERE else DATA
    if not folder and not name.startswith("heldout"):
        pytest.skip("RASFT_DATA_DIR is not set")
    return list(plugins.load("benchmarks", name).load(Source(folder, **settings)))


def program(response):
    return response.removeprefix("```python\n").removesuffix("\n```")


def test_every_benchmark_is_in_the_suite():
    assert set(plugins.names("benchmarks")) == set(SIZES)


@pytest.mark.parametrize("name", SIZES)
class TestEveryBenchmark:
    def test_has_all_its_problems_with_ids_of_their_own(self, name):
        problems = load(name)
        assert len(problems) == HERE.get(name, SIZES[name])
        assert len({problem.id for problem in problems}) == len(problems)
        assert {problem.source for problem in problems} == {name}

    def test_states_its_number_of_problems_unless_it_makes_them(self, name):
        stated = None if name.startswith("heldout") else SIZES[name]
        rows_ = getattr(plugins.load("benchmarks", name), "ROWS", None)
        assert (rows_ if isinstance(rows_, int | None) else rows_.of({})) == stated

    def test_a_limit_of_zero_checks_the_options_and_reads_nothing(self, name, monkeypatch):
        monkeypatch.setattr(rows, "_stream", lambda place, local: pytest.fail("the hub was asked"))
        plugin = plugins.load("benchmarks", name)
        assert list(plugin.load(Source(limit=0))) == []
        with pytest.raises(UserError, match=f"{name}: unknown option 'colour'"):
            list(plugin.load(Source(limit=0, options={"colour": "blue"})))

    def test_every_problem_can_be_asked_and_verified(self, name):
        for problem in load(name):
            assert problem.prompt.strip()
            if name in CODE:
                assert problem.verifier == "python"
                assert problem.tests
                assert problem.entry_point or problem.tests.startswith('{"inputs": [')
            elif name in CHOICE:
                assert problem.verifier == "choice"
                assert gold_letter(problem.answer, problem.choices)
                assert check_golds([problem]) == []
            else:
                assert problem.verifier == "math"
                assert problem.answer
                assert rules_named(problem.rules)

    def test_says_whose_average_it_counts_in(self, name):
        plugin = plugins.load("benchmarks", name)
        kind = "code" if name in CODE else "choice" if name in CHOICE else "math"
        assert kind == plugin.KIND
        assert getattr(plugin, "HELD_OUT", False) is name.startswith("heldout")
        assert inspect.getdoc(plugin)

    def test_takes_a_limit_and_refuses_unknown_options(self, name):
        assert len(load(name, limit=5)) == 5
        with pytest.raises(UserError, match=f"{name}: unknown option 'colour'"):
            load(name, options={"colour": "blue"})


@pytest.mark.parametrize("name", [name for name in SIZES if name not in CODE + CHOICE])
def test_math_benchmarks_name_their_own_rules(name):
    rules = {problem.rules for problem in load(name)}
    others = {"gsm8k_test": "gsm8k", "aime26": "aime", "hmmt25": "math", "math_test": "math"}
    others |= {"heldout_math": None, "heldout_sums": None}
    others |= {"heldout_long_sums": None, "heldout_differences": None}
    assert rules == {others.get(name, name)}


def test_olympiadbench_states_one_tolerance():
    stated = {p.id: p.tolerance for p in load("olympiadbench") if p.tolerance is not None}
    assert stated == {"olympiadbench/2592": 0.1}


def test_humaneval_asks_for_the_function_and_keeps_the_header_to_continue():
    problem = load("humaneval", limit=1)[0]
    assert problem.id == "HumanEval/0"
    assert problem.code_prefix.startswith("from typing import List\n\n\ndef has_close_elements(")
    assert problem.code_prefix.strip() in problem.prompt
    assert problem.tests.count("def check(candidate):") == 1
    assert problem.entry_point == "has_close_elements"


def test_mbpp_shows_its_asserts_since_only_they_name_the_function():
    problems = load("mbpp")
    assert all(problem.tests in problem.prompt for problem in problems)
    assert all(f"{problem.entry_point}(" in problem.tests for problem in problems)
    assert [problem.id for problem in problems if problem.setup] == ["mbpp/367"]


def test_broken_tests_of_the_extended_benchmarks_are_mended():
    broken = {"humanevalplus": "candidate(*inp), inp)", "mbppplus": "inputs):\n    assertion(comb"}
    for name, text in broken.items():
        assert [problem.id for problem in load(name) if text in problem.tests] == []
    unasserted = [row.id for row in load("mbppplus") if row.tests.count("assert ") == 0]
    assert unasserted == []
    asserted = [row.id for row in load("mbppplus") if "assert exact_match" in row.tests]
    assert asserted == ["mbpp/737", "mbpp/787", "mbpp/794"]


@pytest.mark.filterwarnings("ignore:invalid escape")  # as in MBPP's '\\w'
@pytest.mark.parametrize("name", ["humaneval", "mbpp"])
def test_the_first_gold_programs_pass_their_tests(name):
    for problem in load(name, limit=40):
        names = {}
        exec(program(problem.expert_response), names)
        exec(problem.tests, names)
        if name == "humaneval":
            names["check"](names[problem.entry_point])


HUB_ROWS = {
    "math500": {"unique_id": "test/a/1.json", "problem": "1+1?", "answer": "2", "solution": "s"},
    "minerva_math": {"question": "1+1?", "answer": "2"},
    "olympiadbench": {
        "id": 1606, "question": "1+1?", "final_answer": ["2"], "solution": ["s"], "error": "1e-1",
    },
    "aime24": {"id": 60, "problem": "1+1?", "answer": "2", "solution": "s"},
    "aime25": {"id": "0", "problem": "1+1?", "answer": "2"},
    "amc23": {"id": 0, "question": "1+1?", "answer": 2.0},
    "gsm8k_test": {"question": "1+1?", "answer": "It is <<1+1=2>>2.\n#### 2"},
    "aime26": {"id": 1, "problem": "1+1?", "answer": 2},
    "hmmt25": {"problem_idx": 1, "problem": "1+1?", "answer": "2", "problem_type": ["Algebra"]},
    "math_test": {
        "problem": "1+1?", "level": "Level 5", "type": "Algebra", "solution": "So \\boxed{2}.",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", HUB_ROWS)
def test_hub_rows_become_the_same_problems(name, monkeypatch):
    monkeypatch.setattr(rows, "_stream", lambda place, local: iter([HUB_ROWS[name]]))
    (problem,) = plugins.load("benchmarks", name).load(Source())
    assert (problem.prompt, problem.answer) == ("1+1?", "2")
    assert problem.tolerance == (0.1 if name == "olympiadbench" else None)


def test_a_hub_row_with_other_fields_is_named(monkeypatch):
    monkeypatch.setattr(rows, "_stream", lambda place, local: iter([{"text": "?"}]))
    with pytest.raises(UserError, match="hub dataset HuggingFaceH4/MATH-500 split test row 0"):
        list(plugins.load("benchmarks", "math500").load(Source()))


@pytest.mark.parametrize("name", ["humanevalplus", "mbppplus", "livecodebench", *CHOICE])
def test_a_hub_row_of_the_files_own_shape_becomes_the_same_problem(name, monkeypatch):
    (first,) = load(name, limit=1)
    folder = Path(made() if name in HERE else DATA)
    plugin = plugins.load("benchmarks", name)
    line = (folder / plugin.LOCATION.file).read_text(encoding="utf-8").split("\n")[0]
    monkeypatch.setattr(rows, "_stream", lambda place, local: iter([json.loads(line)]))
    assert list(plugin.load(Source())) == [first]


def test_files_of_the_hub_are_asked_for_by_name_and_commit(monkeypatch):
    asked = []
    stream = lambda place, local: iter(asked.append(rows._arguments(place)) or [])  # noqa: E731
    monkeypatch.setattr(rows, "_stream", stream)
    list(plugins.load("benchmarks", "livecodebench").load(Source(options={"release": "v2"})))
    list(plugins.load("benchmarks", "math_test").load(Source()))
    commit = "0fe84c3912ea0c4d4a78037083943e8f0c4dd505"
    folder = f"hf://datasets/livecodebench/code_generation_lite@{commit}"
    files = [f"{folder}/test.jsonl", f"{folder}/test2.jsonl"]
    assert asked[0] == {"path": "json", "data_files": files, "split": "train"}
    assert (asked[1]["path"], asked[1]["split"]) == ("DigitalLearningGmbH/MATH-lighteval", "test")
    assert len(asked[1]["revision"]) == 40


def test_a_gated_dataset_says_so(monkeypatch):
    monkeypatch.setattr(rows, "hub_failure", lambda: "401 Client Error")
    with pytest.raises(rows.SourceUnavailable, match=r"401 Client Error.*is gated: accept its t"):
        list(plugins.load("benchmarks", "gpqa_diamond").load(Source()))
    with pytest.raises(rows.SourceUnavailable) as refused:
        list(plugins.load("benchmarks", "mmlu_pro").load(Source()))
    assert "gated" not in str(refused.value)


def test_choices_of_gpqa_stand_in_an_order_of_each_question_own():
    problems = load("gpqa_diamond")
    assert all(row.choices["ABCD".index(row.answer)] == "right" for row in problems)
    assert all(
        sorted(row.choices) == ["right", "wrong 1", "wrong 2", "wrong 3"] for row in problems
    )
    counts = Counter(row.answer for row in problems)
    assert set(counts) == set("ABCD")
    assert max(counts.values()) < 20
    assert load("gpqa_diamond") == problems
    lines = [f"{letter}. {text}" for letter, text in zip("ABCD", problems[0].choices, strict=True)]
    assert problems[0].prompt == "Which?\n\n" + "\n".join(lines)


def test_mmlu_pro_leaves_out_what_only_fills_up_the_list():
    problems = load("mmlu_pro")
    assert [len(row.choices) for row in problems] == [3 + n % 8 for n in range(12)]
    assert all(row.choices["ABCDEFGHIJ".index(row.answer)][-1] in "0123456789" for row in problems)
    law = load("mmlu_pro", options={"categories": ["law", "math"]}, limit=5)
    assert [row.id for row in law] == [f"mmlu_pro/{n}" for n in (0, 1, 3, 4, 6)]


def test_a_question_with_too_many_choices_is_named(monkeypatch):
    row = benchmark_rows.FILES["mmlu_pro"][1][0] | {"options": ["x"] * 11}
    monkeypatch.setattr(rows, "_stream", lambda place, local: iter([row]))
    with pytest.raises(UserError, match="mmlu_pro/0: 11 choices; from 2 to 10 can be judged"):
        list(plugins.load("benchmarks", "mmlu_pro").load(Source()))


def test_math_test_takes_levels():
    found = load("math_test", options={"levels": [2, 5]})
    assert [row.id for row in found] == ["math_test/1", "math_test/4", "math_test/6"]
    assert len(load("math_test", options={"levels": [1]}, limit=1)) == 1


@pytest.mark.parametrize(
    ("name", "options", "published"),
    [
        ("math_test", {"levels": [4, 5]}, 2_538),
        ("math_test", {"levels": [1, 1]}, 437),
        ("mmlu_pro", {"categories": ["math", "physics"]}, 2_650),
        ("livecodebench", {"release": "v1"}, 400),
        ("livecodebench", {}, 1_055),
    ],
)
def test_a_part_states_its_number_of_problems(name, options, published):
    found = sizes.size_of("benchmarks", BenchmarkConfig(name=name, options=options), None, 0)
    assert found.published == published


@pytest.mark.skipif(not DATA, reason="RASFT_DATA_DIR is not set")
def test_the_numbers_of_math_test_are_those_of_the_data():
    folder = Path(DATA) / "math"
    train, math500 = (
        [row.fields for row in rows.read_jsonl(folder / name)]
        for name in ("train/math_train.jsonl", "math500.jsonl")
    )
    rest = [row for row in train if row["origin"].startswith("hendrycks MATH test split")]
    levels = Counter(int(row["level"].removeprefix("Level ")) for row in rest)
    levels += Counter(row["source_fields"]["level"] for row in math500)
    assert levels == plugins.load("benchmarks", "math_test").ROWS.rows


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("math_test", {"levels": [6]}, r"levels = \[6\] must list some of: 1, 2, 3, 4, 5"),
        ("math_test", {"levels": []}, "levels"),
        ("math_test", {"levels": 5}, "levels = 5"),
        ("math_test", {"levels": [[5]]}, "levels"),
        ("mmlu_pro", {"categories": ["maths"]}, "must list some of: biology, business"),
        ("livecodebench", {"release": "v7"}, "release = 'v7'; known: v6, v5"),
        ("livecodebench", {"from": "August"}, "from = 'August' is no date"),
        ("livecodebench", {"until": 2024}, "until = 2024 is no date"),
        ("livecodebench", {"tests_mb": 0}, "tests_mb = 0 must be a whole number from 1 to 30"),
    ],
)
def test_a_bad_option_is_named(name, options, words):
    with pytest.raises(UserError, match=words):
        load(name, options=options, limit=0)


def test_livecodebench_takes_a_window_of_dates():
    window = {"from": "2024-02-15", "until": "2025-01-15"}
    assert [row.id for row in load("livecodebench", options=window)] == [
        "livecodebench/abc302_a", "livecodebench/abc303_a", "livecodebench/abc304_a",
        "livecodebench/3001",
    ]  # fmt: skip
    assert len(load("livecodebench", options=window, limit=2)) == 2


def test_livecodebench_has_public_and_private_tests():
    contest, method = load("livecodebench", limit=1)[0], load("livecodebench")[-1]
    assert json.loads(contest.tests) == {
        "inputs": ["1 2\n", "4 5 6\n", "301\n"], "outputs": ["3\n", "15\n", "301"],
    }  # fmt: skip
    assert (contest.entry_point, contest.code_prefix) == (None, None)
    assert (method.entry_point, method.cpu_seconds, method.memory_mb) == ("Solution", 60.0, 1024)
    assert "class Solution:\n    def common(self" in method.prompt
    assert "import" not in method.prompt


class Evil:
    def __reduce__(self):
        return print, ("it ran",)


HOSTILE = {
    "a call": pickle.dumps(Evil()),
    "a class": pickle.dumps(Counter),
    "bytes": pickle.dumps(b"[]"),
    "a list": pickle.dumps([1]),
    "nothing": b"",
    "no pickle": b"no pickle",
    "no JSON": pickle.dumps("{"),
    "a number": pickle.dumps("3"),
    "no test": pickle.dumps('[{"input": "1"}]'),
    "a persistent reference": b"\x80\x04\x8c\x01xQ.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_only_text_is_unpacked(name, capsys):
    content = base64.b64encode(zlib.compress(HOSTILE[name])).decode()
    row = benchmark_rows.FILES["livecodebench"][1][0] | {"private_test_cases": content}
    with pytest.raises(UserError, match="row 7: field 'private_test_cases' holds no tests"):
        list(livecodebench.cases(rows.Row(row, "row 7")))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("text", ["!!!", "aGVsbG8=", base64.b64encode(b"x" * 99).decode()])
def test_what_is_not_packed_tests_is_named(text):
    row = benchmark_rows.FILES["livecodebench"][1][0] | {"private_test_cases": text}
    with pytest.raises(UserError, match="holds no tests"):
        list(livecodebench.cases(rows.Row(row, "row 7")))


def test_what_unpacks_to_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(livecodebench, "MOST_UNPACKED_BYTES", 1 << 20)
    bomb = base64.b64encode(zlib.compress(pickle.dumps("[" + " " * (2 << 20) + "]"))).decode()
    row = benchmark_rows.FILES["livecodebench"][1][0] | {"private_test_cases": bomb}
    with pytest.raises(UserError, match="more than 1 MB"):
        list(livecodebench.cases(rows.Row(row, "row 7")))


@pytest.mark.parametrize(
    "metadata", ['{"func_name": "f(); import os"}', '{"func_name": 3}', "[]", "{"]
)
def test_a_methods_name_is_a_name(metadata):
    with pytest.raises(UserError, match="row 7"):
        livecodebench.method_of(rows.Row({"metadata": metadata}, "row 7"))


def test_tests_beyond_the_limit_are_left_out():
    big = benchmark_rows.packed([{"input": "1" * 1_500_000, "output": "2", "testtype": "stdin"}])
    row = benchmark_rows.FILES["livecodebench"][1][0] | {"private_test_cases": big}
    found = list(livecodebench.cases(rows.Row(row, "row 7")))
    assert len(contests.within(found, 4_000_000)) == 2
    assert len(contests.within(found, 1_000_000)) == 1


def test_the_hubs_reader_of_json_lines_gives_the_same_problems(monkeypatch):
    """The library guesses types: it makes a time of a contest's date."""
    file = Path(made()) / "code" / "livecodebench.jsonl"
    arguments = {"path": "json", "data_files": [str(file)], "split": "train"}
    monkeypatch.setattr(rows, "_arguments", lambda place: arguments)
    monkeypatch.setattr(rows, "hub_failure", lambda: "")
    plugin = plugins.load("benchmarks", "livecodebench")
    assert list(plugin.load(Source())) == load("livecodebench")
