"""The `rasft` command as a user types it."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from rasft.cli import main

RIGHT = {"id": "a", "verifier": "math", "answer": "1/2", "response": "so \\boxed{0.5}"}
WRONG = {"id": "b", "verifier": "math", "answer": "1/2", "response": "so \\boxed{0.4}"}
PROGRAM = {
    "id": "c",
    "verifier": "python",
    "prompt": "Write f.",
    "response": "```python\ndef f(x):\n    return x + 1\n```",
    "tests": "assert f(1) == 2",
    "entry_point": "f",
}


def run(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_resolve_prints_every_default() -> None:
    done = run("resolve", Path(__file__).parents[2] / "configs" / "math.yaml")
    assert json.loads(done.stdout)["training"]["max_grad_norm"] == 1.0


def test_a_mistake_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("extends: demo\nsead: 1\n")
    done = run("resolve", tmp_path / "bad.yaml")
    assert done.exit_code == 1
    assert done.stderr.strip().endswith("unknown key 'sead' (did you mean 'seed'?)")
    assert done.stderr.count("\n") == 1


@pytest.mark.docker
def test_verify_judges_both_kinds_and_reports_a_malformed_row(tmp_path: Path) -> None:
    rows = [json.dumps(row) for row in (RIGHT, WRONG, PROGRAM)]
    (tmp_path / "rows.jsonl").write_text("\n".join([*rows, "{not json"]) + "\n")
    done = run("verify", tmp_path / "rows.jsonl", "--output", tmp_path / "verdicts.jsonl")
    verdicts = [json.loads(line) for line in (tmp_path / "verdicts.jsonl").read_text().splitlines()]
    assert [row["correct"] for row in verdicts] == [True, False, True, None]
    assert verdicts[-1]["status"] == "malformed"
    assert "4" in verdicts[-1]["detail"]
    assert done.exit_code != 0


@pytest.mark.docker
def test_kept_output_is_what_the_program_printed(tmp_path: Path) -> None:
    loud = {**PROGRAM, "response": "```python\nprint('hello')\ndef f(x):\n    return x + 1\n```"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(loud) + "\n")
    for words, expected in (([], None), (["--keep-output"], "hello\n")):
        output = tmp_path / f"verdicts{len(words)}.jsonl"
        run("verify", tmp_path / "rows.jsonl", "--output", output, *words)
        assert json.loads(output.read_text()).get("stdout") == expected


@pytest.mark.docker
def test_doctor_says_what_it_found() -> None:
    done = run("doctor")
    failing = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert (done.exit_code == 0) == (not failing)
    # How full the disk is, is the machine's affair; everything else the tests need.
    assert [line for line in failing if not re.match(r"FAIL\s+disk:", line)] == []
    for name in ("docker", "sandbox image", "GPU", "engine transformers", "disk"):
        assert name in done.stdout
