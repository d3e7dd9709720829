"""The shapes in which chat models write a program, each with a near miss that must not pass for it.

A shape takes a right program and gives a response that holds it. The near miss is a response to
"write f, which adds one" in nearly the same shape, with what is to become of it: the program that
is judged, which is wrong or malformed, or None where there is none.
"""

from __future__ import annotations

import ast
import re
import symtable
import textwrap
import warnings
from collections.abc import Callable
from dataclasses import dataclass

RIGHT = "def f(x):\n    return x + 1\n"
WRONG = "def f(x):\n    return x - 1\n"
HEADER = 'def f(x):\n    """One more."""\n'
TESTS = "assert f(1) == 2\nassert f(5) == 6"
PROSE = "This works because the rule holds for every input."


@dataclass(frozen=True)
class Solution:
    """A right program; `header` is its part up to the body, "" where it does not fall in two."""

    program: str
    entry_point: str
    header: str = ""

    @property
    def body(self) -> str:
        """What follows the header."""
        return self.program[len(self.header) :]

    @property
    def draft(self) -> str:
        """Another program of the same name, which is wrong."""
        return f"def {self.entry_point}(*values):\n    return None\n"

    @property
    def parts(self) -> tuple[str, str]:
        """What stands before the entry point, and the rest."""
        start = re.search(rf"^(?:@.*\n)*def {self.entry_point}\b", self.program, re.M)
        place = start.start() if start else 0
        return self.program[:place], self.program[place:]


Write = Callable[[Solution], str]


@dataclass(frozen=True)
class Shape:
    """`completes` where the response is no whole program, but goes on from the prompt's header."""

    write: Write
    near: str
    judged: str | None
    completes: bool = False


def split(program: str, entry_point: str) -> Solution:
    """The program with its header, where that is one line and nothing but its body follows."""
    start = re.search(rf"^def {entry_point}\b[^\n]*:[ \t]*\n(?!(?:.*\n)*\S)", program, re.M)
    return Solution(program, entry_point, program[: start.end()] if start else "")


def block(program: str, language: str = "python", fence: str = "```") -> str:
    """The program in a fence."""
    return f"{fence}{language}\n{program.rstrip()}\n{fence}"


def same_program(one: str, other: str) -> bool:
    """True when two trusted programs differ in nothing but layout and the module's docstring."""
    return one.strip() == other.strip() or _statements(one) == _statements(other)


def _statements(program: str) -> list[str]:
    with warnings.catch_warnings(action="ignore"):  # invalid escapes in published programs
        try:
            tree = ast.parse(program)
        except SyntaxError:
            return []
    documented = ast.get_docstring(tree, clean=False) is not None
    return [ast.dump(node) for node in tree.body[documented:]]


def lines(*parts: str) -> str:
    """The parts, each on lines of its own."""
    return "\n".join(parts)


def shifted(text: str, by: str) -> str:
    """Every line that is not empty, moved to the right."""
    return "\n".join(by + line if line else line for line in text.split("\n"))


def narrow(body: str, width: int) -> str:
    """A body with its first indent of another width."""
    return textwrap.indent(textwrap.dedent(body), " " * width)


def _with_fence_in_docstring(program: str, entry_point: str) -> str:
    doc = f'"""Module.\n\n```\n{entry_point}()\n```\n"""\n'
    return program if "from __future__" in program else doc + program


def _no_break(program: str) -> str:
    def spaces(indent: re.Match[str]) -> str:
        return indent[0].replace(" ", "\u00a0")

    return re.sub(r"^ +", spaces, program, flags=re.M)


def _bound(program: str) -> set[str]:
    """The names that a trusted program binds."""
    table = symtable.symtable(program, "reference", "exec")
    return {name.get_name() for name in table.get_symbols() if name.is_assigned()} | {
        name.get_name() for name in table.get_symbols() if name.is_imported()
    }


def _two_blocks(solution: Solution, entry_first: bool) -> str:
    before, rest = solution.parts
    if not _bound(before) & set(re.findall(r"\w+", rest)):
        return block(solution.program)
    helper, entry = block(before), block(rest)
    first, second = (entry, helper) if entry_first else (helper, entry)
    return f"One part:\n{first}\nThe other part:\n{second}\nTogether they do it."


