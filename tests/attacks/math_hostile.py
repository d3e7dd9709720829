"""Answers made to hang, exhaust or take over a math verifier: one response a name.

`payloads(path)` are texts that would create `path` if any of them were evaluated as Python.
"""

from __future__ import annotations


def box(text: str) -> str:
    """The text as a boxed answer."""
    return f"\\boxed{{{text}}}"


def _nested(opening: str, depth: int, closing: str) -> str:
    return box(opening * depth + "1" + closing * depth)


SIZES = {
    "factorial": box("100000000!"),
    "factorial of a factorial": box("((10!)!)!"),
    "factorials in a row": box("3!!!!!!"),
    "tower of nines": box("9^{9^{9^{9^9}}}"),
    "tower of twos": box("2^{2^{2^{2^{2^2}}}}"),
    "tower of tens": box("10^{10^{10}}"),
    "sum of towers": box("+".join(["9^{9^9}"] * 100)),
    "exponential tower": box("e^{e^{e^{e^{e^e}}}}"),
    "powers in a row": box("2" + "^2" * 600),
    "sine of a huge number": box(r"\sin(10^{10^{5}})"),
    "binomial": box(r"\binom{10^{9}}{5\cdot 10^8}"),
    "huge exponent": box("1e999999999"),
    "floor of a huge number": box(r"\lfloor 10^{10^9}\rfloor"),
    "root of a huge degree": box(r"\sqrt[10^9]{2}"),
    "expansion": box("(a+b+c+d)^{1000}-(a+b+c+d)^{999}(a+b+c+d)"),
    "modular tower": box(r"7^{7^{7^{7}}} \pmod{100}"),
}
SYMBOLIC = {
    "long sum": box(r"\sum_{n=1}^{10^{9}} n"),
    "odd series": box(r"\sum_{n=1}^{\infty}\frac{1}{n^{n^n}}"),
    "odd integral": box(r"\int_0^{\infty} e^{-x^{x^x}} dx"),
    "long product": box(r"\prod_{k=1}^{10^8} k"),
    "equation": box("x^{50}+x+1=0"),
    "determinant": box(
        r"\begin{vmatrix}"
        + r"\\".join("&".join(f"x_{{{i}{j}}}" for i in range(9)) for j in range(9))
        + r"\end{vmatrix}"
    ),
    "nested sines": box("\\sin(" * 39 + "x" + ")" * 39),
    "many symbols": box("+".join(f"x_{{{i}}}^{{{i}}}" for i in range(150))),
}
LENGTHS = {
    "1 MB of text": "a" * 1_000_000 + box("5"),
    "1 MB in the box": box("1" * 1_000_000),
    "1 MB sum": box("1+" * 500_000 + "1"),
    "brackets 10,000 deep": _nested("(", 10_000, ")"),
    "fractions 10,000 deep": _nested("\\frac{1}{", 10_000, "}"),
    "braces 10,000 deep": _nested("{", 10_000, "}"),
    "roots 300 deep": _nested("\\sqrt{", 300, "}"),
    "fonts 300 deep": _nested("\\text{", 300, "}"),
    "100,000 open boxes": "\\boxed{" * 100_000,
    "100,000 nested boxes": "\\boxed{" * 100_000 + "5" + "}" * 100_000,
    "100,000 boxes": "\\boxed{5} " * 100_000,
    "50,000 different boxes": " so ".join(box(str(n)) for n in range(50_000)),
    "50,000 joined boxes": ", ".join(box(str(n)) for n in range(50_000)),
    "100,000 open thoughts": "<think>" * 100_000,
    "stated 50,000 times": "the answer is " * 50_000,
    "stated, then 300,000 spaces": "the answer" + " " * 300_000,
    "stated in 200,000 formulas": "the answer is " + "$5$ or " * 200_000,
    "spaces": box(" " * 1_000_000),
    "backslashes": box("\\" * 100_000),
    "dollars": box("$" * 100_000),
    "commas": box("," * 100_000),
    "400 items": box(",".join(map(str, range(400)))),
    "1,000 signs": box("\\pm " * 1000 + "1"),
    "60 signs in a tuple": box("(" + ",".join(["\\pm 1"] * 60) + ")"),
    "190 intervals": box(r"\cup".join(f"({n},{n + 1})" for n in range(190))),
    "colons": box("1:" * 900),
    "slashes": box("1/" * 600 + "1"),
    "minuses": box("-" * 1900 + "1"),
    "thousands": box("1 000" * 400),
}
BYTES = {
    "NUL after the answer": box("7\x00"),
    "NULs": box("\x00" * 1000),
    "a lone surrogate": box("\ud800 7"),
    "lone surrogates": "\udfff" * 1000 + box("7"),
    "right-to-left override": box("\u202e7"),
    "1 / 0": box("1/0"),
    "a root of degree 0": box(r"\sqrt[0]{2}"),
}


def payloads(path: str) -> dict[str, str]:
    """Responses that would create the file `path` if they were evaluated."""
    write = f"open('{path}','w').write('x')"
    return {
        "write": box(write),
        "system": box(f"__import__('os').system('touch {path}')"),
        "eval": box(f'eval("{write}")'),
        "lambda": box(f"(lambda: {write})()"),
        "text": box(f"\\text{{{write}}}"),
        "symbol": box(f"Symbol('x', {write})"),
        "print": box(f"print({write})"),
        "sum": box(f"1+{write}"),
        "equation": box(f"x={write}"),
        "tuple": box(f"({write}, 1)"),
        "sympify": box(f"\\sum_{{k=1}}^{{3}} {write}"),
        "classes": box("().__class__.__bases__[0].__subclasses__()"),
        "unboxed": write,
        "stated": f"The answer is {write}",
    }


CASES = SIZES | SYMBOLIC | LENGTHS | BYTES
