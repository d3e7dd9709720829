"""Generated problems: right answers, disjoint splits, and the same problems for the same seed."""

import re
from itertools import islice

import pytest

from rasft import plugins
from rasft.answers.extraction import extract
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.generated import functions, splits, word_problems

MATH = ("generated_math", "heldout_math")
CODE = ("generated_code", "heldout_code")


def load(name, **settings):
    kind = "benchmarks" if name.startswith("heldout") else "datasets"
    return list(plugins.load(kind, name).load(Source(**settings)))


def program(response):
    return re.fullmatch(r".+\n\n```python\n(.+)\n```", response, re.DOTALL)[1]


@pytest.fixture(scope="module")
def train_and_held_out():
    sizes = {"generated_math": 2_500, "generated_code": 2_500}
    sizes |= {"heldout_math": 1_000, "heldout_code": 1_000}
    return {name: load(name, limit=limit) for name, limit in sizes.items()}


def test_there_are_enough_families():
    assert sum(map(len, word_problems.FAMILIES.values())) == 14
    assert set(word_problems.FAMILIES) == {1, 2, 3, 4}
    assert sum(map(len, functions.FAMILIES.values())) == 13


def test_there_are_enough_problems(train_and_held_out):
    sizes = {name: len(rows) for name, rows in train_and_held_out.items()}
    assert sizes == {
        "generated_math": 2_500,
        "generated_code": 2_500,
        "heldout_math": 1_000,
        "heldout_code": 1_000,
    }


@pytest.mark.parametrize("name", MATH)
def test_every_equation_holds_and_the_last_one_is_the_boxed_answer(train_and_held_out, name):
    for problem in train_and_held_out[name]:
        equations = re.findall(r"(\d+(?: [-+*/] \d+)+) = (\d+)", problem.expert_response)
        assert all(eval(left) == int(right) for left, right in equations)
        assert equations[-1][1] == problem.answer == extract(problem.expert_response).text
        assert int(problem.answer) >= 0


@pytest.mark.parametrize("name", CODE)
def test_every_expert_program_passes_its_own_asserts(train_and_held_out, name):
    for problem in train_and_held_out[name]:
        names = {}
        exec(program(problem.expert_response), names)
        exec(problem.tests, names)
        assert callable(names[problem.entry_point])
        assert len(problem.tests.splitlines()) == 4


@pytest.mark.parametrize("name", CODE)
@pytest.mark.parametrize("constant", ["0", "''", "[]", "True", "False", "None"])
def test_the_asserts_refuse_a_program_that_ignores_its_input(train_and_held_out, name, constant):
    for problem in train_and_held_out[name][:500]:
        names = {}
        exec(f"def {problem.entry_point}(_): return {constant}", names)
        with pytest.raises(AssertionError):
            exec(problem.tests, names)


@pytest.mark.parametrize(("train", "held_out"), [MATH, CODE])
@pytest.mark.parametrize("field", ["id", "prompt"])
def test_the_splits_share_no_problem(train_and_held_out, train, held_out, field):
    seen = [getattr(problem, field) for problem in train_and_held_out[train]]
    unseen = [getattr(problem, field) for problem in train_and_held_out[held_out]]
    assert len({*seen, *unseen}) == len(seen) + len(unseen) == 3_500


@pytest.mark.parametrize("families", [word_problems.FAMILIES, functions.FAMILIES])
def test_the_splits_share_no_numbers_even_across_seeds(families):
    steps = dict.fromkeys(families, 1.0)
    train, held_out = (
        {(name, draft.numbers) for name, draft in islice(splits.draw(families, *of, steps), 1_000)}
        for of in (("train", 1), ("held_out", 2))
    )
    assert not train & held_out


@pytest.mark.parametrize("name", ["generated_math", "generated_code"])
def test_a_seed_fixes_the_training_problems(name):
    assert load(name, limit=50, seed=7) == load(name, limit=50, seed=7)
    assert load(name, limit=50, seed=7) != load(name, limit=50, seed=8)


