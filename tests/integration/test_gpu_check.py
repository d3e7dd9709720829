"""The GPU check, rehearsed on the CPU as a user runs it, without what a GPU machine may lack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.gpu import parts, rows, table
from bench.gpu.parts import Plan
from tests.programs import ROOT

# Found by every process of the rehearsal: these packages are not installed, as far as it can tell.
BLOCKED = """
import sys

ABSENT = {"metaflow", "docker", "vllm"}

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, *rest):
        absent = name.partition(".")[0] in ABSENT
        return None if absent else self.finder.find_spec(name, *rest)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""
HANGS = "import time\nprint('begun', flush=True)\ntime.sleep(600)\n"
FAILS = "raise SystemExit(3)\n"
WORKS = """
from bench.gpu.part import main
main("works", lambda part: part.add("a figure", 1.5, "s", ">= 1"), "")
"""


def environment(*folders: Path) -> dict[str, str]:
    path = os.pathsep.join(map(str, (*folders, ROOT)))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("without")
    (folder / "sitecustomize.py").write_text(BLOCKED)
    return folder


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory, without: Path) -> Path:
    output = tmp_path_factory.mktemp("rehearsal") / "found"
    line = [sys.executable, "-m", "bench.gpu", "--rehearse", "--minutes", "8", "--output", output]
    done = subprocess.run(
        line, capture_output=True, text=True, cwd=ROOT, env=environment(without), timeout=540
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "| part | what | value | goal | |" in done.stdout
    return output


def test_the_blocked_packages_cannot_be_imported(without: Path) -> None:
    code = (
        "import sys; from importlib.util import find_spec; print([bool(find_spec(n)) "
        "for n in sys.argv[1:]])"
    )
    line = [sys.executable, "-c", code, "metaflow", "docker", "vllm", "torch"]
    done = subprocess.run(line, capture_output=True, text=True, env=environment(without))
    assert done.stdout.strip() == "[False, False, False, True]"


def test_every_part_measures_and_nothing_fails(rehearsed: Path) -> None:
    found = rows.read(rehearsed)
    faults = [row for row in found if str(row.value).startswith(("failed", "killed", "ended"))]
    assert not faults, faults
    numbers = {row.part for row in found if isinstance(row.value, float) and "time" not in row.what}
    assert numbers == set(parts.SHARES)


def test_what_must_be_equal_is(rehearsed: Path) -> None:
    judged = [row for row in rows.read(rehearsed) if row.is_met is not None]
    assert len(judged) > 40
    assert [row for row in judged if not row.is_met] == []


def test_what_is_not_here_is_said(rehearsed: Path) -> None:
    said = [row.what for row in rows.read(rehearsed) if str(row.value).startswith("not available")]
    assert any("varlen kernel" in what for what in said)
    assert any("vLLM" in what for what in said)


def test_the_table_says_where_and_with_what(rehearsed: Path) -> None:
    text = (rehearsed / table.TABLE).read_text()
    assert "- command: python -m bench.gpu --rehearse" in text
    stored = json.loads((rehearsed / table.RESULTS).read_text())
    assert {"card", "driver", "torch", "transformers", "date"} <= stored["about"].keys()
    assert len(stored["rows"]) == len(rows.read(rehearsed)) == text.count("\n|") - 2


def test_a_part_that_hangs_or_fails_is_shown_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, program in (("hangs", HANGS), ("fails", FAILS), ("works", WORKS)):
        (tmp_path / f"{name}.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), str(ROOT))))
    plan = Plan({"hangs": ("hangs", 1.0), "fails": ("fails", 1.0), "works": ("works", 6.0)}, True)
    tables: list[str] = []

    def show() -> None:
        table.write(tmp_path, {"card": "none"})
        tables.append((tmp_path / table.TABLE).read_text())

    parts.run_all(plan, tmp_path, 40.0, show)
    assert "killed at its deadline of 5 s" in tables[0]
    assert "works" not in tables[1]
    values = {(row.part, row.what): row.value for row in rows.read(tmp_path)}
    assert values["fails", "the whole part"] == "ended with exit code 3; see fails.log"
    assert values["works", "a figure"] == 1.5
    assert "| works | a figure | 1.5 s | >= 1 | met |" in tables[2]
    assert "begun" in (tmp_path / "hangs.log").read_text()


def test_a_row_that_was_cut_off_is_none(tmp_path: Path) -> None:
    rows.append(tmp_path, rows.Row("a", "b", 1.0))
    with (tmp_path / rows.ROWS).open("a") as file:
        file.write('{"part": "a", "wh')
    assert rows.read(tmp_path) == [rows.Row("a", "b", 1.0)]
