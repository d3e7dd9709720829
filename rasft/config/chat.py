"""The section `chat` of the config: which chat template, and with which values."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from rasft.config.named_templates import NAMED
from rasft.config.section import Section

# Arguments of the call that renders a template: no switches of it.
TAKEN = {
    *("conversation", "messages", "chat_template", "add_generation_prompt", "tokenize"),
    *("tools", "documents", "continue_final_message", "padding", "truncation", "max_length"),
    *("return_tensors", "return_dict", "return_assistant_tokens_mask", "tokenizer_kwargs"),
    *("date_string", "strftime_now"),
}


def _is_date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("no date of the form 2026-01-31") from None


def _template(template: str | None) -> str | None:
    if template is None or template in NAMED or "{{" in template:
        return template
    try:
        text = Path(template).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"no known template ({', '.join(NAMED)}), and no file that can be read: {error}"
        ) from None
    if "{{" not in text:
        raise ValueError("the file holds no Jinja template: it renders nothing with {{ }}")
    return text


def _switches(switches: dict[str, Any]) -> dict[str, Any]:
    if taken := sorted(switches.keys() & TAKEN):
        raise ValueError(f"{taken[0]} is set by the project itself: it is no switch")
    return switches


class ChatConfig(Section):
    """Which chat template, and how it is rendered."""

    # For a model that has none, or in place of its own: a name of rasft.config.named_templates, or
    # a Jinja file, whose text the config then holds. Saved with the trained model. null: its own.
    template: Annotated[str | None, AfterValidator(_template)] = None
    # What templates that write today's date (Llama 3.2, SmolLM3, Granite) write instead: a run
    # renders the same prompts on every day.
    date: Annotated[str, AfterValidator(_is_date)] = "2026-01-01"
    # Where the system text goes: into a message of its own, or, for templates that know none
    # (Gemma), before the first user message.
    system_role: Literal["template", "user"] = "template"
    # What the template is to know beside the messages, such as {enable_thinking: false} or
    # {reasoning_effort: low}.
    switches: Annotated[dict[str, bool | int | float | str], AfterValidator(_switches)] = Field(
        default_factory=dict
    )
    # What the model writes before an expert's text, where the template does not go on from its own
    # prompt: a text, such as "\n</think>\n\n" where the prompt opens the thinking; or "template",
    # for what the template has there. An expert that thinks by itself (<think>) gets none.
    opening: str | None = None
