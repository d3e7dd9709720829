"""Solutions that end in a line like `#### 24`, the answer: what it states, and the box instead."""

from __future__ import annotations

from collections.abc import Callable

FINAL = "####"


def stated(solution: str) -> str | None:
    """What the line of the last `####` states; None where there is none, or it states nothing.

    >>> stated("He has 2*3 = 6 pens.\\n#### 6 "), stated("6 pens.")
    ('6', None)
    """
    _, mark, rest = solution.rpartition(FINAL)
    return rest.strip().partition("\n")[0].strip() or None if mark else None


def boxed(solution: str, spelled: Callable[[str], str] = str) -> str:
    r"""The solution with that line as a sentence with a box, the form that the verifiers read.

    `spelled` is what becomes of the answer. A solution that states none stays as it is.

    >>> boxed("He has 2*3 = 6 pens.\n#### 6")
    'He has 2*3 = 6 pens.\nThe answer is \\boxed{6}.'
    """
    if (answer := stated(solution)) is None:
        return solution
    steps = solution.rpartition(FINAL)[0].rstrip()
    return f"{steps}\nThe answer is \\boxed{{{spelled(answer)}}}."
