"""Writes the reference pages from the code: config, commands, plugins, records, verifiers.

    python docs/generate.py            write docs/reference/*.md
    python docs/generate.py --check    say which pages are out of date; exit status 1 if any is

The pages are kept in the repository, so that they can be read there too. A test holds that they
are those of the code.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
import io
import json
import re
import sys
import textwrap
import tokenize
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import AfterValidator, BaseModel, StringConstraints
from pydantic.fields import FieldInfo

# Where things are, as module:name. Nothing below knows a path of the library.
CONFIG = "rasft.config.settings:Config"
LOSS_CONSTANTS = "rasft.losses:LossSettings"
COMMANDS = "rasft.cli:main"
PLUGINS = "rasft.plugins"
RECORDS = (
    "rasft.records",  # all of its dataclasses
    "rasft.method.posterior:Posterior",
    "rasft.method.posterior:Stop",
    "rasft.results.accuracy:Accuracy",
    "rasft.results.accuracy:Difference",
)
SANDBOX = "sandbox.protocol"
VERIFIERS = "rasft.verifiers"

REFERENCE = Path(__file__).resolve().parent / "reference"
NOTE = "<!-- Written by docs/generate.py from the code. Do not edit: run it again. -->"
_TAG = re.compile(r"<(?=[a-zA-Z/!])(?=[^`\n]*(?:`[^`\n]*`[^`\n]*)*$)", re.MULTILINE)  # outside code
_ALIGNED = re.compile(r"\S {2,}\S")  # a line of a list whose columns are set by spaces
KINDS = {  # of plugins, with what the config calls them by
    "datasets": "`data.datasets[].name`",
    "benchmarks": "`evaluation.benchmarks[].name`",
    "losses": "`training.method`",
    "engines": "`rollout.engine`",
    "verifiers": "`verifier` of a problem",
}


def pages() -> dict[str, str]:
    """Every generated page, by its file name in docs/reference."""
    made: dict[str, Callable[[], Iterator[str]]] = {
        "config.md": config_page,
        "commands.md": commands_page,
        "plugins.md": plugins_page,
        "records.md": records_page,
        "verifiers.md": verifiers_page,
        "families.md": families_page,
    }
    return {name: "\n".join(page()).rstrip() + f"\n\n{NOTE}\n" for name, page in made.items()}


# --- the config


def config_page() -> Iterator[str]:
    """Every value of the config: a table for each section, from the top down."""
    yield from (
        "# Config values",
        "",
        "A run reads one YAML file. The file holds only what differs from the defaults below, or",
        "from the file that it `extends`: another file of `configs/`, or an absolute path. An",
        "unknown key, a wrong type or a value outside its limits stops the run at once, with one",
        "message. `rasft resolve` prints a file with everything it extends and every default.",
        "",
        "`[]` stands for each entry of a list, a name in capitals for any key of a mapping.",
        "",
    )
    for path, section in sections(_find(CONFIG), ""):
        yield from _section(path, section)
        if path == "training":
            yield from _constants()


def sections(section: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """A section with its path, then those inside it, in the order of their fields."""
    yield path, section
    for name, hint in _hints(section).items():
        for place, inner in _inner_sections(hint, name):
            yield from sections(inner, f"{path}.{place}" if path else place)


def _inner_sections(hint: Any, place: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """The sections that a type holds, each with its place: `datasets[]`, `prompts.VERIFIER`."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield place, hint
        return
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is dict:
        yield from _inner_sections(arguments[1], f"{place}.{_any_key(place)}")
    elif origin is tuple:
        yield from _inner_sections(arguments[0], f"{place}[]")
    else:
        for part in arguments:
            yield from _inner_sections(part, place)


def _any_key(place: str) -> str:
    return {"prompts": "VERIFIER", "steps": "STEP"}.get(place, "NAME")