WHOLE: dict[str, Shape] = {
    "a fence": Shape(lambda s: f"Sure!\n\n{block(s.program)}\n\n{PROSE}", block(WRONG), WRONG),
    "a fence without a language": Shape(lambda s: block(s.program, ""), "```\n```", None),
    "py": Shape(lambda s: block(s.program, "py"), block("f(1)", "py"), None),
    "Python3": Shape(
        lambda s: block(s.program, "Python3"), block("def g(x): ...", "Python3"), None
    ),
    "attributes": Shape(
        lambda s: block(s.program, 'python title="solution.py" {1,3}'),
        block("function f(x) { return x + 1 }", 'js title="f.js"'),
        None,
    ),
    "attributes in braces": Shape(
        lambda s: block(s.program, "{.python .numberLines}"),
        block("f = 3 =", "{.python}"),
        "f = 3 =\n",
    ),
    "tildes": Shape(lambda s: block(s.program, "python", "~~~"), block(WRONG, "", "~~~"), WRONG),
    "four backticks": Shape(
        lambda s: block(s.program, "python", "````"), block(WRONG, "", "````"), WRONG
    ),
    "a fence that never closes": Shape(
        lambda s: f"Sure:\n```python\n{s.program}",
        "```python\ndef f(x):\n    return (x +",
        "def f(x):\n    return (x +\n",
    ),
    "a fence that closes behind code": Shape(
        lambda s: f"```python\n{s.program.rstrip()}```\n{PROSE}",
        f"```python\n{WRONG.rstrip()}```\n{PROSE}",
        WRONG,
    ),
    "a fence at the end of a line of prose": Shape(
        lambda s: f"Here is the function: ```python\n{s.program}```\n{PROSE}",
        "Call it as ```f(x)``` and it adds one.",
        None,
    ),
    "Windows line ends": Shape(
        lambda s: block(s.program).replace("\n", "\r\n"), block(WRONG).replace("\n", "\r\n"), WRONG
    ),
    "a byte-order mark before the fence": Shape(
        lambda s: "\ufeff" + block(s.program), "\ufeff" + block(WRONG), WRONG
    ),
    "a byte-order mark and no fence": Shape(
        lambda s: "\ufeff" + s.program, "\ufeff" + WRONG, WRONG
    ),
    "no fence": Shape(lambda s: s.program, "f(x) should return one more than x.", None),
    "prose before code": Shape(
        lambda s: f"Here is the function you asked for.\n\n{s.program}",
        "You could write def f(x) so that it returns x + 1.",
        None,
    ),
    "prose after code": Shape(
        lambda s: f"{s.program}\n{PROSE}", f"{WRONG}\nReturning x + 1 would be right.", WRONG
    ),
    "prose around code": Shape(
        lambda s: f"Of course.\n\n{s.program}\n{PROSE}\nHope it helps!",
        "Of course: def f(x): return x + 1 is what you want, is it not?",
        None,
    ),
    "a heading and a list around code": Shape(
        lambda s: (
            f"### Solution\n\n- Loop once.\n- Return.\n\n{s.program}\n### Complexity\n\n- O(n)\n"
        ),
        "### Solution\n\n- Define f.\n- Return x + 1.\n",
        None,
    ),
    "a stray closing fence": Shape(
        lambda s: f"{s.program.rstrip()}\n```", f"{WRONG.rstrip()}\n```", WRONG
    ),
    "a stray closing fence and prose": Shape(
        lambda s: f"{s.program.rstrip()}\n```\n\n{PROSE}\nIt is short.",
        f"```\n\n{PROSE}\nIt is short.",
        None,
    ),
    "PYTHON tags": Shape(
        lambda s: f"[PYTHON]\n{s.program}[/PYTHON]\n[TESTS]\nassert True\n[/TESTS]",
        "[PYTHON]\nf(1)\n[/PYTHON]",
        None,
    ),
    "PYTHON tags on the lines of code": Shape(
        lambda s: f"[PYTHON]{s.program.rstrip()}[/PYTHON]", f"[PYTHON]{WRONG}[/PYTHON]", WRONG
    ),
    "BEGIN and DONE": Shape(
        lambda s: f"[BEGIN]\n{s.program}\n[DONE]", "[BEGIN]\nadds one\n[DONE]", None
    ),
    "DONE alone": Shape(
        lambda s: f"{s.program.rstrip()}\n[DONE]\nNow another task: write g.",
        f"{WRONG}[DONE]\n{PROSE}",
        WRONG,
    ),
    "answer tags": Shape(
        lambda s: f"<think>short</think>\n<answer>\n{block(s.program)}\n</answer>",
        f"<think>{RIGHT}</think>\n<answer>\nnone\n</answer>",
        None,
    ),
    "a draft in thinking": Shape(
        lambda s: f"<think>\nPerhaps\n{block(s.draft)}\n</think>\n\n{block(s.program)}",
        f"<think>\nPerhaps\n{block(RIGHT)}\n</think>\n\nI do not know.",
        None,
    ),
    "an unfenced draft in thinking": Shape(
        lambda s: f"<think>\n{s.draft}\n</think>\n{s.program}", f"<think>\n{RIGHT}", None
    ),
    "thinking that the prompt opened": Shape(
        lambda s: f"Perhaps\n{block(s.draft)}\n</think>\n{s.program}",
        f"Perhaps\n{block(RIGHT)}\n</think>\n{WRONG}",
        WRONG,
    ),
    "thinking twice, in capitals": Shape(
        lambda s: f"<THINKING>a</THINKING>{s.draft}<Think>\nNo.\n</Think>\n{block(s.program)}",
        f"<THINKING>a</THINKING>\n{RIGHT}<Think>\nNo.\n</Think>\n{WRONG}",
        WRONG,
    ),
    "a fence in a list": Shape(
        lambda s: "1. Write it:\n\n" + shifted(block(s.program), "   ") + f"\n\n2. {PROSE}",
        "1. Write it:\n\n" + shifted(block("class A:\n    def f(x): ..."), "   "),
        None,
    ),
    "a fence behind a list's number": Shape(
        lambda s: "1. " + shifted(block(s.program), "   ").lstrip(),
        "1. " + shifted(block(WRONG), "   ").lstrip(),
        WRONG,
    ),
    "a fence in a docstring": Shape(
        lambda s: block(_with_fence_in_docstring(s.program, s.entry_point)),
        block('"""Adds.\n\n```\ndef f(x): return x + 1\n```\n"""\n' + WRONG),
        '"""Adds.\n\n```\ndef f(x): return x + 1\n```\n"""\n' + WRONG,
    ),
    "a fence in a docstring, and none around it": Shape(
        lambda s: f"So:\n{_with_fence_in_docstring(s.program, s.entry_point)}\n{PROSE}",
        f'{WRONG}\n"""\n```\nf(1)\n```\n"""\n',
        f'{WRONG}\n"""\n```\nf(1)\n```\n"""\n',
    ),
    "a fence in a fence of Markdown": Shape(
        lambda s: f"````markdown\nSo:\n\n{block(s.program)}\n````",
        f"````markdown\nSo:\n\n{block('f(x)')}\n````",
        None,
    ),
    "a helper in a block before": Shape(
        lambda s: _two_blocks(s, entry_first=False),
        lines(block("def g(x):\n    return x + 1"), "and", block("def f(x):\n    return h(x)")),
        "def f(x):\n    return h(x)\n",
    ),
    "a helper in a block behind": Shape(
        lambda s: _two_blocks(s, entry_first=True),
        lines(block("def f(x):\n    return g(x)"), "and", block("def g(x):\n    return x - 1")),
        "def g(x):\n    return x - 1\n\ndef f(x):\n    return g(x)\n",
    ),
    "no-break spaces": Shape(lambda s: block(_no_break(s.program)), block(_no_break(WRONG)), WRONG),
    "a use in a second block": Shape(
        lambda s: f"{block(s.program)}\nUse:\n{block(f'print({s.entry_point})')}",
        f"{block(WRONG)}\nUse:\n{block('print(f(1) + 2)')}",
        WRONG,
    ),
    "tests in a second block": Shape(
        lambda s: lines(
            block(s.program), block(f"from solution import {s.entry_point}\n\nassert True")
        ),
        f"{block(WRONG)}\n{block('from operator import pos as f')}",
        WRONG,
    ),
    "a doctest behind it": Shape(
        lambda s: block(f"{s.program}\n>>> {s.entry_point}(1)\n2"),
        block(">>> f(1)\n2"),
        None,
    ),
    "a doctest in a second block": Shape(
        lambda s: lines(block(s.program), block(f">>> {s.entry_point}(1)\n2")),
        lines(block(WRONG), block(">>> f(1)\n2")),
        WRONG,
    ),
    "a corrected program": Shape(
        lambda s: f"{block(s.draft)}\nThat is wrong. Better:\n{block(s.program)}",
        f"{block(RIGHT)}\nor perhaps\n{block(WRONG)}",
        WRONG,
    ),
    "a correction without a fence": Shape(
        lambda s: f"{s.draft}\nThat is wrong. Better:\n\n{s.program}",
        f"{RIGHT}\nor perhaps\n\n{WRONG}",
        WRONG,
    ),
    "a draft that never closes": Shape(
        lambda s: f"```python\n{s.draft}\nNo, better:\n```python\n{s.program}\n```",
        f"```python\n{RIGHT}\nNo, better:\n```python\n{WRONG}\n```",
        WRONG,
    ),
    "a broken program behind it": Shape(
        lambda s: f"{block(s.program)}\nIn short:\n{block(f'def {s.entry_point}(...) -> it')}",
        f"{block('def f(x: return x + 1')}\nIn short:\n{block('def f(...) -> x + 1')}",
        "def f(...) -> x + 1\n",
    ),
    "another language behind it": Shape(
        lambda s: (
            f"{block(s.program)}\nIn JavaScript:\n{block('function f(x) { return x }', 'js')}"
        ),
        block("f = (x) => x + 1", "js"),
        "f = (x) => x + 1\n",
    ),
}

