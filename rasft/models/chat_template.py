"""A model's chat template together with the values that it is rendered with.

What it renders follows from the config alone. Templates that write today's date get the config's:
as `date_string` (Llama 3), and from `strftime_now`, which transformers answers with the clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import cached_property
from typing import Any

from jinja2 import TemplateError

from rasft.config.chat import ChatConfig
from rasft.config.named_templates import NAMED, template_text
from rasft.errors import UserError

Message = dict[str, str]

TALK = [{"role": "user", "content": "Hello."}]
SYSTEM = {"role": "system", "content": "Zq7System"}  # in no template
CLOCKS = (datetime(2001, 2, 3), datetime(2031, 12, 24))  # no two fields alike
OTHER_DATE = date(2002, 3, 5)
DECIDING = {"system_role", "switches", "opening"}  # what is rendered and supervised
DEFAULTS = ChatConfig()
DATE_STRING = "%d %b %Y"  # as Llama's templates have it: 26 Jul 2024


class ChatTemplate:
    """Renders conversations.

    Raises UserError where there is none, or for one that cannot be rendered, or that reads the
    clock all the same.
    """

    def __init__(self, tokenizer: Any, settings: ChatConfig):
        self.tokenizer, self.settings = tokenizer, settings
        self.added = template_text(settings.template, tokenizer) if settings.template else None
        self.text = self.added or tokenizer.chat_template
        if not self.text:
            raise UserError(
                f"tokenizer {tokenizer.name_or_path!r} has no chat template; name an instruction "
                f"model in model.path, or set chat.template: a Jinja file, or {', '.join(NAMED)}"
            )
        self._check_switches()
        self._date = date.fromisoformat(settings.date)
        self._check_clock()

    def render(self, messages: Sequence[Message], opens_answer: bool) -> str:
        """The text of a conversation, with the opening of the assistant's turn if asked.

        Raises UserError with the template's own words where it refuses the conversation.
        """
        return self._render(messages, opens_answer, self._date)

    @cached_property
    def has_date(self) -> bool:
        """Whether the date is part of what is rendered."""
        return self.render(TALK, True) != self._render(TALK, True, OTHER_DATE)

    def facts(self) -> dict[str, Any]:
        """The values that decide what is rendered, but those that the template does not read."""
        read = {"date", *DECIDING} if self.has_date else DECIDING
        values = self.settings.model_dump(include=read)
        return {
            name: value
            for name, value in values.items()
            if name == "date" or value != getattr(DEFAULTS, name)
        }

    def check_system(self) -> None:
        """Raise UserError unless the template takes a system message."""
        advice = "set chat.system_role: user, which puts its text before the first user message"
        try:
            rendered = self.render([SYSTEM, *TALK], True)
        except UserError as error:
            raise UserError(f"no system message can be rendered: {error}; {advice}") from None
        if SYSTEM["content"] not in rendered:
            raise UserError(f"{self._name} leaves the system message out; {advice}")

    @property
    def _name(self) -> str:
        return f"the chat template of {self.tokenizer.name_or_path!r}"

    def _render(self, messages: Sequence[Message], opens_answer: bool, day: date) -> str:
        try:
            rendered: str = self.tokenizer.apply_chat_template(
                messages,
                chat_template=self.added,
                tokenize=False,
                add_generation_prompt=opens_answer,
                **_dated(day),
                **self.settings.switches,
            )
        except (TemplateError, TypeError) as error:
            raise UserError(f"{self._name} refuses the conversation: {error}") from None
        return rendered

    def _check_switches(self) -> None:
        """A switch that the template does not read is a typing error, or another template's."""
        for name in self.settings.switches:
            if not re.search(rf"\b{re.escape(name)}\b", str(self.text)):
                raise UserError(f"chat.switches.{name}: {self._name} reads no such value; drop it")

    def _check_clock(self) -> None:
        rendered = set()
        for moment in CLOCKS:
            with _clock(moment):
                rendered.add(self.render(TALK, True))
        if len(rendered) > 1:
            raise UserError(
                f"{self._name} renders the time of day or date and"
                " does not take it from chat.date: the same run would render other prompts "
                "tomorrow; take a template without it"
            )


def _dated(day: date) -> Mapping[str, Any]:
    """The names by which templates ask for the date."""
    return {"date_string": day.strftime(DATE_STRING), "strftime_now": day.strftime}


@contextmanager
def _clock(moment: datetime) -> Iterator[None]:
    """Show transformers' templates another time."""
    from transformers.utils import chat_template_utils

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return moment

    module: Any = chat_template_utils
    real, module.datetime = module.datetime, Stopped
    try:
        yield
    finally:
        module.datetime = real
