"""Answers made to stall the reading of a program, or to be judged by several of their programs.

The tests ask for `solve`, which gives 7 * x + 3; no answer here has it as its last program.
"""

from __future__ import annotations

RIGHT = "def solve(x):\n    return 7 * x + 3\n"
SIZE = 1 << 20


def fenced(program: str) -> str:
    """The program in a fence."""
    return f"```python\n{program}```\n"


def long(part: str) -> str:
    """About a megabyte of a part."""
    return part * (SIZE // len(part))


# every value that a test could ask for is among the guesses
GUESSES = {
    "ten thousand guesses": "".join(
        fenced(f"def solve(x):\n    return {n}\n") for n in range(10_000)
    ),
    "a guess after the right program": fenced(RIGHT)
    + fenced("def solve(x):\n    return 17\n1 / 0\n"),
    "a guess without a fence": f"{RIGHT}\nNo:\n\ndef solve(x):\n    return 3\n\nNo.\n",
    "guesses in other words": "".join(
        fenced(f"{how} lambda x: {n}\n")
        for n in range(3, 30)
        for how in ("solve =", "solve, y = 1,")
    ),
    "a guess in thinking that never ends": f"<think>\n{fenced(RIGHT)}",
    "a guess in thinking": f"{fenced(RIGHT)}</think>\nI do not know.",
    "guesses in nested fences": "".join("`" * n + "python\n" + RIGHT for n in range(200, 3, -1))
    + fenced("def solve(x):\n    return 5\n"),
}

# sources that Python's own parser or compiler may run out of something for
DEEP = {
    "parentheses": "solve = " + "(" * 100_000 + ")" * 100_000,
    "brackets": "solve = " + "[" * 190 + "]" * 190,
    "signs": "solve = " + "-" * 100_000 + "1",
    "a long sum": "solve = " + "1 + " * 100_000 + "1",
    "a long path": "solve = solve" + ".x" * 100_000,
    "lambdas": "solve = " + "lambda: " * 50_000 + "1",
    "conditions": "solve = " + "1 if 1 else " * 50_000 + "1",
    "blocks": "def solve(x):\n"
    + "".join(f"{' ' * n}if x:\n" for n in range(1, 200))
    + " " * 200
    + "1",
    "functions": "\n".join(f"{' ' * n}def solve(x):" for n in range(90)) + " pass",
    "a power of powers": "solve = lambda x: 9 ** 9 ** 9 ** 9",
    "a huge text": "solve = lambda x: 'a' * 10 ** 12",
    "a long number": "solve = " + "9" * 200_000,
    "many names": "solve = 1\n" + "\n".join(f"x{n} = {n}" for n in range(60_000)),
    "decorators": "@f\n" * 50_000 + "def solve(x): pass",
    "comparisons": "solve = " + "1 < " * 60_000 + "1",
    "a null byte": "def solve(x): return 17\0",
    "half a pair": "def solve(x): return '\ud800'",
}
# the others compile, and fail when they run
TOO_DEEP = {
    "parentheses",
    "signs",
    "a long sum",
    "a long path",
    "lambdas",
    "conditions",
    "blocks",
    "a long number",
    "a null byte",
    "half a pair",
}
DEEPENED = {f"{name} in front": fenced(source + "\n") for name, source in DEEP.items()}

# texts on which a careless pattern takes time in the square of their length, or worse
LONG = {
    "fences": long("```\n"),
    "fences with a language": long("```python\n"),
    "backticks": "`" * SIZE,
    "tildes": "~" * SIZE,
    "tildes and a backtick": "~~~" + long("~ ") + "`",
    "single quotes": "solve = '" + "'" * SIZE,
    "escaped quotes": 'solve = """' + long('\\"'),
    "triple quotes": "solve = " + long('"""'),
    "triple quotes on lines": long('solve = """\n'),
    "escapes on lines": long("'''\\\\'''\n"),
    "commas": long("solve, "),
    "stars": "solve" + long(", *"),
    "calls": "solve" + long("("),
    "calls with comments": "solve(" + long(")#"),
    "annotations": long("solve: "),
    "spaces": "solve" + " " * SIZE,
    "indents": "def solve(x):\n" + " " * SIZE + "return 1",
    "in": "for " + long("x in "),
    "imports": long("from x import (\n"),
    "one import": "from x import " + long("y, "),
    "tags": long("<think>") + long("</think>"),
    "markers": long("[BEGIN]"),
    "markers on lines": long("[BEGIN]\n"),
    "closing markers": "solve = 1 " + long("[DONE] "),
    "new lines": "\n" * SIZE,
    "carriage returns": "\r" * SIZE,
    "no-break spaces": long("\u00a0"),
    "byte-order marks": long("\n\ufeff"),
    "words": long("solve "),
    "equals": long("solve="),
    "a helper for each": "".join(
        fenced(f"def h{n}(x):\n    return h{n + 1}(x)\n") for n in range(9_000)
    )
    + fenced("def solve(x):\n    return h0(x)\n"),
}
