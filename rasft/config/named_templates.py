"""Chat templates by name, for models that bring none.

`chatml` needs a tokenizer that has `<|im_end|>`; the others end a turn with its EOS. None writes a
BOS of its own: a tokenizer that begins every text with one gets it here too.
"""

from __future__ import annotations

from typing import Any

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

NAMED = {
    "chatml": CHATML,
    "zephyr": (
        "{% for message in messages %}"
        "{{ '<|' + message['role'] + '|>\\n' + message['content'] + eos_token + '\\n' }}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
    ),
    "vicuna": (
        "{% for message in messages %}"
        "{% if message['role'] == 'assistant' %}"
        "{{ ' ASSISTANT: ' + message['content'] + eos_token }}"
        "{% elif message['role'] == 'user' %}{{ 'USER: ' + message['content'] }}"
        "{% else %}{{ message['content'] + '\\n\\n' }}{% endif %}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ ' ASSISTANT:' }}{% endif %}"
    ),
    "alpaca": (
        "{% for message in messages %}"
        "{% if message['role'] == 'assistant' %}"
        "{{ '### Response:\\n' + message['content'] + eos_token + '\\n\\n' }}"
        "{% elif message['role'] == 'user' %}"
        "{{ '### Instruction:\\n' + message['content'] + '\\n\\n' }}"
        "{% else %}{{ message['content'] + '\\n\\n' }}{% endif %}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '### Response:\\n' }}{% endif %}"
    ),
}


def template_text(template: str, tokenizer: Any) -> str:
    """The Jinja text of a name for this tokenizer; any other text is one already."""
    if template not in NAMED:
        return template
    first = tokenizer("a")["input_ids"][0]
    has_bos = tokenizer.bos_token_id is not None and first == tokenizer.bos_token_id
    return ("{{ bos_token }}" if has_bos else "") + NAMED[template]
