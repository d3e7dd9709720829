"""The renderer on every text template that trl ships: right by its principle, or refused.

Right: prompt and supervised text together are the conversation as the template renders it, from its
beginning up to and with what ends the turn.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import pytest

from rasft.config.chat import ChatConfig
from rasft.config.settings import PromptConfig
from rasft.errors import UserError
from rasft.models.renderer import Renderer
from rasft.records import Problem
from rasft.training.preflight.rendering import rendering
from tests import chat_models

FOLDER = files("trl") / "chat_templates"
SHIPPED = {
    entry.name.removesuffix(".jinja"): entry.read_text("utf-8")
    for entry in FOLDER.iterdir()
    if entry.name.endswith(".jinja") and "_training" not in entry.name
}
# One tokenizer for all: `<think>` is plain text to it, as it is to most families.
TOKENS = (
    *("<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    *("<start_of_turn>", "<end_of_turn>", "<|turn>", "<turn|>", "<end_of_utterance>"),
    *("<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|return|>", "<|eot|>", "<|eot_id|>"),
    *("<|start|>", "<|channel|>", "<|message|>", "<|start_header_id|>", "<|end_header_id|>"),
    *("<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", "[gMASK]", "<sop>", "<|im_end|>"),
)
PROBLEM = Problem(id="p", prompt="What is 2 + 3?", verifier="math")
PROMPTS = {"math": PromptConfig(system="Think.")}

UNTHINKING: dict[str, Any] = {"switches": {"enable_thinking": False}}
TEMPLATES: dict[str, Any] = {"opening": "template"}
CLOSED: dict[str, Any] = {"opening": "\n</think>\n\n"}
THOUGHT_OF = "<think>\n\n</think>\n\n"

# The end of a turn, where nothing needs to be set.
RIGHT = {
    **dict.fromkeys(("cohere",), "<|END_OF_TURN_TOKEN|>"),
    **dict.fromkeys(("cohere2",), "<|END_RESPONSE|><|END_OF_TURN_TOKEN|>"),
    **dict.fromkeys(("gemma3",), "<end_of_turn>"),
    **dict.fromkeys(("gemma4", "gemma4_v2", "gemma4_v3", "gemma4_v4", "gemma4_v5"), "<turn|>"),
    **dict.fromkeys(("diffusion_gemma",), "<turn|>"),
    **dict.fromkeys(("lfm2", "lfm2_v2", "lfm2_2_5", "lfm2_2_5_v2", "lfm2_2_5_vl"), "<|im_end|>"),
    **dict.fromkeys(("llama3", "llama3_1", "llama3_2"), "<|eot_id|>"),
    **dict.fromkeys(("phi3", "phi3_5"), "<|end|>"),
    **dict.fromkeys(("qwen2_5", "qwen2_5_vl", "qwen3_instruct_2507", "qwen3_vl"), "<|im_end|>"),
    **dict.fromkeys(("qwen3_5_nothink",), "<|im_end|>"),
}
# What is said where nothing is set; then settings, and what is supervised of "five" under them.
DECIDED: dict[str, tuple[str, list[tuple[dict[str, Any], str]]]] = {
    "gemma": (
        "System role not supported; set chat.system_role: user",
        [({"system_role": "user"}, "five<end_of_turn>")],
    ),
    "qwen3": (
        r"puts '<think>\n\n</think>\n\n' between",
        [(UNTHINKING, "five<|im_end|>"), (TEMPLATES, THOUGHT_OF + "five<|im_end|>")],
    ),
    **{
        name: (
            r"puts '\n</think>\n\n' between",
            [(UNTHINKING, "five<|im_end|>"), (TEMPLATES, "\n</think>\n\nfive<|im_end|>")],
        )
        for name in ("qwen3_5_think", "qwen3_6", "qwen3_8")
    },
    "glm4moe": (
        r"puts '\n<think></think>\n' between",
        [(UNTHINKING, "\nfive<|user|>"), (TEMPLATES, "\n<think></think>\nfive<|user|>")],
    ),
    "gptoss": (
        "puts '<|channel|>final<|message|>' between",
        [(TEMPLATES, "<|channel|>final<|message|>five<|return|>")],
    ),
    "muse_glimmer": (
        "puts ' to=user<|message|>' between",
        [(TEMPLATES, " to=user<|message|>five<|eot|>")],
    ),
    **{
        name: (
            r"prompt ends with '\n', where its conversations have '</think>'",
            [(UNTHINKING, "five<|im_end|>"), (CLOSED, "\n</think>\n\nfive<|im_end|>")],
        )
        for name in (
            *("nemotron_3_nano", "nemotron_3_super", "nemotron_3_ultra"),
            *("nemotron_3_5_lightning",),
        )
    },
    **{
        name: (
            r"prompt ends with '<think>\n', where its conversations have ''",
            [(CLOSED, "\n</think>\n\nfive<｜end▁of▁sentence｜>")],
        )
        for name in ("deepseek_r1_distill", "deepseekv3")
    },
}
# For images: messages are lists there, and a text in one is lost.
REFUSED = {
    "idefics3": "leaves out the text of a message",
    "smolvlm": "leaves out the text of a message",
    "llava_next": "refuses the conversation: 'str object' has no attribute 'text'",
}
SETTLED = [
    *((name, {}, "five" + end) for name, end in RIGHT.items()),
    *((name, *case) for name, (_, cases) in DECIDED.items() for case in cases),
]


def renderer(name: str, **chat: Any) -> Renderer:
    return Renderer(chat_models.tokenizer(SHIPPED[name], TOKENS), PROMPTS, ChatConfig(**chat))


def test_the_tables_name_every_template() -> None:
    assert {*RIGHT, *DECIDED, *REFUSED} == SHIPPED.keys()
    assert len(RIGHT) + len(DECIDED) + len(REFUSED) == len(SHIPPED)


@pytest.mark.parametrize(("name", "chat", "supervised"), SETTLED, ids=str)
def test_supervised_is_what_the_model_writes_after_the_prompt(
    name: str, chat: dict[str, Any], supervised: str
) -> None:
    made = renderer(name, **chat)
    prompt = made.tokenizer.decode(made.prompt_ids(PROBLEM))
    written = made.response_ids("five")
    assert made.tokenizer.decode(written) == supervised
    assert written[-1] == made.stop_token_ids[0]
    assert made.decode(written) == "five"
    if chat != CLOSED:  # the template itself has nothing of the kind
        talk = made.messages(PROBLEM)
        following = [{"role": "assistant", "content": "five"}]
        if name == "glm4moe":
            following.append({"role": "user", "content": "And 3 + 4?"})
        whole = made.template.render([*talk, *following], False)
        assert whole.startswith(prompt + supervised)


def test_preflight_says_what_was_decided() -> None:
    lines = [check.line() for check in rendering(renderer("gptoss", **TEMPLATES))]
    assert "'<|return|>' ends a response" in lines[0]
    assert "(<|return|>), 260 (<|the_end|>)" in lines[0]
    assert "after '<|channel|>final<|message|>', which the model writes first" in lines[1]
    assert "2026-01-01 on every day" in lines[2]
    assert "in a message of its own" in lines[3]
    opened = [check.line() for check in rendering(renderer("qwen3_6", **TEMPLATES))]
    assert r"the prompt opens the thinking ('<think>\n'), which has to end" in opened[1]
    moved = [check.line() for check in rendering(renderer("gemma", system_role="user"))]
    assert "before the first user message" in moved[3]


@pytest.mark.parametrize("name", [*DECIDED, *REFUSED])
def test_what_is_not_settled_is_refused_in_one_sentence(name: str) -> None:
    said = DECIDED[name][0] if name in DECIDED else REFUSED[name]
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        renderer(name)
    assert "\n" not in str(caught.value)
