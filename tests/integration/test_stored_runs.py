"""`rasft tables` on real Metaflow runs with made-up results: by id and tag, finished and failed."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import datasets
import pytest
import sampled
from stored_runs import run as made_up

from rasft.records import BenchmarkResponse, BenchmarkResult, Group, Problem, Rollout, Verdict
from rasft.results.cells import StoredRun
from rasft.tables import to_table

ROOT = Path(__file__).parents[2]
RESPONSES = [BenchmarkResponse("quiz", "trained", "a", 0, "It is 3.", "stop", "incorrect", "3")]
FLOW = """
import pickle
from pathlib import Path
from metaflow import FlowSpec, Parameter, step

class MadeUpFlow(FlowSpec):
    made = Parameter("made")
    breaks = Parameter("breaks", default=False, type=bool)

    @step
    def start(self):
        for name, value in pickle.loads(Path(self.made).read_bytes()).items():
            setattr(self, name, value)
        self.next(self.train)

    @step
    def train(self):
        if self.breaks:
            raise ValueError("the disk is full")
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    MadeUpFlow()
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A datastore with a finished run and a failed one under the tag paper:table1."""
    folder = tmp_path_factory.mktemp("store")
    (folder / "flow.py").write_text(FLOW)
    for method, breaks in (("sft", False), ("dft", True)):
        made = folder / f"{method}.pickle"
        made.write_bytes(pickle.dumps(artifacts(made_up(method, 0, 0.3))))
        done = start(folder, "flow.py", "run", "--made", str(made), "--breaks", str(breaks),
                     "--tag", "paper:table1", "--tag", f"method:{method}")  # fmt: skip
        assert (done.returncode != 0) == breaks, done.stderr
    return folder


def artifacts(run: StoredRun) -> dict:
    return {
        "cfg": dict(run.config),
        "provenance": run.provenance,
        "results": to_table(run.results, BenchmarkResult),
        "manifests": run.manifests,
        "curve": None,
        "sampler": "an engine",
        "problems": to_table(sampled.PROBLEMS, Problem),
        "rollouts": to_table(sampled.ROLLOUTS, Rollout),
        "verdicts": to_table(sampled.VERDICTS, Verdict),
        "groups": to_table(sampled.GROUPS, Group),
        "responses": to_table(RESPONSES, BenchmarkResponse),
        "benchmark_problems": {"quiz": to_table(sampled.PROBLEMS, Problem)},
    }


def start(store: Path, *words: str) -> subprocess.CompletedProcess[str]:
    places = {"METAFLOW_DATASTORE_SYSROOT_LOCAL": str(store), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *words], cwd=store, env=os.environ | places, capture_output=True, text=True
    )


def test_the_base_environment_rebuilds_the_table(store: Path) -> None:
    """What `make demo` installs is enough: the same text as with every test package."""
    base = Path(os.environ.get("RASFT_BASE_VENV", ROOT / ".venv")) / "bin" / "rasft"
    done = subprocess.run(
        [base, "tables", "--tag", "paper:table1"],
        cwd=store,
        env=os.environ | {"METAFLOW_DATASTORE_SYSROOT_LOCAL": str(store)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == start(store, "-m", "rasft.cli", "tables", "--tag", "paper:table1").stdout
    assert "| sft " in done.stdout


def tables(store: Path, *words: str) -> str:
    done = start(store, "-m", "rasft.cli", *words)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def test_a_tag_takes_all_its_runs_and_shows_the_failed_one(store: Path) -> None:
    shown = tables(store, "tables", "--tag", "paper:table1")
    for part in ("| base ", "| sft ", "| dft "):
        assert part in shown, part
    assert "dft, seed 0 (MadeUpFlow/" in shown
    assert "failed: train: ValueError: the disk is full" in shown


def test_several_tags_take_the_runs_that_carry_all(store: Path) -> None:
    shown = tables(store, "tables", "--tag", "paper:table1", "--tag", "method:sft")
    assert "| sft " in shown
    assert "dft" not in shown


def test_a_mistake_is_one_message(store: Path) -> None:
    assert "there is no run '77' in this datastore" in tables(store, "tables", "77")


def test_a_published_row_is_set_against_ours(store: Path) -> None:
    shown = tables(store, "reproduce", "dft-1.5b-sft", "--tag", "method:sft")
    assert "| math500 | 43.8 |" in shown
    assert "differs" in shown
    assert "Not comparable because base model is 'Qwen/Qwen2.5-Math-1.5B' there" in shown
    assert "One seed cannot show how seeds differ" in shown


def run_ids(store: Path) -> list[str]:
    """The runs of the store, the finished one first."""
    folder = store / ".metaflow" / "MadeUpFlow"
    return sorted(path.name for path in folder.iterdir() if path.name.isdigit())


def test_samples_load_as_a_dataset(store: Path, tmp_path: Path) -> None:
    finished, failed = run_ids(store)
    out = tmp_path / "out"
    assert (
        tables(store, "export", finished, "--samples", "--inspect", "--to", str(out)) == f"{out}\n"
    )
    cache = str(tmp_path / "cache")
    loaded = datasets.load_dataset(str(out), cache_dir=cache)["train"]
    assert loaded["response"][:] == [row.text for row in sampled.ROLLOUTS]
    assert loaded["correct"][:] == [True, False, None]
    problems = datasets.load_dataset(str(out), "problems", cache_dir=cache)["train"]
    assert problems["expert_response"][:] == [row.expert_response for row in sampled.PROBLEMS]
    evaluated = datasets.load_dataset(str(out), "evaluation", cache_dir=cache)["train"]
    assert evaluated["text"][:] == ["It is 3."]
    text = (out / "README.md").read_text()
    for part in (
        "| undecided | 1 |",
        f"MadeUpFlow/{finished}",
        "d" * 64,
        "licence of each dataset",
    ):
        assert part in text
    logs = [json.loads(path.read_text())["eval"] for path in out.glob("*.json")]
    assert {log["run_id"] for log in logs} == {f"MadeUpFlow/{finished}"}
    name = logs[0]["task"].removesuffix("-quiz-trained")
    assert sorted(log["task"] for log in logs) == [name, f"{name}-quiz-trained"]
    assert "has not finished" in tables(store, "export", failed, "--samples", "--to", "other")


def test_a_failed_run_is_shown_as_far_as_it_came(store: Path) -> None:
    _, failed = run_ids(store)
    shown = tables(store, "show", failed, "--problem", "a")
    assert "What is 1 + 1?" in shown
    assert "## Rollout 1: incorrect" in shown
    assert "This run failed (train: ValueError: the disk is full): shown is" in shown
    assert "after the step 'start'" in shown
    done = start(store, "-m", "rasft.cli", "show", failed, "--no-open")
    assert Path(store, done.stdout.strip()).is_file()
