"""What a response says once its thinking is over: one rule for answers and programs.

What stands inside thinking is never the answer. Thinking ends with the last `</think>`, also where
the prompt opened it, so that the response holds the end alone; thinking that is opened after that
and never ends leaves no answer. Tags count in any case, `<thinking>` too; one in quotation marks
(`'<think>'`) is text.
"""

from __future__ import annotations

import re

# The patterns start with a small set of characters: they are tried all over long responses.
_NAME = r"[tT][hH][iI][nN][kK](?:[iI][nN][gG])?"
_TAG = re.compile(rf"(?P<quote>['\"`])</?{_NAME}>(?P=quote)|<(?P<ends>/?){_NAME}>")


def after_thinking(response: str) -> str | None:
    """The text after the last `</think>`; None when a `<think>` after it stays open.

    >>> after_thinking("<think>f or g?</think>f"), after_thinking("f or g?</THINKING>f")
    ('f', 'f')
    >>> after_thinking("<think>f or g?"), after_thinking("return '<think>'")
    (None, "return '<think>'")
    """
    start, opened = 0, False
    for tag in _TAG.finditer(response):
        if tag["quote"]:
            continue
        opened = not tag["ends"]
        if not opened:
            start = tag.end()
    return None if opened else response[start:]
