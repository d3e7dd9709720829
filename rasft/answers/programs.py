"""Takes the program out of a chat answer, and says how its tests are to be run.

The program is, by this one rule,
1. the last fenced block that defines the entry point, after what the prompt's code has before
   its own definition of it (imports, helpers);
2. else, where the prompt is code to be continued, that code joined with the completion (the
   last fenced block, or the whole answer where there is none), which ends before its first line
   of prose at the left margin;
3. else the last fenced block, or the whole answer, if it defines the entry point or there is
   none to define.
Anything else is no answer, and so is what a response only thinks: one that begins with `<think>`
speaks after `</think>`. All of it looks at text only: an untrusted program is never parsed
outside the sandbox.

Tests are recognised by their form:
  stdio      a JSON object {"inputs": [text, ...], "outputs": [text, ...]}
  check      a top-level `def check(candidate)`, as in HumanEval, that nothing calls
  functions  top-level `def test_...` or `class Test...`, as pytest collects them
  script     the rest, asserts at top level, as in MBPP
"""

from __future__ import annotations

import builtins
import json
import re
from functools import lru_cache

_FENCE = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[^\n`]*\n(?P<body>.*?)(?:^[ \t]*(?P=fence)[ \t]*$|\Z)",
    re.M | re.S,
)
_CODE_AT_MARGIN = re.compile(
    r"(?:def|class|import|from|async|@|#|[)\]}]|\"\"\"|''')|\w+\s*(?::\s*\w+\s*)?=[^=]"
)
_CHECK = re.compile(r"^def check\s*\(", re.M)
_CHECK_CALLED = re.compile(r"^check\s*\(", re.M)
_TEST_FUNCTIONS = re.compile(r"^(?:def test|class Test)", re.M)
_CALL = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\s*\(")
_IMPORTED = re.compile(r"^from solution import (\w+)", re.M)
_BOUND = re.compile(r"^\s*(?:def|class)\s+(\w+)|^\s*(\w+)\s*=[^=]|import\s+(.*)", re.M)
_KEYWORDS = frozenset(("assert", "and", "or", "not", "in", "is", "if", "else", "for", "lambda"))


def extract_program(
    response: str, entry_point: str | None = None, code_prefix: str | None = None
) -> str | None:
    """Return the program in an answer, None where there is none.

    >>> extract_program("Try this:\\n```python\\ndef f(x):\\n    return x\\n```\\n", "f")
    'def f(x):\\n    return x\\n'
    >>> extract_program("    return x\\nI hope it helps", "f", "def f(x):\\n")
    'def f(x):\\n    return x\\n'
    """
    response = spoken(response.replace("\r\n", "\n"))
    blocks = [match["body"] for match in _FENCE.finditer(response)]
    for block in reversed(blocks):
        if entry_point and defines(block, entry_point):
            return _after_preamble(block, entry_point, code_prefix)
    text = blocks[-1] if blocks else response
    if not text.strip():
        return None
    if code_prefix and entry_point:
        if defines(text, entry_point):
            return _after_preamble(text, entry_point, code_prefix)
        return _joined(code_prefix, text)
    if entry_point is None or defines(text, entry_point):
        return text
    return None


def spoken(response: str) -> str:
    """A response without the thinking it begins with; "" where that never ends.

    >>> spoken("<think>f or g?</think>f"), spoken("<think>f or g?"), spoken("f")
    ('f', '', 'f')
    """
    if not response.lstrip().startswith("<think>"):
        return response
    return response.partition("</think>")[2]


def defines(source: str, name: str) -> bool:
    """True when some line at the left margin defines or assigns `name`.

    >>> defines("def f(x): return x", "f"), defines("    def f(x): return x", "f")
    (True, False)
    """
    name = re.escape(name)
    defined = rf"^(?:(?:async\s+)?def\s+|class\s+){name}\b"
    assigned = rf"^{name}\s*(?::[^=\n]+)?=[^=]"
    return re.search(f"{defined}|{assigned}", source, re.M) is not None


def _after_preamble(source: str, entry_point: str, code_prefix: str | None) -> str:
    head = rf"^(?:(?:async\s+)?def|class)\s+{re.escape(entry_point)}\b"
    start = re.search(head, code_prefix or "", re.M)
    # a __future__ import must come first in a module
    if code_prefix is None or start is None or "from __future__" in source:
        return source
    preamble = code_prefix[: start.start()]
    return f"{preamble.rstrip()}\n\n\n{source}" if preamble.strip() else source


def _joined(code_prefix: str, completion: str) -> str:
    kept = []
    for line in completion.split("\n"):
        if line[:1].strip() and not _CODE_AT_MARGIN.match(line):
            break
        kept.append(line)
    gap = "" if code_prefix.endswith("\n") or not code_prefix.strip() else "\n"
    # a completion may go on in the middle of the prompt's last line
    gap = "" if completion[:1] not in (" ", "\t", "\n") else gap
    return code_prefix + gap + "\n".join(kept).rstrip() + "\n"


@lru_cache(maxsize=4096)
def form_of(tests: str) -> str:
    """Return the form of tests, one of those that the module names.

    >>> form_of("assert f(1) == 2"), form_of('{"inputs": ["1"], "outputs": ["2"]}')
    ('script', 'stdio')
    """
    if tests.lstrip().startswith("{") and _is_stdio(tests):
        return "stdio"
    if _CHECK.search(tests) and not _CHECK_CALLED.search(tests):
        return "check"
    return "functions" if _TEST_FUNCTIONS.search(tests) else "script"


def _is_stdio(tests: str) -> bool:
    try:
        cases = json.loads(tests)
    except ValueError:
        return False
    if set(cases) != {"inputs", "outputs"}:
        return False
    texts = [*cases["inputs"], *cases["outputs"]]
    same_length = len(cases["inputs"]) == len(cases["outputs"])
    return bool(texts) and same_length and all(isinstance(text, str) for text in texts)


@lru_cache(maxsize=4096)
def entry_point_of(tests: str) -> str | None:
    """Return the function under test, as far as the tests' text tells, for rows that lack it.

    The first function called in an assert (or imported from `solution`) that the tests neither
    define nor import and that is no builtin; where all are builtins, the first.

    >>> entry_point_of("assert set(shared([1], [1])) == set([1])")
    'shared'
    >>> entry_point_of("assert sum(1, 2) == 3")
    'sum'
    """
    imported = _IMPORTED.search(tests)
    if imported:
        return imported[1]
    own = {
        name
        for match in _BOUND.finditer(tests)
        for name in re.findall(r"\w+", " ".join(filter(None, match.groups())))
    }
    asserts = "\n".join(line for line in tests.splitlines() if line.lstrip().startswith("assert"))
    called = [name for name in _CALL.findall(asserts or tests) if name not in own | _KEYWORDS]
    unknown = [name for name in called if name not in vars(builtins)]
    return next(iter(unknown or called), None)
