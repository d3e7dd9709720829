"""The section `chat` of the config: which chat template, and with which values."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

from rasft.named_templates import NAMED
from rasft.section import Section


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


class ChatConfig(Section):
    """Which chat template, and how it is rendered."""

    # For a model that has none, or in place of its own: a name of rasft.named_templates, or a Jinja
    # file, whose text the config then holds. It is saved with the trained model. null: its own.
    template: Annotated[str | None, AfterValidator(_template)] = None
    # What templates that write today's date (Llama 3.2, SmolLM3, Granite) write instead: a run
    # renders the same prompts on every day.
    date: Annotated[str, AfterValidator(_is_date)] = "2026-01-01"
    # Where the system text goes: into a message of its own, or, for templates that know none
    # (Gemma), before the first user message.
    system_role: Literal["template", "user"] = "template"