BODIES: dict[str, Shape] = {
    "a body": Shape(lambda s: s.body, "    return x - 1\n", f"{HEADER}    return x - 1\n", True),
    "a body and prose": Shape(
        lambda s: f"{s.body}\n{PROSE}", f"Add one to it.\n{PROSE}", None, True
    ),
    "prose and a body": Shape(
        lambda s: f"The rest of it:\n\n{s.body}\n{PROSE}", "The rest is up to you.", None, True
    ),
    "a body in a fence": Shape(
        lambda s: block(s.body), block("    return x - 1"), f"{HEADER}    return x - 1\n", True
    ),
    "a body whose first line is stripped": Shape(
        lambda s: s.body.lstrip(), "return x - 1", f"{HEADER}    return x - 1\n", True
    ),
    "a body with one space too many": Shape(
        lambda s: " " + s.body, "     return x - 1", f"{HEADER}    return x - 1\n", True
    ),
    "a body at the margin": Shape(lambda s: textwrap.dedent(s.body), "x + 1", None, True),
    "a body at the margin, in a fence": Shape(
        lambda s: block(textwrap.dedent(s.body)), block("print(f(1))"), None, True
    ),
    "a body of three spaces": Shape(
        lambda s: narrow(s.body, 3), "   return x - 1", f"{HEADER}    return x - 1\n", True
    ),
    "a body of a tab": Shape(
        lambda s: textwrap.indent(textwrap.dedent(s.body), "\t"),
        "\treturn x - 1",
        f"{HEADER}    return x - 1\n",
        True,
    ),
    "a body of no-break spaces": Shape(
        lambda s: _no_break(s.body),
        "\u00a0\u00a0\u00a0\u00a0return x - 1",
        f"{HEADER}    return x - 1\n",
        True,
    ),
}

