"""Every benchmark plugin against one suite, on the real files where RASFT_DATA_DIR names them."""

import inspect
import os

import pytest

from rasft import plugins
from rasft.answers.comparing.rules import rules_named
from rasft.data import rows
from rasft.data.source import Source
from rasft.errors import UserError

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
    "heldout_code": 1_000,
}
CODE = ("humaneval", "mbpp", "humanevalplus", "mbppplus", "heldout_code")
needs_data = pytest.mark.skipif(not DATA, reason="RASFT_DATA_DIR is not set")


def load(name, **settings):
    if not DATA and not name.startswith("heldout"):
        pytest.skip("RASFT_DATA_DIR is not set")
    return list(plugins.load("benchmarks", name).load(Source(DATA, **settings)))


def program(response):
    return response.removeprefix("```python\n").removesuffix("\n```")


def test_every_benchmark_is_in_the_suite():
    assert set(plugins.names("benchmarks")) == set(SIZES)


@pytest.mark.parametrize("name", SIZES)
class TestEveryBenchmark:
    def test_has_all_its_problems_with_ids_of_their_own(self, name):
        problems = load(name)
        assert len(problems) == SIZES[name]
        assert len({problem.id for problem in problems}) == SIZES[name]
        assert {problem.source for problem in problems} == {name}

    def test_states_its_number_of_problems_unless_it_makes_them(self, name):
        stated = None if name.startswith("heldout") else SIZES[name]
        assert getattr(plugins.load("benchmarks", name), "ROWS", None) == stated

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
                assert problem.entry_point
            else:
                assert problem.verifier == "math"
                assert problem.answer
                assert rules_named(problem.rules)

    def test_says_whose_average_it_counts_in(self, name):
        plugin = plugins.load("benchmarks", name)
        assert plugin.KIND in ("math", "code")
        assert (plugin.KIND == "code") is (name in CODE)
        assert getattr(plugin, "HELD_OUT", False) is name.startswith("heldout")
        assert inspect.getdoc(plugin)

    def test_takes_a_limit_and_refuses_unknown_options(self, name):
        assert len(load(name, limit=5)) == 5
        with pytest.raises(UserError, match=f"{name}: unknown option 'colour'"):
            load(name, options={"colour": "blue"})


@pytest.mark.parametrize("name", [name for name in SIZES if name not in CODE])
def test_math_benchmarks_name_their_own_rules(name):
    rules = {problem.rules for problem in load(name)}
    expected = {"gsm8k_test": "gsm8k", "heldout_math": None, "heldout_sums": None}.get(name, name)
    assert rules == {expected}


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
