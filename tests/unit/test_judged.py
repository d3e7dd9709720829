"""Models judged without training: their configs, protocols, rows in a table."""

from __future__ import annotations

import pytest
from stored_runs import matrix, run, runs, table

from rasft.commands import evaluate
from rasft.commands.evaluate import Wanted
from rasft.config import files, judged, protocols
from rasft.config.settings import BenchmarkConfig, ModelConfig, PromptConfig
from rasft.errors import UserError
from rasft.models.messages import messages
from rasft.records import JudgedCell, MethodResult, Problem
from rasft.results import judged_runs
from rasft.results.cells import StoredRun
from rasft.stages import judge, prepare
from rasft.tables import to_table

EVAL = files.load("eval")


def config(**models: object) -> judged.Config:
    return EVAL.model_copy(update={"models": models})


def test_a_row_is_the_config_with_its_own_values_over_it() -> None:
    own = {"model": {"path": "a/b"}, "evaluation": {"temperature": 0.5}}
    found = judged.rows(config(one=own, two={}))
    assert found["one"].model.path == "a/b"
    assert found["one"].evaluation.temperature == 0.5
    assert found["one"].evaluation.benchmarks == EVAL.evaluation.benchmarks
    assert found["two"].model == EVAL.model
    assert found["one"].models == {}


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({}, "'eval' judges no model: add a section 'models'"),
        ({"a": {"seed": 3}}, "models.a: 'seed' must be the same for all models"),
        (
            {"a": {"evaluation": {"benchmarks": []}}},
            "models.a: evaluation.benchmarks must be the same",
        ),
        (
            {"a": {"model": {"pth": "x"}}},
            r"models.a: unknown key 'model.pth' \(did you mean 'path'",
        ),
    ],
)
def test_wrong_models_are_one_message(models: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        judged.rows(config(**models))


def test_a_protocol_stands_between_the_file_and_what_it_extends() -> None:
    text = "extends: math\nname: x\nevaluation: {protocol: qwen_math, top_p: 0.5}\n"
    found = files.parse(text)
    assert (found.evaluation.samples_per_problem, found.evaluation.temperature) == (1, 0.0)
    assert found.evaluation.top_p == 0.5
    assert protocols.label(found) == "qwen_math, but for evaluation.top_p"
    assert protocols.label(files.parse(text.replace(", top_p: 0.5", ""))) == "qwen_math"
    assert protocols.label(EVAL) is None


@pytest.mark.parametrize("path", sorted(files.PROTOCOLS.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_protocol_is_named_after_its_file(path) -> None:
    text = f"extends: eval\nevaluation: {{protocol: {path.stem}}}\n"
    assert protocols.label(files.parse(text)) == path.stem


def test_the_question_stands_where_the_template_says() -> None:
    problem = Problem("p", "Is {x} in $\\{1\\}$?", "math")
    prompt = PromptConfig(question="Q: {problem}\nA:")
    (asked,) = messages(problem, {"math": prompt}, EVAL.chat)
    assert asked == {"role": "user", "content": "Q: Is {x} in $\\{1\\}$?\nA:"}
    with pytest.raises(UserError, match=r"prompts.math.question = 'Q': it has no \{problem\}"):
        files.parse("extends: eval\nprompts: {math: {question: Q}}\n")


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model is there: these tests ask what is made of their names."""
    monkeypatch.setattr(judge, "check", lambda model: None)


@pytest.mark.usefixtures("present")
def test_one_line_makes_the_whole_config() -> None:
    wanted = Wanted(
        ["embedded:tiny-llama", "x/m", "y/m", "RasftFlow/12", "http://host:80/v1", "champion:math"],
        ["gsm8k_test", "heldout_math"], 5, 4, None, "avg64",
    )  # fmt: skip
    found = evaluate.configure(EVAL, wanted)
    assert list(found.models) == [
        "tiny-llama", "x/m", "y/m", "RasftFlow/12", "host:80", "champion:math",
    ]  # fmt: skip
    assert [(b.name, b.limit) for b in found.evaluation.benchmarks] == [
        ("gsm8k_test", 5), ("heldout_math", 5),
    ]  # fmt: skip
    assert found.evaluation.samples_per_problem == 4
    assert found.evaluation.max_new_tokens == 32768
    assert protocols.label(found) == "avg64, but for evaluation.samples_per_problem"
    assert evaluate.configure(EVAL, Wanted(["a/b"])).evaluation == EVAL.evaluation


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted(["a/b"], ["mth500"]), r"unknown benchmark 'mth500' \(did you mean 'math500'\?\)"),
        (Wanted(["a/b"], protocol="r1"), "evaluation.protocol = 'r1' is none; known: avg16, avg64"),
    ],
)
def test_a_wrong_line_is_one_message(wanted: Wanted, message: str) -> None:
    with pytest.raises(UserError, match=message):
        evaluate.configure(EVAL, wanted)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "model.path = 'nowhere' is no folder"),
        ("champion:math", "champion:math: no model was promoted yet; its pointer is "),
        ("http://127.0.0.1:9/v1", "no model server answers at http://127.0.0.1:9/v1"),
    ],
)
def test_a_model_that_is_not_there_is_one_message(path: str, message: str, monkeypatch) -> None:
    monkeypatch.setattr("rasft.decoding.chat_server.RETRIES", 0)
    with pytest.raises(UserError, match=message):
        judge.check(ModelConfig(path=path))


def test_no_more_is_read_of_a_benchmark_than_its_limit(tmp_path, monkeypatch) -> None:
    good = '{"id": "%d", "problem": "1 + 1?", "answer": "2"}'
    faulty = '{"id": "f", "problem": "1 + 1?", "answer": "{2"}'
    lines = [good % 1, faulty, good % 2, "this is no JSON"]
    (tmp_path / "math").mkdir()
    (tmp_path / "math" / "amc23.jsonl").write_text("\n".join(lines))
    monkeypatch.setenv("RASFT_DATA_DIR", str(tmp_path))
    two = EVAL.evaluation.model_copy(
        update={"benchmarks": (BenchmarkConfig(name="amc23", limit=2),)}
    )
    asked = EVAL.model_copy(update={"evaluation": two})
    ((_, rows),), (note,) = prepare.benchmarks(asked, whole=False)
    assert [row.id for row in rows] == ["1", "2"]
    assert note == "benchmark amc23 leaves out f: the braces of '{2' do not pair"
    with pytest.raises(UserError, match="line 4 is not valid JSON"):
        prepare.benchmarks(asked)


def evaluation(shares: dict[str, float], failed: str = "") -> list[StoredRun]:
    """The stored runs of an evaluation of these models; benchmark amc23 failed for one."""
    results = [
        MethodResult(**vars(row), method=name, seed=0)
        for name, share in shares.items()
        for benchmark in ("math500", "amc23")
        for row in matrix(benchmark, "judged", share, 5)
        if (name, benchmark) != (failed, "amc23")
    ]
    trained = {m["benchmark"]: m for m in run("sft", 0, 0.3).manifests}
    manifests = [
        {**trained[benchmark], "checkpoint": "judged", "row": name, "model_fingerprint": name}
        for name in shares
        for benchmark in ("math500", "amc23")
    ]
    cells = [
        JudgedCell(
            name,
            benchmark,
            "the server is gone" if (name, benchmark) == (failed, "amc23") else None,
            EVAL.model_dump_json(),
        )
        for name in shares
        for benchmark in ("math500", "amc23")
    ]
    return judged_runs.stored_runs(
        "EvalFlow/3",
        to_table(cells, JudgedCell),
        to_table(results, MethodResult),
        manifests,
        {"commit": "c" * 40},
    )


def test_judged_models_stand_beside_trained_ones_of_every_seed() -> None:
    built = table([*runs({"sft": 0.3, "dft": 0.3}), *evaluation({"big": 0.8})])
    assert [row.name for row in built.rows] == ["base", "sft", "dft", "big"]
    big = built.rows[3].entries[0]
    assert (big.seeds, big.problems) == (1, 60)
    found = {(i.contrast.row, i.contrast.column): i for i in built.differences}
    assert found["big", "math500"].is_real
    assert found["big", "math500"].seeds == 3
    assert not any("template_fingerprint" in note for note in built.notes)


def test_a_model_that_failed_on_one_benchmark_keeps_the_other() -> None:
    built = table(evaluation({"big": 0.8, "small": 0.2}, failed="small"))
    small = dict(zip(built.columns, built.rows[1].entries, strict=True))
    assert small["math500"].value == pytest.approx(0.2, abs=0.05)
    assert small["amc23"].value is None
    told = "small, seed 1 (EvalFlow/3/small/amc23) failed: the server is gone"
    assert told in built.notes