@pytest.mark.parametrize("name", ["heldout_math", "heldout_code"])
def test_the_held_out_problems_are_the_same_for_every_seed(name):
    assert load(name, limit=50, seed=7) == load(name, limit=50, seed=8)


def test_a_smaller_limit_is_the_head_of_a_larger_one():
    assert load("generated_math", limit=20) == load("generated_math", limit=50)[:20]


def test_steps_weigh_the_problems_by_length():
    rows = load("generated_math", limit=400, options={"steps": {"1": 3, 2: 1}})
    lines = [len(problem.expert_response.splitlines()) for problem in rows]
    assert set(lines) == {2, 3}  # one line a step and the answer
    assert 270 <= lines.count(2) <= 330


@pytest.mark.parametrize("steps", [{9: 1}, {1: -1}, {1: 0}, {}, "two", {"one": 1}])
def test_bad_steps_name_the_option_and_the_known_ones(steps):
    message = r"generated_math: option steps = .*known numbers of steps: 1, 2, 3, 4"
    with pytest.raises(UserError, match=message):
        load("generated_math", options={"steps": steps})


def test_an_unknown_option_is_named():
    message = "heldout_code: unknown option 'step'; known: families, part, steps"
    with pytest.raises(UserError, match=message):
        load("heldout_code", options={"step": {1: 1}})


def test_sums_in_words_say_what_their_equations_say():
    plain = load("generated_sums", limit=300)
    words = load("generated_sums", limit=300, options={"writing": "words"})
    assert [row.id for row in plain] == [row.id for row in words]
    for row, told in zip(plain, words, strict=True):
        assert extract(told.expert_response).text == row.answer
        assert re.findall(r"\d+", told.expert_response)[0] == re.findall(r"\d+", row.prompt)[0]
        results = re.findall(r"=(\d+)", row.expert_response)
        assert re.findall(r"to get (\d+)", told.expert_response) == results
    assert words[0].expert_response.startswith("from ")
    both = load("generated_sums", limit=300, options={"writing": {"equations": 4, "words": 1}})
    told = [row.expert_response.startswith("from ") for row in both]
    assert 40 <= sum(told) <= 80
    longer = load("generated_sums", limit=400, options={"writing": {"equations": 4, "words": 1}})
    assert longer[:300] == both


def test_families_can_be_chosen_and_held_out_kinds_are_what_they_say():
    rows = load("generated_sums", limit=50, options={"families": ["adding", "adding_twice"]})
    assert {row.id.split("/")[1] for row in rows} == {"adding", "adding_twice"}
    assert all("-" in row.prompt for row in load("heldout_differences", limit=50))
    assert all(row.prompt.count("+") == 3 for row in load("heldout_long_sums", limit=50))


def test_the_parts_of_the_held_out_problems_are_its_halves():
    whole = {row.id for row in load("heldout_sums", limit=2_000)}
    parts = [
        {row.id for row in load("heldout_sums", limit=2_000, options={"part": part})}
        for part in splits.PARTS
    ]
    assert not parts[0] & parts[1]
    assert min(len(part & whole) for part in parts) > 0.4 * len(whole)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("heldout_sums", {"part": "dev"}, "option part = 'dev' must be one of: tuning, test"),
        ("generated_sums", {"part": "test"}, "unknown option 'part'; known: families, steps"),
        ("generated_sums", {"families": "summing"}, "option families = 'summing' must list some"),
        ("generated_sums", {"families": []}, "must list some of: adding, taking"),
        (
            "generated_sums",
            {"writing": "verse"},
            "writing = 'verse' must be one of equations",
        ),
        (
            "heldout_long_sums",
            {"steps": {1: 1}},
            "unknown option 'steps'; it has none",
        ),
    ],
)
def test_an_option_that_cannot_be_is_named(name, options, message):
    with pytest.raises(UserError, match=re.escape(message)):
        load(name, options=options)
