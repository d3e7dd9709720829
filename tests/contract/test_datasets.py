"""Every dataset plugin against one suite, on the real files where RASFT_DATA_DIR names them."""

import inspect
import json
import os
from itertools import islice
from pathlib import Path

import pytest

from rasft import plugins
from rasft.answers.extraction import extract
from rasft.data import gsm8k, mbpp, rows
from rasft.data.source import ByOption, Source
from rasft.errors import UserError
from rasft.records import Problem
from tests import contest_rows

DATA = os.environ.get("RASFT_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="RASFT_DATA_DIR is not set")

SIZES = {"gsm8k": 7_473, "math_train": 7_500, "mbpp_train": 374}
# as their cards state; the local files lack them, so no test counts the rows
UNCHECKED = {
    "numina_math_cot": 859_494, "kodcode": 245_937,
    "apps": 5_000, "taco": 25_443, "code_contests": 13_328,
}  # fmt: skip
GENERATED = {"generated_math": 1_000, "generated_code": 1_000, "generated_sums": 1_000}
OWN = {"id": 7, "prompt": "2+2?", "verifier": "math", "expert_response": "4", "answer": 4.0}
SAMPLES = {  # plugins whose data is not among the local files: rows with the hub's fields
    "numina_math_cot": (
        "math/train/numina_math_cot.jsonl",
        [
            {"source": "olympiads", "problem": "1+1?", "solution": r"It is \boxed{2}."},
            {"source": "olympiads", "problem": "Prove it.", "solution": "Clear."},
        ],
    ),
    "kodcode": (
        "code/kodcode.jsonl",
        [
            {
                "question_id": "Leetcode_1_I",
                "question": "Write `inc(x)`.",
                "solution": "def inc(x):\n    return x + 1\n",
                "test_code": "from solution import inc\n\ndef test_it():\n    assert inc(1) == 2",
                "conversations": [
                    {"from": "human", "value": "Write `inc(x)`."},
                    {"from": "gpt", "value": "<think>\nhm\n</think>\n\nAdd one."},
                ],
            },
            {
                "question_id": "Leetcode_2_I",
                "question": "Write `dec(x)`.",
                "solution": "def dec(x):\n    return x - 1\n",
                "test_code": "import pytest\nfrom solution import dec\n\ndef test_it(): pass",
                "conversations": [],
            },
        ],
    ),
    "apps": ("code/apps_train.jsonl", contest_rows.APPS),
    "taco": ("code/taco_train.jsonl", contest_rows.TACO),
    "code_contests": ("code/code_contests_train.jsonl", contest_rows.CODE_CONTESTS),
    "jsonl": ("own.jsonl", [OWN]),
    "files": ("own.jsonl", [OWN]),
    "hub": ("hub/train.jsonl", [OWN]),
}


def write(folder: Path, file: str, values: list[dict]) -> None:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in values))


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A source for any plugin: the real files, generated rows, or rows with the hub's fields.

    Of the hub `datasets` itself reads a folder of that shape.
    """
    monkeypatch.setattr(rows, "newest_commit", lambda hub: None)
    where = {"jsonl": {"path": "own.jsonl"}, "hub": {"dataset": str(tmp_path / "hub")}}
    where["files"] = where["jsonl"]

    def make(name: str, **settings) -> Source:
        options = settings.pop("options", {})
        if name in GENERATED:
            return Source(options=options, **settings)
        if name in SAMPLES:
            write(tmp_path, *SAMPLES[name])
            if name == "hub":
                monkeypatch.setattr(rows, "hub_failure", lambda: "")
            return Source(str(tmp_path), options=where.get(name, {}) | options, **settings)
        if not DATA:
            pytest.skip("RASFT_DATA_DIR is not set")
        return Source(DATA, options=options, **settings)

    return make


def load(name: str, source: Source) -> list[Problem]:
    return list(plugins.load("datasets", name).load(source))


def test_every_dataset_is_in_the_suite():
    assert set(plugins.names("datasets")) == {*SIZES, *GENERATED, *SAMPLES}


@pytest.mark.parametrize("name", plugins.names("datasets"))
class TestEveryDataset:
    def test_yields_problems_with_ids_and_prompts_of_their_own(self, name, source):
        problems = load(name, source(name))
        assert problems
        assert all(isinstance(problem, Problem) for problem in problems)
        assert len({problem.id for problem in problems}) == len(problems)
        assert all(problem.prompt.strip() and problem.source for problem in problems)

    def test_its_verifiers_exist_and_have_something_to_verify_with(self, name, source):
        problems = load(name, source(name, limit=1))
        for problem in problems:
            assert problem.verifier in ("math", "python")
            assert problem.answer if problem.verifier == "math" else problem.tests

    def test_streams_up_to_the_limit(self, name, source):
        assert len(load(name, source(name, limit=1))) == 1
        rows_ = plugins.load("datasets", name).load(source(name))
        assert iter(rows_) is rows_

    def test_the_same_source_gives_the_same_rows(self, name, source):
        assert load(name, source(name, limit=40)) == load(name, source(name, limit=40))

    def test_an_unknown_option_is_refused(self, name, source):
        with pytest.raises(UserError, match=f"{name}: unknown option 'colour'; known: "):
            load(name, source(name, limit=1, options={"colour": "blue"}))

    def test_says_what_it_is(self, name, source):
        plugin = plugins.load("datasets", name)
        assert inspect.getdoc(plugin)
        assert inspect.getdoc(plugin.load)


def published(name):
    """The published numbers of a plugin with the options of each, the default's first."""
    rows_ = plugins.load("datasets", name).ROWS
    if isinstance(rows_, ByOption):
        return [({rows_.option: value}, size) for value, size in rows_.rows.items()]
    return [({}, rows_)]


