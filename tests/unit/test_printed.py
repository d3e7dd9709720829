"""What a program printed against what it should: lines, tokens, decimals, attempts."""

from __future__ import annotations

import time

import pytest

from sandbox.inside.printed import same


@pytest.mark.parametrize(
    ("printed", "expected", "equal"),
    [
        ("3\n", "3", True), ("3  \n\n", "3", True), ("1 2\n3", "1 2\n3\n", True),
        ("1  2", "1 2", False), ("1\n2", "1 2", False), (" 3", "3", False), ("3.0", "3", False),
        ("0.5", "0.50", False), ("yes", "YES", False), ("", "3", False), ("3\n3", "3", False),
    ],
)  # fmt: skip
def test_lines(printed, expected, equal):
    assert same(printed, expected) is equal


@pytest.mark.parametrize(
    ("printed", "expected", "equal"),
    [
        ("1\n2", "1 2", True), ("  3\t\n", "3", True), ("0.5", "0.50", True), ("yes", "yes", True),
        ("0.33333333", "0.3333333333", True), ("-0.5", "-.5", True), ("1e-1", "0.1", True),
        ("5", "5.0", True), ("1000000.4", "1000000.0", True), ("2e3", "2000.0", True),
        ("0.3333", "0.3333333333", False), ("1000002.0", "1000000.0", False),
        ("-0.5", "0.5", False),
        ("0.0000021", "0.0000010", False), ("3.0", "3", False), ("3.0000001", "3", False),
        ("03", "3", False), ("+3", "3", False), ("1e0", "1", False), ("YES", "yes", False),
        ("1 2 3", "1 2", False), ("1", "1 2", False), ("", "0.5", False), ("0.5 0.5", "0.5", False),
    ],
)  # fmt: skip
def test_tokens_and_decimals(printed, expected, equal):
    assert same(printed, expected, 1e-6) is equal


NO_NUMBERS = [
    "nan", "NaN", "-nan", "inf", "-inf", "Infinity", "1e999", "-1e999", "1e9999", "1e99999999",
    "0x0.8p0", "0x1", "0b1", "1_0.5", "0_0.5", "٠.٥", "０.５", "0，5", "0,5", "1/2", "½", "0.5f",
    "0.5j",
    "0.5e", "0.5e+", ".", "e", "+", "-", "--0.5", "+-0.5", "0..5", "0.5.0", "0.5\x00", "0.5\u200b",
    "0" * 500 + ".5", "True", "None", "[0.5]", "(0.5,)",
]  # fmt: skip


@pytest.mark.parametrize("token", NO_NUMBERS)
def test_no_other_spelling_is_a_decimal(token):
    assert not same(token, "0.5", 1e-2)
    assert not same(f"{token} 0.5", "0.5 0.5", 1e-2)


@pytest.mark.parametrize("expected", ["nan", "inf", "1e999", "-1e999"])
def test_an_expected_text_that_is_no_finite_number_is_met_by_itself_alone(expected):
    assert same(expected, expected, 1e-2)
    for other in ("nan", "inf", "1e999", "1e998", "0.5", "-inf"):
        assert same(other, expected, 1e-2) is (other == expected)


@pytest.mark.parametrize("tolerance", [None, 1e-6])
@pytest.mark.parametrize(
    "printed",
    ["1" * 8_000_000, "0.5 " * 2_000_000, "\n" * 8_000_000],
    ids=["a number", "decimals", "lines"],
)
def test_huge_outputs_are_compared_at_once(printed, tolerance):
    start = time.process_time()
    assert not same(printed, "0.5 0.25", tolerance)
    assert not same(f"{'1' * 399}x " * 10_000, f"{'1' * 398}.5 " * 10_000, tolerance)
    assert time.process_time() - start < 5


def test_without_a_tolerance_a_decimal_is_its_own_spelling():
    assert not same("0.5", "0.50")
    assert same("0.5", "0.50", 0)
    assert not same("0.50000001", "0.5", 0)
