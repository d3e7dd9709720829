r"""Tokens of an answer in normal form, and the splits of a token list outside all brackets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rasft.answers.reading.bounds import MOST_DEPTH, MOST_TOKENS, TooLarge

GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
    "Gamma", "Delta", "Theta", "Lambda", "Xi", "Sigma", "Phi", "Psi", "Omega", "hbar", "ell",
    "odot",
)  # fmt: skip
FUNCTIONS = (
    "arcsin", "arccos", "arctan", "arccot", "sinh", "cosh", "tanh", "coth", "sin", "cos", "tan",
    "cot", "sec", "csc", "log", "ln", "lg", "exp", "max", "min", "gcd", "lcm", "sgn",
    "cis",
)  # fmt: skip
_PLAIN = {
    "pi": "pi", "infinity": "infty", "infty": "infty", "inf": "infty", "oo": "infty",
    "sqrt": "sqrt", "and": "and", "or": "or", "union": "cup", "asin": "arcsin", "acos": "arccos",
    "atan": "arctan", "cbrt": "cbrt", "abs": "abs", "floor": "floor", "ceil": "ceil",
    "degrees": "degree", "degree": "degree", "deg": "degree", "in": "in", "pm": "pm",
    "binom": "binom", "frac": "frac", "cup": "cup", "times": "times", "le": "le", "ge": "ge",
} | {name: name for name in (*FUNCTIONS, *GREEK) if name not in ("Xi", "xi", "nu")}  # fmt: skip

_TOKEN = re.compile(
    r"(?P<words>\\words<(?P<said>[^<>]*)>)"
    r"|(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+(?![A-Za-z\d]))?)"
    r"|(?P<command>\\(?:[a-zA-Z]+|\\|.))"
    r"|(?P<letters>(?:np\.|math\.)?[A-Za-z]+)"
    r"|(?P<relation><=|>=|!=|=<|==)"
    r"|(?P<mark>\*\*|\S)"
)
_RELATIONS = {"<=": "\\le", "=<": "\\le", ">=": "\\ge", "!=": "\\ne", "==": "=", "**": "^"}
OPENING = {"(": ")", "[": "]", "{": "}", "\\{": "\\}", "\\langle": "\\rangle"}
OPENING |= {"\\lfloor": "\\rfloor", "\\lceil": "\\rceil"}
_CLOSING = set(OPENING.values())


@dataclass(frozen=True, slots=True)
class Token:
    """One token: kind is "number", "letters", "words" or "mark"; a gap is a space before it."""

    kind: str
    text: str
    gap: bool = False


Tokens = Sequence[Token]


def tokenize(text: str) -> list[Token]:
    """Tokens of a normal form; raises TooLarge beyond the bounds on length and nesting."""
    tokens: list[Token] = []
    end = 0
    for match in _TOKEN.finditer(text):
        gap = match.start() > end
        tokens.extend(_tokens_of(match, gap))
        end = match.end()
        if len(tokens) > MOST_TOKENS:
            raise TooLarge(f"more than {MOST_TOKENS} tokens")
    _check_depth(tokens)
    return tokens


def _tokens_of(match: re.Match[str], gap: bool) -> list[Token]:
    if match["words"]:
        return [Token("words", match["said"].strip(), gap)]
    if match["number"]:
        return [Token("number", match["number"], gap)]
    if match["command"]:
        return [Token("mark", match["command"], gap)]
    if match["letters"]:
        return _letters(match["letters"], gap)
    text = match["relation"] or match["mark"]
    return [Token("mark", _RELATIONS.get(text, text), gap)]


def _letters(run: str, gap: bool) -> list[Token]:
    run = re.sub(r"^(?:np|math)\.", "", run)
    if run in _PLAIN:
        return [Token("mark", "\\" + _PLAIN[run], gap)]
    if run.lower() in ("and", "or", "infinity"):
        return [Token("mark", "\\" + _PLAIN[run.lower()], gap)]
    for name in (*FUNCTIONS, "sqrt", "pi"):
        if run.startswith(name) and len(run) == len(name) + 1:
            return [Token("mark", "\\" + name, gap), Token("letters", run[-1])]
    if run.endswith("pi") and len(run) <= 3:
        return [Token("letters", run[:-2], gap), Token("mark", "\\pi")]
    return [Token("letters", run, gap)]


def _check_depth(tokens: Tokens) -> None:
    depth = 0
    for token in tokens:
        depth += (token.text in OPENING) - (token.text in _CLOSING)
        if depth > MOST_DEPTH:
            raise TooLarge(f"groups nested deeper than {MOST_DEPTH}")


def split(
    tokens: Tokens, separates: Callable[[Token], bool], *, inside_bars: bool = False
) -> tuple[list[Tokens], list[Token]]:
    """The parts between separators outside all brackets and environments, and the separators."""
    parts: list[Tokens] = []
    separators: list[Token] = []
    depth = start = bars = 0
    for position, token in enumerate(tokens):
        depth += _depth_change(tokens, position)
        bars += token.text == "|" and not inside_bars
        if depth == 0 and bars % 2 == 0 and separates(token):
            parts.append(tokens[start:position])
            separators.append(token)
            start = position + 1
    parts.append(tokens[start:])
    return parts, separators


def _depth_change(tokens: Tokens, position: int) -> int:
    text = tokens[position].text
    if text in ("(", "[", "{", "\\{", "\\langle", "\\begin", "\\lfloor", "\\lceil"):
        return 1
    if text in (")", "]", "}", "\\}", "\\rangle", "\\end", "\\rfloor", "\\rceil"):
        return -1
    return 0


def enclosing(tokens: Tokens) -> tuple[str, str] | None:
    """The outer brackets when one pair holds everything; `(1, 2]` counts as a pair."""
    if len(tokens) < 2 or tokens[0].text not in ("(", "[", "]", "\\{", "\\langle", "{", "<"):
        return None
    first, last = tokens[0].text, tokens[-1].text
    if first == "]" or (first != "]" and last == "["):
        return (first, last) if last in ("[", "]", ")") and first in "([]" else None
    if last not in (")", "]", "\\}", "\\rangle", "}", ">"):
        return None
    depth = 0
    for position in range(len(tokens)):
        depth += _depth_change(tokens, position)
        if depth == 0 and position < len(tokens) - 1 and first != "<":
            return None
    return first, last


def joined_negation(tokens: Tokens) -> Tokens:
    """`\\not =` as one sign."""
    kept: list[Token] = []
    for token in tokens:
        if kept and kept[-1].text == "\\not" and token.text == "=":
            kept[-1] = Token("mark", "\\ne")
        else:
            kept.append(token)
    return kept


def signed(tokens: Tokens, upper: bool) -> list[Token]:
    """The tokens with the upper or the lower sign of each plus-minus."""
    sign = {"\\pm": "+" if upper else "-", "\\mp": "-" if upper else "+"}
    return [
        Token("mark", sign[token.text], token.gap) if token.text in sign else token
        for token in tokens
    ]
