"""The verifiers of plain text and of patterns: labelled answers, golds, hostile answers, order."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rasft import plugins
from rasft.commands.verify import run_verify
from rasft.config.verification import RegexVerifierConfig, VerificationConfig
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.ledger import Ledger
from rasft.records import Problem, Rollout, Status
from rasft.stages import evaluate, prepare, verify
from rasft.verifiers import Submission, exact, regex

SETTINGS = VerificationConfig(regex=RegexVerifierConfig(workers=1))
CORRECT, INCORRECT, NO_ANSWER = Status.CORRECT, Status.INCORRECT, Status.NO_ANSWER

# gold, answer in the box, whether they are the same text
TEXTS = [
    ("Paris", "Paris", True), ("Paris", "paris", True), ("Paris", " Paris\n", True),
    ("New York", "new  york", True), ("New York", r"\text{New York}", True),
    ("New York", r"$\text{\textbf{New York}}$", True), ("ABC", "ＡＢＣ", True),
    ("é", "e\u0301", True), ("fine", "ﬁne", True), ("Straße", "STRASSE", True),
    ("x", "$x$", True), ("a, b", "a,  b", True), ("5 mW", "5 MW", True),
    ("Paris", "Paris.", False), ("Paris", "Pariss", False), ("Paris", "Par is", False),
    ("New York", "NewYork", False), ("2", "2.0", False), ("2", "+2", False),
    ("1,000", "1000", False), ("1/2", r"\frac{1}{2}", False), ("102", "10²", False),
    ("10²", "102", False), ("x2", "x₂", False), ("10²", "10²", True), ("1 1/2", "1½", False),
    ("11/2", "1½", False), ("1⁄2", "½", False),
    ("Paris", "P\u0430ris", False), ("Paris", "Par\u200bis", False),
    ("Paris", "Paris or Rome", False), ("Paris", "not Paris", False), ("$5", "5", False),
]  # fmt: skip
# gold, answer in the box, whether the pattern matches the whole of it
PATTERNS = [
    ("ab+", "abb", True), ("ab+", " abb ", True), ("(?i)paris|rome", "ROME", True),
    (r"\d{3}", "١٢٣", True), (r"[0-9]{3}", "١٢٣", False), ("a.c", "a\nc", False),
    ("ab+", "abbc", False), ("ab+", "xabb", False), ("ab+", "ABB", False), ("a|ab", "ab", True),
    ("a$", "a\nb", False),
    (r"(?s).*", "anything\nat all", True), (r"a\Z|b", "b", True), ("", "a", None),
    ("(a", "a", None), ("a**", "a", None), ("(?P<n>a)(?P<n>b)", "ab", None),
    (r"(?<=a+)b", "b", None),
    (r"\1", "a", None), ("a{4294967296}", "a", None),
]  # fmt: skip


def problem(verifier: str, gold: str | None, name: str = "p") -> Problem:
    return Problem(name, "Which?", verifier, answer=gold)


def judged(built, rows):
    with built as opened:
        return list(opened.judge([Submission(row, response) for row, response in rows]))


def test_texts():
    rows = [(problem("exact", gold), f"So \\boxed{{{answer}}}") for gold, answer, _ in TEXTS]
    found = judged(exact.build({}), rows)
    differing = [
        (case, each.status)
        for case, each in zip(TEXTS, found, strict=True)
        if (each.status is CORRECT) != case[2]
    ]
    assert differing == []


def test_case_can_be_made_to_count():
    rows = [(problem("exact", "5 mW"), rf"\boxed{{{text}}}") for text in ("5 mW", "5 MW", "５ mW")]
    found = judged(exact.build({"match_case": True}), rows)
    assert [each.status for each in found] == [CORRECT, INCORRECT, CORRECT]


@pytest.fixture(scope="module")
def matcher():
    with regex.build({"workers": 1}) as opened:
        yield opened


def test_patterns(matcher):
    rows = [(problem("regex", gold), f"So \\boxed{{{answer}}}") for gold, answer, _ in PATTERNS]
    wanted = {True: CORRECT, False: INCORRECT, None: Status.MALFORMED}
    found = list(matcher.judge([Submission(*row) for row in rows]))
    differing = [
        (case, each)
        for case, each in zip(PATTERNS, found, strict=True)
        if each.status is not wanted[case[2]]
    ]
    assert differing == []


# response, its status where a box is asked for, and where a statement will do
PLACES = [
    (r"\boxed{Paris}", CORRECT, CORRECT), (r"First \boxed{Rome}: \boxed{Paris}", CORRECT, CORRECT),
    (r"\boxed{Paris} and \boxed{Rome}", INCORRECT, INCORRECT),
    ("The answer is Paris.", NO_ANSWER, CORRECT), ("<answer>Paris</answer>", NO_ANSWER, CORRECT),
    (r"<think>\boxed{Paris}", NO_ANSWER, NO_ANSWER),
    (r"<think>\boxed{Rome}</think>\boxed{Paris}", CORRECT, CORRECT),
    ("Paris", NO_ANSWER, NO_ANSWER), ("", NO_ANSWER, NO_ANSWER),
    (r"\boxed{}", NO_ANSWER, NO_ANSWER),
]  # fmt: skip


@pytest.mark.parametrize(
    ("verifier", "gold", "more"),
    [(exact, "Paris", {}), (regex, "[Pp]aris", {"workers": 1})],
    ids=["exact", "regex"],
)
def test_where_the_answer_stands(verifier, gold, more):
    for column, kind in ((1, "boxed"), (2, "stated")):
        rows = [(problem("exact", gold), place[0]) for place in PLACES]
        found = judged(verifier.build({"format": kind, **more}), rows)
        assert [each.status for each in found] == [place[column] for place in PLACES]


HOSTILE = [
    "a" * 30 + "!", "a" * 1_000_000, "\u0300\u0301" * 100_000, "\ud800", "\x00", "{" * 50_000,
    "}" * 50_000, r"\text{" * 20_000 + "a" + "}" * 20_000, "$" * 100_000, "ﷺ" * 5_000,
    "\u0345\u0323" * 4_999, " " * 1_000_000, "\n".join("a" * 20 for _ in range(10_000)),
]  # fmt: skip


def test_no_answer_holds_the_text_verifier_up_or_passes():
    start = time.process_time()
    rows = [(problem("exact", "Paris"), f"\\boxed{{{text}}}") for text in HOSTILE]
    found = judged(exact.build({}), rows)
    assert CORRECT not in {each.status for each in found}
    assert all(len(each.answer or "") <= 500 for each in found)
    assert time.process_time() - start < 3


def test_a_slow_answer_is_undecided_and_the_next_is_judged():
    slow = problem("regex", "(a+)+b")
    rows = [(slow, f"\\boxed{{{text}}}") for text in ("aab", "a" * 40, "aab", "a" * 40, "ab", "x")]
    built = regex.build({"workers": 1, "deadline_seconds": 0.5})
    with built as opened:
        found = list(opened.judge([Submission(row, text) for row, text in rows]))
        alive = opened.process_ids()
    undecided = Status.UNDECIDED
    wanted = [CORRECT, undecided, CORRECT, undecided, CORRECT, INCORRECT]
    assert [each.status for each in found] == wanted
    assert found[1].detail == "no verdict in 0.5 s"
    assert not [pid for pid in alive if os.path.exists(f"/proc/{pid}/cmdline") and _runs(pid)]


def _runs(pid: int) -> bool:
    return b"rasft.workers" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_no_answer_holds_the_pattern_up_or_passes(matcher):
    rows = [(problem("regex", "Par(is)+"), f"\\boxed{{{text}}}") for text in HOSTILE]
    found = list(matcher.judge([Submission(*row) for row in rows]))
    assert {each.status for each in found} <= {INCORRECT, NO_ANSWER}
    assert all(len(each.answer or "") <= 500 for each in found)


@pytest.mark.parametrize(("verifier", "more"), [(exact, {}), (regex, {"workers": 1})])
def test_judgements_come_in_order_and_as_they_are_asked_for(verifier, more):
    answers = [f"a{number % 3}" for number in range(400)]
    asked = 0

    def submissions():
        nonlocal asked
        for answer in answers:
            asked += 1
            yield Submission(problem("exact", "a1"), f"\\boxed{{{answer}}}")

    with verifier.build(more) as opened:
        stream = opened.judge(submissions())
        first = next(stream)
        assert asked < 100
        found = [first, *stream]
    assert [each.answer for each in found] == answers
    assert [each.status is CORRECT for each in found] == [answer == "a1" for answer in answers]
    assert len(opened.version) == 16


def test_regex_is_safe_in_threads(matcher):
    rows = [Submission(problem("regex", "a+"), rf"\boxed{{{text}}}") for text in ("aa", "b", "a")]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: [e.status for e in matcher.judge(rows)], range(8)))
    assert found == [[CORRECT, INCORRECT, CORRECT]] * 8


@pytest.mark.parametrize("gold", [None, "", " ", r"\text{}", "$ $"])
def test_an_empty_gold_is_malformed(gold):
    (found,) = judged(exact.build({}), [(problem("exact", gold), r"\boxed{}")])
    assert (found.status, found.detail) == (Status.MALFORMED, f"the gold {gold!r} is empty")


@pytest.mark.parametrize(
    ("verifier", "settings", "message"),
    [
        (exact, {"case": True}, "unknown setting 'case' of the exact verifier; known: format"),
        (exact, {"format": "loose"}, "format of the exact verifier is 'loose'"),
        (regex, {"flags": "i"}, "unknown setting 'flags' of the regex verifier"),
        (regex, {"format": "loose"}, "format of the regex verifier is 'loose'"),
        (regex, {"deadline_seconds": 0}, "deadline_seconds > 0"),
    ],
)
def test_settings_are_checked(verifier, settings, message):
    with pytest.raises(UserError, match=message):
        verifier.build(settings)


def test_the_stage_reaches_both_and_evaluation_reads_statements():
    rows = [problem("exact", "Paris", "e"), problem("regex", "P.*", "r")]
    rollouts = [Rollout(name, 0, 0, (), "The answer is Paris.", "stop") for name in "er"]
    for used, status in ((SETTINGS, NO_ANSWER), (evaluate.stated(SETTINGS), CORRECT)):
        found = verify.judge(rows, rollouts, used, Ledger(None))
        assert [each.status for each in found] == [status, status]


def test_a_bad_pattern_is_left_out_of_a_benchmark_and_told():
    kept, faults = prepare._sound([problem("regex", "(a"), problem("regex", "a", "q")], None)
    assert [row.id for row in kept] == ["q"]
    assert faults == ["p: the gold '(a' is no pattern: missing ), unterminated subpattern at "
                      "position 0"]  # fmt: skip


def test_rows_are_judged_by_the_command(tmp_path: Path):
    rows = [
        {"id": 1, "verifier": "exact", "answer": "Paris", "response": r"\boxed{paris}"},
        {"id": 2, "verifier": "regex", "answer": "P.*", "response": r"\boxed{Rome}"},
        {"id": 3, "verifier": "regex", "answer": "(P", "response": r"\boxed{Paris}"},
        {"id": 4, "verifier": "exact", "response": r"\boxed{Paris}"},
    ]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))
    assert run_verify(source, target, keep_output=False, settings=SETTINGS) == 1
    found = [json.loads(line) for line in target.read_text().splitlines()]
    assert [each["status"] for each in found] == ["correct", "incorrect", "malformed", "malformed"]
    assert "`answer` must be a string; it is missing" in found[3]["detail"]


def test_a_jsonl_file_may_hold_both(tmp_path: Path):
    rows = [{"prompt": "Where?", "verifier": name, "answer": "Paris", "expert_response": "e"}
            for name in ("exact", "regex")]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = Source(str(tmp_path), options={"path": "rows.jsonl"})
    found = list(plugins.load("datasets", "jsonl").load(source))
    assert [row.verifier for row in found] == ["exact", "regex"]
