"""A comparison's cells: what differs between them is the method alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rasft.config import comparison
from rasft.config import files as config_files
from rasft.config.settings import Config
from rasft.errors import UserError
from rasft.records import CellResult, MethodResult, Problem, SequenceScore
from rasft.report import cell_report
from rasft.results import cell_runs
from rasft.stages import cells, compare
from rasft.stages.shared import Shared
from rasft.tables import from_table, to_table


def config(text: str) -> Config:
    return config_files.parse(f"extends: tiny\nname: both\ncomparison:\n{text}")


BOTH = "  seeds: [4, 5]\n  methods: {sft: {}, slow: {training: {method: dft, learning_rate: 1e-6}}}"


def test_a_cell_has_its_method_and_seed_and_all_else_alike() -> None:
    both = config(BOTH)
    sft, slow = comparison.cell(both, "sft", 4), comparison.cell(both, "slow", 5)
    assert (sft.training.method, sft.seed, sft.name) == ("sft", 4, "sft")
    assert (slow.training.method, slow.training.learning_rate, slow.seed) == ("dft", 1e-6, 5)
    same = {"training": None, "seed": 0, "name": ""}
    assert sft.model_copy(update=same) == slow.model_copy(update=same)
    assert sft.comparison is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  seeds: [1]\n  methods: {sft: {data: {}}}", "'data' must be the same for all methods"),
        ("  seeds: [1]\n  methods: {sft: {rounds: 4}}", "'sft' trains on none that are sampled"),
        ("  seeds: [1]\n  methods: {grpo: {rounds: 2}}", "rounds = 2 refreshes the rollouts"),
        ("  seeds: [1]\n  methods: {sfd: {}}", r"methods\.sfd: training\.method = 'sfd': unknown"),
        ("  seeds: [1, 1]\n  methods: {sft: {}}", "names a seed twice"),
        ("  seeds: [1]\n  methods: {base: {training: {method: sft}}}", "this name is taken"),
        ("  seeds: []\n  methods: {sft: {}}", "comparison.seeds"),
    ],
)
def test_mistakes_die_before_any_work(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        compare.of(config(text))


def test_a_config_that_compares_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="compares nothing"):
        compare.of(config_files.load(config_files.CONFIGS / "tiny.yaml"))


@pytest.mark.parametrize(
    ("names", "needed"), [("sft: {}, grpo: {}", False), ("sft: {}, osw_ft: {}", True)]
)
def test_rollouts_are_sampled_only_for_methods_that_use_them(names: str, needed: bool) -> None:
    assert compare.need_rollouts(config(f"  seeds: [1]\n  methods: {{{names}}}")) is needed


def result(method: str, checkpoint: str) -> MethodResult:
    return MethodResult(
        "heldout_sums", checkpoint, "p1", (True,), ("correct",), method=method, seed=4
    )


def branch(**artifacts: Any) -> SimpleNamespace:
    return SimpleNamespace(**artifacts)


def joined() -> dict[str, Any]:
    both = config(BOTH)
    summary = {"steps": 3, "seconds": 1.5, "fingerprint": "f", "notes": ["look"]}
    start = {"results": to_table([result("base", "base")], MethodResult), "manifests": []}
    judged = {"results": to_table([result("sft", "trained")], MethodResult),
              "manifests": [{"method": "sft", "seed": 4}]}  # fmt: skip
    done = branch(
        trainings={"sft": {"summary": summary, "curve": [{"step": 1, "nll": 0.5}]}},
        evaluations={"": start, "sft": judged},
        train_failure=None,
    )
    failed = branch(train_failure=RuntimeError("\nno room on the disk\nTraceback: ..."))
    parts = [("", done), ("sft", done), ("slow", failed)]
    return cell_report.join([cell_report.outcome(both, name, 4, part) for name, part in parts])


def test_a_failed_cell_keeps_its_first_line_and_the_others_their_results() -> None:
    cells = from_table(joined()["cells"], CellResult)
    assert [(c.method, c.failure) for c in cells] == [
        ("sft", None),
        ("slow", "no room on the disk"),
    ]
    assert (cells[0].steps, cells[0].fingerprint, cells[0].notes) == (3, "f", ("look",))
    assert [row.method for row in from_table(joined()["results"], MethodResult)] == ["base", "sft"]


def test_cells_are_runs_that_share_their_start() -> None:
    parts = joined()
    names = ("cells", "results", "manifests")
    runs = cell_runs.stored_runs(
        "CompareFlow/7", *(parts[n] for n in names), {4: {"commit": "c"}}, parts["curves"]
    )
    assert [run.id for run in runs] == ["CompareFlow/7/sft-4", "CompareFlow/7/slow-4"]
    assert [row.checkpoint for row in runs[0].results] == ["base", "trained"]
    assert [row.checkpoint for row in runs[1].results] == ["base"]
    assert (runs[1].failure, runs[0].curve[0]["nll"]) == ("no room on the disk", 0.5)
    assert runs[0].config["training"]["method"] == "sft"


def test_the_report_tells_of_every_cell() -> None:
    built = cell_report.Built("TABLE", {"Training curves": b"picture"})
    parts = cell_report.sections(config(BOTH), built, joined(), {4: {}})
    assert [part.title for part in parts if part.picture] == ["Training curves"]
    text = "\n".join(part.text for part in parts)
    assert "TABLE" in text
    assert "2 cells, 1 failed" in text
    assert "failed: no room on the disk" in text


def test_without_rollouts_there_is_no_drift(tmp_path: Path) -> None:
    problems = to_table([], Problem)
    for scores in (None, to_table([], SequenceScore)):
        shared = Shared(problems, to_table([], SequenceScore), rollout_scores=scores)
        assert cells.drift(config_files.load("compare"), shared, tmp_path) is None