def _section(path: str, section: type[BaseModel]) -> Iterator[str]:
    yield from (f"## `{path}`" if path else "## The top level", "")
    yield from (*_paragraphs(section), "")
    comments = comments_of(*_line(section))
    rows = [
        (f"`{name}`", _type_of(section, name, path), _default(field), comments[name] or said)
        for name, field in section.model_fields.items()
        for said in [_summary(section, name)]
    ]
    yield from table(["key", "type and limits", "default", "meaning"], rows)
    rules = list(_rules(section))
    if rules:
        yield from ("", "Also: " + "; ".join(rules) + ".")
    yield ""


def _constants() -> Iterator[str]:
    constants = _find(LOSS_CONSTANTS)
    yield from ("### `training.loss`", "", *_paragraphs(constants), "")
    comments = comments_of(constants)
    rows = [
        (f"`{field.name}`", "number", f"`{field.default}`", comments.get(field.name, ""))
        for field in dataclasses.fields(constants)
    ]
    yield from (*table(["key", "type", "default", "meaning"], rows), "")


def _type_of(section: type[BaseModel], name: str, path: str) -> str:
    least = [each for each in section.model_fields[name].metadata if isinstance(each, MinLen)]
    limit = f"; at least {least[0].min_length}" if least else ""
    said = kind(_hints(section)[name]) + limit
    below = [f"{path}.{place}" if path else place for place, _ in _placed(section, name)]
    return "; ".join([said, *(f"see [`{each}`](#{slug(each)})" for each in below)])


def _summary(section: type[BaseModel], name: str) -> str:
    """The first sentence of the section that a value is, if it is one."""
    inner = [each for place, each in _placed(section, name) if place == name]
    return (inspect.getdoc(inner[0]) or "").split("\n\n")[0] if inner else ""


