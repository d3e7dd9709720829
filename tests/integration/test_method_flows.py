"""The flows beside RASFT's, on a model of random weights: real steps, seconds each."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import chat_api
import pytest
import tiny_model
from metaflow import Run, Runner, namespace

from rasft.records import (
    EXPERT,
    BenchmarkResult,
    CellResult,
    Dropped,
    MethodResult,
    Problem,
    Route,
    TrainingExample,
)
from rasft.records import SequenceScore as Scored
from rasft.results import result_table, runs, table_text
from rasft.tables import from_table

WATCH = [sys.executable, "-m", "rasft.cli", "watch"]
FLOWS = Path(__file__).parents[2] / "flows"
TINY = """
extends: demo
name: tiny
model: {{path: {model}, dtype: float32}}
data: {{datasets: [{{name: generated_math, limit: 8, options: {{steps: {{1: 1}}}}}}]}}
warmup: null
training: {{method: sft, batch_size: 4}}
evaluation:
  max_new_tokens: 4
  bootstrap_samples: 100
  benchmarks: [{{name: heldout_math, limit: 3, samples: 2}}]
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("flows")
    model = tiny_model.build(folder / "model")
    (folder / "tiny.yaml").write_text(TINY.format(model=model))
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def finish(flow: str, config: str) -> Run:
    with Runner(str(FLOWS / flow), show_output=False, config=[("cfg", config)]).run() as running:
        assert running.status == "successful", running.stderr[-3000:]
        namespace(None)
        return Run(running.run.pathspec)


def write(name: str, text: str, folder: Path) -> str:
    (folder / name).write_text(f"extends: {folder / 'tiny.yaml'}\n{text}\n")
    return name


@pytest.fixture(scope="module")
def followed(workplace: Path) -> tuple[Run, subprocess.CompletedProcess[str]]:
    """A run, and what `rasft watch` said while it was going on."""
    told = workplace / "id"
    words = ["--config", "cfg", "tiny.yaml", "run", "--run-id-file", str(told)]
    flow = subprocess.Popen(
        [sys.executable, str(FLOWS / "sft_flow.py"), *words], stdout=subprocess.DEVNULL
    )
    while not (told.is_file() and told.read_text()):
        assert flow.poll() is None
        time.sleep(0.2)
    name = f"SftFlow/{told.read_text()}"
    watch = subprocess.run([*WATCH, name], capture_output=True, text=True)
    assert flow.wait() == 0
    namespace(None)
    return Run(name), watch


@pytest.fixture(scope="module")
def trained(followed: tuple[Run, subprocess.CompletedProcess[str]]) -> Run:
    return followed[0]


def test_a_run_is_watched_until_it_ends(followed) -> None:
    run, watch = followed
    assert (watch.returncode, watch.stderr) == (0, "")
    *lines, last = watch.stdout.splitlines()
    assert any(re.match(r"\d+ s: \w+.* tasks done", line) for line in lines), lines
    assert last.startswith(f"{run.pathspec} succeeded after ")
    assert "samples 12 + 0" in last


def test_a_run_that_is_over_is_not_watched(trained: Run) -> None:
    over = subprocess.run([*WATCH, trained.pathspec], capture_output=True, text=True)
    assert over.returncode == 1
    assert over.stderr.startswith(f"Error: run {trained.pathspec} has finished: rasft tables")
    gone = subprocess.run([*WATCH, "SftFlow/1"], capture_output=True, text=True)
    assert gone.stderr.startswith("Error: there is no run 'SftFlow/1'")


def test_sft_trains_on_each_expert_and_evaluates_both_models(workplace: Path, trained: Run) -> None:
    task = trained["end"].task
    examples = from_table(task["examples"].data, TrainingExample)
    assert [(row.sample_index, row.weight, row.reference_logps) for row in examples] == [
        (EXPERT, 1.0, ())
    ] * 8
    results = from_table(task["results"].data, BenchmarkResult)
    assert {row.checkpoint for row in results} == {"base", "trained"}
    assert task["training_summary"].data["steps"] == 2
    assert "## Training" in (workplace / task["report_path"].data).read_text()


