"""The folder is the registry: `rasft/<kind>/<name>.py` is the plugin `<name>` of that kind.

So is a folder of the user's own that is laid out the same, `losses/focal.py`. What a config brings
of such files is written into the cache under a digest of it, imported from there, and named in the
environment: whatever process this one starts has the same plugins.

Nothing is imported to list names, so a plugin with a heavy or missing dependency costs nothing
until it is loaded.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import json
import os
import pkgutil
import re
import shutil
import sys
import tempfile
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Literal, get_args

from rasft.errors import MachineError, UserError
from rasft.paths import PACKAGE, cache_folder

Kind = Literal["datasets", "verifiers", "engines", "losses", "benchmarks"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DEFINES = {  # what a module of the kind must have
    "datasets": ("load",),
    "verifiers": ("build",),
    "engines": ("NAME", "MEMORY_RUNGS", "version", "available", "open_engine"),
    "losses": ("token_loss", "USES_REFERENCE", "EXAMPLES"),
    "benchmarks": ("load", "KIND"),
}
_PATH = re.compile(rf"(({'|'.join(KINDS)})/)?\w+\.py")
VARIABLE = "RASFT_PLUGINS"  # the folders in use, the latest first


def names(kind: Kind) -> list[str]:
    """Sorted names of the plugins of one kind, without importing them."""
    return sorted({*library(kind), *(name for folder in _folders() for name in _in(folder / kind))})


def library(kind: Kind) -> list[str]:
    """As `names`, of the library alone."""
    return _in(PACKAGE / kind)


def load(kind: Kind, name: str) -> ModuleType:
    """Import one plugin.

    Raises UserError with the known names for a name that has no file, and for a file of the user's
    own that does not import or lacks what its kind defines.
    """
    file = f"{kind}/{name}.py"
    if folder := _home(file):
        return _whole(_import(folder, file), kind, file)
    if name not in library(kind):
        raise UserError(unknown(kind, name))
    return importlib.import_module(f"rasft.{kind}.{name}")


def user_module(name: str) -> ModuleType:
    """Import a module of the user's own beside the plugins: `graders` for `graders.py`.

    Raises UserError where there is none, or it does not import.
    """
    file = f"{name}.py"
    if folder := _home(file):
        return _import(folder, file)
    known = ", ".join(sorted({each for folder in _folders() for each in _in(folder)}))
    raise UserError(
        f"there is no module {name!r} in the config's plugin folders; "
        f"{f'known: {known}' if known else 'name a folder that holds it in plugins'}"
    )


def unknown(kind: Kind, name: str) -> str:
    """The message for a misspelt plugin: what was asked, what is known, the nearest match."""
    near = difflib.get_close_matches(name, names(kind), n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"unknown {singular(kind)} {name!r}{hint}; known: {', '.join(names(kind))}"


def singular(kind: Kind) -> str:
    """One of the kind, as a message names it."""
    return kind.removesuffix("es") if kind == "losses" else kind.removesuffix("s")


def digest(file: str) -> str | None:
    """What decides what a file of the user's own does: its source and that of the modules beside
    the kinds' folders, which it may import. None for a file of the library.

    `file` is `losses/focal.py`, or `graders.py` for a module.
    """
    folder = _home(file)
    if folder is None:
        return None
    deciding = {file, *(path.name for path in folder.glob("*.py"))}
    return _digest({name: text for name, text in _sources(folder).items() if name in deciding})


def register(sources: Mapping[str, str]) -> None:
    """Put plugins in use, here and in every process that this one starts.

    `sources` has the text of each file, by its path within its folder. Where two have the same
    path, the later holds. Raises UserError for a path that no plugin has, and MachineError where
    the cache cannot be written.
    """
    if not sources:
        return
    if strangers := [name for name in sources if not _PATH.fullmatch(name)]:
        raise UserError(f"plugins: {strangers[0]!r} is no file of a plugin folder, as "
                        "losses/focal.py is")  # fmt: skip
    folder = cache_folder() / "plugins" / f"rasft_plugins_{_digest(sources)}"
    _write(folder, sources)
    others = [str(each) for each in _folders() if each != folder]
    os.environ[VARIABLE] = os.pathsep.join([str(folder), *others])


def _folders() -> list[Path]:
    named = os.environ.get(VARIABLE, "").split(os.pathsep)
    return [Path(each).absolute() for each in named if each]


def _in(folder: Path) -> list[str]:
    return [each.name for each in pkgutil.iter_modules([str(folder)]) if not each.ispkg]


def _home(file: str) -> Path | None:
    """The folder of the user's own that holds the file."""
    return next((each for each in _folders() if (each / file).is_file()), None)


def _import(folder: Path, file: str) -> ModuleType:
    if str(folder.parent) not in sys.path:
        sys.path.append(str(folder.parent))
    importlib.invalidate_caches()
    module = file.removesuffix(".py").replace("/", ".")
    try:
        return importlib.import_module(f"{folder.name}.{module}")
    except Exception as error:  # whatever the user's own file raises
        raise UserError(f"the plugin {_place(error, folder, file)} does not import: "
                        f"{type(error).__name__}: {error}") from error  # fmt: skip


def _place(error: Exception, folder: Path, file: str) -> str:
    """The file, and the line of the user's own that raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
    if not own:
        return file
    return f"{Path(own[-1].filename).relative_to(folder)}, line {own[-1].lineno},"


def _whole(module: ModuleType, kind: Kind, file: str) -> ModuleType:
    """The module. Raises UserError where it is not what its kind asks for."""
    lacks = [name for name in DEFINES[kind] if not hasattr(module, name)]
    if lacks:
        raise UserError(f"the plugin {file} defines no {', no '.join(lacks)}; of the "
                        f"{kind} each defines {', '.join(DEFINES[kind])}")  # fmt: skip
    if kind == "engines" and Path(file).stem != module.NAME:
        raise UserError(f"the plugin {file} has NAME = {module.NAME!r}: name it as its file")
    return module


def _digest(sources: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sources, sort_keys=True).encode()).hexdigest()[:16]


def _write(folder: Path, sources: Mapping[str, str]) -> None:
    """Every file or none: other processes read and write the same folder."""
    if _sources(folder) == sources:
        return
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
            for name, text in sources.items():
                path = Path(aside, folder.name, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode())
            with suppress(OSError):
                Path(aside, folder.name).rename(folder)  # fails where another was faster
    except OSError as error:
        raise MachineError(f"cannot keep the config's plugins in {folder}: {error}") from None
    if _sources(folder) != sources:
        raise MachineError(f"the config's plugins do not come back whole from {folder}")


def _sources(folder: Path) -> dict[str, str]:
    paths = sorted(folder.rglob("*.py"))
    return {p.relative_to(folder).as_posix(): p.read_bytes().decode() for p in paths}
