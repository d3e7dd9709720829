r"""An answer that stands outside a box: what evaluation also reads, in this order.

1. `<answer>73</answer>`: the last pair of tags.
2. `#### 73`, as GSM8K ends its solutions: the last such line that ends the response or holds one
   number. Any other is a heading.
3. A sentence, the last one: "the answer is ...", "Answer: ...", "the correct option is ...",
   答案是..., 答案为..., 答案:..., 故选... It ends with its line, its full stop, or the word that
   gives the reason ("because"). Where it starts with mathematics it ends with it, but formulas
   joined by nothing except separators are one list: "the answer is $3$ or $4$".
4. The last line, when all of it is bold: `**C**`.
5. The whole response, when it is one letter of a choice: `C`, `(C)`, `C.`

An answer in tags, on a line or in bold may itself be a sentence, which is then read. What stands
in thinking is never looked at: the caller cuts it off.
"""

from __future__ import annotations

import re

_TAG = re.compile(r"<(/?)answer>", re.IGNORECASE)
_HASHES = re.compile(r"^[ \t]*####[ \t]*(\S[^\n]*)$", re.MULTILINE)
_NUMBER = re.compile(r"\\?\$? ?[+-]?\\?\$?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:/\d+)?\s*\\?%?[.$]?")
_SENTENCE = re.compile(
    r"\b(?:answer|(?:correct|right|best)\s+(?:option|choice))\b(?:\s++to\s[^.\n]{1,60}?)?[*_\s]*+"
    r"(?:(?:is|should\s+be|must\s+be)\b(?!\s+not\b)|[:：=])"
    r"|^#{1,6}[ *]*+(?:final\s)?answer[ *]*+\n"
    r"|答案[\s*_]*+(?:应该?)?(?:】|是|为|[:：])+"
    r"|正确的?选项\s*(?:应该?)?(?:是|为|[:：])+"
    r"|(?:故|应|所以|因此|综上)[，,]?\s*选择?(?:是|为|[:：])*(?=[\s*_$]*[(（]?[A-J](?![A-Za-z]))",
    re.IGNORECASE | re.MULTILINE,
)
_LEAD = re.compile(r"(?:[\s*_:：]|选项?(?=[\s(（A-J]))*")
_STOP = re.compile(
    r"\n|\.(?=\s|$)|[。；]|，(?=[\u4e00-\u9fff])(?![或和])|\*\*(?=\s|$|[.,;:])"
    r"|\s(?:because|since|so|which|where|when|but)\s|(?:因为|所以|其中)"
)
_FORMULA = re.compile(
    r"\\\((?:(?!\\\)).)*\\\)|\\\[(?:(?!\\\]).)*\\\]|\$\$[^$]*\$\$|\$(?:[^$\\\n]|\\.)+\$", re.DOTALL
)
_DELIMITER = re.compile(r"^(?:\\[(\[]|\$\$?)|(?:\\[)\]]|\$\$?)$")
_SEPARATORS = re.compile(r"(?:[\s,;，；、或和]|\band\b|\bor\b)+")
_BOLD = re.compile(r"\*\*([^\n]+?)\*\*[.\s]*")
_LETTER = re.compile(r"[\s*]*\(?([A-J])\)?[.\s*]*")
_WIDE = str.maketrans("（）", "()")


def stated_answer(text: str) -> str:
    """The answer that `text` states outside a box; "" when there is none."""
    framed = _in_tags(text) or _after_hashes(text)
    if framed:
        return _last_sentence(framed) or _bare(framed)
    return _last_sentence(text) or _in_bold(text) or _letter(text)


def _in_tags(text: str) -> str:
    found = ""
    opened: int | None = None
    for tag in _TAG.finditer(text):
        if not tag[1]:
            opened = tag.end()
        elif opened is not None:
            found, opened = text[opened : tag.start()].strip(), None
    return found


def _after_hashes(text: str) -> str:
    end = len(text.rstrip())
    answers = [
        line[1].strip()
        for line in _HASHES.finditer(text)
        if line.end() >= end or _NUMBER.fullmatch(line[1].strip())
    ]
    return answers[-1] if answers else ""


def _last_sentence(text: str) -> str:
    ends = [match.end() for match in _SENTENCE.finditer(text)]
    if not ends:
        return ""
    lead = _LEAD.match(text, ends[-1])
    start = lead.end() if lead else ends[-1]
    end = _mathematics_end(text, start)
    if end is None:
        stop = _STOP.search(text, start)
        end = stop.start() if stop else len(text)
    return _bare(text[start:end])


def _bare(answer: str) -> str:
    """Without emphasis, a comma at the end, and the delimiters of a single formula."""
    answer = answer.strip().strip("*_").rstrip(",，").strip().translate(_WIDE)
    formula = _FORMULA.fullmatch(answer)
    return _DELIMITER.sub("", answer).strip() if formula else answer


def _mathematics_end(text: str, start: int) -> int | None:
    """Where the formulas that begin at `start` end, joined ones included; None without one."""
    end = None
    while formula := _FORMULA.match(text, start):
        end = formula.end()
        joined = _SEPARATORS.match(text, end)
        if joined is None:
            return end
        start = joined.end()
    return end


def _in_bold(text: str) -> str:
    bold = _BOLD.fullmatch(text.rstrip().rpartition("\n")[2].strip())
    return _bare(bold[1]) if bold else ""


def _letter(text: str) -> str:
    letter = _LETTER.fullmatch(text)
    return letter[1] if letter else ""
