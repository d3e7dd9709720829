"""Two real rounds with a tiny model; the second fails once and the chain is resumed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from metaflow import Flow, Run, namespace

from rasft.config import files as config_files
from rasft.method.posterior import Posterior
from rasft.records import Group, Problem, SequenceScore
from rasft.stages.cell_training import train_cell
from rasft.stages.rounds import seed_of
from rasft.stages.shared import share
from rasft.tables import from_table
from tests import additions, tiny_model

pytestmark = pytest.mark.whole

FLOW = str(Path(__file__).parents[2] / "flows" / "rounds_flow.py")
CONFIG = """
name: chained
seed: 3
rounds: 2
model: {{path: {model}, dtype: float32}}
data:
  datasets: [{{name: jsonl, options: {{path: {problems}, verifier: math}}}}]
prompts: {{math: {{}}}}
rollout: {{engine: transformers, samples_per_problem: 2, max_new_tokens: 8}}
training:
  {{batch_size: 2, max_steps: 2, warmup_steps: 0, learning_rate: 1e-3, micro_batch_tokens: 512}}
verification: {{math: {{workers: 1}}}}
evaluation:
  samples_per_problem: 1
  max_new_tokens: 8
  bootstrap_samples: 50
  benchmarks: [{{name: heldout_math, limit: 2}}]
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("chain")
    model = tiny_model.build(folder / "tiny")
    additions.write(folder / "problems.jsonl")
    text = CONFIG.format(model=model, problems=folder / "problems.jsonl")
    (folder / "chain.yaml").write_text(text)
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def start(workplace: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, FLOW, *words]
    return subprocess.Popen(
        command,
        cwd=workplace,
        env={**os.environ, "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(workplace)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(pattern: str, folder: Path, running: subprocess.Popen[str]) -> None:
    while not list(folder.glob(pattern)):
        assert running.poll() is None, running.communicate()[0][-4000:]
        time.sleep(0.3)


def test_a_chain_that_failed_goes_on_at_its_round(workplace: Path) -> None:
    problems, aside = workplace / "problems.jsonl", workplace / "aside"
    first = start(workplace, "--config", "cfg", "chain.yaml", "run")
    wait_for(".metaflow/RasftFlow/*/score", workplace, first)
    problems.rename(aside)  # the second round cannot read its problems
    said, _ = first.communicate()
    assert first.returncode != 0
    assert "round:1" in said
    aside.rename(problems)
    again = start(workplace, "resume")
    said, _ = again.communicate()
    assert again.returncode == 0, said[-4000:]
    check(workplace)
    check_cell(workplace)


def check(workplace: Path) -> None:
    namespace(None)
    (chain,) = [run for run in Flow("RoundsFlow").runs() if run.successful]
    one, two = (Run(name) for name in chain.data.rounds)
    assert {run.pathspec for run in Flow("RasftFlow").runs() if run.successful} == {
        one.pathspec,
        two.pathspec,
    }, "the first round ran twice"
    origin = chain.data.chain
    for number, run in enumerate((one, two)):
        assert {f"chain:{origin}", f"round:{number}"} <= run.tags
        assert run.data.round_number == number
        assert run.data.training_summary["steps"] == 2
    first, second = one.data, two.data
    assert second.previous == one.pathspec
    assert second.problems.equals(first.problems)
    # The second round trained what the first left, and sampled under it.
    assert second.checkpoint["base_fingerprint"] == first.checkpoint["fingerprint"]
    assert not second.rollouts["seed"].equals(first.rollouts["seed"])
    assert len(from_table(second.groups, Group)) == len(from_table(second.problems, Problem))
    # The reference is still the first model; the router reads the policy's own losses.
    assert second.expert_scores.equals(first.expert_scores)
    assert losses(second.policy_scores) != losses(first.policy_scores)
    # One learning-rate schedule over both rounds, and evidence that adds up.
    rates = [row["learning_rate"] for data in (first, second) for row in data.curve.to_pylist()]
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == 4
    evidence = [sum_of(data.posteriors) for data in (first, second)]
    assert evidence[1] > evidence[0]
    assert first.optimizer_state
    assert second.optimizer_state is None
    assert seed_of(3, 1) != 3


def check_cell(workplace: Path) -> None:
    """A comparison's cell of two rounds leaves the bits of the chain's last run."""
    (chain,) = [run for run in Flow("RoundsFlow").runs() if run.successful]
    one, two = (Run(name).data for name in chain.data.rounds)
    text = (workplace / "chain.yaml").read_text() + "\nledger: {enabled: false}"
    config, start, folder = config_files.parse(text), workplace / "tiny", workplace / "cell"
    folder.mkdir()
    given = share(config, one.problems, start, with_rollouts=True)
    trained = train_cell(config, given, start, folder)
    assert vars(trained.checkpoint) == {
        "base_fingerprint": one.checkpoint["base_fingerprint"],
        "fingerprint": two.checkpoint["fingerprint"],
        "steps": 4,
    }
    assert trained.summary["steps"] == trained.curve.num_rows == 4
    assert trained.curve["step"].to_pylist() == [1, 2, 3, 4]
    together = [row["loss"] for data in (one, two) for row in data.curve.to_pylist()]
    assert trained.curve["loss"].to_pylist() == together


def losses(scores) -> list[float]:
    return [score.loss for score in from_table(scores, SequenceScore)]


def sum_of(posteriors) -> float:
    return sum(row.alpha + row.beta for row in from_table(posteriors, Posterior))
