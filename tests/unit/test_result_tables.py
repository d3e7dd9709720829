"""From stored runs to tables: what may stand in one row, what is marked, what every form holds."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from stored_runs import CONFIG, run, runs, table

from rasft.errors import UserError
from rasft.records import BenchmarkResult
from rasft.results import cells, metrics, published, table_text
from rasft.results.result_table import ResultTable


@pytest.fixture(scope="module")
def compared() -> ResultTable:
    return table(runs({"sft": 0.3, "dft": 0.32, "rasft": 0.7}))


def test_rows_columns_and_baseline(compared: ResultTable) -> None:
    assert [row.name for row in compared.rows] == ["base", "sft", "dft", "rasft"]
    assert compared.columns == ("math500", "amc23", "humaneval", "math average")
    assert compared.baseline == "sft"
    entry = compared.rows[3].entries[0]
    assert (entry.seeds, entry.problems) == (3, 60)
    assert entry.value == pytest.approx(0.7, abs=0.05)
    assert sorted(source.seed for source in entry.sources) == [0, 1, 2]
    assert compared.rows[3].entries[3].value == pytest.approx(
        (entry.value + compared.rows[3].entries[1].value) / 2, abs=1e-5
    )


def test_best_is_marked_only_beyond_noise(compared: ResultTable) -> None:
    assert [row.entries[0].best for row in compared.rows] == [False, False, False, True]
    close = table(runs({"sft": 0.30, "dft": 0.31}))
    assert not any(entry.best for row in close.rows for entry in row.entries)


def test_real_differences_are_told_from_noise(compared: ResultTable) -> None:
    real = {i.contrast.row for i in compared.differences if i.contrast.column == "math500"}
    assert real == {"base", "dft", "rasft"}
    found = {i.contrast.row: i for i in compared.differences if i.contrast.column == "math500"}
    assert found["rasft"].is_real
    assert not found["dft"].is_real
    assert "rasft above sft on math500 (+" in compared.notes[0]
    assert "dft above" not in compared.notes[0].replace("rasft above", "")
    alike = table(runs({"sft": 0.30, "dft": 0.30}), baseline="sft")
    assert "dft above sft" not in alike.notes[0]


def test_a_few_problems_get_no_interval_and_no_mark() -> None:
    found = runs({"sft": 0.0, "rasft": 1.0})
    few = [
        replace(r, results=[x for x in r.results if int(x.problem_id.rpartition("/")[2]) < 4])
        for r in found
    ]
    built = table(few)
    assert built.rows[2].entries[0].value == pytest.approx(1, abs=0.1)
    assert built.rows[2].entries[0].low is None
    assert not any(row.entries[0].best for row in built.rows)


def test_a_failed_run_is_shown_and_takes_nothing_with_it() -> None:
    found = runs({"sft": 0.3, "rasft": 0.7})
    dead = replace(found[-1], results=[], manifests=[], provenance={}, failure="train: no memory")
    gone = replace(run("dft", 0, 0.3), failure="score: no model", results=[], manifests=[])
    built = table([*found[:-1], dead, gone])
    text = table_text.markdown(built)
    assert "rasft, seed 2 (RasftFlow/rasft2) failed: train: no memory" in text
    assert [row.name for row in built.rows] == ["base", "sft", "rasft", "dft"]
    assert built.rows[2].entries[0].seeds == 2
    assert "| dft " in text
    assert "failed " in text


def test_nothing_but_failures_is_one_message() -> None:
    with pytest.raises(UserError, match="no run has results; RasftFlow/sft0 failed: boom"):
        table([replace(run("sft", 0, 0.3), failure="boom", results=[])])


def test_methods_that_meet_twice_are_named_by_their_configs() -> None:
    longer = {"training": CONFIG["training"] | {"method": "sft", "epochs": 2.0}, "name": "longer"}
    assert cells.labels([run("sft", 0, 0.3), run("sft", 0, 0.3, **longer)]) == [
        "sft [demo]",
        "sft [longer]",
    ]
    spread = {"rollout": CONFIG["rollout"] | {"shards": 9}}
    assert cells.labels([run("sft", 0, 0.3), run("sft", 1, 0.3, **spread)]) == ["sft", "sft"]


def test_a_variant_of_the_method_has_its_own_row() -> None:
    reference = {"weighting": CONFIG["weighting"] | {"variant": "reference"}}
    found = cells.labels([run("rasft", 0, 0.3), run("rasft", 0, 0.3, **reference)])
    assert found == ["rasft", "rasft (reference)"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: replace(r, id="RasftFlow/again"), "are both 'sft' with seed 0; leave one"),
        (
            lambda r: replace(
                run("dft", 0, 0.3),
                manifests=[m | {"data_fingerprint": "other"} for m in r.manifests],
            ),
            "different problems of math500",
        ),
        (
            lambda r: replace(
                run("dft", 0, 0.3),
                manifests=[m | {"model_fingerprint": "other"} for m in r.manifests],
            ),
            "start from different models",
        ),
    ],
)
def test_runs_that_cannot_stand_together(change, message: str) -> None:
    first = run("sft", 0, 0.3)
    with pytest.raises(UserError, match=message):
        table([first, change(first)])


def test_another_verifier_is_noted() -> None:
    found = runs({"sft": 0.3, "dft": 0.3}, seeds=1)
    found[1] = replace(
        found[1], manifests=[m | {"verifiers": {"math": "2"}} for m in found[1].manifests]
    )
    assert any("math500: verifiers differs" in note for note in table(found).notes)


def test_an_engine_that_was_restarted_is_noted() -> None:
    found = runs({"sft": 0.3}, seeds=1)
    noted = [m | {"engine_notes": ["restarted: it hung"]} for m in found[0].manifests]
    built = table([replace(found[0], manifests=noted)])
    assert "math500, sft, seed 0: restarted: it hung" in built.notes


def test_a_run_of_an_older_version_without_engine_notes_stands_in_the_table() -> None:
    found = runs({"sft": 0.3}, seeds=1)
    older = [{k: v for k, v in m.items() if k != "engine_notes"} for m in found[0].manifests]
    assert table([replace(found[0], manifests=older)]).notes == table(found).notes


def test_metrics_come_from_the_same_matrix() -> None:
    found = runs({"sft": 0.3}, seeds=1)
    avg, majority, passed = (
        table(found, metric=m).rows[1].entries[0].value for m in ("avg", "maj", "pass@4")
    )
    assert avg < passed
    assert majority < passed  # right answers agree, wrong ones do not
    assert "humaneval" not in table(found, metric="maj").columns
    with pytest.raises(UserError, match="pass@5 needs 5 samples a problem; math500 has 4"):
        table(found, metric="pass@5")
    with pytest.raises(UserError, match="unknown metric 'best'"):
        table(found, metric="best")


def test_choices_vote_and_programs_do_not() -> None:
    (found,) = runs({"sft": 0.3}, seeds=1)
    renamed = {"amc23": "gpqa_diamond", "humaneval": "livecodebench"}
    chosen = replace(
        found,
        results=[
            replace(r, benchmark=renamed.get(r.benchmark, r.benchmark)) for r in found.results
        ],
        manifests=[
            m | {"benchmark": renamed.get(m["benchmark"], m["benchmark"])} for m in found.manifests
        ],
    )
    assert table([chosen], metric="maj").columns == ("math500", "gpqa_diamond")
    assert "livecodebench" in table([chosen]).columns


def test_votes_are_counted_by_meaning() -> None:
    row = BenchmarkResult(
        "b", "base", "p", (True, True, False, False, False), ("",) * 5,
        ("\\frac{1}{2}", "$\\dfrac{1}{2}$.", "3", "4", "5"),
    )  # fmt: skip
    assert metrics.scores([row], "maj").tolist() == [1.0]
    with pytest.raises(UserError, match="made by an older version"):
        metrics.scores([replace(row, answers=())], "maj")


def test_every_form_is_the_same_each_time_and_holds_the_figures(compared: ResultTable) -> None:
    value = f"{100 * compared.rows[3].entries[0].value:.1f}"
    for name, form in table_text.FORMS.items():
        assert form(compared) == form(compared)
        assert "RasftFlow/rasft0" in form(compared), name
    assert f"**{value}**" in table_text.markdown(compared)
    assert f"\\textbf{{{value}}}" in table_text.latex(compared)
    assert f"<b>{value}</b>" in table_text.page(compared)
    lines = list(csv.DictReader(io.StringIO(table_text.long_csv(compared))))
    assert len(lines) == 4 * 4
    assert lines[12]["runs"] == "RasftFlow/rasft0 RasftFlow/rasft1 RasftFlow/rasft2"
    cell = json.loads(table_text.sources(compared))["cells"][12]
    assert cell["sources"][0]["manifest"]["verifiers"] == {"math": "1"}
    assert cell["sources"][0]["checkpoint"] == "rasft 0"


def test_a_published_row_says_what_keeps_it_apart(compared: ResultTable) -> None:
    found = runs({"sft": 0.3}, seeds=1)
    (theirs,) = published.beside(table(found), found, [published.row("dft-1.5b-dft")]).rows[2:]
    assert theirs.entries[0].value == 0.6489
    assert theirs.remark is not None
    for part in (
        "not comparable because base model is 'Qwen/Qwen2.5-Math-1.5B' there",
        "training problems is 100000 there and '100' here",
        "the system prompt is not stated",
        "samples a problem is 16 there and '4' here",
        "math500 has 500 problems there and 60 here",
        "the math average is over other benchmarks, with minerva_math, olympiadbench, aime24",
    ):
        assert part in theirs.remark, part
    with pytest.raises(UserError, match=r"did you mean 'dft-1\.5b-dft'"):
        published.row("dft-1.5-dft")


def test_every_published_average_is_the_mean_of_its_row() -> None:
    for name in published.names():
        row = published.row(name)
        parts = [row.percent[b] for b in row.setting.benchmarks or () if b in row.percent]
        if parts and "math average" in row.percent:
            assert np.mean(parts) == pytest.approx(row.percent["math average"], abs=0.011), name