@needs_data
@pytest.mark.parametrize("name", SIZES)
def test_the_real_files_have_the_published_number_of_rows(name):
    assert len(load(name, Source(DATA))) == SIZES[name]
    for options, size in published(name):
        assert len(load(name, Source(DATA, options=options))) == size


def test_every_source_states_its_number_of_rows():
    stated = {name: published(name)[0][1] for name in (*SIZES, *UNCHECKED)}
    assert stated == SIZES | UNCHECKED
    for name in (*GENERATED, "jsonl", "files", "hub"):
        assert not hasattr(plugins.load("datasets", name), "ROWS")


@pytest.mark.parametrize("name", [*SIZES, *UNCHECKED])
def test_a_limit_of_zero_checks_the_options_and_reads_nothing(name, monkeypatch):
    monkeypatch.setattr(rows, "_stream", lambda place, local: pytest.fail("the hub was asked"))
    assert load(name, Source(limit=0)) == []
    with pytest.raises(UserError, match=f"{name}: unknown option 'colour'"):
        load(name, Source(limit=0, options={"colour": "blue"}))


@needs_data
def test_every_gsm8k_expert_boxes_the_gold_answer():
    for problem in load("gsm8k", Source(DATA)):
        assert extract(problem.expert_response).text == problem.answer
        assert "<<" not in problem.expert_response
        assert "####" not in problem.expert_response


@needs_data
def test_every_math_expert_boxes_the_gold_answer():
    problems = load("math_train", Source(DATA, options={"part": "all"}))
    assert len(problems) == 12_000
    assert sum(problem.answer is None for problem in problems) == 2
    differing = [p.id for p in problems if p.answer and not extract(p.expert_response).pieces]
    assert differing == []


@needs_data
def test_every_mbpp_row_names_its_function():
    problems = load("mbpp_train", Source(DATA))
    assert all(problem.entry_point for problem in problems)
    assert all(problem.entry_point in problem.prompt for problem in problems)
    assert [problem.id for problem in problems if problem.setup] == ["mbpp/927"]
    assert not any("\r" in problem.expert_response + problem.prompt for problem in problems)


def test_gsm8k_solutions_end_in_a_box():
    solution = "She sold 1,000/2 = <<1000/2=500>>500 clips.\nAll: <<500*3=1500>>1,500.\n#### 1,500"
    assert gsm8k.expert(solution) == (
        "She sold 1,000/2 = 500 clips.\nAll: 1,500.\nThe answer is \\boxed{1500}."
    )
    assert gsm8k.number(" 1,500 ") == "1500"


@pytest.mark.parametrize(
    ("program", "tests", "name"),
    [
        ("def a(): pass", "assert a() == 1", "a"),
        ("def a(): pass\ndef b(): return a()", "assert set(b()) == {1}", "b"),
        ("def a(): pass\ndef b(): pass", "assert a() == b()", None),
        ("class A: pass", "assert A()", None),
    ],
)
def test_the_entry_point_is_the_one_function_that_the_tests_call(program, tests, name):
    assert mbpp.entry_point(program, tests) == name


def test_numina_takes_the_answer_from_the_box(source):
    boxed, proof = load("numina_math_cot", source("numina_math_cot"))
    assert (boxed.id, boxed.answer) == ("numina_math_cot/0", "2")
    assert proof.answer is None


