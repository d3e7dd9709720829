"""`rasft data` as a user types it: what it shows, and what a mistake in config or rows gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rasft.cli import main

SHOP = """
extends: tiny
name: shop
warmup: null
data:
  max_tokens: 300
  datasets:
    - name: jsonl
      options: {path: PATH, verifier: math}
evaluation: {benchmarks: [{name: heldout_sums, limit: 2}]}
"""
RIGHT = "Each costs 3, so it is 12: \\boxed{12}"
ROWS = [
    {"id": "right", "prompt": "What do 4 pens cost?", "expert_response": RIGHT, "answer": "12"},
    {"id": "wrong", "prompt": "What do 5 cups cost?", "expert_response": RIGHT, "answer": "15"},
    {"id": "open", "prompt": "What do 6 hats cost?", "expert_response": RIGHT},
]


@pytest.fixture
def shop(tmp_path: Path) -> Any:
    """Write rows and a config, changed by replacing text; returns the config's path."""

    def write(rows: list[dict[str, str]] = ROWS, **replaced: str) -> Path:
        path = tmp_path / "shop.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        text = SHOP.replace("PATH", str(path))
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "shop.yaml").write_text(text)
        return tmp_path / "shop.yaml"

    return write


def data(*words: object) -> Result:
    return CliRunner().invoke(main, ["data", *map(str, words)])


def test_what_would_be_trained_on_is_shown(shop: Any) -> None:
    done = data(shop())
    assert done.exit_code == 0, done.output
    shown = done.stdout
    assert "\n  jsonl: 3 rows; by verifier: math 3\n  - the file " in shown
    assert "\n  - the first expert_refused: wrong: incorrect: '12' number\n" in shown
    assert "\n  math: correct 1, incorrect 1\n" in shown
    assert "\n  without an answer to check: 1 of 3 rows (33.33%)\n" in shown
    assert f"\n  \u2502 \u27e6{RIGHT}<|im_end|>\u27e7\n" in f"{shown}\n"
    assert max(len(line) for line in shown.splitlines() if "file" not in line) <= 100


def test_a_second_look_finds_the_verdicts(shop: Any) -> None:
    config = shop([{**ROWS[0], "prompt": "What do 4 balls cost?"}])
    assert "verifying (math)" in data(config).stderr
    again = data(config)
    assert "verifying" not in again.stderr
    assert "  math: correct 1\n" in again.stdout


def test_the_same_for_a_program(shop: Any) -> None:
    found = json.loads(data(shop(), "--json", "--show", 1).stdout)
    assert (found["read"], found["kept"], found["round"], found["warmup"]) == (3, 1, 1, None)
    assert {each["reason"]: each["rows"] for each in found["dropped"]} == {
        "no_answer": 1,
        "expert_refused": 1,
    }
    (row,) = found["rows"]
    assert row["supervised"] == f"{RIGHT}<|im_end|>"


def test_a_quick_look_reads_few_rows_and_judges_none(shop: Any) -> None:
    done = data(shop(null="{problems: 40}"), "--limit", 1, "--no-verify", "--show", 0)
    assert done.exit_code == 0, done.output
    assert "  jsonl: 1 rows; by verifier: math 1\n" in done.stdout
    assert "  not judged\n" in done.stdout
    assert "verifying" not in done.stderr


@pytest.mark.parametrize(
    ("rows", "replaced", "shown", "said"),
    [
        (ROWS[2:], {}, "    no_answer  1\n", "no training problem is left of 1 read from jsonl"),
        (ROWS[:1], {"300": "30"}, "  over 30  1  dropped", "all 1 usable training problems are"),
        (ROWS[1:2], {}, "  math: incorrect 1\n", "the verifier refuses the expert response of"),
        (ROWS[:1], {"null": "{problems: 40}"}, "  kept     1\n", "warmup.problems = 40 leaves"),
        ([*ROWS[:1], *ROWS[:1]], {}, "jsonl: 2 rows", "duplicate problem id 'right'"),
    ],
)
def test_what_ends_a_run_is_said_after_what_was_found(
    shop: Any, rows: list[dict[str, str]], replaced: dict[str, str], shown: str, said: str
) -> None:
    done = data(shop(rows, **replaced))
    assert done.exit_code == 1
    assert shown in done.stdout
    assert f"Error: {said}" in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("replaced", "said"),
    [
        ({"shop.jsonl": "none.jsonl"}, "Error: jsonl: option path = "),
        ({"extends: tiny": "extends: tiny\nmodel: {path: nope}"}, "Error: model.path = 'nope' is"),
        ({"max_tokens": "max_token"}, "Error: "),
    ],
)
def test_where_nothing_can_be_read_one_sentence_says_why(
    shop: Any, replaced: dict[str, str], said: str
) -> None:
    done = data(shop(**replaced))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith(said)


def test_benchmarks_that_are_not_here_end_a_run_and_not_a_look(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("RASFT_DATA_DIR", raising=False)
    monkeypatch.setattr("rasft.data.rows.hub_failure", lambda: "HF_HUB_OFFLINE is set")
    done = data(shop(heldout_sums="math500"), "--show", 0)
    assert done.exit_code == 0, done.output
    assert "so nothing was compared with a benchmark" in done.stdout.replace("\n    ", " ")
