"""Matching: one pair an idea; the golden pairs hold the breadth."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasft.answers.comparing.rules import rules_named
from rasft.answers.golds import check_golds, neighbours
from rasft.answers.judging import Pair, decide
from rasft.answers.reading.answer import read
from rasft.answers.reading.bounds import TooLarge
from rasft.answers.reading.shapes import (
    Bracketed,
    Clock,
    Congruence,
    Listing,
    Matrix,
    Numeral,
    Opaque,
    Ratio,
    Scalar,
    Words,
)
from rasft.answers.reading.units import measure
from rasft.answers.reference_metric import reference_correct
from rasft.errors import UserError
from rasft.records import Problem


def verdict(
    gold: str, answer: str, rules: str | None = None, tolerance: float | None = None
) -> bool | None:
    return decide(Pair(gold, answer, rules, tolerance)).correct


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (r"\frac{1}{2}", Scalar), ("12 cm^2", Scalar), (r"\text{Evelyn}", Words),
        ("52_8", Numeral), ("4:30 p.m.", Clock), ("1:4", Ratio), ("(1,2)", Bracketed),
        ("[1,2)", Bracketed), ("1,2", Listing), (r"1\pm\sqrt2", Listing),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", Matrix), (r"x\equiv 3\pmod 7", Congruence),
        ("3 (mod 7)", Congruence), (r"17 \bmod 5", Opaque), (r"10 \& 20", Listing),
        (r"1 \\ 2", Listing), (r"a+b \\ -c", Opaque), ("p=5,q=2;p=7,q=2", Listing),
    ],
)  # fmt: skip
def test_shapes(text, kind):
    assert isinstance(read(text), kind)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("52_8", "52_9"), (r"\frac{1}{2004!}", r"\frac{1}{2006!}"), (r"2^{-99}", r"2^{-98}"),
        ("8", "7=8"), ("16,3,1,1", "16,3,1,3"), ("5", "500"), ("58,500", "58,501"),
        ("(2,4)", "[2,4]"), (r"\pi", "3.14159265358979"), (r"\frac13", "0.3333333333"),
        ("1", "1+10^{-40}"), ("|x|", "x"), ("x=5", "y=5"), ("(1,2)", "(2,1)"),
        ("x>3", r"\mathbb{R}"), ("2<x<4", "x<4"), ("|x|>1", "x>1"), ("|2x+1|>3", r"\mathbb{R}"),
        ("C_{1}^{2}", "0"), ("C_1+C_{3}^{2}", "C_1+3"), ("3", r"3\pmod 7"),
    ],
)  # fmt: skip
def test_known_false_accepts_are_refused(gold, answer):
    assert verdict(gold, answer) is False


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("4.5e33", r"4.5\times 10^{33}"), ("5", "5."), ("3000", r"3\,000"), ("90", "90°"),
        ("(2,4)", "2<x<4"), (r"(-\infty,2)\cup(3,\infty)", "x<2 or x>3"),
    ],
)  # fmt: skip
def test_known_false_refusals_are_accepted(gold, answer):
    assert verdict(gold, answer) is True


def test_minerva_takes_half_a_unit_of_the_last_place_and_one_in_ten_thousand():
    assert verdict("1.6", "1.649", "minerva") is True
    assert verdict("1.6", "1.66", "minerva") is False
    assert verdict("671.02", "671.08", "minerva") is True
    assert verdict("671.02", "671.10", "minerva") is False
    assert verdict("1.6", "1.649") is False


def test_olympiadbench_takes_the_problems_tolerance():
    assert verdict("1.68,0.45", "1.7, 0.4", "olympiadbench", 0.1) is True
    assert verdict("1.68,0.45", "1.7, 0.3", "olympiadbench", 0.1) is False
    assert verdict("1.68,0.45", "1.7, 0.4", "olympiadbench") is False


def test_benchmarks_of_exact_values_take_long_decimals():
    for rules in ("math500", "olympiadbench"):
        assert verdict(r"\pi", "3.14159265359", rules) is True
        assert verdict(r"\pi", "3.1415926535", rules) is True
        assert verdict(r"\pi", "3.1415926537", rules) is False
        assert verdict(r"\frac13", "0.3333333333", rules) is True
        assert verdict("1", "0.9999999999", rules) is False
        assert verdict(r"\pi", "3.14159265", rules) is False
    for rules in (None, "math", "aime"):
        assert verdict(r"\pi", "3.14159265359", rules) is False


def test_unknown_rules_name_the_known_ones():
    with pytest.raises(UserError, match="minerva"):
        rules_named("mnierva")


@given(st.fractions(max_denominator=10_000), st.fractions(max_denominator=10_000))
def test_fractions_are_compared_exactly(first: Fraction, second: Fraction):
    answer = rf"\frac{{{second.numerator}}}{{{second.denominator}}}"
    gold = f"{3 * first.numerator}/{3 * first.denominator}"
    assert verdict(gold, answer) is (first == second)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_integers_are_compared_exactly(value: int, step: int):
    assert verdict(f"{value:,}", str(value)) is True
    assert verdict(f"{value:,}", str(value + step)) is False


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=6), st.randoms())
def test_lists_are_multisets(values: list[int], chance):
    shuffled = list(values)
    chance.shuffle(shuffled)
    gold = ", ".join(map(str, values))
    assert verdict(gold, ", ".join(map(str, shuffled))) is True
    assert verdict(gold, ", ".join(map(str, [*shuffled[:-1], shuffled[-1] + 101]))) is False
    assert verdict(gold, ", ".join(map(str, shuffled[:-1]))) is False


@given(st.text(max_size=60))
def test_any_text_gets_a_verdict(text: str):
    assert verdict(r"x^2+\frac12", text) in (True, False, None)


@given(st.text(alphabet=r"\{}()[]^_+-*/!|,.:<>=$% 0123456789abxyz", max_size=40))
def test_any_notation_gets_a_verdict_and_equals_itself_or_is_not_read(text: str):
    assert verdict("3", text) in (True, False, None)


def test_sizes_are_refused_before_any_work():
    start = time.process_time()
    for answer in ("100000000!", "9^{9^{9^{9}}}", r"\binom{10^9}{10^8}", "1+" * 900 + "1"):
        assert verdict("5", answer) in (False, None)
    with pytest.raises(TooLarge):
        read("(" * 500 + "1" + ")" * 500)
    assert time.process_time() - start < 1.0


def test_units_measure():
    assert measure("square inches") == measure(r"\mbox") or measure("square inches") is not None
    assert measure("square inches") == measure("in^2")
    assert measure("students") is None
    assert verdict(r"864 \mbox{ inches}^2", r"6\text{ ft}^2") is True
    assert verdict(r"864 \mbox{ inches}^2", r"864\text{ cm}^2") is False
    assert verdict("17\\%", "0.17") is True
    assert verdict("0.15", "0.15\\%") is False


def problem(answer: str | None) -> Problem:
    return Problem("p", "", "math", answer=answer)


@pytest.mark.parametrize("gold", [None, "", "$221,$8$", r"\frac{1}{2", "t(0,4]"])
def test_unusable_golds_are_reported(gold):
    ((identifier, reason),) = check_golds([problem(gold)])
    assert identifier == "p"
    assert reason


@pytest.mark.parametrize("gold", ["5", r"\text{(C)}", "(1,2)", r"(-\infty,0]", "x=5", "52_8"])
def test_sound_golds_are_not_reported(gold):
    assert check_golds([problem(gold)]) == []
    assert all(verdict(gold, near) is not True for near in neighbours(gold))


def test_the_reference_metric_is_lenient_where_published_tables_are():
    assert reference_correct(r"\boxed{500}", "5")
    assert reference_correct(r"\boxed{58501}", "58,500")
    assert reference_correct(r"\boxed{[2,4]}", "(2,4)")
    assert reference_correct(r"so \boxed{42", "42")
    assert reference_correct("we try 3 and then 42", "42")
    assert not reference_correct(r"\boxed{43}", "42")
    assert not reference_correct(r"\boxed{__import__('os')}", "42")
