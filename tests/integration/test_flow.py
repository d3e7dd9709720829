"""The real flow on a handful of problems: a real model, Docker, training and evaluation."""

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from metaflow import Run, Runner, Task, namespace
from page_browser import Browser

from rasft.records import EXPERT, BenchmarkResult, Group, Problem, Rollout, TrainingExample, Verdict
from rasft.results import runs
from rasft.results.accuracy import Accuracy
from rasft.tables import from_table

pytestmark = [pytest.mark.docker, pytest.mark.model]

FLOW = str(Path(__file__).parents[2] / "flows" / "rasft_flow.py")
CELL = ("heldout_math", "trained")
SMALL = """
extends: demo
name: small
model: {dtype: float32}
data:
  datasets:
    - {name: generated_math, limit: 12, options: {steps: {1: 1}}}
    - {name: generated_code, limit: 4}
warmup: {problems: 8}
rollout: {samples_per_problem: 2, max_new_tokens: 48}
evaluation:
  samples_per_problem: 2
  max_new_tokens: 32
  bootstrap_samples: 500
  benchmarks:
    - {name: heldout_math, limit: 4}
    - {name: heldout_code, limit: 2}
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder far from the repository: the flow must run from anywhere.

    The datastore is not in it: Metaflow finds it in the folder above.
    """
    above = tmp_path_factory.mktemp("above")
    (above / ".metaflow").mkdir()
    folder = above / "elsewhere"
    folder.mkdir()
    (folder / "small.yaml").write_text(SMALL)
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def runner(**options) -> Runner:
    return Runner(FLOW, show_output=False, **options)


@pytest.fixture(scope="module")
def run(workplace: Path) -> Run:
    made = runner(config=[("cfg", "small.yaml")], env={"RASFT_PAGE": "on"})
    with made.run() as running:
        assert running.status == "successful", running.stdout[-3000:] + running.stderr[-3000:]
        namespace(None)
        return running.run


def records(run: Run, name: str, record: type) -> list:
    return from_table(run["end"].task[name].data, record)


def accuracies(run: Run) -> list[Accuracy]:
    return records(run, "accuracies", Accuracy)


def test_every_sample_has_a_verdict(run: Run) -> None:
    problems = {row.id: row for row in records(run, "problems", Problem)}
    rollouts = records(run, "rollouts", Rollout)
    verdicts = records(run, "verdicts", Verdict)
    assert len(problems) == 8
    keys = sorted((row.problem_id, row.sample_index) for row in rollouts)
    assert keys == sorted((problem_id, k) for problem_id in problems for k in range(2))
    assert keys == sorted((row.problem_id, row.sample_index) for row in verdicts)
    assert {row.verifier for row in verdicts} == {p.verifier for p in problems.values()}
    assert all(row.status.is_decided for row in verdicts)


def test_examples_carry_their_groups_weights(run: Run) -> None:
    groups = {row.problem_id: row for row in records(run, "groups", Group)}
    for example in records(run, "examples", TrainingExample):
        group = groups[example.problem_id]
        own = dict(zip(group.rollout_indices, group.rollout_weights, strict=True))
        expected = group.expert_weight if example.sample_index == EXPERT else None
        assert example.weight == (expected or own[example.sample_index])
        assert len(example.reference_logps) == len(example.input_ids) - example.prompt_tokens
    trained = [row.problem_id for row in records(run, "examples", TrainingExample)]
    assert set(trained) == set(groups)


def test_the_matrix_is_complete(run: Run) -> None:
    results = records(run, "results", BenchmarkResult)
    cells = {(row.benchmark, row.checkpoint): 0 for row in results}
    for row in results:
        cells[row.benchmark, row.checkpoint] += len(row.correct)
    assert cells == {
        (benchmark, checkpoint): samples
        for benchmark, samples in [("heldout_math", 8), ("heldout_code", 4)]
        for checkpoint in ("base", "warmed_up", "trained")
    }
    assert len(run["end"].task["manifests"].data) == 6


def test_the_trained_model_moved_and_the_run_says_from_what(run: Run) -> None:
    task = run["end"].task
    checkpoint, provenance = task["checkpoint"].data, task["provenance"].data
    assert checkpoint["fingerprint"] != checkpoint["base_fingerprint"]
    assert checkpoint["steps"] == len(task["curve"].data) > 0
    assert {"commit", "versions", "model_fingerprint", "data_fingerprint", "seed"} <= set(
        provenance
    )


def test_the_report_is_on_disk_and_in_the_card(run: Run, workplace: Path) -> None:
    report = workplace / run["end"].task["report_path"].data
    text = report.read_text()
    for title in ("Accuracy", "Solvability", "Weights", "Training", "Configuration"):
        assert f"## {title}" in text
    pictures = sorted(path.name for path in report.parent.glob("*.png"))
    assert pictures == [
        "accuracy.png",
        "sequence-lengths.png",
        "solvability-before-and-after.png",
        "solvability.png",
        "token-weights.png",
        "training.png",
        "warm-up.png",
        "weights.png",
    ]
    assert "heldout_math" in text
    from metaflow.cards import get_cards

    (found,) = get_cards(run["report"].task)
    content = re.search(r'__MF_DATA__\["[^"]+"\] = "([^"]+)"', found.get())
    assert content
    assert "Solvability" in base64.b64decode(content[1]).decode()


