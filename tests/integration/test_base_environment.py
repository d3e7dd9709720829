"""The commands in the environment that `make demo` makes: base dependencies, no test packages."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASE = Path(os.environ.get("RASFT_BASE_VENV", ROOT / ".venv"))
CONFIGS = [
    path.relative_to(ROOT / "configs").with_suffix("").as_posix()
    for path in sorted((ROOT / "configs").rglob("*.yaml"))
    if path.parent.name not in ("accelerate", "protocols")
]
COMMANDS = ["doctor", "resolve", "export", "data", "preflight", "verify", "champion", "plan"]
COMMANDS += [
    "prune",
    "tables",
    "reproduce",
    "ledger",
    "ledger stats",
    "ledger ls",
    "ledger regrade",
    "ledger gc",
    "eval",
]
FEW = """
extends: tiny
data: {datasets: [{name: generated_sums, limit: 20}]}
warmup: {problems: 8}
evaluation: {benchmarks: [{name: heldout_sums, limit: 2}]}
"""
ROW = {"id": "a", "verifier": "math", "answer": "1/2", "response": "so \\boxed{0.5}"}


def environment(home: Path) -> dict[str, str]:
    """What a new user has: a path and a home; none of this machine's settings."""
    return {
        "PATH": f"{BASE}/bin:/usr/bin:/bin",
        "HOME": str(home),
        "HF_HUB_OFFLINE": "1",
        "METAFLOW_USER": "rasft",
    }


def rasft(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command as installed, with no data, no hub and nothing on the path but itself."""
    assert BASE.joinpath("bin/rasft").exists(), f"there is no environment {BASE}: run make test"
    done = subprocess.run(
        [BASE / "bin" / "rasft", *words],
        cwd=cwd,
        env=environment(cwd),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_it_has_no_test_package() -> None:
    done = subprocess.run([BASE / "bin/python", "-c", "import pytest"], capture_output=True)
    assert done.returncode == 1


EACH = """
import contextlib, io, json, sys
from rasft.cli import main
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        main(words, prog_name="rasft", standalone_mode=False)
    print(json.dumps(out.getvalue()))
"""


def printed(lines: list[list[str]], folder: Path) -> list[str]:
    """What each command line prints, in one interpreter: every start of one takes a second."""
    done = subprocess.run(
        [BASE / "bin" / "python", "-c", EACH, json.dumps(lines)],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def helps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    texts = printed([[*c.split(), "--help"] for c in COMMANDS], tmp_path_factory.mktemp("helps"))
    return dict(zip(COMMANDS, texts, strict=True))


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str, helps: dict[str, str]) -> None:
    assert helps[command].startswith(f"Usage: rasft {command}")


def test_the_command_is_installed(helps: dict[str, str], tmp_path: Path) -> None:
    assert rasft("eval", "--help", cwd=tmp_path).stdout == helps["eval"]


def test_doctor_says_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    done = rasft("doctor", cwd=tmp_path)
    assert f"target: cpu, Linux {os.uname().machine}" in done.stdout
    assert "versions: as locks/cpu.txt has them" in done.stdout
    assert "extra openai (optional): not installed" in done.stdout
    assert "engine transformers: usable" in done.stdout


def test_every_config_resolves_by_its_name(tmp_path: Path) -> None:
    for text in printed([["resolve", name] for name in CONFIGS], tmp_path):
        assert json.loads(text)["seed"] >= 0


def test_plan_without_data_or_hub(tmp_path: Path) -> None:
    done = rasft("plan", "math", "--gpus", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "numina_math_cot" in done.stdout


def test_data_shows_what_would_be_trained_on(tmp_path: Path) -> None:
    (tmp_path / "few.yaml").write_text(FEW)
    done = rasft("data", "few.yaml", "--show", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "generated_sums: 20 rows; by verifier: math 20" in done.stdout
    assert "  math: correct 20\n" in done.stdout
    assert done.stdout.endswith("<|im_end|>\u27e7\n")


def test_verify_judges(tmp_path: Path) -> None:
    rows = [ROW, {**ROW, "id": "b", "response": "so \\boxed{0.4}"}]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    done = rasft("verify", "rows.jsonl", "--output", "verdicts.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    verdicts = (tmp_path / "verdicts.jsonl").read_text().splitlines()
    assert [json.loads(line)["correct"] for line in verdicts] == [True, False]


def test_ledger_stats(tmp_path: Path) -> None:
    tmp_path.joinpath(".cache/rasft/ledger").mkdir(parents=True)
    done = rasft("ledger", "stats", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_tables_of_a_run_that_is_not_there(tmp_path: Path) -> None:
    done = rasft("tables", "RasftFlow/1", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")


def test_an_engine_whose_extra_is_missing_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "remote.yaml").write_text("extends: tiny\nrollout: {engine: openai}\n")
    done = rasft("preflight", "remote.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "the extra openai is not installed: run pip install" in done.stderr


SUMS = """
extends: tiny
name: sums
data: {datasets: [{name: generated_sums, limit: 24}]}
warmup: {problems: 16, epochs: 1}
rollout: {samples_per_problem: 2, max_new_tokens: 8}
evaluation: {samples_per_problem: 1, max_new_tokens: 8, bootstrap_samples: 100,
             benchmarks: [{name: heldout_sums, limit: 4}]}
"""


def test_a_whole_flow_runs(tmp_path: Path) -> None:
    """What the README runs, without the packages that only the tests bring."""
    (tmp_path / "sums.yaml").write_text(SUMS)
    flow = ROOT / "flows" / "rasft_flow.py"
    done = subprocess.run(
        [BASE / "bin" / "python", flow, "--config", "cfg", "sums.yaml", "run"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "The report is" in done.stdout
    (report,) = tmp_path.glob("runs/*/report.md")
    assert "heldout_sums" in report.read_text()
    tables = rasft("tables", "--tag", "none", cwd=tmp_path)
    assert tables.returncode == 1


def test_a_model_is_judged_in_one_line(tmp_path: Path) -> None:
    model, benchmarks = "embedded:tiny-llama", "heldout_math,heldout_code"
    done = rasft("eval", model, "--benchmarks", benchmarks, "--limit", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    header, _, row, *_ = done.stdout.splitlines()
    assert header.split() == ["|", "|", "heldout_math", "|", "heldout_code", "|"]
    assert row == "| tiny-llama | 0.0 (100 % cut) | 0.0 (100 % cut) |"
    assert "heldout_math: 1 sample a problem, greedy, at most 1024 new tokens" in done.stdout


def test_a_served_model_without_its_extra_is_one_sentence(tmp_path: Path) -> None:
    done = rasft("eval", "http://127.0.0.1:9/v1", "--benchmarks", "heldout_math", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: the model http://127.0.0.1:9/v1 needs the extra openai")
    assert "which is not installed: run pip install" in done.stderr


def test_a_model_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    done = rasft("eval", "embedded:nope", "--benchmarks", "heldout_math", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: unknown embedded model 'nope'; known: ")
