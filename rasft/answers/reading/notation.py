r"""One spelling for each notation: LaTeX, Unicode and plain text rewritten to a single form.

`normal_form` changes how an answer is written and never what it says: sizes, spacing, fonts and
delimiters go; synonyms (`\dfrac`, `\leqslant`, `×`, `²`) become one command. Every rewrite is a
linear scan over a string of bounded length.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rasft.answers.reading.bounds import check_length
from rasft.answers.reading.combinations import binomials
from rasft.answers.reading.glued import unglued

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ", "0123456789+-ni")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "θ": "theta",
    "λ": "lambda", "μ": "mu", "µ": "mu", "ν": "nu", "ρ": "rho", "σ": "sigma", "τ": "tau",
    "φ": "phi", "ϕ": "phi", "ω": "omega", "ζ": "zeta", "Δ": "Delta", "Ω": "Omega", "π": "pi",
    "ℏ": "hbar", "ħ": "hbar",
}  # fmt: skip
_SYMBOLS = {
    "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ", "∗": "*", "÷": "/",
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "±": r"\pm ", "∓": r"\mp ",
    "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "⩽": r"\le ", "⩾": r"\ge ", "≠": r"\ne ",
    "≈": r"\approx ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ",
    "ℝ": r"\mathbb{R}", "°": r"^{\circ}", "º": r"^{\circ}", "√": r"\sqrt ", "∠": r"\angle ",
    "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "′": "'", "’": "'",
    "⟨": r"\langle ", "⟩": r"\rangle ", "…": r"\ldots ", "∖": r"\setminus ", "→": r"\to ",
    "∛": r"\sqrt[3]", "¢": r"\text{ cents}", "‰": r"/1000 ", "“": '"', "”": '"',
    "⁄": "/", "∕": "/", "∣": "|", "或": r"\or ", "和": r"\and ", "、": ",",
}  # fmt: skip
_CHARACTERS = str.maketrans(_SYMBOLS | {letter: f"\\{name} " for letter, name in _GREEK.items()})

_SYNONYMS = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "sfrac": "frac", "nicefrac": "frac",
    "dbinom": "binom", "tbinom": "binom",
    "leq": "le", "leqslant": "le", "leqq": "le", "geq": "ge", "geqslant": "ge", "geqq": "ge",
    "lt": "<", "gt": ">", "neq": "ne", "cdotp": "cdot", "ast": "*", "div": "/", "land": "and",
    "lor": "or", "wedge": "and", "bigcup": "cup", "bigcap": "cap", "vee": "or",
    "lbrace": "{", "rbrace": "}", "lbrack": "[", "rbrack": "]", "lvert": "|", "rvert": "|",
    "vert": "|", "mid": "|", "lVert": "|", "rVert": "|", "dots": "ldots", "cdots": "ldots",
    "varnothing": "emptyset", "degree": "^{\\circ}", "epsilon": "epsilon",
    "varepsilon": "epsilon", "varphi": "phi", "vartheta": "theta", "backslash": "setminus",
    "rightarrow": "to", "longrightarrow": "to", "mapsto": "to", "colon": ":", "sim": "approx",
    "simeq": "approx", "percent": "\\%", "infin": "infty", "imath": "i", "jmath": "j",
    "cosec": "csc", "textdegree": "^{\\circ}", "R": "mathbb{R}", "reals": "mathbb{R}",
    "Reals": "mathbb{R}", "textdollar": "\\$", "degrees": "^{\\circ}", "euro": "€",
}  # fmt: skip
_BECOME_TEXT = {
    "<", ">", "*", "/", "{", "[", "]", "|", ":", "i", "j", "^{\\circ}", "\\%", "\\$", "€",
}  # fmt: skip

_SIZES = re.compile(
    r"\\(?:left|right|middle|[bB]igg?[lrm]?)(?![a-zA-Z])\s*\.?"
    r"|\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|small|large|Large|normalsize|hfill"
    r"|boldmath|checkmark|square|blacksquare|qed|bf|rm|it|sf|tt|strut|noindent|centering|rule\{[^{}]*\}\{[^{}]*\})(?![a-zA-Z])"
    r"|\\[hv]?phantom\s*(?:\{[^{}]*\}|.)|\\[hv]space\*?\{[^{}]*\}|\\(?:label|tag)\*?\{[^{}]*\}"
)
_DIGIT_GROUPS = re.compile(r"(?<=\d)(?:\{,\}|,?\s*\\!\s*,?|\s*\\[,:; ]\s*|~)(?=\d{3}(?!\d))")
# One apostrophe between digits may be a mark of feet or minutes; two group thousands.
_MARKED_GROUPS = re.compile(r"(?<![\w.'{}])\d{1,3}(?:(?:'\d{3}){2,}|(?:\\?_\d{3})+)(?![\w'])")
_SPACES = re.compile(
    r"(?<!\\)\\[,;:!> ]|\\q?quad|\\(?:enspace|thinspace|medspace|thickspace)(?![a-zA-Z])|~"
)
_ROW_OF_BRACKETS = re.compile(r"(?<=[)\]])\s*\\\\\s*(?=[(\[])(?!\[[^\[\]]*(?:pt|em|ex|mm|cm)\])")
_COUNTERS = re.compile(
    r"(?<=[\d}])\s*(平方(?:厘米|米|千米)|立方(?:厘米|米)|厘米|千米|毫米|分钟|小时|千克|公里|元|个|人|米|天|种|度|岁|本|次"
    r"|只|条|件|克|吨|秒)$"
)
_TIMES = re.compile(r"(?<=\d)\s*[xX]\s*(?=10\s*(?:\^|\*\*))|(?<=\d) [xX] (?=\d)")
_UNION = re.compile(r"(?<=[)\]])\s*U\s*(?=[(\[])")
_PHRASES = (
    (re.compile(r"\\\\\s*\[[^\[\]]*(?:pt|em|ex|mm|cm)\]"), r"\\\\ "),  # row spacing
    (re.compile(r"\\mathbb\s*\{R\}\s*-(?=\s*(?:[(\[]|\\\{))"), r"\\mathbb{R} \\setminus "),
    (
        re.compile(
            r"\\words<\s*(?:all )?(?:real numbers|reals),? except(?: for)?\s*>", re.IGNORECASE
        ),
        r"\\mathbb{R} \\setminus ",
    ),
    (re.compile(r"(?<=[)\]])\s*-\s*(?=\\\{)"), r" \\setminus "),
    (re.compile(r"\.\.\.+"), r"\\ldots "),
    (re.compile(r"(?<=\d)\s*\^\s*(?:o(?![a-zA-Z])|\{o\})"), r"^{\\circ}"),
    (re.compile(r"(?:\{\})?[_^]\{?(\d+)\}?\s*C_\{?(\d+)\}?"), r"\\binom{\1}{\2}"),
    (re.compile(r"(?<![A-Za-z\\])C\((\d+), ?(\d+)\)"), r"\\binom{\1}{\2}"),
)
_WRAPPED = re.compile(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
_ARROW = re.compile(
    r"\\(?:Rightarrow|Longrightarrow|implies|therefore|Leftrightarrow|iff)(?![a-zA-Z])"
)
_ROWS = re.compile(r"\\begin\{(cases|aligned|align\*?|gathered|split)\}(.*?)\\end\{\1\}", re.DOTALL)
_COMMAND = re.compile(r"\\([a-zA-Z]+)")
_FONT = re.compile(
    r"\\(text|mbox|hbox|textrm|textnormal|textup|mathrm|operatorname\*?|textbf|textit|textsf|texttt"
    r"|emph|mathbf|mathit|mathsf|mathtt|mathcal|boldsymbol|bm|underline|ensuremath|vec|overrightarrow|boxed|fbox"
    r"|color\{[^{}]*\}|textcolor\{[^{}]*\})\s*\{((?:[^{}]|\{[^{}]*\})*)\}"
)
_UNWRAPPED = re.compile(
    r"[\s,;()]*(?:[^A-Za-z]*|[A-Zei]|[A-Z](?:[\s,;]+(?:and\s+)?[A-Z])+|[\[(]?\s*[A-Z]\s*[\])])[\s,;().]*"
)
_COUNTED = re.compile(r"\s*(-?\d[\d,]*(?:\.\d+)?(?:/\d+)?)\s+([A-Za-z][^<>]*)")
_MATH_NAMES = {
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
    "log", "ln", "exp", "max", "min", "gcd", "lcm", "sgn",
    "cis",
}  # fmt: skip


@lru_cache(maxsize=16_384)
def normal_form(text: str) -> str:
    r"""The one spelling of `text`; raises TooLarge for what is too long to be an answer.

    >>> print(normal_form(r"$\dfrac{10,\!080}{7}$."))
    \frac{10080}{7}
    """
    text = check_length(text.strip()).replace("\x00", " ")
    text = _from_unicode(text)
    text = _undelimited(text)
    text = _SIZES.sub(" ", text)
    text = text.replace("{:}", ":").replace("{=}", "=")
    text = _DIGIT_GROUPS.sub("", text)
    if "'" in text or "_" in text:
        text = _MARKED_GROUPS.sub(lambda match: re.sub(r"\D", "", match[0]), text)
    text = _SPACES.sub(" ", text)
    text = _TIMES.sub(r"\\times ", text)
    text = _UNION.sub(r" \\cup ", text)
    text = _COMMAND.sub(_synonym, text)
    text = _plain_fonts(text)
    text = _ROWS.sub(
        lambda m: re.sub(r"\s*,?\s*\\\\\s*", ", ", m[2].strip()).replace("&", " "), text
    )
    text = binomials(text)
    for pattern, meant in _PHRASES:
        text = pattern.sub(meant, text)
    text = _ARROW.split(text)[-1]
    return _trimmed(text)


def _from_unicode(text: str) -> str:
    if text.isascii():
        return text
    text = re.sub(r"[⁰¹²³⁴-⁹⁺⁻ⁿⁱ]+", lambda m: f"^{{{m[0].translate(_SUPERSCRIPTS)}}}", text)
    text = re.sub(r"[₀-₉]+", lambda m: f"_{{{m[0].translate(_SUBSCRIPTS)}}}", text)
    text = re.sub(r"(?<=\d)[\u00a0\u2009\u202f\u2008](?=\d{3}(?!\d))", "", text)
    text = re.sub("[\u00bc-\u00be\u2150-\u215e]", _fraction_character, text)
    text = _COUNTERS.sub(r" \\words<\1>", text.rstrip("。 "))
    text = text.translate(_CHARACTERS)
    return unicodedata.normalize("NFKC", text)


def _fraction_character(match: re.Match[str]) -> str:
    above, _, below = unicodedata.normalize("NFKC", match[0]).partition("\u2044")
    return f"\\frac{{{above}}}{{{below or 1}}}"


def _undelimited(text: str) -> str:
    """Without math delimiters; a dollar sign that stands before a sum of money stays, escaped."""
    if "\\\\" in text:
        text = _ROW_OF_BRACKETS.sub(", ", text)
    text = re.sub(r"\\[()]|(?<!\\)\\[\[\]]", " ", text)
    text = re.sub(r"\s*(?:\*\*([^*]+)\*\*|`([^`]+)`)\s*", _unmarked, text)
    unescaped = len(re.findall(r"(?<!\\)\$", text))
    if unescaped % 2 == 1:
        text = re.sub(r"(?<!\\)\$(?=\s*[\d.])", r"\\$", text, count=1)
    return re.sub(r"(?<!\\)\$", " ", text)


def _synonym(match: re.Match[str]) -> str:
    name, letters = unglued(match[1])
    if letters:
        return f"{_COMMAND.sub(_synonym, chr(92) + name)} {letters}"
    meant = _SYNONYMS.get(name)
    if meant is None:
        return match[0]
    if name in ("lbrace", "rbrace"):
        return "\\{" if name == "lbrace" else "\\}"
    return meant if meant in _BECOME_TEXT else f"\\{meant}"


def _unmarked(match: re.Match[str]) -> str:
    return f" {match[1] or match[2]} " if match[0] == match.string else match[0]


def _plain_fonts(text: str) -> str:
    for _ in range(4):  # fonts nest at most this deep in any sane answer
        replaced = _FONT.sub(_unfont, text)
        if replaced == text:
            return text
        text = replaced
    return text


def _unfont(match: re.Match[str]) -> str:
    font, content = match[1], match[2]
    name = content.strip().rstrip("*")
    if name in _MATH_NAMES and (font.startswith("operatorname") or name not in ("min", "max")):
        return f"\\{name} "
    if font in (
        "boxed",
        "fbox",
        "vec",
        "overrightarrow",
        "ensuremath",
        "underline",
        "boldsymbol",
        "bm",
    ):
        return content
    if _UNWRAPPED.fullmatch(content):
        return f" {content} "
    if font in ("mathbf", "mathit", "mathcal") and len(name) == 1:
        return content
    counted = _COUNTED.fullmatch(content)
    if counted:
        return f" {counted[1]} \\words<{counted[2]}>"
    return "\\words<" + re.sub(r"[<>]", " ", content) + ">"


def _trimmed(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip().removesuffix("\\\\").rstrip()
    text = re.sub(r"(?<=[\w)}\]>%!'|])\s*[.,;:]+$", "", text) if not text.endswith("..") else text
    text = text.strip()
    return _trimmed(text[1:-1]) if _WRAPPED.fullmatch(text) else text
