"""The page of the verifiers' contract, and of the sandbox."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator

from pages_from_code.classes import fields, paragraphs
from pages_from_code.markdown import escape, prose, table
from pages_from_code.source import tree_of

SANDBOX = "sandbox.protocol"
VERIFIERS = "rasft.verifiers"


def page() -> Iterator[str]:
    """What a verifier must be, and what the sandbox holds and does not."""
    module, protocol = importlib.import_module(VERIFIERS), importlib.import_module(SANDBOX)
    yield from (
        "# The verifiers' contract",
        "",
        *prose((inspect.getdoc(module) or "").splitlines()),
        "",
    )
    for each in (module.Submission, module.Judgement):
        yield from (f"## {each.__name__}", "", *paragraphs(each), "", *fields(each), "")
    yield from ("## Verifier", "", *paragraphs(module.Verifier), "")
    yield from ("```python", *_body(module.Verifier), "```", "")
    yield from ("## The sandbox", "", *_sandbox_promises(inspect.getdoc(protocol) or ""), "")
    yield from ("### What becomes of a program", "")
    rows = [(f"`{status}`", meaning) for status, meaning in protocol.STATUSES.items()]
    yield from (*table(["status", "meaning"], rows), "")
    for each in (protocol.SandboxJob, protocol.Limits, protocol.Outcome):
        yield from (f"### {each.__name__}", "", *paragraphs(each), "", *fields(each), "")


def _sandbox_promises(doc: str) -> Iterator[str]:
    """The module's docstring, its two lists under headings of their own."""
    for line in escape(doc).splitlines():
        heading = {"Guaranteed": "### Guaranteed", "NOT guaranteed": "### Not guaranteed"}
        if line in heading:
            yield from (heading[line], "")
        else:
            yield line


def _body(section: type) -> list[str]:
    """The source of a class without its docstring."""
    tree = tree_of(section)
    if ast.get_docstring(tree):
        tree.body = tree.body[1:]
    return ast.unparse(tree).replace(":\n        ...", ": ...").splitlines()
