"""The rewrites of golds that the graders are compared on: each is what its kind says."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from bench.graders import Judged, Row, disagreements, labelled_rows, table
from bench.rewrites import rewrites
from rasft.records import Problem


def made(gold: str) -> dict[str, tuple[str, bool]]:
    return {r.kind: (r.answer, r.right) for r in rewrites(gold, random.Random(0))}


@pytest.mark.parametrize(
    ("gold", "kind", "answer", "right"),
    [
        ("12000", "thousands by comma", "12,000", True),
        ("12000", "power of ten", r"12 \times 10^{3}", True),
        (r"-\frac{7}{4}", "exact decimal", "-1.75", True),
        (r"\frac{7}{4}", "mixed number", r"1\frac{3}{4}", True),
        (r"\frac{7}{4}", "unreduced", r"\frac{21}{12}", True),
        (r"-\frac{7}{4}", "minus in the numerator", r"\frac{-7}{4}", True),
        (r"2\sqrt{3}", "roots as powers", "2(3)^{1/2}", True),
        (r"\frac{1}{3}", "rounded to four places", "0.3333", False),
        ("(1,2)", "coordinates swapped", "(2,1)", False),
        (r"[0,1)", "an open end closed", "[0,1]", False),
        ("120", "a hundredfold", "12000", False),
        ("1, 2, 3", "an item lost", "1, 2", False),
        ("$x+5$", "another number", "x+17", False),
    ],
)
def test_rewrites(gold, kind, answer, right):
    assert made(gold)[kind] == (answer, right)


@pytest.mark.parametrize(
    ("gold", "kind"),
    [
        (r"\frac{1}{3}", "exact decimal"), (r"\frac{3}{4}", "rounded to four places"),
        ("(1,1)", "coordinates swapped"), ("58,500", "list in another order"),
        ("0", "the other sign"), (r"\$5", "another number"), (r"[0,\infty)", "an open end closed"),
    ],
)  # fmt: skip
def test_a_rewrite_that_would_not_be_what_its_kind_says_is_not_made(gold, kind):
    assert kind not in made(gold)


def test_exact_decimals_are_exact():
    for above in range(-60, 60):
        for below in (2, 4, 5, 8, 16, 125):
            sign = "-" if above < 0 else ""
            found = made(rf"{sign}\frac{{{abs(above)}}}{{{below}}}").get("exact decimal")
            assert found is None or Fraction(found[0]) == Fraction(above, below)


def test_the_table_counts_and_the_disagreements_are_found(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"answer": "5", "response": "5", "correct": true, "family": "f"}\n' * 2)
    rows = [*labelled_rows(path), Row("g", Problem("p", "", "math", answer="5"), "6", False)]
    judged = {"a": Judged([True, False, True], 0.3), "b": Judged([True, True, True], 0.6)}
    assert disagreements(rows, judged) == {"f": [1]}
    lines = list(table(rows, judged))
    assert lines[2:] == ["| a | 1 | 1 | 0 | 1 | 100.00 |", "| b | 2 | 0 | 0 | 1 | 200.00 |"]
