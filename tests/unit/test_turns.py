"""What ends a turn is read from the template; sampling stops there and at every EOS."""

import json
from pathlib import Path

import pytest

from rasft.config.chat import ChatConfig
from rasft.config.settings import PromptConfig
from rasft.errors import UserError
from rasft.models.renderer import Renderer, eos_token_ids, open_renderer
from tests import chat_models
from tests.chat_models import EOS, GEMMA, GEMMA_TOKENS, ROLES

PROMPTS = {"math": PromptConfig()}
OPENS = "{% if add_generation_prompt %}<|assistant|>{% endif %}"

# name -> template, its special tokens, what is supervised of the answer "five"
ENDS = {
    "a token and a line": (GEMMA, GEMMA_TOKENS, "five<end_of_turn>"),
    "the EOS": (
        ROLES + "{{ m.role + ':' + m.content + eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}",
        (),
        "five" + EOS,
    ),
    "the EOS after a blank": (
        ROLES + "{{ ' ' + m.content + ' ' + eos_token }}{% endfor %}",
        (),
        " five " + EOS,
    ),
    "an EOS that only the last turn has": (
        ROLES + "{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% else %}{{ eos_token }}{% endif %}",
        ("<|user|>", "<|assistant|>", "<|end|>"),
        "five<|end|>",
    ),
    "another token at the end than in the middle": (
        ROLES + "{{ '<|' + m.role + '|>' + m.content }}"
        "{% if loop.last and m.role == 'assistant' %}<|return|>{% else %}<|end|>{% endif %}"
        "{% endfor %}" + OPENS,
        ("<|user|>", "<|assistant|>", "<|end|>", "<|return|>"),
        "five<|return|>",
    ),
    "the next role's token": (
        ROLES + "{{ '<|' + m.role + '|>' + m.content }}{% endfor %}" + OPENS,
        ("<|user|>", "<|assistant|>"),
        "five<|user|>",
    ),
    "two tokens": (
        ROLES + "{{ '<|' + m.role + '|>' + m.content + '<|end|><|turn|>' }}{% endfor %}" + OPENS,
        ("<|user|>", "<|assistant|>", "<|end|>", "<|turn|>"),
        "five<|end|><|turn|>",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_end_is_the_templates(name: str) -> None:
    template, tokens, expected = ENDS[name]
    tokenizer = chat_models.tokenizer(template, tokens)
    renderer = Renderer(tokenizer, PROMPTS)
    written = renderer.response_ids("five")
    assert tokenizer.decode(written) == expected
    assert renderer.decode(written) == "five"
    end = renderer.turn.end_ids[-1]
    assert renderer.stop_token_ids == tuple(dict.fromkeys([end, tokenizer.eos_token_id]))


def test_sampling_stops_at_every_eos_that_the_model_names(tmp_path: Path) -> None:
    folder = chat_models.build(tmp_path / "model", GEMMA, GEMMA_TOKENS)
    stated = json.loads((folder / "generation_config.json").read_text())
    assert eos_token_ids(folder) == (stated["eos_token_id"],)
    eos, start, end = (
        open_renderer(folder, PROMPTS, ChatConfig()).tokenizer.convert_tokens_to_ids(token)
        for token in (EOS, *GEMMA_TOKENS)
    )
    stated["eos_token_id"] = [eos, 0]
    (folder / "generation_config.json").write_text(json.dumps(stated))
    renderer = open_renderer(folder, PROMPTS, ChatConfig())
    assert renderer.stop_token_ids == (end, 0, eos)
    text = [*renderer.response_ids("five")[:-1]]
    for stop in renderer.stop_token_ids:
        assert renderer.decode([*text, stop]) == "five"
    assert renderer.decode(text) == "five"
    assert start not in renderer.stop_token_ids


def test_the_config_names_the_eos_where_there_is_no_generation_config(tmp_path: Path) -> None:
    folder = chat_models.build(tmp_path / "model", GEMMA, GEMMA_TOKENS)
    (folder / "generation_config.json").unlink()
    assert eos_token_ids(folder) == (
        json.loads((folder / "config.json").read_text())["eos_token_id"],
    )


def test_a_turn_that_no_token_ends_is_refused() -> None:
    template = ROLES + "{{ m.role + ': ' + m.content + '\n' }}{% endfor %}"
    with pytest.raises(UserError, match=r"ends an answer with '\\n'.*no special token"):
        Renderer(chat_models.tokenizer(template), PROMPTS)


def test_a_template_without_the_messages_text_is_refused() -> None:
    template = ROLES + "{{ m.role + eos_token }}{% endfor %}"
    with pytest.raises(UserError, match="leaves out the text of a message"):
        Renderer(chat_models.tokenizer(template), PROMPTS)
