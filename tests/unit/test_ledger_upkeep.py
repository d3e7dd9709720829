"""Regrading, listing, merging and dropping what the ledger holds."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rasft.cli import main
from rasft.config.files import CONFIGS, load
from rasft.config.settings import Config
from rasft.ledger import Ledger
from rasft.ledger.rows import SampleRow, SampleSource, VerdictRow, problem_digest, verdict_key
from rasft.ledger.store import Store
from rasft.ledger.upkeep import inventory, merge
from rasft.records import Problem, Status
from rasft.stages import verify
from rasft.stages.regrade import regrade, reweigh

SOURCE = SampleSource("model-a", "engine 1", "float32", 1.0, 0.9, 1.0, (2,))
PROBLEM = Problem("p", "What is 3 + 4?", "math", expert_response="\\boxed{7}", answer="7")
RIGHT = "Tom has 3 apples and buys 4 more, so 3 + 4 = 7. The answer is \\boxed{7}."
WRONG = "We multiply 3 by 4 which gives 12, therefore the answer must be \\boxed{12}."


@pytest.fixture
def config() -> Config:
    return load(CONFIGS / "demo.yaml")


@pytest.fixture
def ledger(tmp_path: Path, config: Config) -> Ledger:
    """Two samples of one problem; an older verifier called both of them incorrect."""
    ledger = Ledger(Store(str(tmp_path)))
    ledger.remember([PROBLEM])
    for index, text in enumerate((RIGHT, WRONG)):
        with ledger.samples(SOURCE) as stored:  # a file for each
            digest = problem_digest(PROBLEM)
            stored.put(SampleRow(f"k{index}", digest, "p", 7, index, index, (3, 2), text, "stop"))
    judge(ledger, config, "an older version", Status.INCORRECT)
    return ledger


def judge(ledger: Ledger, config: Config, version: str, status: Status) -> None:
    deciding = verify.deciding_settings("math", config.verification)
    with ledger.verdicts("math", version, deciding) as stored:
        for text in (RIGHT, WRONG):
            key = verdict_key(problem_digest(PROBLEM), text)
            stored.put(VerdictRow(key, status, "7", 0.0, ""))


def command(ledger: Ledger, *words: str) -> Result:
    assert ledger.store
    done = CliRunner().invoke(main, ["ledger", *words, "--path", ledger.store.root])
    assert done.exit_code == 0, done.output
    return done


def test_regrading_says_what_a_new_verifier_changes(ledger: Ledger, config: Config) -> None:
    graded = {row.sample.sample_index: row for row in regrade(ledger, config)}
    assert (graded[0].before, graded[0].now) == (Status.INCORRECT, Status.CORRECT)
    assert (graded[1].before, graded[1].now) == (Status.INCORRECT, Status.INCORRECT)
    (change,) = reweigh(graded.values(), config)
    assert (change.before.solvability, change.now.solvability) == (0.0, 0.5)
    assert change.now.expert_weight < change.before.expert_weight == 1.0
    (work,) = ledger.work("regrade")
    assert (work.reused, work.made) == (0, 2)
    again = Ledger(ledger.store)
    assert {row.now for row in regrade(again, config)} == {Status.CORRECT, Status.INCORRECT}
    (work,) = again.work("regrade")
    assert (work.reused, work.made) == (2, 0)


def test_a_mended_answer_is_judged_beside_the_old_one(ledger: Ledger, config: Config) -> None:
    ledger.remember([replace(PROBLEM, answer="12")])
    now = {(r.problem.answer, r.sample.sample_index): r.now for r in regrade(ledger, config)}
    assert now == {
        ("7", 0): Status.CORRECT,
        ("7", 1): Status.INCORRECT,
        ("12", 0): Status.INCORRECT,
        ("12", 1): Status.CORRECT,
    }


def test_the_command_lists_verdicts_and_weights(ledger: Ledger) -> None:
    text = command(ledger, "regrade").output
    for part in (
        "verdicts: 0 known under this version, 2 judged now",
        "2 verdicts; 2 had one by an earlier version",
        "incorrect -> correct: 1",
        "p sample 0 (run seed 7): incorrect -> correct",
        "training weights of 1 problems change:",
        "solvability 0.00 -> 0.50",
    ):
        assert part in text, part


def test_listing_and_totals(ledger: Ledger) -> None:
    assert ledger.store
    Path(ledger.samples(SOURCE).folder, "stray.txt").write_text("")
    text = command(ledger, "ls").output
    assert "checkpoint model-a, engine engine 1" in text
    assert "verifier math, version an older version" in text
    assert "not read: 1 files (foreign)" in text
    lines = [line.split() for line in command(ledger, "stats").output.splitlines()[1:6]]
    totals = {words[0]: words[1] for words in lines}
    assert totals == {
        "samples": "2",
        "verdicts": "2",
        "scores": "0",
        "problems": "1",
        "trainings": "0",
    }


def test_gc_asks_first_and_then_drops_and_merges(ledger: Ledger, config: Config) -> None:
    assert ledger.store
    other = replace(SOURCE, checkpoint="model-b")
    with ledger.samples(other) as stored:
        stored.put(SampleRow("k", "d", "p", 7, 0, 0, (2,), "", "stop"))
    judge(ledger, config, verify.version("math", config.verification), Status.CORRECT)
    asked = command(ledger, "gc", "--checkpoint", "model-a").output
    assert asked.count("would drop") == 2
    assert "run it again with --yes" in asked
    assert len(ledger.store.folders("samples")) == 2
    done = command(ledger, "gc", "--checkpoint", "model-a", "--yes").output
    assert "another checkpoint" in done
    assert "another version of the verifier" in done
    assert "merged files: 1 fewer" in done
    assert list(ledger.store.folders("samples").values()) == [SOURCE.facts()]
    assert ledger.samples(SOURCE).has(["k0", "k1"]) == {"k0", "k1"}
    assert len(ledger.store.folders("verdicts")) == 1


def test_merging_keeps_each_row_once_and_touches_no_damaged_file(ledger: Ledger) -> None:
    assert ledger.store
    store = ledger.store
    stored = ledger.samples(SOURCE)
    before = sorted(stored.rows(), key=lambda row: row.key)
    for row in before:  # again, in one file
        stored.put(row)
    stored.flush()
    damaged = Path(stored.folder, "0" * 64 + ".parquet")
    damaged.write_bytes(b"not parquet")
    (folder,) = [each for each in inventory(store) if each.kind == "samples"]
    assert merge(store, folder) == 2
    assert sorted(stored.rows(), key=lambda row: row.key) == before
    assert damaged.exists()
    assert merge(store, folder) == 0


def test_a_missing_ledger_is_one_message(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["ledger", "ls", "--path", str(tmp_path / "none")])
    assert done.exit_code == 1
    assert "there is no ledger at" in done.output