def _placed(section: type[BaseModel], name: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield from _inner_sections(_hints(section)[name], name)


def kind(hint: Any) -> str:
    """A type with its limits in words.

    >>> kind(typing.Annotated[int, Ge(1)] | None)
    'integer, at least 1, or `null`'
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _limited(arguments[0], _flat(arguments[1:]))
    if origin in (typing.Union, types.UnionType):
        parts = [kind(part) for part in arguments if part is not type(None)]
        return ", or ".join([*parts, *(["`null`"] if type(None) in arguments else [])])
    if origin is typing.Literal:
        return _one_of(arguments)
    if origin is tuple:
        return _list(arguments)
    if origin is dict:
        return f"mapping of {kind(arguments[0])} to {kind(arguments[1])}"
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return "section"
    names = {int: "integer", float: "number", str: "text", bool: "`true` or `false`", Any: "any"}
    return names[hint]


def _list(arguments: Sequence[Any]) -> str:
    if arguments[-1] is Ellipsis:
        return f"list: {kind(arguments[0])}"
    return f"list of {len(arguments)}: {kind(arguments[0])}"


def _flat(metadata: Sequence[Any]) -> list[Any]:
    """What a type is annotated with; pydantic's Field holds limits of its own."""
    found: list[Any] = []
    for each in metadata:
        found += each.metadata if isinstance(each, FieldInfo) else [each]
    return found


def _limited(base: Any, metadata: Sequence[Any]) -> str:
    names = [name for each in metadata for name in _choices(each)]
    if names:
        return _one_of(names)
    limits = ", ".join(said for each in metadata if (said := _limit(each)))
    limits = limits.replace("at least 0, at most 1", "0 to 1")
    return ", ".join(filter(None, [kind(base), limits]))


def _one_of(names: Sequence[Any]) -> str:
    shown = [f"`{name}`" for name in names]
    return f"one of {', '.join(shown)}" if len(shown) > 1 else shown[0]


def _limit(limit: Any) -> str:
    if isinstance(limit, Ge):
        return f"at least {limit.ge}"
    if isinstance(limit, Gt):
        return f"above {limit.gt}"
    if isinstance(limit, Le):
        return f"at most {limit.le}"
    if isinstance(limit, Lt):
        return f"below {limit.lt}"
    pattern = limit.pattern if isinstance(limit, StringConstraints) else _pattern(limit)
    return f"matching `{pattern}`" if pattern else ""


def _pattern(limit: Any) -> str | None:
    found = getattr(limit, "pattern", None)
    return str(found) if found else None


def _choices(limit: Any) -> list[str]:
    """The names that a validator takes: those of a kind of plugin, or a list of the module."""
    if not isinstance(limit, AfterValidator):
        return []
    used = inspect.getclosurevars(limit.func)
    if "kind" in used.nonlocals:
        plugins = importlib.import_module(PLUGINS)
        return [*plugins.names(used.nonlocals["kind"]), *used.nonlocals["others"]]
    lists = [value for value in used.globals.values() if isinstance(value, tuple)]
    return [str(name) for value in lists for name in value]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "defaults"
    return f"`{json.dumps(value)}`"


def _hints(section: type) -> dict[str, Any]:
    hints = typing.get_type_hints(section, include_extras=True)
    return {name: hints[name] for name in section.model_fields}  # type: ignore[attr-defined]


def _rules(section: type) -> Iterator[str]:
    """What a section's validators say of several values at once: their messages."""
    for node in ast.walk(_tree(section)):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield from (str(each.value) for each in node.exc.args if isinstance(each, ast.Constant))


# --- the commands


def commands_page() -> Iterator[str]:
    """Every command with its arguments and options."""
    yield from ("# Commands", "", "Every command and option of `rasft`.", "")
    for words, command in commands(_find(COMMANDS), ("rasft",)):
        if not isinstance(command, click.Group):
            yield from _command(words, command)


def commands(
    command: click.Command, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """A command and those below it, each with the words that call it."""
    yield words, command
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from commands(command.commands[name], (*words, name))


def _command(words: Sequence[str], command: click.Command) -> Iterator[str]:
    name = " ".join(words)
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    yield from (f"## `{name}`", "", f"    {usage}", "")
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield from (*_paragraph(paragraph), "")
    options = [each for each in command.params if isinstance(each, click.Option)]
    if options:
        rows = [_option(option, context) for option in options]
        yield from (*table(["option", "value", "default", "meaning"], rows), "")


def _paragraph(text: str) -> Sequence[str]:
    """A paragraph of a help text; one that begins with click's mark is shown as it is written."""
    if not text.startswith("\b\n"):
        return [escape(text)]
    return ["```text", text.removeprefix("\b\n"), "```"]


def _option(option: click.Option, context: click.Context) -> Sequence[str]:
    names = ", ".join(f"`{name}`" for name in option.opts)
    value = "" if option.is_flag else f"`{option.make_metavar(context)}`"
    if option.multiple:
        value += ", may be repeated"
    return names, value, _option_default(option), option.help or ""


def _option_default(option: click.Option) -> str:
    if option.required:
        return "required"
    value = option.default
    if option.is_flag or option.multiple or not isinstance(value, str | int | float | Path):
        return ""
    return f"`configs/{value.name}`" if isinstance(value, Path) else f"`{value}`"


# --- the plugins


def plugins_page() -> Iterator[str]:
    """Every plugin by kind: what its module says of itself."""
    yield from ("# Plugins", "", "The name of a plugin's file is its name in the config.", "")
    plugins = importlib.import_module(PLUGINS)
    root = Path(str(plugins.__file__)).parent
    for each, key in KINDS.items():
        yield from (f"## {each.capitalize()}", "", f"Chosen by {key}.", "")
        for name in plugins.names(each):
            doc = ast.get_docstring(ast.parse((root / each / f"{name}.py").read_text("utf-8")))
            yield from (f"### `{name}`", "", *prose((doc or "").splitlines()), "")


# --- the records


def records_page() -> Iterator[str]:
    """Every record that a run stores as a table: its fields, their types and meaning."""
    yield from (
        "# Records",
        "",
        "What crosses a boundary is a record: a frozen dataclass, stored as rows of an Arrow",
        "table. [Artifacts](artifacts.md) says which table of a run holds which record.",
        "",
    )
    for record in _records():
        yield from (f"## {record.__name__}", "", *_paragraphs(record), "")
        yield from (*_fields(record), "")


def _records() -> Iterator[type]:
    for place in RECORDS:
        if ":" in place:
            yield _find(place)
            continue
        module = importlib.import_module(place)
        own = [v for v in vars(module).values() if getattr(v, "__module__", "") == place]
        yield from (value for value in own if isinstance(value, type) and _is_record(value))


def _is_record(value: type) -> bool:
    return dataclasses.is_dataclass(value) or issubclass(value, enum.Enum)


def _fields(record: type) -> Iterator[str]:
    if issubclass(record, enum.Enum):
        yield from table(["value"], [(f"`{member.value}`",) for member in record])
        return
    comments = comments_of(*_line(record))
    own: Any = record
    rows = [
        (f"`{field.name}`", f"`{field.type}`", comments.get(field.name, ""))
        for field in dataclasses.fields(own)
    ]
    yield from table(["field", "type", "meaning"], rows)


# --- the verifiers' contract


def verifiers_page() -> Iterator[str]:
    """What a verifier must be, and what the sandbox holds and does not."""
    module, protocol = importlib.import_module(VERIFIERS), importlib.import_module(SANDBOX)
    yield from (
        "# The verifiers' contract",
        "",
        *prose((inspect.getdoc(module) or "").splitlines()),
        "",
    )
    for each in (module.Submission, module.Judgement):
        yield from (f"## {each.__name__}", "", *_paragraphs(each), "", *_fields(each), "")
    yield from ("## Verifier", "", *_paragraphs(module.Verifier), "")
    yield from ("```python", *_body(module.Verifier), "```", "")
    yield from ("## The sandbox", "", *_sandbox_promises(inspect.getdoc(protocol) or ""), "")
    yield from ("### What becomes of a program", "")
    rows = [(f"`{status}`", meaning) for status, meaning in protocol.STATUSES.items()]
    yield from (*table(["status", "meaning"], rows), "")
    for each in (protocol.SandboxJob, protocol.Limits, protocol.Outcome):
        yield from (f"### {each.__name__}", "", *_paragraphs(each), "", *_fields(each), "")


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
    tree = _tree(section)
    if ast.get_docstring(tree):
        tree.body = tree.body[1:]
    return ast.unparse(tree).replace(":\n        ...", ": ...").splitlines()


# --- the families of models


def families_page() -> Iterator[str]:
    """What was tried on each family of models: `tests/integration/test_families.py`."""
    from transformers.utils.logging import set_verbosity_error

    from tests.families import FAMILIES, config_of

    set_verbosity_error()  # type: ignore[no-untyped-call]  # tiny configurations are unusual
    yield from (
        "# Model families",
        "",
        "Each family stands here as a tiny random model of its transformers class, whose rows are "
        "longer than its windows and chunks. For each, the tests hold that scores are those of a "
        "plain forward pass (1e-4 nats in float32), that packed and padded rows give the same "
        "gradient or packing is refused in one sentence, that greedy samples are those of "
        "`generate`, that a training starts at the stored reference, and that the trained model "
        "reloads. Another family is tried against its own forward pass when it is loaded, and "
        "refused where it differs.",
        "",
    )
    rows = [_family_row(family, config_of(family)) for family in FAMILIES]
    header = ["family", "class", "attention sees", "positions hold", "packs", "our engine samples"]
    yield from (*table(header, rows), "")
    yield from (
        "`packs`: where not, set `training.packing: false`; scoring and preflight follow it. A "
        "model that samples one at a time does so by its own `generate`; vLLM is the engine for "
        "real work with it. Positions that hold up to the original context (longrope, dynamic "
        "NTK) make that the model's context here: longer rows are dropped and counted.",
        "",
        "Dropout is off in training for all of them (`training.dropout`), so the policy starts "
        "where the stored reference is.",
        "",
    )


def _family_row(family: str, config: Any) -> Sequence[str]:
    import torch
    from transformers import AutoModelForCausalLM

    from rasft.models.language_model import traits_of_model

    with torch.device("meta"):
        made = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    traits = traits_of_model(made)
    return (
        family,
        f"`{config.model_type}`",
        "a window or chunk" if traits.reach else "all tokens before",
        "up to the original context" if traits.holds_to else "always",
        traits.why_not_packed or "yes",
        "one at a time" if traits.samples_alone else "side by side",
    )


# --- what all pages share


def comments_of(*classes: type) -> dict[str, str]:
    """What the source says of each field: the comment on its lines, after one right above it."""
    found: dict[str, str] = {}
    for each in classes:
        source = textwrap.dedent(inspect.getsource(each))
        beside, above = _comments(source)
        for node in _tree(each).body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                said = [*_directly_above(node.lineno, above), *(beside.get(n, "") for n in lines)]
                found[node.target.id] = " ".join(filter(None, said))
    return found


def _line(section: type) -> list[type]:
    """A class after those of this project that it inherits from."""
    own = section.__module__.split(".")[0]
    return [each for each in reversed(section.__mro__) if each.__module__.startswith(own)]


def _comments(source: str) -> tuple[dict[int, str], dict[int, str]]:
    """The comments by line: those beside code, and those with a line of their own."""
    beside: dict[int, str] = {}
    alone: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            place = beside if token.line[: token.start[1]].strip() else alone
            place[token.start[0]] = token.string.lstrip("# ")
    return beside, alone


def _directly_above(line: int, alone: Mapping[int, str]) -> list[str]:
    first = line
    while first - 1 in alone:
        first -= 1
    return [alone[number] for number in range(first, line)]


def _tree(section: type) -> ast.ClassDef:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    assert isinstance(tree, ast.ClassDef)
    return tree


def _paragraphs(documented: type) -> Iterator[str]:
    """A class's docstring, its examples as code."""
    if documented.__doc__ is None or documented.__doc__.startswith(f"{documented.__name__}("):
        return  # a dataclass without one gets its signature
    lines = (inspect.getdoc(documented) or "").splitlines()
    example = next((n for n, line in enumerate(lines) if line.startswith(">>>")), len(lines))
    yield from prose(lines[:example])
    if lines[example:]:
        yield from ("```text", *lines[example:], "```")


def prose(lines: Sequence[str]) -> Iterator[str]:
    """A docstring's lines as Markdown: what is aligned by spaces becomes code."""
    aligned = False
    for line in lines:
        was, aligned = aligned, _is_aligned(line, aligned)
        if aligned and not was:
            yield ""
        yield f"    {line}" if aligned else escape(line)


def _is_aligned(line: str, before: bool) -> bool:
    if line.startswith("    "):
        return before
    return bool(_ALIGNED.search(line)) or (before and line.startswith("   "))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    for cells in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(_cell(value) for value in cells)} |"


def _cell(value: str) -> str:
    return escape(" ".join(value.split())).replace("|", "\\|")


def escape(text: str) -> str:
    """Plain text as Markdown: no HTML; code stays as it is."""
    return _TAG.sub(r"&lt;", text)


def slug(heading: str) -> str:
    """The anchor that both MkDocs and GitHub give a heading.

    >>> slug("data.datasets[]")
    'datadatasets'
    """
    kept = "".join(c for c in heading.lower() if c.isalnum() or c in "-_ ")
    return kept.replace(" ", "-")


def _find(place: str) -> Any:
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or check them. Returns the exit status."""
    sys.path.insert(0, str(REFERENCE.parents[1]))  # this tree, whatever is installed
    made = pages()
    old = [name for name, text in made.items() if _read(REFERENCE / name) != text]
    if "--check" in arguments:
        for name in old:
            print(f"docs/reference/{name} is not what the code says: run python docs/generate.py")
        return int(bool(old))
    REFERENCE.mkdir(exist_ok=True)
    for name in old:
        (REFERENCE / name).write_text(made[name], encoding="utf-8")
        print(f"written: docs/reference/{name}")
    return 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
