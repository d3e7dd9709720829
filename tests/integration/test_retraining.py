"""Two ticks of a schedule with a tiny model: one promoted; one disturbed in every step, refused.

The model learns to give one answer in a few seconds, so the first candidate is surely better than
its random base. The second trains on the same data and must come out the same, whatever is killed
on its way.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import tiny_model
from flow_driver import Done, Fault, Task, drive
from metaflow import Run, namespace

from rasft.records import BenchmarkResult, Dropped, Problem, Rollout, Verdict
from rasft.retraining.champion import Standing, read
from rasft.tables import from_table

pytestmark = [pytest.mark.model, pytest.mark.whole]

SECRET = "planted-7f3a9c"
STEPS = [
    "start",
    "warmup",
    "score",
    "gather",
    "route",
    "rollout",
    "verify",
    "collect",
    "train",
    "evaluate",
    "report",
    "promote",
    "end",
]
CONFIG = """
name: tiny
seed: 3
model: {path: LOCATION/model, dtype: float32}
data:
  datasets: [{name: jsonl, options: {path: LOCATION/data/train.jsonl}}]
  max_tokens: 256
prompts: {math: {system: ""}}
rollout:
  {engine: transformers, shards: 2, max_failed_shards: 1, samples_per_problem: 2,
   max_new_tokens: 24, repetition_penalty: 1.0}
quality:
  {min_characters: 5, min_format_characters: 5, shortcut_characters: 5, require_reasoning: false}
verification: {math: {workers: 1}}
training:
  {method: osw_ft, epochs: 10, learning_rate: 1e-2, batch_size: 8, micro_batch_tokens: 512,
   processes: 1}
evaluation:
  samples_per_problem: 1
  temperature: 0.0
  max_new_tokens: 24
  bootstrap_samples: 500
  benchmarks: [{name: math500}]