def test_the_page_is_on_disk_and_in_the_card(run: Run, workplace: Path, tmp_path: Path) -> None:
    """Every sample of a real run in a real browser, also inside Metaflow's own page."""
    from metaflow.cards import get_cards

    (card,) = get_cards(run["report"].task)
    (tmp_path / "card.html").write_text(card.get())
    read = next(row for row in records(run, "verdicts", Verdict) if row.answer)
    with Browser() as browser:
        browser.open(workplace / "runs" / run.id / "page.html")
        browser.wait("h1", run.pathspec)
        for row in records(run, "accuracies", Accuracy):
            assert f"{row.benchmark}{row.checkpoint.replace('_', ' ')}" in "".join(
                browser.texts("tbody tr")
            )
        browser.visit(f"#problem?id={read.problem_id}&mode=rasft")
        browser.wait(".response .tok")
        assert len(browser.texts(".response")) == 3
        assert read.answer in browser.texts(".judged code")
        assert browser.errors == []
        browser.open(tmp_path / "card.html")
        frame = "document.querySelector('iframe')?.srcdoc ?? ''"
        browser.wait_for(f"({frame}).includes('</html>')")


def test_a_run_is_shown_in_the_terminal(run: Run) -> None:
    def show(*words: str) -> str:
        command = [sys.executable, "-m", "rasft.cli", "show", run.pathspec, *words]
        place = {"PYTHONPATH": str(Path(FLOW).parents[1])}
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | place)
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    problem = records(run, "problems", Problem)[0]
    assert problem.prompt.strip() in show("--problem", problem.id)
    assert show("--worst", "2").count("## Expert: weight") == 2
    correct = [row for row in records(run, "verdicts", Verdict) if row.status == "correct"]
    assert show("--verdict", "correct").startswith(f"{len(correct)} of 16 rollouts")
    assert "has no problem 'x'" in show("--problem", "x")
    assert "unknown verdict 'wrong'" in show("--verdict", "wrong")
    assert show("--no-open").strip() == f"runs/{run.id}/page.html"


def test_resume_from_verify_samples_nothing_again(run: Run) -> None:
    with runner().resume(step_to_rerun="verify", origin_run_id=run.id) as again:
        assert again.status == "successful", again.stdout[-3000:] + again.stderr[-3000:]
        resumed = again.run
    for name in ("rollouts", "verdicts", "examples", "results"):
        fresh, old = resumed["end"].task[name].data, run["end"].task[name].data
        if name == "verdicts":  # the time a verdict took differs
            fresh, old = (table.drop_columns(["seconds"]) for table in (fresh, old))
        assert fresh.equals(old), name
    told = {step for step, _ in runs.seconds_of_work(resumed)}
    assert "report" in told
    assert not told & {"start", "score", "rollout", "verify", "train", "evaluate"}


def test_what_took_its_whole_time_tells_a_plan(run: Run) -> None:
    known = {task.parent.id for step in run for task in step if reused(task)}
    told = [step for step, _ in runs.seconds_of_work(run)]
    assert set(told) == {step.id for step in run} - known
    if "rollout" in told:
        assert told.count("rollout") == 2


def reused(task: Task) -> bool:
    """Whether the ledger had most of something that a task was to make."""
    return any(row["reused"] > row["made"] for row in runs.works(task))


def table_of(run: Run, folder: Path, cwd: Path, store: Path) -> dict[str, bytes]:
    """Every file that `rasft tables` writes in a process of its own."""
    command = [sys.executable, "-m", "rasft.cli", "tables", run.id, "--output", str(folder)]
    places = {
        "PYTHONPATH": str(Path(FLOW).parents[1]),
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(store),
    }
    subprocess.run(command, check=True, cwd=cwd, env=os.environ | places)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_table_is_rebuilt_from_the_datastore_alone(
    run: Run, workplace: Path, tmp_path: Path
) -> None:
    """The folder that the run was started in is gone, and the table is the same, byte for byte."""
    before = table_of(run, tmp_path / "before", workplace, workplace.parent)
    kept = workplace.rename(tmp_path / "moved away")
    try:
        after = table_of(run, tmp_path / "after", tmp_path, workplace.parent)
    finally:
        kept.rename(workplace)
    assert after == before
    texts = {"table.md", "table.tex", "table.csv", "table.html", "cells.json"}
    assert texts <= set(before)
    assert len(before) == len(texts) + 4  # pictures
    shown = before["table.md"].decode()
    rows = [line.split("|")[1].strip() for line in shown.splitlines() if line.startswith("|")]
    assert rows[2:5] == ["base", "warm-up", "rasft"]
    assert run.pathspec in shown
    (found,) = [a for a in accuracies(run) if (a.benchmark, a.checkpoint) == CELL]
    assert f",{found.mean:g}," in before["table.csv"].decode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("rollout: {engin: vllm}", "did you mean 'engine'"),
        ("model: {path: nowhere/at/all/here}", "nowhere/at/all/here"),
        ("warmup: {problems: 1000}", "leaves none of the"),
    ],
)
def test_a_mistake_is_one_message_and_leaves_nothing(
    workplace: Path, change: str, message: str
) -> None:
    (workplace / "bad.yaml").write_text(f"extends: demo\n{change}\n")
    command = [sys.executable, FLOW, "--config", "cfg", "bad.yaml", "run"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_without_docker_the_first_step_says_so(workplace: Path) -> None:
    command = [sys.executable, FLOW, "--config", "cfg", "small.yaml", "run"]
    absent = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = subprocess.run(command, capture_output=True, text=True, env=absent)
    assert done.returncode != 0
    assert "Docker" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
