"""Writes the reference pages from the code: config, commands, plugins, records, verifiers.

    python docs/generate.py            write docs/reference/*.md
    python docs/generate.py --check    say which pages are out of date; exit status 1 if any is

The pages are kept in the repository, so that they can be read there too. A test holds that they
are those of the code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pages_from_code import commands, config, families, plugins, records, verifiers

REFERENCE = Path(__file__).resolve().parent / "reference"
NOTE = "<!-- Written by docs/generate.py from the code. Do not edit: run it again. -->"


def pages() -> dict[str, str]:
    """Every generated page, by its file name in docs/reference."""
    made: dict[str, Callable[[], Iterator[str]]] = {
        "config.md": config.page,
        "commands.md": commands.page,
        "plugins.md": plugins.page,
        "records.md": records.page,
        "verifiers.md": verifiers.page,
        "families.md": families.page,
    }
    return {name: "\n".join(page()).rstrip() + f"\n\n{NOTE}\n" for name, page in made.items()}


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