def test_rl_says_when_every_reward_is_zero(workplace: Path) -> None:
    settings = """
        training: {method: grpo, batch_size: 8}
        reinforcement: {group_size: 4, max_new_tokens: 4}
    """
    config = write("grpo.yaml", textwrap.dedent(settings), workplace)
    task = finish("rl_flow.py", config)["end"].task
    summary = task["training_summary"].data
    assert (summary["all_wrong"], summary["mixed"], summary["all_right"]) == (8, 0, 0)
    assert summary["steps_without_signal"] == summary["steps"] == 4
    assert task["curve"].data["grad_norm"].to_pylist() == [0.0] * 4
    report = (workplace / task["report_path"].data).read_text()
    assert "Note: every reward of 8 groups was 0: nothing was learnt" in report
    assert "![Training](training.png)" in report


OWN = Path(__file__).parents[1] / "own_plugins"  # a plugin of each kind
SEVERAL = [
    f"To add 2 and 3, {way}: \\boxed{{5}}." for way in ("count on from 2", "start at 3 then")
]
MIXED = [
    *({"id": f"p{i}", "prompt": f"What is {i} + 9?", "verifier": "math", "answer": str(i + 9),
       "expert_response": f"So {i} + 9 = \\boxed{{{i + 9}}}."} for i in range(4)),
    {"id": "several", "prompt": "What is 2 + 3?", "verifier": "math", "answer": "5",
     "expert_response": [SEVERAL[0], SEVERAL[0] + " Yes", SEVERAL[1], "Clearly \\boxed{6} it is."]},
    {"id": "own", "prompt": "What is 3 + 3?", "verifier": "math", "answer": "6",
     "expert_response": "So \\boxed{6}.", "system": "Answer in one line."},
    *({"id": f"n{i}", "prompt": f"Greet {who}.", "verifier": "none",
       "expert_response": f"Hello, {who}!"} for i, who in enumerate(("Ann", "Bob"))),
]  # fmt: skip
COMPARE = """
plugins: [plugins_of_mine]
data:
  datasets: [{name: asked, limit: 8}, {name: files, options: {path: MIXED}}]
  near_duplicates: null
prompts: {yesno: {}, none: {}}
verification: {math: {workers: 1}}
rollout: {engine: renamed, samples_per_problem: 2, max_new_tokens: 4}
evaluation: {benchmarks: [{name: held_out_questions, limit: 3, samples: 2}]}
comparison:
  seeds: [2]
  cells_per_task: 3
  planned: {pilot: CompareFlow/1, benchmark: held_out_questions, finds: 9.5, seeds: 1, problems: 3,
            samples: 2}
  methods:
    osw_ft: {}
    focal: {}
    broken: {training: {method: dft, learning_rate: 1.0e+30, warmup_steps: 0}}
"""


