"""What a chat template renders follows from the config alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from rasft.config.chat import ChatConfig
from rasft.config.named_templates import CHATML, NAMED
from rasft.config.settings import PromptConfig
from rasft.errors import UserError
from rasft.models.chat_template import ChatTemplate
from rasft.models.renderer import Renderer
from rasft.records import Problem
from tests import chat_models

PROBLEM = Problem(id="p", prompt="What is 2 + 3?", verifier="math")
PROMPTS = {"math": PromptConfig(system="Think.")}
# as Llama 3.2, Granite and others ask for it
DATED = {
    "date_string": (
        "{% if not date_string %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
        "{{ 'Today Date: ' + date_string + '\n' }}",
        "Today Date: 05 Mar 2026\n",
    ),
    "strftime_now": (
        "{{ \"Today's Date: \" + strftime_now('%B %d, %Y') + '\n' }}",
        "Today's Date: March 05, 2026\n",
    ),
    "in a macro": (
        "{% macro head() %}{{ strftime_now('%Y-%m-%d') }}{% endmacro %}{{ head() + '\n' }}",
        "2026-03-05\n",
    ),
}


NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('No system!') }}{% endif %}"


class OfItsOwn(PreTrainedTokenizerFast):
    """A tokenizer that hands its template no values."""

    def apply_chat_template(self, conversation: Any, **kwargs: Any) -> Any:
        known = {name: kwargs[name] for name in ("tokenize", "add_generation_prompt")}
        return super().apply_chat_template(conversation, **known)


def renderer(template: str, **chat: Any) -> Renderer:
    return Renderer(chat_models.tokenizer(template), PROMPTS, ChatConfig(**chat))


class TestDate:
    @pytest.mark.parametrize("name", DATED)
    def test_is_the_configs(self, name: str) -> None:
        head, expected = DATED[name]
        dated = renderer(head + CHATML, date="2026-03-05")
        text = dated.tokenizer.decode(dated.prompt_ids(PROBLEM))
        assert text.startswith(expected + "<|im_start|>system\nThink.")

    def test_is_part_of_the_fingerprint_where_it_is_rendered(self) -> None:
        for template, prints in ((DATED["date_string"][0] + CHATML, 2), (CHATML, 1)):
            made = {renderer(template, date=f"2026-01-0{day}").fingerprint() for day in (1, 2)}
            assert len(made) == prints

    def test_that_the_config_does_not_reach_is_refused(self) -> None:
        head, _ = DATED["strftime_now"]
        made = chat_models.tokenizer(head + CHATML)
        own = OfItsOwn(tokenizer_object=made.backend_tokenizer, eos_token="<|im_end|>")
        own.chat_template = made.chat_template
        with pytest.raises(UserError, match=r"does not take it from chat\.date"):
            ChatTemplate(own, ChatConfig())

    def test_is_noted_where_it_is_rendered(self) -> None:
        assert renderer(CHATML).notes() == []
        (note,) = renderer(DATED["in a macro"][0] + CHATML, date="2026-03-05").notes()
        assert "today is 2026-03-05" in note


class TestSystemText:
    def test_that_the_template_refuses_is_one_sentence_that_says_what_to_do(self) -> None:
        with pytest.raises(UserError, match=r"No system!; set chat\.system_role: user") as caught:
            renderer(NO_SYSTEM + CHATML)
        assert "\n" not in str(caught.value)

    def test_that_the_template_leaves_out_is_refused(self) -> None:
        silent = CHATML.replace("in messages", "in messages if message.role != 'system'")
        with pytest.raises(UserError, match="leaves the system message out; set chat"):
            renderer(silent)

    def test_goes_before_the_first_user_message(self) -> None:
        made = renderer(NO_SYSTEM + CHATML, system_role="user")
        text = made.tokenizer.decode(made.prompt_ids(PROBLEM))
        assert text.startswith("<|im_start|>user\nThink.\n\nWhat is 2 + 3?<|im_end|>")
        assert "system text stands in the first user message" in made.notes()[0]
        assert made.fingerprint() != renderer(CHATML).fingerprint()

    def test_that_is_empty_asks_nothing_of_the_template(self) -> None:
        made = Renderer(chat_models.tokenizer(NO_SYSTEM + CHATML), {"math": PromptConfig()})
        assert made.messages(PROBLEM) == [{"role": "user", "content": PROBLEM.prompt}]


def test_any_other_fault_of_the_template_is_one_sentence() -> None:
    for fault, said in (("{{ 1 + 'a' }}", "unsupported"), ("{% if %}", "Expected")):
        with pytest.raises(UserError, match=f"refuses the conversation: {said}"):
            renderer(fault + CHATML)


class TestTemplateOfTheConfig:
    @pytest.mark.parametrize("name", NAMED)
    def test_every_name_ends_a_turn_with_one_token(self, name: str) -> None:
        made = Renderer(
            chat_models.tokenizer(None, ["<|im_end|>"]), PROMPTS, ChatConfig(template=name)
        )
        end = "<|im_end|>" if name == "chatml" else chat_models.EOS
        assert made.tokenizer.decode(made.turn.end_ids) == end
        assert "Think." in made.tokenizer.decode(made.prompt_ids(PROBLEM))

    def test_begins_with_the_bos_that_the_tokenizer_puts_before_texts(self) -> None:
        tokenizer = chat_models.tokenizer(None)
        tokenizer.add_special_tokens({"bos_token": "<s>"})
        begins = []
        for adds in (False, True):
            if adds:
                single = [("<s>", tokenizer.bos_token_id)]
                tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
                    "<s> $A", None, single
                )
            made = Renderer(tokenizer, PROMPTS, ChatConfig(template="zephyr"))
            begins.append(made.prompt_ids(PROBLEM)[0] == tokenizer.bos_token_id)
        assert begins == [False, True]

    def test_that_the_tokenizer_lacks_the_end_of_is_refused(self) -> None:
        tokenizer = chat_models.tokenizer(CHATML.replace("<|im_end|>", "<|the_close|>"))
        with pytest.raises(UserError, match=r"'<\|the_close\|>\\n'.*set chat\.template.*zephyr"):
            Renderer(tokenizer, PROMPTS)

    def test_may_be_a_file_whose_text_the_config_then_holds(self, tmp_path: Path) -> None:
        (tmp_path / "mine.jinja").write_text(CHATML)
        settings = ChatConfig(template=str(tmp_path / "mine.jinja"))
        assert settings.template == CHATML
        assert ChatConfig.model_validate_json(settings.model_dump_json()) == settings

    def test_that_is_no_name_and_no_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValidationError, match=r"no known template \(chatml, .*No such file"):
            ChatConfig(template="chatlm")
        (tmp_path / "empty.jinja").write_text("Hello")
        with pytest.raises(ValidationError, match="holds no Jinja template"):
            ChatConfig(template=str(tmp_path / "empty.jinja"))