def test_kodcode_tests_run_beside_the_program(source):
    plain, with_pytest = load("kodcode", source("kodcode"))
    names = {}
    program = plain.expert_response.removeprefix("```python\n").removesuffix("\n```")
    exec(program + "\n" + plain.tests, names)
    names["test_it"]()
    assert "import" not in plain.tests
    assert with_pytest.tests == "import pytest\n\ndef test_it(): pass"


def test_kodcode_can_take_the_answer_of_r1_without_its_thinking(source):
    problem = next(iter(load("kodcode", source("kodcode", options={"response": "r1"}))))
    assert problem.expert_response == "Add one."


class TestJsonl:
    def load(self, tmp_path, text, **options):
        (tmp_path / "rows.jsonl").write_text(text)
        return load("jsonl", Source(str(tmp_path), options={"path": "rows.jsonl", **options}))

    def test_fields_are_renamed_and_numbers_become_text(self, tmp_path):
        text = '{"n": 1, "q": "2+2?", "solution": "4", "gold": 4.0, "tolerance": 0.1}\n\n'
        fields = {"id": "n", "prompt": "q", "expert_response": "solution", "answer": "gold"}
        (problem,) = self.load(tmp_path, text, fields=fields, verifier="math")
        assert problem == Problem("1", "2+2?", "math", "4", "4", tolerance=0.1, source="rows")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('{"id": 1}\n', "rows.jsonl line 1: field 'prompt' is missing or empty; it has: id"),
            ('\n{"id": 1, "prompt":\n', "rows.jsonl line 2 is not valid JSON"),
            ("[1]\n", "rows.jsonl line 1 must hold a JSON object, not list"),
            ('{"id": 1, "prompt": ["a"]}\n', "line 1: field 'prompt' must be text"),
            ('{"id": 1, "prompt": "a", "tolerance": "b"}', "line 1: tolerance 'b' is not a number"),
        ],
    )
    def test_a_broken_row_names_file_line_and_field(self, tmp_path, text, message):
        with pytest.raises(UserError, match=message):
            self.load(tmp_path, text, verifier="math")

    def test_the_authors_file_is_read_by_a_field_map(self, tmp_path):
        """Two fields, no id and no answer: the box holds the answer."""
        text = (
            '{"instruction": "1+1?", "response": "It is \\\\boxed{2}."}\n'
            '{"instruction": "Prove it.", "response": "Clear."}\n'
        )
        fields = {"prompt": "instruction", "expert_response": "response"}
        sum_, proof = self.load(tmp_path, text, fields=fields, verifier="math", answer="boxed")
        assert sum_ == Problem("rows/0", "1+1?", "math", r"It is \boxed{2}.", "2", source="rows")
        assert (proof.id, proof.answer) == ("rows/1", None)

    def test_an_answer_of_the_row_goes_before_the_box(self, tmp_path):
        text = '{"prompt": "1+1?", "expert_response": "\\\\boxed{2.0}", "answer": "2"}'
        (problem,) = self.load(tmp_path, text, verifier="math", answer="boxed")
        assert problem.answer == "2"

    def test_a_row_with_no_verifier_is_named(self, tmp_path):
        with pytest.raises(UserError, match="line 1: field 'verifier' is missing"):
            self.load(tmp_path, '{"id": 1, "prompt": "a"}\n')

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, "jsonl: option path is missing"),
            ({"path": "no.jsonl"}, "jsonl: option path = 'no.jsonl': there is no file .*no.jsonl"),
            ({"path": "x", "answer": "box"}, "option answer = 'box' must be 'boxed'"),
            ({"path": "x", "fields": ["id"]}, "option fields = .* must map"),
            ({"path": "x", "fields": {"promt": "q"}}, "names 'promt', which a problem does not"),
        ],
    )
    def test_bad_options_are_explained(self, tmp_path, options, message):
        with pytest.raises(UserError, match=message):
            load("jsonl", Source(str(tmp_path), options=options))


def test_with_neither_file_nor_hub_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "hub_failure", lambda: "no route")
    message = (
        r"no rows for math/train/gsm8k_train.jsonl: there is no .*gsm8k_train.jsonl, and the hub "
        r"dataset openai/gsm8k cannot be read \(no route\); set RASFT_DATA_DIR to a folder with"
    )
    with pytest.raises(rows.SourceUnavailable, match=message):
        load("gsm8k", Source(str(tmp_path)))
    with pytest.raises(rows.SourceUnavailable, match="RASFT_DATA_DIR is not set"):
        load("gsm8k", Source())


@needs_data
@pytest.mark.parametrize("name", ["gsm8k", "math_train", "mbpp_train"])
def test_a_stream_reads_no_further_than_asked(name):
    assert len(list(islice(plugins.load("datasets", name).load(Source(DATA)), 3))) == 3
