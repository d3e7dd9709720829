"""What the model writes before an expert's text, and how its own texts are read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from rasft.answers.extraction import extract
from rasft.config.chat import ChatConfig
from rasft.config.named_templates import CHATML
from rasft.config.settings import PromptConfig
from rasft.errors import UserError
from rasft.models.renderer import Renderer
from tests import chat_models

PROMPTS = {"math": PromptConfig()}
TOKENS = ("<|im_start|>", "<|im_end|>")
OPENED = CHATML.replace("assistant\\n", "assistant\\n<think>\\n")  # in the prompt alone
SWITCHED = CHATML.replace(
    "assistant\\n'", "assistant\\n' + ('<think>\\n' if thinking is not defined or thinking else '')"
)
CLOSING = "\n</think>\n\n"
THOUGHT = "<think>\nTwo and three.\n</think>\n\nfive"


def renderer(template: str, **chat: Any) -> Renderer:
    return Renderer(chat_models.tokenizer(template, TOKENS), PROMPTS, ChatConfig(**chat))


def supervised(made: Renderer, response: str) -> str:
    return str(made.tokenizer.decode(made.response_ids(response))).removesuffix("<|im_end|>")


class TestExpert:
    def test_of_words_alone_closes_the_thinking_that_its_prompt_opens(self) -> None:
        assert supervised(renderer(OPENED, opening=CLOSING), "five") == CLOSING + "five"

    def test_that_thinks_goes_on_in_the_thinking_of_its_prompt(self) -> None:
        made = renderer(OPENED, opening=CLOSING)
        assert supervised(made, THOUGHT) == THOUGHT.removeprefix("<think>\n")
        assert made.decode(made.response_ids(THOUGHT)) == THOUGHT

    def test_that_thinks_gets_no_closed_thinking_before_its_own(self) -> None:
        closed = CHATML.replace(
            "message['content'] +",
            "('<think>\\n\\n</think>\\n\\n' if message['role'] == 'assistant' else '')"
            " + message['content'] +",
        )
        made = renderer(closed, opening="template")
        assert supervised(made, "five") == "<think>\n\n</think>\n\nfive"
        assert supervised(made, THOUGHT) == THOUGHT

    def test_is_kept_to_the_letter(self) -> None:
        trimming = CHATML.replace("message['content']", "message['content'].split('x')[-1].strip()")
        text = "  2 x 3 = 6 \n"
        assert supervised(renderer(trimming), text) == text

    def test_after_a_blank_gets_one_blank_from_a_tokenizer_that_puts_one_itself(self) -> None:
        letters = {piece: i for i, piece in enumerate(["<unk>", "</s>", "▁", *"[]/ISTNfive"])}
        backend = Tokenizer(models.BPE(vocab=letters, merges=[], unk_token="<unk>"))
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
        backend.decoder = decoders.Metaspace()
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
        tokenizer.chat_template = (
            "{% for m in messages %}"
            "{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
            "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
        )
        ids = Renderer(tokenizer, PROMPTS).response_ids("five")
        assert tokenizer.convert_ids_to_tokens(ids) == ["▁", *"five", "</s>"]


class TestSample:
    def test_that_never_ends_the_thinking_of_its_prompt_has_no_answer(self) -> None:
        made = renderer(OPENED, opening=CLOSING)
        cut = made.decode(made.tokenizer("so \\boxed{5}")["input_ids"])
        assert cut == "<think>\nso \\boxed{5}"
        assert extract(cut).missing == "the thinking never ends"

    def test_that_ends_it_is_read_after_it(self) -> None:
        made = renderer(OPENED, opening=CLOSING)
        written = "or \\boxed{4}?</think>\n\n\\boxed{5}<|im_end|>"
        assert extract(made.decode(made.tokenizer(written)["input_ids"])).pieces == ("5",)


class TestSwitches:
    def test_reach_the_template(self) -> None:
        with pytest.raises(UserError, match=r"prompt ends with '<think>\\n'"):
            renderer(SWITCHED)
        made = renderer(SWITCHED, switches={"thinking": False})
        assert made.turn.thinking == ""
        assert supervised(made, "five") == "five"
        assert made.fingerprint() != renderer(SWITCHED, opening="").fingerprint()

    def test_that_the_template_does_not_read_are_refused(self) -> None:
        with pytest.raises(UserError, match=r"chat\.switches\.thinkin: .* reads no such value"):
            renderer(SWITCHED, switches={"thinkin": False})

    def test_that_the_project_sets_itself_are_refused(self) -> None:
        with pytest.raises(ValidationError, match="tokenize is set by the project itself"):
            ChatConfig(switches={"tokenize": True})
