"""A flow on a model of random weights whose training is killed while it runs."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from metaflow import Run, namespace

FLOWS = Path(__file__).parents[1] / "flows"
SECONDS = 900.0
# A training that is known would not be made again, so there is no ledger.
CONFIG = """
extends: demo
name: tiny
model: {{path: {model}, dtype: float32}}
data: {{datasets: [{{name: generated_math, limit: 8, options: {{steps: {{1: 1}}}}}}]}}
warmup: null
training: {{method: sft, batch_size: 4, epochs: 30, checkpoint_steps: 1, nodes: {nodes}}}
ledger: {{enabled: false}}
evaluation:
  samples_per_problem: 1
  max_new_tokens: 4
  bootstrap_samples: 100
  benchmarks: [{{name: heldout_math, limit: 2}}]
"""


class KilledFlow:
    """A run in this folder, whose failed steps are tried once more; its log goes to a file."""

    def __init__(self, flow: str, model: Path, nodes: int = 1):
        Path(".metaflow").mkdir()  # a datastore of its own, whatever lies above
        Path("tiny.yaml").write_text(CONFIG.format(model=model, nodes=nodes))
        line = [sys.executable, str(FLOWS / flow), "--config", "cfg", "tiny.yaml", "run"]
        retry = ["--with", "retry:times=1,minutes_between_retries=0", "--run-id-file", "run.id"]
        with Path("run.log").open("wb") as log:
            self.process = subprocess.Popen([*line, *retry], stdout=log, stderr=subprocess.STDOUT)

    def kill_training(self, is_target: Callable[[list[str]], bool] = lambda line: True) -> None:
        """kill -9 of the training programs of such a command line, and of what they started, once
        a checkpoint is stored."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if stored() and (found := self._programs(is_target)):
                for program in found:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        program.kill()
                return
            time.sleep(0.05)
        self.process.kill()
        self.process.wait()
        pytest.fail("no checkpoint was stored before the flow ended")

    def finish(self, flow: str) -> Run:
        """The run, which must end well."""
        try:
            code = self.process.wait(SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
        assert code == 0, Path("run.log").read_text()[-3000:]
        namespace(None)
        return Run(f"{flow}/{Path('run.id').read_text()}")

    def _programs(self, is_target: Callable[[list[str]], bool]) -> list[psutil.Process]:
        """The training programs asked for and their children; some may be gone by now."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                line = child.cmdline()
                if "rasft.training.launch.program" in line and is_target(line):
                    found += [child, *child.children(recursive=True)]
        return found


def stored() -> list[Path]:
    """Checkpoints in the datastore."""
    return list(Path(".metaflow/mf.checkpoints").rglob("position.json"))
