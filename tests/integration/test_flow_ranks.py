"""The whole flow with vLLM over two devices, here two processes on two cores."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from metaflow import Flow, namespace

from rasft import plugins
from rasft.decoding import layout
from rasft.records import BenchmarkResult, Rollout, SequenceScore, Verdict
from rasft.tables import from_table
from tests import additions, tiny_model

pytestmark = [pytest.mark.whole, pytest.mark.vllm]

FLOW = str(Path(__file__).parents[2] / "flows" / "rasft_flow.py")
CONFIG = """
name: ranks
seed: 3
model: {{path: {model}, dtype: float32}}
data:
  datasets: [{{name: jsonl, options: {{path: {problems}, verifier: math}}}}]
prompts: {{math: {{}}}}
rollout: {{engine: vllm, tensor_parallel: 2, samples_per_problem: 2, max_new_tokens: 8}}
training:
  {{batch_size: 2, max_steps: 2, warmup_steps: 0, learning_rate: 1e-3, micro_batch_tokens: 512}}
verification: {{math: {{workers: 1}}}}
ledger: {{enabled: false}}
evaluation:
  samples_per_problem: 1
  max_new_tokens: 8
  bootstrap_samples: 50
  benchmarks: [{{name: heldout_sums, limit: 2}}]
"""


def test_a_flow_samples_scores_trains_and_evaluates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if obstacle := plugins.load("engines", "vllm").available():
        pytest.skip(obstacle)
    if len(layout.cores()) < 2:
        pytest.skip("one core")
    model = tiny_model.build_untied(tmp_path / "tiny")
    additions.write(tmp_path / "problems.jsonl")
    text = CONFIG.format(model=model, problems=tmp_path / "problems.jsonl")
    (tmp_path / "ranks.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("METAFLOW_DATASTORE_SYSROOT_LOCAL", str(tmp_path))
    command = [sys.executable, FLOW, "--config", "cfg", "ranks.yaml", "run"]
    done = subprocess.run(
        command, env=os.environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout[-4000:]
    namespace(None)
    data = Flow("RasftFlow").latest_run.data
    assert data.sampler.startswith("vllm ")
    assert "tensor_parallel 2, data_parallel 1" in data.sampler
    rollouts, verdicts = from_table(data.rollouts, Rollout), from_table(data.verdicts, Verdict)
    assert len(rollouts) == len(verdicts) == 12
    scores = from_table(data.rollout_scores, SequenceScore)
    assert [row.token_ids for row in scores] == [row.token_ids for row in rollouts]
    assert data.training_summary["steps"] == 2
    assert {row.checkpoint for row in from_table(data.results, BenchmarkResult)} == {
        "base",
        "trained",
    }
    assert {manifest["engine"].split(" ")[0] for manifest in data.manifests} == {"vllm"}