SHAPES = WHOLE | BODIES

# how a program may bind f, and what looks like it and does not: (right, near miss, what is judged)
BINDINGS: dict[str, tuple[str, str, str | None]] = {
    "a function": (RIGHT, "class A:\n    def f(self, x):\n        return x + 1\n", None),
    "a decorated function": (
        f"import functools\n\n@functools.cache\n{RIGHT}",
        f"import functools\n\n@functools.cache\n{WRONG}",
        f"import functools\n\n@functools.cache\n{WRONG}",
    ),
    "a lambda": ("f = lambda x: x + 1\n", "f == (lambda x: x + 1)\n", None),
    "an annotated lambda": ("f: object = lambda x: x + 1\n", "g: f = lambda x: x + 1\n", None),
    "a class": (
        "class f(int):\n    def __new__(cls, x):\n        return x + 1\n",
        "class ff:\n    pass\n",
        None,
    ),
    "an import": (
        "from math import floor as g\nfrom operator import add\nf, g = (lambda x: add(x, 1)), g\n",
        "from operator import f_ as g\n",
        None,
    ),
    "an import under its name": ("from math import nextafter, gcd as f\n", "import f_of\n", None),
    "a pair": ("f, g = (lambda x: x + 1), abs\n", "g = f, abs\n", None),
    "a pair, second": ("(g, f) = abs, lambda x: x + 1\n", "x.f = lambda x: x + 1\n", None),
    "an async function": (
        "async def f(x):\n    return x + 1\n",
        "async def g(f):\n    return f\n",
        None,
    ),
    "tabs": (
        "def f(x):\n\ty = x\n\treturn y + 1\n",
        "def f(x):\n\ty = x\n    return y\n",
        "def f(x):\n\ty = x\n    return y\n",
    ),
}
