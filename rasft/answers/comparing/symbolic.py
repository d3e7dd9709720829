"""The last resort: math-verify, on the boxed text only, for notation that nothing else reads.

Its own faults are designed against here. It is called without its SIGALRM time limit (the worker's
parent keeps the time), with the gold wrapped in dollars, with LaTeX extraction alone (its plain
expression extraction evaluates text as Python), and sympy's one door to `eval` is closed before
any text arrives. It is asked only about answers that hold the same numbers and words as the gold.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any

import math_verify
import sympy
import sympy.parsing.sympy_parser as sympy_parser
from math_verify import LatexExtractionConfig

from rasft.answers.reading.bounds import MOST_SYMBOLIC_CHARACTERS
from rasft.answers.reading.notation import normal_form

logging.getLogger("math_verify").setLevel(logging.CRITICAL)
logging.getLogger("latex2sympy2_extended").setLevel(logging.CRITICAL)


# What sympy's parser makes of the digits that math-verify hands it, and of nothing else.
_LITERAL = re.compile(r"\s*(Integer|Float)\s*\(\s*'?([\d.]{1,60}(?:e[+-]?\d{1,4})?)'?\s*\)\s*")


def _literal_only(code: str, *_: Any) -> Any:
    """In place of sympy's `eval`: a number literal is built, anything else is refused."""
    literal = _LITERAL.fullmatch(code)
    if literal is None:
        raise PermissionError("text is never evaluated as code")
    return {"Integer": sympy.Integer, "Float": sympy.Float}[literal[1]](literal[2])


sympy_parser.eval_expr = _literal_only

_LATEX = (LatexExtractionConfig(),)
_WORDS = re.compile(r"\\words<([^<>]*)>")
_NUMBERS = re.compile(r"\d+(?:\.\d+)?")


def last_resort(gold: str, answer: str) -> tuple[bool, str]:
    """(verdict, stage) of math-verify; False where it cannot read a side or is not asked."""
    gold, answer = normal_form(gold), normal_form(answer)
    if len(answer) > MOST_SYMBOLIC_CHARACTERS or not _says_as_much(gold, answer):
        return False, "not understood"
    parsed = _parsed(gold), _parsed(answer)
    if not parsed[0] or not parsed[1]:
        return False, "not understood"
    accepted = bool(
        math_verify.verify(
            list(parsed[0]), list(parsed[1]), timeout_seconds=None, allow_set_relation_comp=True
        )
    )
    return accepted, "symbolic"


def _says_as_much(gold: str, answer: str) -> bool:
    """The same numbers and the same words: what math-verify drops or rounds shows here."""
    return all(
        sorted(pattern.findall(gold)) == sorted(pattern.findall(answer))
        for pattern in (_NUMBERS, _WORDS)
    )


@lru_cache(maxsize=2_048)
def _parsed(text: str) -> tuple[Any, ...]:
    text = re.sub(r"\\words<([^<>]*)>", r"\\text{\1}", text)
    found = math_verify.parse(
        f"${text}$", _LATEX, fallback_mode="no_fallback", parsing_timeout=None
    )
    return tuple(found)
