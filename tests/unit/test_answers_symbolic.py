"""The last resort: what math-verify is asked, and that no text is evaluated on the way."""

from __future__ import annotations

import pytest
import sympy

from rasft.answers.comparing.symbolic import last_resort


def test_notation_that_nothing_else_reads():
    assert last_resort(r"\sum_{n=1}^{3} n", r"\sum_{k=1}^{3} k") == (True, "symbolic")
    assert last_resort(r"\int_0^1 x dx", r"\int_{0}^{1} t\,dt") == (True, "symbolic")


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("5", r"\text{not }5"), ("385", r"\sum_{k=1}^{10} k^2"), (r"5 \pmod{7}", r"7 \pmod{5}"),
        (r"\frac{1}{2004!}", r"\frac{1}{2006!}"), ("5", "+".join(["5"] * 200)),
    ],
)  # fmt: skip
def test_other_numbers_or_words_are_refused(gold, answer):
    assert last_resort(gold, answer)[0] is False


def test_sympy_evaluates_no_text(tmp_path):
    target = tmp_path / "created"
    for text in (f"open('{target}', 'w')", "__import__('os')", "(1).__class__", "x + 1"):
        with pytest.raises(PermissionError):
            sympy.sympify(text)
    assert sympy.sympify("12") == 12
    assert not target.exists()
