"""The choice verifier: labelled answers with near misses, golds, order, time, and its way in."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from rasft import plugins
from rasft.answers.golds import check_golds
from rasft.commands.verify import run_verify
from rasft.config.settings import LedgerConfig, QualityConfig
from rasft.config.verification import VerificationConfig
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.ledger import open_ledger
from rasft.method.quality import fault
from rasft.records import Problem, Rollout, Status
from rasft.stages import verify
from rasft.verifiers import Submission
from rasft.verifiers.choice import build

MASSES = ("10 kg", "12 kg", "13 kg", "1,200 kg")
NAMES = ("vitamin A", "vitamin C", "The mitochondria", "None of the above")
FORMULAS = (r"$\frac{1}{2}$", "2", r"$x = \sqrt{2}$", "-2")
UNITS = ("5 mW", "5 MW", "5 kW", "K")
TEN = tuple(f"case {letter}" for letter in "qrstuvwxyz")
TWINS = ("the same", "the same", "another", "A or B")

# answers in the box that name C by its letter
BY_LETTER = (
    "C", "(C)", "[C]", "{C}", "C.", "C)", "C:", "c", "(c)", " C ", "$C$", "**C**", "'C'", "（C）",
    r"\text{C}", r"\textbf{(C)}", r"\mathrm{C}", r"\mathbf{C.}", r"\text{\textbf{C}}", r"\ C\ ",
    "option C", "Option (C)", "Choice C", "answer: C", "the correct answer is C", "选项C", "选C",
    "C is correct", "(C) is the correct answer", "option C is the best choice", "C) the third",
    "C) 13 kg", "C. 13 kg", "(C) 13 kg", "C: 13 kg", "C, 13 kg", "C - 13 kg", "C (13 kg)",
    r"\text{(C) } 13\text{ kg}", r"C)\ 13\,\text{kg}", "C) about 13 kg", "C, not D",
)  # fmt: skip
# near misses: they name nothing
NO_LETTER = (
    "A and C", "A, C", "A; C", "A/C", "C or D", "C or C", r"A \text{ or } C", "C D", "AC", "CC",
    "B) 12 kg or C) 13 kg", "neither C nor D", "not C", "I think C", "?", r"\text{}", "I", "kg",
    "E", "(E)", "J) 13 kg", "K", "Z", "C) 12 kg", "C. 10 kg", "C (12 kg)", "C 12 kg", "C = 12 kg",
    "C) 14 kg", "C) 13.5 kg", "C-type", "C.elegans", "C. A. D", "C) A) D)",
    "(C)(A)(D)", "C A D", "C: A", "C, or is it (D)?", "A B C D", "C3", "3C", "E = mc^2", "13",
)  # fmt: skip

# choices, answer in the box, the letter that it names
LABELLED = [
    *((MASSES, text, "C") for text in (*BY_LETTER, "C 13 kg", "C = 13 kg")),
    *((MASSES, text, None) for text in NO_LETTER),
    (TEN, "J", "J"), (TEN, "J) case z", "J"), (NAMES, "A) Vitamin A", "A"),
    # by text
    (MASSES, "12 kg", "B"), (MASSES, r"12\text{ kg}", "B"), (MASSES, r"\text{12 kg}", "B"),
    (MASSES, r"12~\mathrm{kg}.", "B"), (MASSES, "  12   kg ", "B"), (MASSES, "１２ kg", "B"),
    (NAMES, "vitamin A", "A"), (NAMES, "Vitamin c", "B"), (NAMES, "the mitochondria.", "C"),
    (NAMES, "none of the above", "D"),
    (FORMULAS, r"\frac{1}{2}", "A"), (FORMULAS, r"\dfrac{1}{2}", "A"), (FORMULAS, "1/2", "A"),
    (FORMULAS, "0.5", "A"), (FORMULAS, "2.0", "B"), (FORMULAS, r"x=\sqrt{2}", "C"),
    (FORMULAS, "-2", "D"),
    (UNITS, "5 mW", "A"), (UNITS, "5 MW", "B"), (TWINS, "another", "C"),
    # near misses of a text
    (MASSES, "12", None), (MASSES, "12 g", None), (MASSES, "12 kg and 13 kg", None),
    (MASSES, "14 kg", None),
    (MASSES, "12 KG", None), (NAMES, "vitamin", None), (NAMES, "vitamin D", None),
    (NAMES, "vitamin A, vitamin C", None), (NAMES, "all of the above", None),
    (FORMULAS, "+-2", None), (FORMULAS, r"x = \sqrt{3}", None), (FORMULAS, "5", None),
    (FORMULAS, "1/0", None), (FORMULAS, r"\frac{1}{0}", None), (FORMULAS, "2/1/1", None),
    (UNITS, "5 mw", None), (UNITS, "k", None), (TWINS, "the same", None), (TWINS, "A or B", "D"),
]  # fmt: skip


def problem(answer: str | None, choices: tuple[str, ...] = MASSES, name: str = "p") -> Problem:
    return Problem(name, "Which?", "choice", answer=answer, choices=choices)


def judged(row: Problem, response: str):
    with build({}) as verifier:
        (found,) = verifier.judge([Submission(row, response)])
    return found


@pytest.mark.parametrize(("choices", "text", "letter"), LABELLED)
def test_labelled_answers(choices, text, letter):
    for gold in "ABCDEFGHIJ"[: len(choices)]:
        found = judged(problem(gold, choices), f"Let me think. \\boxed{{{text}}}")
        right = gold == letter
        assert found.status is (Status.CORRECT if right else Status.INCORRECT), (gold, found)
    if letter:
        assert found.answer == letter


@pytest.mark.parametrize("text", BY_LETTER)
def test_without_choices_the_letter_alone_counts(text):
    assert judged(problem("C", ()), f"\\boxed{{{text}}}").status is Status.CORRECT
    assert judged(problem("D", ()), f"\\boxed{{{text}}}").status is Status.INCORRECT


@pytest.mark.parametrize(
    ("response", "status"),
    [
        ("The answer is (B).", Status.CORRECT),
        ("The answer is B. It weighs 12 kg.", Status.CORRECT),
        ("**Answer:** B", Status.CORRECT),
        ("Answer: 12 kg", Status.CORRECT),
        ("The final answer is **B) 12 kg**.", Status.CORRECT),
        ("The answer is A, so not B.\nThe answer is B.", Status.CORRECT),
        ("#### B", Status.CORRECT),
        ("<answer>(B) 12 kg</answer>", Status.CORRECT),
        ("答案是B。", Status.CORRECT),
        ("正确选项是（B）。", Status.CORRECT),
        ("#### C", Status.INCORRECT),
        ("<answer>B or C</answer>", Status.INCORRECT),
        ("答案是C。", Status.INCORRECT),
        ("The answer is C.", Status.INCORRECT),
        ("The answer is A or B.", Status.INCORRECT),
        (r"The answer is B, but \boxed{C}", Status.INCORRECT),
        (r"\boxed{B}, \boxed{12\text{ kg}}", Status.CORRECT),
        (r"\boxed{B} and \boxed{C}", Status.INCORRECT),
        (r"\boxed{B}, \boxed{13\text{ kg}}", Status.INCORRECT),
        ("<think>The answer is C.</think>The answer is B.", Status.CORRECT),
        ("<think>The answer is B.", Status.NO_ANSWER),
        ("B", Status.CORRECT),
        ("A B", Status.NO_ANSWER),
        ("It weighs 12 kg.", Status.NO_ANSWER),
        ("", Status.NO_ANSWER),
        (r"\boxed{}", Status.NO_ANSWER),
        (r"\boxed{B", Status.NO_ANSWER),
    ],
)
def test_where_the_answer_stands(response, status):
    assert judged(problem("B"), response).status is status


@pytest.mark.parametrize("gold", [None, "", "E", "Z", "BC", "12 kg", "(B)", "1"])
def test_a_gold_that_is_no_letter_of_the_choices_is_malformed(gold):
    found = judged(problem(gold), r"\boxed{B}")
    assert found.status is Status.MALFORMED
    assert "is no letter of its choices" in found.detail
    assert check_golds([problem(gold)]) == [("p", found.detail.removeprefix("the gold "))]


def test_sound_golds_are_no_fault():
    assert check_golds([problem("B"), problem("b"), problem(" D "), problem("J", ())]) == []
    assert judged(problem("b"), r"\boxed{B}").status is Status.CORRECT


@pytest.mark.parametrize(
    "text",
    ["(" * 3000, "C " * 3000, "A and " * 900, r"\text{" * 900 + "C" + "}" * 900, "1," * 2000,
     "C) " + "1" * 3000, "C" + " is the correct" * 400, "选" * 3000, "$" * 3000],
)  # fmt: skip
def test_no_answer_takes_long(text):
    start = time.perf_counter()
    for cut in (text[:1990], text):
        assert judged(problem("B"), f"\\boxed{{{cut}}}").status is not Status.CORRECT
    assert time.perf_counter() - start < 0.5


def test_judgements_come_in_order_and_as_they_are_asked_for():
    answers = ["A", "B", "C", "D"] * 500
    asked = 0

    def submissions():
        nonlocal asked
        for answer in answers:
            asked += 1
            yield Submission(problem("B"), f"\\boxed{{{answer}}}")

    with build({}) as verifier:
        stream = verifier.judge(submissions())
        first = next(stream)
        assert asked < 100
        rest = list(stream)
    assert [each.answer for each in (first, *rest)] == answers
    assert verifier.name == "choice"
    assert len(verifier.version) == 16


def test_it_has_no_settings():
    with pytest.raises(UserError, match="unknown setting 'format' of the choice verifier"):
        build({"format": "boxed"})


def test_the_stage_judges_choices_and_keeps_the_verdicts(tmp_path: Path):
    rows = [problem("B", name="p"), problem("C", name="q")]
    rollouts = [
        Rollout(name, index, 0, (), rf"\boxed{{{letter}}}", "stop")
        for name in "pq" for index, letter in enumerate("BC")
    ]  # fmt: skip
    settings = VerificationConfig()
    for made in (4, 0):
        ledger = open_ledger(LedgerConfig(path=str(tmp_path)))
        verdicts = verify.judge(rows, rollouts, settings, ledger)
        assert [v.status is Status.CORRECT for v in verdicts] == [True, False, False, True]
        assert [v.answer for v in verdicts] == ["B", "C", "B", "C"]
        assert [work.made for work in ledger.work("verify")] == [made]


def test_rows_of_choices_are_judged_by_the_command(tmp_path: Path):
    row = {"verifier": "choice", "answer": "B", "choices": MASSES}
    rows = [
        row | {"id": 1, "response": "The answer is (B) 12 kg."},
        row | {"id": 2, "response": "The answer is A."},
        {"id": 3, "verifier": "choice", "answer": "J", "response": r"\boxed{J}"},
        row | {"id": 4, "response": "no idea"},
        row | {"id": 5, "answer": "E", "response": r"\boxed{E}"},
        row | {"id": 6, "choices": "ABCD", "response": r"\boxed{B}"},
        row | {"id": 7, "response": r"\boxed{B}", "limits": {"cpu_seconds": 1}},
    ]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))
    settings = VerificationConfig()
    assert run_verify(source, target, keep_output=False, settings=settings) == 1
    found = [json.loads(line) for line in target.read_text().splitlines()]
    assert [each["status"] for each in found] == [
        "correct", "incorrect", "correct", "no_answer", "malformed", "malformed", "correct",
    ]  # fmt: skip
    assert "`choices` must be a list of strings" in found[5]["detail"]


def test_the_text_filters_ask_for_a_boxed_answer():
    reasoned = "Force is mass times acceleration, so the mass is 120 / 10 = 12 kg, which is B. " * 2
    settings = QualityConfig()
    assert fault(reasoned + r"\boxed{B}", "choice", settings) is None
    assert fault(reasoned + "The answer is B.", "choice", settings) == "format"


def test_a_jsonl_file_may_hold_choices(tmp_path: Path):
    row = {"prompt": "Which?", "answer": "B", "choices": MASSES, "expert_response": r"\boxed{B}"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    options = {"path": "rows.jsonl", "verifier": "choice"}
    (found,) = plugins.load("datasets", "jsonl").load(Source(str(tmp_path), options=options))
    assert found.choices == MASSES
    assert judged(found, found.expert).status is Status.CORRECT
