"""`rasft preflight` as a user types it, on the configs that a small machine can run."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rasft.cli import main
from rasft.config import files as config_files

SUMS = """
extends: tiny
data: {datasets: [{name: generated_sums, limit: 40}]}
warmup: {problems: 8}
evaluation: {benchmarks: [{name: heldout_sums, limit: 2}]}
"""


def preflight(config: Path, rows: int) -> Result:
    return CliRunner().invoke(main, ["preflight", str(config), "--rows", str(rows)])


def test_every_check_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "sums.yaml").write_text(SUMS)
    done = preflight(tmp_path / "sums.yaml", 8)
    assert done.exception is None, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "32 problems; dropped: none"
    assert [line for line in lines if line.startswith("FAIL")] == []
    assert sum(line.startswith("ok ") for line in lines) == 17
    assert lines[1:5] == [
        "ok    what ends a turn is supervised, and sampling stops there: '<|im_end|>' ends a "
        "response; sampling stops at 2 (<|im_end|>)",
        "ok    where an expert's text begins: where the prompt ends",
        "ok    the date in the prompts: the template renders none",
        "ok    the system text: none",
    ]
    assert lines[-1] == "all checks passed"


def test_a_config_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = preflight(tmp_path / "none.yaml", 8)
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: cannot read the config")
    assert done.stderr.count("\n") == 1


@pytest.mark.docker
@pytest.mark.model
@pytest.mark.whole
def test_the_demo_passes(tmp_path: Path) -> None:
    done = preflight(config_files.CONFIGS / "demo.yaml", 4)
    assert done.exception is None, done.output
    assert done.stdout.endswith("all checks passed\n")