resources: {default: {retries: 1, retry_minutes: 0}}
ledger: {enabled: false} # every tick makes its own samples
schedule: {champion: LOCATION/champion.json, only_new_data: ONLY_NEW, cron: "0 3 * * 1"}
"""


@dataclass
class RoundPosition:
    """The folder that the schedule works in."""

    folder: Path

    @property
    def standing(self) -> Standing:
        return read(str(self.folder / "champion.json"))

    def tick(self, config: str, fault=lambda task: "none") -> Done:
        return self._drive(["--config", "cfg", config, "run"], fault)

    def resume(self, killed: Done, fault) -> Done:
        """Go on with a killed run; unless told which, Metaflow takes the last that is no resume."""
        return self._drive(["resume", "--origin-run-id", run_of(killed).id], fault)

    def _drive(self, words: list[str], fault) -> Done:
        environment = {
            "RASFT_DATA_DIR": str(self.folder / "data"),
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(self.folder),
            "HF_TOKEN": SECRET,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }
        return drive(
            "retrain_flow.py",
            [*words, "--max-workers", "1"],
            self.folder,
            fault,
            environment,
        )


def run_of(done: Done) -> Run:
    """The run that a command started."""
    (run_id,) = re.findall(r"\(run-id (\d+)\)", done.output)
    namespace(None)
    return Run(f"RetrainFlow/{run_id}")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoundPosition]:
    folder = tmp_path_factory.mktemp("schedule")
    tiny_model.build(folder / "model")
    (folder / "data" / "math").mkdir(parents=True)
    write_rows(folder / "data/train.jsonl", range(40), "prompt", "expert_response")
    write_rows(folder / "data/math/math500.jsonl", range(100, 140), "problem", "solution")
    text = CONFIG.replace("LOCATION", str(folder))
    (folder / "again.yaml").write_text(text.replace("ONLY_NEW", "false"))
    (folder / "new.yaml").write_text(text.replace("ONLY_NEW", "true"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where Metaflow's client looks for runs
        yield RoundPosition(folder)


def write_rows(path: Path, numbers: range, prompt: str, response: str) -> None:
    """Problems that all have the same answer."""
    rows = (
        {
            "id": f"p{n}",
            prompt: f"What is {n} + 7 - {n}?",
            response: "So it is \\boxed{7}.",
            "answer": "7",
            "verifier": "math",
        }
        for n in numbers
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def promoted(place: RoundPosition) -> Run:
    """The first tick: nothing stands yet but the base."""
    done = place.tick("again.yaml")
    assert done.code == 0, done.output[-4000:]
    assert "promoted: the average rises by +" in done.output
    return run_of(done)


@dataclass
class Disturbance:
    """Kills the scheduler once in every step, one attempt at `score`, all of rollout shard 1."""

    waiting: set[str] = field(default_factory=lambda: set(STEPS))
    killed: list[Task] = field(default_factory=list)

    def __call__(self, task: Task) -> Fault:
        # with one worker at a time, shard 1 starts when shard 0 is done: the middle of the foreach
        if task.step in self.waiting and task.split in (None, 1 if task.step == "rollout" else 0):
            self.waiting.remove(task.step)
            return "kill scheduler"
        poisoned = task.step == "rollout" and task.split == 1 and task.runs_user_code
        if poisoned or (task.step == "score" and task.attempt == 0):
            self.killed.append(task)
            return "kill task"
        return "none"


@pytest.fixture(scope="module")
def refused(place: RoundPosition, promoted: Run) -> Run:
    """The second tick, on the same data: killed in every step and resumed."""
    disturbance = Disturbance()
    before = place.standing
    done = place.tick("again.yaml", disturbance)
    while done.code is None:
        assert done.left > 0, "a killed scheduler leaves its workers behind"
        assert place.standing.champion == before.champion
        done = place.resume(done, disturbance)
    assert done.code == 0, done.output[-4000:]
    assert "refused: the average shows no real difference: +0.0" in done.output
    assert not disturbance.waiting
    assert [task.step for task in disturbance.killed] == ["score", "rollout", "rollout"]
    return run_of(done)


def records(run: Run, name: str, record: type) -> list:
    return from_table(run["end"].task[name].data, record)


def test_a_better_candidate_becomes_the_champion(
    place: RoundPosition, promoted: Run, refused: Run
) -> None:
    champion = place.standing.champion
    assert champion is not None
    assert champion.run == promoted.pathspec
    assert champion.metrics["math500"] > 0.9
    assert champion.fingerprint == promoted["end"].task["checkpoint"].data["fingerprint"]
    assert "promoted" in promoted.tags


def test_a_refused_candidate_says_why_and_leaves_the_champion(
    place: RoundPosition, refused: Run
) -> None:
    standing = place.standing
    assert standing.champion is not None
    assert standing.refused is not None
    decided = Run(standing.refused.run)  # killed at its end; the last one took over its steps
    assert standing.champion.run not in (decided.pathspec, refused.pathspec)
    assert "no real difference" in standing.refused.reason
    assert "refused" in decided.tags
    report = (place.folder / refused["end"].task["report_path"].data).read_text()
    assert "**Refused**: the average shows no real difference" in report


def test_whatever_is_killed_nothing_is_lost_or_doubled(promoted: Run, refused: Run) -> None:
    calm, shaken = (records(run, "rollouts", Rollout) for run in (promoted, refused))
    problems = [row.id for row in records(refused, "problems", Problem)]
    lost = {row.problem_id for row in records(refused, "unsampled", Dropped)}
    assert lost == set(problems[1::2])
    assert [row for row in calm if row.problem_id not in lost] == shaken
    keys = [(row.problem_id, row.sample_index) for row in shaken]
    assert len(keys) == len(set(keys)) == 2 * len(problems[0::2])
    assert keys == [
        (row.problem_id, row.sample_index) for row in records(refused, "verdicts", Verdict)
    ]
    results = [
        [row.correct for row in records(run, "results", BenchmarkResult) if row.checkpoint == name]
        for run, name in ((promoted, "candidate"), (refused, "champion"), (refused, "candidate"))
    ]
    assert results[0] == results[1] == results[2]


def test_a_poisoned_shard_is_named(place: RoundPosition, refused: Run) -> None:
    report = (place.folder / refused["end"].task["report_path"].data).read_text()
    assert "Note: the run lost rollout 1 (" in report
    assert f"| lost_shard | {len(records(refused, 'problems', Problem)) // 2} |" in report


def test_without_new_data_nothing_is_trained(place: RoundPosition, refused: Run) -> None:
    before = place.standing
    done = place.tick("new.yaml")
    assert done.code == 0, done.output[-4000:]
    assert "nothing trained: no new data since run RetrainFlow/" in done.output
    assert place.standing == before
    assert {step.id for step in run_of(done)} == {"start", "idle", "end"}


def test_no_secret_is_in_anything_a_run_leaves(place: RoundPosition, refused: Run) -> None:
    """Artifacts, logs, metadata, cards, reports and the pointer."""
    searched = 0
    for path in place.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
            assert SECRET.encode() not in content + plain, path
            searched += 1
    assert searched > 300
