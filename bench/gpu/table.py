"""What a reader sees of the rows: results.json, and a Markdown table with card, versions, date."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.gpu import rows
from bench.gpu.rows import Row

RESULTS, TABLE = "results.json", "table.md"
PACKAGES = ("torch", "transformers", "accelerate", "triton", "liger-kernel", "trl", "bitsandbytes")
MET = {True: "met", False: "**missed**", None: ""}


def facts(command: str) -> dict[str, str]:
    """Where and with what it was measured."""
    from bench.gpu import card

    return {
        "command": command,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "card": card.name(),
        "driver": card.driver(),
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
    }


def write(folder: Path, about: Mapping[str, str]) -> None:
    """Write both files from the rows so far."""
    found = rows.read(folder)
    values: dict[str, Any] = {"about": dict(about)}
    values["rows"] = [{**asdict(row), "met": row.is_met} for row in found]
    _replace(folder / RESULTS, json.dumps(values, indent=2) + "\n")
    _replace(folder / TABLE, markdown(found, about))


def markdown(found: Sequence[Row], about: Mapping[str, str]) -> str:
    """The table, under a line for each fact."""
    lines = [f"- {name}: {value}" for name, value in about.items()]
    lines += ["", "| part | what | value | goal | |", "|---|---|---|---|---|"]
    lines += [_line(row) for row in found]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    value = row.value if isinstance(row.value, str) else f"{row.value:.4g}"
    cells = (row.part, row.what, f"{value} {row.unit}".strip(), row.goal, MET[row.is_met])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _replace(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
