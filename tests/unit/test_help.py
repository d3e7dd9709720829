"""What `--help` says: what a command takes, and how it is used."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc

import click
import pytest

from rasft.cli import main


def commands(command: click.Command, *words: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, *words, name)
    else:
        yield " ".join(words), command


COMMANDS = dict(commands(main))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example_of_the_command(name: str) -> None:
    lines = cleandoc(COMMANDS[name].help or "").splitlines()
    examples = [line.split() for line in lines if line.startswith("  rasft ")]
    assert examples
    for words in examples:
        assert words[1 : 1 + len(name.split())] == name.split()


@pytest.mark.parametrize("name", ["resolve", "plan", "data", "preflight", "champion"])
def test_a_command_on_a_config_takes_it_as_its_argument(name: str) -> None:
    argument, *_ = COMMANDS[name].params
    assert argument.human_readable_name == "[CONFIG]" or argument.metavar == "[CONFIG]"
    assert not argument.required
