"""What a figure is made of: shares of the responses, and the warning beside one that is cut."""

from dataclasses import replace

from stored_runs import run, table

from rasft.records import BenchmarkResult
from rasft.results import outcomes, table_text


def result(*pairs: tuple[str, str]) -> BenchmarkResult:
    statuses, reasons = zip(*pairs, strict=True)
    correct = tuple(status == "correct" for status in statuses)
    return BenchmarkResult("b", "base", "p", correct, statuses, (), reasons)


MIXED = result(
    ("correct", "stop"),
    ("correct", "length"),
    ("no_answer", "length"),
    ("timed_out", "stop"),
)


def test_shares_are_of_all_responses_and_a_cut_one_may_be_right() -> None:
    found = outcomes.outcomes("b", "base", [MIXED, MIXED])
    assert found.responses == 8
    assert dict(zip(outcomes.COLUMNS, found.shares, strict=True)) == {
        "cut at the limit": 0.5, "no answer": 0.25, "malformed": 0, "timed out": 0.25,
        "out of memory": 0, "crashed": 0, "undecided": 0,
    }  # fmt: skip


def test_a_run_of_an_older_version_does_not_say_what_was_cut() -> None:
    found = outcomes.outcomes("b", "base", [replace(MIXED, finish_reasons=())])
    assert outcomes.cells(found)[0] == "–"
    assert not found.is_cut_short


def test_a_few_percent_are_a_warning_and_less_is_none() -> None:
    kept = [("correct", "stop")] * 97
    assert outcomes.outcomes("b", "r", [result(*kept, *[("correct", "length")] * 3)]).is_cut_short
    less = result(*kept, *[("correct", "length")] * 2, ("correct", "stop"))
    assert not outcomes.outcomes("b", "r", [less]).is_cut_short


def test_the_table_shows_the_shares_and_warns_beside_the_figure() -> None:
    found = run("sft", 0, 0.3)
    cut = [replace(row, finish_reasons=("length", *["stop"] * 3)) for row in found.results]
    built = table([replace(found, results=cut)])
    assert built.rows[1].entries[0].cut == 0.25
    assert "(25 % cut)" in table_text.markdown(built)
    assert r"(25 \% cut)" in table_text.latex(built)
    assert any("math500, sft: 25.0 % of the responses were cut" in note for note in built.notes)
    assert "| math500          | sft   | 25.0 " in table_text.markdown(built)
