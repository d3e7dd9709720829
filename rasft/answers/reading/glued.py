r"""Commands that a data set's cleaning glued to the letters after them: `\quadx`, `3\cdotx`.

Only commands that are no beginning of another one's name are cut, and only when at most two letters
follow; what LaTeX itself names stays whole.
"""

from __future__ import annotations

import re

_CUT = (
    "leqslant", "geqslant", "alpha", "beta", "gamma", "delta", "theta", "lambda", "sigma", "omega",
    "infty", "times", "angle", "cdot", "sqrt", "leq", "geq", "neq", "sin", "cos", "tan", "cup",
    "cap", "pi", "pm",
)  # fmt: skip
_WHOLE = frozenset(
    ("sinh", "cosh", "tanh", "pmod", "pmb", "cdots", "cdotp", "leqq", "geqq", "cosec", "sinc")
)
_GLUED = re.compile(rf"({'|'.join(_CUT)})([A-Za-z]{{1,2}})")


def unglued(name: str) -> tuple[str, str]:
    r"""(command, letters glued to it) of a command's name; no letters where it is one command.

    >>> unglued("cdotx"), unglued("cosh")
    (('cdot', 'x'), ('cosh', ''))
    """
    found = None if name in _WHOLE else _GLUED.fullmatch(name)
    return (found[1], found[2]) if found else (name, "")
