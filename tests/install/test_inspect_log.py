"""inspect_ai itself reads the log; it brings packages that the other tests do not go with."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import sampled

from rasft.config import files as config_files
from rasft.records import BenchmarkResponse, Status
from rasft.report.inspect_log import benchmark_log, rollouts_log
from rasft.results.samples import problem_rows, samples

pytestmark = pytest.mark.install

READ = """
import sys
from inspect_ai.log import list_eval_logs, read_eval_log
for listed in sorted(list_eval_logs(sys.argv[1]), key=lambda each: each.name):
    read = read_eval_log(listed)
    print(read.status, read.eval.task, read.results.scores[0].metrics["accuracy"].value)
    for each in read.samples:
        print(each.id, each.epoch, {name: score.value for name, score in each.scores.items()})
"""


def test_inspect_ai_reads_the_logs(tmp_path: Path) -> None:
    facts = "RasftFlow/12", "2026-11-30T00:00:00+00:00", config_files.load("demo")
    rows = list(samples(sampled.PROBLEMS, sampled.ROLLOUTS, sampled.VERDICTS, sampled.GROUPS))
    about = list(problem_rows(sampled.PROBLEMS, sampled.GROUPS))
    responses = [BenchmarkResponse("quiz", "trained", "a", 0, "2", "stop", Status.CORRECT, "2")]
    made = rollouts_log(*facts, about, rows), benchmark_log(*facts, sampled.PROBLEMS, responses)
    (tmp_path / "logs").mkdir()
    for number, values in enumerate(made):
        path = tmp_path / "logs" / f"2026-11-30T00-00-0{number}_demo_12.json"
        path.write_text(json.dumps(values))
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin/pip", "install", "-q", "inspect_ai"], check=True)
    command = [venv / "bin/python", "-c", READ, str(tmp_path / "logs")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.splitlines() == [
        "success demo 0.5",
        "a 1 {'verdict': 'C'}",
        "a 2 {'verdict': 'I'}",
        "b 1 {}",
        "success demo-quiz-trained 1.0",
        "a 1 {'verdict': 'C'}",
    ]
