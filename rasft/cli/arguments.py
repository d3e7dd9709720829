"""Arguments that several commands take."""

from __future__ import annotations

from pathlib import Path

import click

from rasft.config import files as config_files

config_argument = click.argument(
    "config_path",
    type=click.Path(path_type=Path),
    default=config_files.CONFIGS / "demo.yaml",  # what the flow runs where nothing is named
    metavar="[CONFIG]",
)