@pytest.fixture(scope="module")
def compared(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Rows of every sort; loss, dataset, verifier, engine and benchmark are files of the user's
    own, gone by now."""
    mine, mixed = workplace / "plugins_of_mine", workplace / "mixed.jsonl"
    shutil.copytree(OWN, mine, ignore=shutil.ignore_patterns("__pycache__"))
    mixed.write_text("".join(f"{json.dumps(row)}\n" for row in MIXED))
    compare = COMPARE.replace("MIXED", str(mixed))
    run = finish("compare_flow.py", write("compare.yaml", compare, workplace))
    mine.rename(tmp_path_factory.mktemp("moved") / "away")
    return run


def test_plugins_of_the_users_own_made_every_cell(compared: Run) -> None:
    task = compared["end"].task
    cells = {c.method: c for c in from_table(task["cells"].data, CellResult)}
    assert set(task["cfg"].data["plugins"]) == {
        path.relative_to(OWN).as_posix() for path in OWN.rglob("*.py")
    }
    manifests = task["manifests"].data
    versions = {manifest["verifiers"]["yesno"] for manifest in manifests}
    assert [re.fullmatch(r"1 [0-9a-f]{16}", version) is not None for version in versions] == [True]
    results = from_table(task["results"].data, MethodResult)
    assert {row.problem_id.split("/")[0] for row in results} == {"held_out_questions"}
    (config,) = {cell.config for cell in cells.values() if cell.method == "focal"}
    assert json.loads(config)["rollout"]["engine"] == "renamed"
    assert cells["focal"].steps == cells["osw_ft"].steps > 1
    assert cells["focal"].fingerprint not in ("", cells["osw_ft"].fingerprint)


def test_compare_joins_every_cell_and_tells_of_those_that_failed(
    workplace: Path, compared: Run
) -> None:
    run = compared
    task = run["end"].task
    cells = {(c.method, c.seed): c for c in from_table(task["cells"].data, CellResult)}
    assert set(cells) == {("osw_ft", 2), ("focal", 2), ("broken", 2)}
    assert cells["osw_ft", 2].failure is None
    assert cells["osw_ft", 2].drift not in (None, 0.0)
    assert cells["osw_ft", 2].tokens > 0
    assert "training stopped before step 2" in str(cells["broken", 2].failure)
    results = from_table(task["results"].data, MethodResult)
    rows = {(row.method, row.seed) for row in results}
    assert rows == {("base", 2), ("osw_ft", 2), ("focal", 2)}
    report = (workplace / task["report_path"].data).read_text()
    assert "3 cells, 1 failed" in report
    stored = runs.read([run.pathspec])
    assert [each.failure is None for each in stored] == [c.failure is None for c in cells.values()]
    rebuilt = table_text.markdown(result_table.build(stored, result_table.plan(stored)))
    assert rebuilt == task["table"].data
    for part in ("| base ", "| osw_ft ", "| focal ", "| dft "):
        assert part in rebuilt


def test_a_comparison_is_held_to_its_plan_and_is_a_pilot_only_with_seeds(
    workplace: Path, compared: Run
) -> None:
    assert compared["start"].task["planned"].data["finds"] == 9.5  # before any cell
    report = (workplace / compared["end"].task["report_path"].data).read_text()
    assert "## Planned and found" in report
    assert "find a difference of 9.5 points with 90 % chance" in report
    assert "Ran: seeds 1, problems 3; as planned." in report
    command = [sys.executable, "-m", "rasft.cli", "power", "compare", "--pilot", compared.pathspec,
               "--benchmark", "held_out_questions"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "a pilot needs two methods, seeds and problems at least, not (2, 1, 3)" in done.stderr
    assert "Traceback" not in done.stderr


def test_several_experts_are_all_scored_and_no_verifier_is_no_rollout(compared: Run) -> None:
    run = compared
    shared, prepared = run["sample"].task["shared"].data, run["prepare"].task
    scored = [(s.problem_id, s.sample_index) for s in from_table(shared["expert_scores"], Scored)]
    names = [str(row["id"]) for row in MIXED]
    mine = [pair for pair in scored if pair[0] in names]
    assert sorted(mine) == sorted([*((name, EXPERT) for name in names), ("several", EXPERT - 1)])
    buckets = {r.problem_id: (r.bucket, r.rolled_out) for r in from_table(shared["routes"], Route)}
    assert {name: buckets[name] for name in names} == {
        name: ("unverified", False) if name in ("n0", "n1") else ("rollout", True) for name in names
    }
    rolled_out = set(shared["rollouts"]["problem_id"].to_pylist())
    assert rolled_out & set(names) == set(names[:6])
    dropped = {(d.problem_id, d.reason): d for d in from_table(prepared["dropped"].data, Dropped)}
    assert set(dropped) == {("several", "repeated_expert"), ("several", "expert_refused")}
    said = dropped["several", "expert_refused"].detail
    assert said.startswith("expert response 3 of 3: incorrect: '6'")
    (own,) = (row for row in from_table(shared["problems"], Problem) if row.id == "own")
    assert own.system == "Answer in one line."
    notes = run["end"].task["notes"].data
    assert any("2 of 16 training problems have the verifier 'none'" in note for note in notes)
    assert any("16 training problems have 17 expert responses" in note for note in notes)
    trained = [t["trainings"].data for t in run["train"].tasks() if "trainings" in t]
    (cell,) = (done["osw_ft"] for done in trained if "osw_ft" in done)
    assert cell["summary"]["sequences"] == 17


def test_a_method_that_needs_verdicts_refuses_rows_without(workplace: Path) -> None:
    file = workplace / "none.jsonl"
    file.write_text(f"{json.dumps(MIXED[-1])}\n")
    text = f"""
        data: {{datasets: [{{name: files, options: {{path: {file}}}}}]}}
        training: {{method: grpo, batch_size: 8}}
    """
    config = write("refused.yaml", textwrap.dedent(text), workplace)
    command = [sys.executable, str(FLOWS / "rl_flow.py"), "--config", "cfg", config, "run"]
    done = subprocess.run(command, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "training.method = 'grpo' trains on the verdicts of every problem, and 1 of 1" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ("method: rasft", "run flows/rasft_flow.py, or set one of: asft, dft"),
        ("nodes: 2", "training.nodes is 2, and this flow trains on one; flows/rasft_nodes_flow.py"),
    ],
)
def test_sft_refuses_what_is_for_another_flow(training: str, message: str, workplace: Path) -> None:
    config = write("other.yaml", f"training: {{{training}}}", workplace)
    command = [sys.executable, str(FLOWS / "sft_flow.py"), "--config", "cfg", config, "run"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


EVAL = """
evaluation:
  benchmarks:
    - {{name: heldout_math, limit: 3, samples: 2}}
    - {{name: heldout_sums, limit: 4, samples: 1}}
models:
  start: {{}}
  sft: {{model: {{path: {run}}}}}
  served: {{model: {{path: "{address}#small"}}, evaluation: {{max_new_tokens: 5}}}}
"""


@pytest.fixture(scope="module")
def judged(workplace: Path, trained: Run) -> Iterator[Run]:
    """A folder, the model of a run, and a served one, which refuses one benchmark's key."""
    with pytest.MonkeyPatch.context() as environment, chat_api.running() as api:
        environment.setenv("OPENAI_API_KEY", chat_api.KEY)
        text = EVAL.format(run=trained.pathspec, address=api.address)
        yield finish("eval_flow.py", write("eval.yaml", text, workplace))


def test_models_are_judged_without_training(workplace: Path, judged: Run) -> None:
    task = judged["end"].task
    results = from_table(task["results"].data, MethodResult)
    assert {(row.method, row.benchmark) for row in results} == {
        (model, benchmark)
        for model in ("start", "sft", "served")
        for benchmark in ("heldout_math", "heldout_sums")
    }
    assert {len(row.finish_reasons) for row in results} == {1, 2}
    report = (workplace / task["report_path"].data).read_text()
    assert "| served | http://127.0.0.1:" in report
    assert "![Accuracy](accuracy.png)" in report
    assert "heldout_sums (served): 1 sample a problem" in report


def test_a_table_joins_judged_and_trained_models(trained: Run, judged: Run) -> None:
    stored = runs.read([judged.pathspec])
    own = table_text.markdown(result_table.build(stored, result_table.plan(stored)))
    assert own == judged["end"].task["table"].data
    both = runs.read([trained.pathspec, judged.pathspec])
    joined = result_table.build(both, result_table.plan(both))
    again = f"sft [{judged.pathspec}]"
    assert [row.name for row in joined.rows] == ["base", "sft [tiny]", "start", again, "served"]


def test_the_model_of_a_run_scores_as_it_did_there(trained: Run, judged: Run) -> None:
    there = {
        row.problem_id: row.answers
        for row in from_table(trained["end"].task["results"].data, BenchmarkResult)
        if row.checkpoint == "trained"
    }
    here = {
        row.problem_id: row.answers
        for row in from_table(judged["end"].task["results"].data, MethodResult)
        if (row.method, row.benchmark) == ("sft", "heldout_math")
    }
    assert here == there


def test_a_model_that_is_not_there_is_one_message_before_any_is_loaded(workplace: Path) -> None:
    config = write("gone.yaml", "models: {a: {}, b: {model: {path: SftFlow/1}}}", workplace)
    with Runner(
        str(FLOWS / "eval_flow.py"), show_output=False, config=[("cfg", config)]
    ).run() as r:
        assert r.status == "failed"
        assert "there is no run 'SftFlow/1' in this datastore" in r.stdout + r.stderr
        assert "Traceback" not in r.stdout + r.stderr
        over = subprocess.run([*WATCH, r.run.pathspec], capture_output=True, text=True)
    assert f"run {r.run.pathspec} is not going on: it failed: start: " in over.stderr
