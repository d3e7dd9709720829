"""A model's chat template together with the values that it is rendered with.

What it renders follows from the config alone. Templates that write today's date get the config's:
as `date_string` (Llama 3), and from `strftime_now`, which transformers answers with the clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import cached_property
from typing import Any

from rasft.config import ChatConfig
from rasft.errors import UserError

Message = dict[str, str]

TALK = [{"role": "user", "content": "Hello."}]
CLOCKS = (datetime(2001, 2, 3), datetime(2031, 12, 24))  # no two fields alike
OTHER_DATE = date(2002, 3, 5)
DATE_STRING = "%d %b %Y"  # as Llama's templates have it: 26 Jul 2024


class ChatTemplate:
    """Renders conversations. Raises UserError for a template that reads the clock all the same."""

    def __init__(self, tokenizer: Any, settings: ChatConfig):
        self.tokenizer, self.settings = tokenizer, settings
        self._date = date.fromisoformat(settings.date)
        self._check_clock()

    def render(self, messages: Sequence[Message], opens_answer: bool) -> str:
        """The text of a conversation, with the opening of the assistant's turn if asked."""
        return self._render(messages, opens_answer, self._date)

    @cached_property
    def has_date(self) -> bool:
        """Whether the date is part of what is rendered."""
        return self.render(TALK, True) != self._render(TALK, True, OTHER_DATE)

    def facts(self) -> dict[str, Any]:
        """The values that decide what is rendered; none where the template reads none."""
        return {"date": self.settings.date} if self.has_date else {}

    def _render(self, messages: Sequence[Message], opens_answer: bool, day: date) -> str:
        rendered: str = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=opens_answer, **_dated(day)
        )
        return rendered

    def _check_clock(self) -> None:
        rendered = set()
        for moment in CLOCKS:
            with _clock(moment):
                rendered.add(self.render(TALK, True))
        if len(rendered) > 1:
            raise UserError(
                f"the chat template of {self.tokenizer.name_or_path!r} renders the time of day or "
                "date and does not take it from chat.date: the same run would render other prompts "
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
