"""The renderer's boundary: what is sampled and what is trained agree to the token."""

from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from rasft.config.chat import ChatConfig
from rasft.config.settings import Exchange, PromptConfig
from rasft.errors import UserError
from rasft.models.renderer import Renderer
from rasft.records import Problem
from tests import tiny_model

PROBLEM = Problem(id="p", prompt="What is 2 + 3?", verifier="math", answer="5")
PROMPTS = {"math": PromptConfig(system="Think.", few_shot=(Exchange(user="1+1?", assistant="2"),))}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory):
    folder = tiny_model.build(Path(tmp_path_factory.mktemp("model")) / "tiny")
    return AutoTokenizer.from_pretrained(folder)


def test_prompt_and_response_join_into_the_chat(tokenizer) -> None:
    renderer = Renderer(tokenizer, PROMPTS)
    text = tokenizer.decode([*renderer.prompt_ids(PROBLEM), *renderer.response_ids("five")])
    roles = [message["role"] for message in renderer.messages(PROBLEM)]
    assert roles == ["system", "user", "assistant", "user"]
    assert text.endswith("assistant\nfive" + tokenizer.eos_token)
    assert text.count("What is 2 + 3?") == 1


def test_a_rows_own_system_text_stands_in_place_of_the_configs(tokenizer) -> None:
    own = replace(PROBLEM, system="Be brief.")
    renderer = Renderer(tokenizer, PROMPTS)
    assert renderer.messages(own)[0] == {"role": "system", "content": "Be brief."}
    assert renderer.messages(PROBLEM)[0]["content"] == "Think."
    in_user = Renderer(tokenizer, PROMPTS, ChatConfig(system_role="user"))
    assert in_user.messages(own)[0] == {"role": "user", "content": "Be brief.\n\n1+1?"}


NO_SYSTEM = """{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}
{% endif %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def test_a_template_without_a_system_role_refuses_a_rows_own_text(tokenizer, tmp_path) -> None:
    (tmp_path / "plain.jinja").write_text(NO_SYSTEM)
    chat = ChatConfig(template=str(tmp_path / "plain.jinja"))
    renderer = Renderer(tokenizer, {"math": PromptConfig()}, chat)
    assert renderer.prompt_ids(PROBLEM)
    with pytest.raises(UserError, match=r"no system message can be rendered.*system_role: user"):
        renderer.prompt_ids(replace(PROBLEM, system="Be brief."))


def test_the_response_ends_with_one_supervised_eos(tokenizer) -> None:
    ids = Renderer(tokenizer, PROMPTS).response_ids("five")
    assert ids[-1] == tokenizer.eos_token_id
    assert ids.count(tokenizer.eos_token_id) == 1
    assert Renderer(tokenizer, PROMPTS).decode(ids) == "five"


def test_the_fingerprint_follows_what_is_rendered(tokenizer) -> None:
    prints = {
        Renderer(tokenizer, prompts).fingerprint()
        for prompts in (PROMPTS, {"math": PromptConfig(system="Think!")}, dict(PROMPTS))
    }
    assert len(prints) == 2


def test_a_problem_without_a_prompt_setting_is_named(tokenizer) -> None:
    with pytest.raises(UserError, match=r"'p'.*prompts.python"):
        Renderer(tokenizer, PROMPTS).prompt_ids(replace(PROBLEM, verifier="python"))


def test_a_tokenizer_without_a_template_is_refused(tokenizer) -> None:
    template, tokenizer.chat_template = tokenizer.chat_template, None
    try:
        with pytest.raises(
            UserError, match=r"no chat template.*set chat.template: a Jinja file, or chatml"
        ):
            Renderer(tokenizer, PROMPTS)
    finally:
        tokenizer.chat_template = template
