"""Extraction: which text of a response is its answer."""

from __future__ import annotations

import time

import pytest

from rasft.answers.extraction import extract


@pytest.mark.parametrize(
    ("response", "pieces"),
    [
        (r"so \boxed{5}", ("5",)),
        (r"so \boxed {5}", ("5",)),
        (r"so \boxed5.", ("5.",)),
        (r"so \fbox{5}", ("5",)),
        (r"\boxed{\frac{1}{2}}", (r"\frac{1}{2}",)),
        (r"\boxed{\{1,2\}}", (r"\{1,2\}",)),
        (r"\boxed{\left\{ x \right.}", (r"\left\{ x \right.",)),
        (r"\boxed{\boxed{5}}", ("5",)),
        (r"\boxed{3}, then \boxed{5}", ("5",)),
        (r"$\boxed{3}$ and $\boxed{5}$", ("3", "5")),
        (r"\boxed{3}, \boxed{5}", ("3", "5")),
        (r"\boxed{5} \boxed{5}", ("5",)),
        (r"<think>\boxed{3}</think>\boxed{5}", ("5",)),
        (r"\boxed{4 is open, but \boxed{5}", ("5",)),
        (r"$x=\boxed{2}$ or $x=\boxed{3}$", ("x=2", "x=3")),
        (r"$x=\boxed{2}$, and $y=\boxed{3}$", ("x=2", "y=3")),
        (r"$x=\boxed{2}$ and so $y=\boxed{3}$", ("3",)),
        (r"\boxed{10} \& \boxed{20} \\ \boxed{30}", ("10", "20", "30")),
    ],
)
def test_boxes(response, pieces):
    assert extract(response).pieces == pieces


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("the answer is 5", "no boxed answer"),
        (r"\boxed{}", "empty"),
        (r"so \boxed{42", "not closed"),
        (r"\boxed{4} and so \boxed{42", "not closed"),
        (r"<think>so \boxed{5}", "never ends"),
        (r"<think>so \boxed{5}</think>", "no boxed answer"),
        (r"\boxed{1} no \boxed{2} no \boxed{3} no \boxed{4}", "4 different"),
    ],
)
def test_no_answer(response, reason):
    found = extract(response)
    assert found.pieces == ()
    assert reason in found.missing


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ("The answer is 5.", "5"),
        ("The answer is $5$. I checked it.", "5"),
        ("**Final Answer:** 5", "5"),
        ("The final answer is: $\\frac{1}{2}$", r"\frac{1}{2}"),
        ("The answer is 3. No, the answer is 5 because 2+3=5", "5"),
        ("The answer is 3.5 metres.", "3.5 metres"),
        ("We get 5", ""),
        ("The answer is not 5", ""),
        ("The answer is", ""),
        ("The answer isn't 5", ""),
        ("The answer is $3$ or $4$.", "$3$ or $4$"),
        (r"The answer is \(3\), \(4\) by symmetry.", r"\(3\), \(4\)"),
        ("The answer is x = $5$.", "x = $5$"),
        ("The answer is $5.", "$5"),
        ("Therefore, the answer is\n\\[ 5 \\]", "5"),
        ("### Final Answer\n$12$", "12"),
    ],
)
def test_statements(response, text):
    assert extract(response, stated=True).text == text


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ("#### 73", "73"),
        ("4 + 69 = 73\n#### $73\n\nQuestion: and then?", "$73"),
        (r"so\n#### \frac{1}{2}".replace(r"\n", "\n"), r"\frac{1}{2}"),
        ("#### Step 1\nWe add.", ""),
        ("#### 2. Add\nWe add.", ""),
        ("<answer>73</answer>", "73"),
        ("<answer>72</answer> no, <answer>\n73\n</answer>.", "73"),
        ("<answer>The answer is **C**.</answer>", "C"),
        ("<think><answer>72</answer></think>", ""),
        ("<answer>73", ""),
    ],
)
def test_tags_and_hashes(response, text):
    assert extract(response, stated=True).text == text
    assert extract(response).pieces == ()


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ("The answer is (C)", "(C)"),
        ("The correct answer is B. 12", "B"),
        ("The correct option is **(B)** because 2 < 3", "(B)"),
        ("The answer is C, which is the largest.", "C"),
        ("Answer: C", "C"),
        ("#### C", "C"),
        ("<answer>C</answer>", "C"),
        ("A is wrong.\n\n**C**", "C"),
        ("A is wrong.\n\n**C. 12**", "C. 12"),
        ("(C)", "C"),
        ("C.", "C"),
        ("A man.", ""),
    ],
)
def test_letters_of_a_choice(response, text):
    assert extract(response, stated=True).text == text


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ("所以答案是73。", "73"),
        ("答案为 $3$ 或 $4$。", "$3$ 或 $4$"),
        ("最终答案：\\(\\frac{1}{2}\\)", r"\frac{1}{2}"),
        ("答案是5，因为2+3=5。", "5"),
        ("答案：C", "C"),
        ("【答案】C", "C"),
        ("正确选项是（C）。", "(C)"),
        ("故选：C.", "C"),
        ("综上，选 C。", "C"),
        ("因此，选项A是错的。", ""),
        ("答案不是5", ""),
    ],
)
def test_statements_in_chinese(response, text):
    assert extract(response, stated=True).text == text


@pytest.mark.parametrize(
    "response",
    [
        "<answer>3</answer>\n#### 4\nThe answer is 5.\n**6**",
        "#### 3\nThe answer is 5.\n**6**",
        "The answer is 3.\n**6**",
    ],
)
def test_tags_go_before_hashes_before_a_sentence_before_bold(response):
    assert extract(response, stated=True).text == "3"


def test_a_box_goes_before_a_statement():
    assert extract(r"The answer is 3, that is \boxed{5}", stated=True).text == "5"


@pytest.mark.parametrize(
    "response",
    [
        "\\boxed{" * 300_000,
        "{" * 1_000_000 + r"\boxed{5}",
        r"\boxed{5} so " * 100_000,
        r"\boxed{5}" + " or" * 300_000 + r" x=\boxed{6}",
        "the answer" + " " * 300_000,
        "the answer to" + " " * 300_000,
        "the answer is " + "$5$ or " * 200_000,
        "#" * 500_000,
        "\n#### " * 200_000,
        "<answer>" * 200_000,
        "答案是" * 300_000,
        "**" * 500_000,
    ],
)
def test_linear_time(response):
    start = time.process_time()
    extract(response, stated=True)
    assert time.process_time() - start < 2.0
