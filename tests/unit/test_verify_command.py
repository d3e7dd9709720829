"""`rasft verify`: rows in order, faults as rows, and going on after a crash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rasft.commands.verify import run_verify
from rasft.config.verification import MathVerifierConfig, VerificationConfig
from rasft.errors import UserError

SETTINGS = VerificationConfig(math=MathVerifierConfig(workers=1))


def row(identifier: object, answer: str, response: str, **more: object) -> str:
    fields = {"id": identifier, "verifier": "math", "answer": answer, "response": response}
    return json.dumps(fields | more)


def verified(source: Path, target: Path, **more: bool) -> tuple[int, list[dict[str, object]]]:
    code = run_verify(source, target, keep_output=more.get("keep_output", False), settings=SETTINGS)
    return code, [json.loads(line) for line in target.read_text().splitlines()]


def test_rows_come_out_in_order_with_every_field(tmp_path):
    source, target = tmp_path / "in.jsonl", tmp_path / "out" / "rows.jsonl"
    rows = [
        row("a", "5", "\\boxed{5}"), row(2, r"\sqrt{8}", r"\boxed{2\sqrt2}"),
        row("c", "5", "\\boxed{6}"), row("d", "5", "five"), row("e", "\ud800", "\\boxed{\ud800}"),
        row("f", "4.5e33", r"\boxed{4.52\times 10^{33}}", rules="minerva"),
    ]  # fmt: skip
    source.write_text("\n".join(rows) + "\n\n")
    code, found = verified(source, target)
    assert code == 0
    assert [r["id"] for r in found] == ["a", 2, "c", "d", "e", "f"]
    assert [r["correct"] for r in found] == [True, True, False, False, True, True]
    assert found[3]["status"] == "no_answer"
    assert found[1]["answer"] == r"2\sqrt2"
    assert set(found[0]) == {"id", "status", "correct", "answer", "seconds", "detail"}


def test_malformed_rows_are_told_and_the_rest_goes_on(tmp_path):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    faulty = [
        "{not json", "[1]", '{"id": "x"}', row("x", "5", "\\boxed{5}", verifier="maths"),
        json.dumps({"id": "x", "verifier": "math", "answer": 5, "response": "\\boxed{5}"}),
        row("x", "5", "\\boxed{5}", rules="mnierva"), row(None, "5", "\\boxed{5}"),
        json.dumps({"id": "x", "verifier": "math", "answer": "5"}),
    ]  # fmt: skip
    sound = row("ok", "5", "\\boxed{5}").encode()
    lines = [*(line.encode() for line in faulty), b"\xff\xfe", sound]
    source.write_bytes(b"\n".join(lines))
    code, found = verified(source, target)
    assert code == 1
    assert [r["status"] for r in found] == ["malformed"] * 9 + ["correct"]
    assert all(r["correct"] is None for r in found[:9])
    assert all(f"line {n}" in str(r["detail"]) for n, r in enumerate(found[:9], start=1))


@pytest.mark.parametrize("gold", ["", " ", "$221,$8$", r"\frac{1}{2", r"\oops 3"])
def test_a_gold_that_cannot_be_read_is_the_rows_fault(tmp_path, gold):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(row("a", gold, "\\boxed{5}") + "\n" + row("b", gold, "five"))
    code, found = verified(source, target)
    assert code == 1
    assert [(r["status"], r["correct"]) for r in found] == [("malformed", None)] * 2
    assert "line 1: `answer`" in str(found[0]["detail"])


@pytest.mark.parametrize("cut", [0, 1, 40, 200])
def test_a_second_run_goes_on_after_the_last_whole_row(tmp_path, cut):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(row(n, str(n), f"\\boxed{{{n % 7}}}") for n in range(12)))
    _, complete = verified(source, target)
    written = target.read_bytes()
    target.write_bytes(written[: len(written) - cut])
    _, resumed = verified(source, target)
    without_time = [[{**r, "seconds": 0} for r in rows] for rows in (complete, resumed)]
    assert without_time[0] == without_time[1]


def test_the_exit_code_remembers_malformed_rows_of_the_first_run(tmp_path):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("oops\n" + row("a", "5", "\\boxed{5}"))
    assert verified(source, target)[0] == 1
    assert verified(source, target)[0] == 1


@pytest.mark.docker
def test_the_exit_code_is_the_same_for_a_program_that_does_not_parse(tmp_path):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    program = {"id": 1, "verifier": "python", "response": "def f(:", "tests": "assert f() == 1"}
    source.write_text(json.dumps(program))
    code, found = verified(source, target)
    assert (code, found[0]["status"]) == (1, "malformed")
    assert verified(source, target)[0] == 1


def test_an_output_of_another_input_is_refused(tmp_path):
    source, other, target = (tmp_path / name for name in ("in.jsonl", "other.jsonl", "out.jsonl"))
    source.write_text(row("a", "5", "\\boxed{5}"))
    other.write_text(row("b", "5", "\\boxed{5}"))
    verified(source, target)
    with pytest.raises(UserError, match="another input"):
        verified(other, target)


def test_a_missing_input_is_one_clear_error(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.jsonl"):
        verified(tmp_path / "nowhere.jsonl", tmp_path / "out.jsonl")


def test_progress_is_told_on_stderr(tmp_path, capsys):
    source = tmp_path / "in.jsonl"
    source.write_text(row("a", "5", "\\boxed{5}"))
    verified(source, tmp_path / "out.jsonl")
    assert "verify: 1/1 rows" in capsys.readouterr().err
