"""The page of the commands: their arguments and options."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from pages_from_code.markdown import escape, table
from pages_from_code.source import find

COMMANDS = "rasft.cli:main"


def page() -> Iterator[str]:
    """Every command with its arguments and options."""
    yield from ("# Commands", "", "Every command and option of `rasft`.", "")
    for words, command in commands(find(COMMANDS), ("rasft",)):
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
