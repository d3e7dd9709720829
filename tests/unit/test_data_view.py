"""What `rasft data` shows, from an account of rows and from a renderer's tokens."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from rasft.config.chat import ChatConfig
from rasft.config.settings import PromptConfig
from rasft.data.account import Account, DatasetAccount
from rasft.data.source import Source
from rasft.models.rendered import RenderedRow, rendered
from rasft.models.renderer import Renderer, open_renderer
from rasft.records import EXPERT, Dropped, Problem, Status, TrainingExample, Verdict
from rasft.report import data_text
from rasft.report.data_view import DataView
from rasft.stages.expert_examples import expert_examples
from rasft.training.model.batching import collate
from tests import tiny_model

PROBLEM = Problem("p", "What is 2 + 3?", "math", "It is 5, \\boxed{5}.", "5")
ROW = RenderedRow("p", EXPERT, 1.0, 2, 3, "ask\n", "one\ntwo<|end|>")


def verdict(problem_id: str, status: Status) -> Verdict:
    return Verdict(problem_id, EXPERT, "math", "1", status, answer="5", detail="number")


def account() -> Account:
    """Four rows: one without an answer, one too long, one refused and one undecided."""
    source = Source(notes=["read as messages"], places=["the file shop.jsonl"])
    found = Account([DatasetAccount("shop", source, rows=4, verifiers=Counter(math=4))])
    found.dropped.append(Dropped("a", "no_answer", "shop: nothing to verify with"))
    for prompt, response in ((10, 90), (20, 20), (10, 10)):
        found.measure(prompt, response)
    found.dropped.append(Dropped("b", "too_long", "100 tokens, at most 64 (data.max_tokens)"))
    found.judge([verdict("c", Status.INCORRECT), verdict("d", Status.UNDECIDED)])
    found.dropped.append(Dropped("c", "expert_refused", "incorrect: '5' number"))
    found.refuse("math", found.dropped[-1:])
    return found


@pytest.fixture
def view() -> DataView:
    shown = DataView(
        "shop", "owner/model", kept=1, responses=1, round=1, is_judged=True, rows=[ROW]
    )
    shown.take(account(), (64, "data.max_tokens"))
    return shown


def test_everything_that_became_of_the_rows_is_told(view: DataView) -> None:
    assert data_text.text(view).splitlines() == [
        "shop: what owner/model would be trained on",
        "",
        "Datasets",
        "  shop: 4 rows; by verifier: math 4",
        "  - the file shop.jsonl",
        "  - read as messages",
        "",
        "Rows",
        "  read              4",
        "  dropped           3",
        "    no_answer       1",
        "    too_long        1",
        "    expert_refused  1",
        "  kept              1",
        "    round           1",
        "  - the first no_answer: a: shop: nothing to verify with",
        "  - the first too_long: b: 100 tokens, at most 64 (data.max_tokens)",
        "  - the first expert_refused: c: incorrect: '5' number",
        "",
        "Tokens",
        "            min  median  95 %  max",
        "  prompt     10      10    20   20",
        "  response   10      20    90   90",
        "  both       20      40   100  100",
        "",
        "      1-8  0",
        "     9-16  0",
        "    17-24  1  " + "\u2588" * 40,
        "    25-32  0",
        "    33-40  1  " + "\u2588" * 40,
        "    41-48  0",
        "    49-56  0",
        "    57-64  0",
        "  over 64  1  dropped: the limit is data.max_tokens",
        "",
        "Verdicts on the expert responses",
        "  math: incorrect 1, undecided 1",
        "    the first refused: c: incorrect: '5' number",
        "  without an answer to check: 1 of 4 rows (25.00%)",
        "",
        "Row 1 of 1: p",
        "  2 tokens of prompt, 3 trained (between \u27e6 and \u27e7), weight 1",
        "  \u2502 ask",
        "  \u2502 \u27e6one",
        "  \u2502 two<|end|>\u27e7",
    ]


def test_on_a_terminal_each_line_of_what_is_trained_is_underlined(view: DataView) -> None:
    shown = data_text.text(view, lambda piece: f"<u>{piece}</u>").splitlines()
    assert shown[-3:] == ["  \u2502 ask", "  \u2502 <u>one</u>", "  \u2502 <u>two<|end|></u>"]
    assert "underlined" in shown[-4]


def test_no_row_steers_the_terminal(view: DataView) -> None:
    view.rows = [RenderedRow("\x1b[2J", EXPERT, 1.0, 1, 1, "\x1b]0;evil\x07", "red\x1b[31m\r\n")]
    view.notes = ["\x1b[5m"]
    shown = data_text.text(view)
    assert not set(shown) & {"\x1b", "\x07", "\r"}
    assert "\u27e6red\\x1b[31m\\r" in shown


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    folder = tiny_model.build(tmp_path_factory.mktemp("tiny") / "model")
    return open_renderer(folder, {"math": PromptConfig(system="Think.")}, ChatConfig())


def test_marked_is_what_the_batch_of_the_training_supervises(renderer: Renderer) -> None:
    (example,) = expert_examples(PROBLEM, renderer)
    row = rendered(example, renderer.tokenizer)
    targets = collate([example]).target_N.tolist()
    assert row.supervised == "It is 5, \\boxed{5}.<|im_end|>"
    assert renderer.tokenizer(row.supervised)["input_ids"] == targets
    assert renderer.tokenizer(row.prompt + row.supervised)["input_ids"] == list(example.input_ids)
    assert (row.prompt_tokens, row.supervised_tokens) == (example.prompt_tokens, len(targets))
    assert row.weight == 1.0


def test_several_expert_responses_are_rows_that_share_the_weight(renderer: Renderer) -> None:
    problem = replace(PROBLEM, experts=("\\boxed{5}.",))
    shown = [rendered(each, renderer.tokenizer) for each in expert_examples(problem, renderer)]
    assert [(each.sample_index, each.weight) for each in shown] == [(EXPERT, 0.5), (-2, 0.5)]
    assert shown[1].supervised == "\\boxed{5}.<|im_end|>"
    text = data_text.text(DataView("shop", "m", kept=1, responses=2, rows=shown))
    assert "  kept                1\n    expert responses  2\n" in text
    assert "Row 2 of 2: p, expert response 2\n" in text


def test_a_blank_that_begins_a_response_is_shown() -> None:
    """A SentencePiece tokenizer drops the blank that begins what it decodes."""

    class Tokenizer:
        words = ("<s>", "\u2581ask", "\u2581yes")

        def decode(self, ids: tuple[int, ...], **_: object) -> str:
            return "".join(self.words[i] for i in ids).replace("\u2581", " ").removeprefix(" ")

    row = rendered(TrainingExample("p", EXPERT, (0, 1, 2), 2, 1.0, ()), Tokenizer())
    assert (row.prompt, row.supervised) == ("<s> ask", " yes")
