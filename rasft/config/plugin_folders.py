"""The user's own plugin folders, read into the config: `losses/focal.py` -> its source.

A folder is laid out as the library: a subfolder a kind, and beside them modules that the plugins
may import (`from ..shared import f`). What a config brings is kept with it, so every run versions
its plugins, and a pod, a resumed run or a table of it has them without the folder.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rasft import plugins
from rasft.errors import UserError

MOST_BYTES = 64_000  # together: a config with its sources is also an argument of a command


def taken_in(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values of the config at `where`, with the sources in place of its folders.

    Raises UserError for a folder that is not there or not laid out so, a file that is no Python,
    and a name that the library has.
    """
    if "plugins" not in values:
        return dict(values)
    named = values["plugins"]
    if isinstance(named, list) and all(isinstance(each, str) for each in named):
        named = _read(named, where)
    if not isinstance(named, Mapping):
        raise UserError(f"{where}: plugins = {named!r} is no list of folders, as [my_plugins] is")
    _check(named, where)
    return {**values, "plugins": named}


def _read(folders: list[str], where: str) -> dict[str, str]:
    sources: dict[str, str] = {}
    for named in folders:
        folder = Path(where).absolute().parent / Path(named).expanduser()
        if not folder.is_dir():
            raise UserError(f"{where}: plugins names {named!r}, and there is no folder {folder}")
        for path in _files(folder, where):
            name = path.relative_to(folder).as_posix()
            if name in sources:
                raise UserError(f"{where}: two folders of plugins have a file {name}: rename one")
            sources[name] = _source(path)
    if folders and not sources:
        raise UserError(f"{where}: the folders of plugins hold no file NAME.py: {folders}")
    return sources


def _files(folder: Path, where: str) -> Iterator[Path]:
    """The modules of a folder and of its kinds, in order; hidden folders and caches are passed."""
    yield from _modules(folder, where)
    for below in sorted(path for path in folder.iterdir() if path.is_dir()):
        if below.name.startswith((".", "__")):
            continue
        if below.name not in plugins.KINDS:
            near = difflib.get_close_matches(below.name, plugins.KINDS, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise UserError(f"{where}: {below} is no kind of plugin{hint}; the folders in it are: "
                            f"{', '.join(plugins.KINDS)}")  # fmt: skip
        yield from _modules(below, where)


def _modules(folder: Path, where: str) -> Iterator[Path]:
    for path in sorted(folder.glob("[!.]*.py")):
        if not path.stem.isidentifier():
            raise UserError(f"{where}: the plugin {path} is named as no module can be: use "
                            "letters, digits and _")  # fmt: skip
        yield path


def _source(path: Path) -> str:
    """The file's text. Raises UserError where it is no Python; nothing of it is run."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        compile(text, str(path), "exec", dont_inherit=True)
    except (OSError, ValueError, SyntaxError) as error:
        line = f", line {error.lineno}," if isinstance(error, SyntaxError) else ""
        said = error.msg if isinstance(error, SyntaxError) else error
        raise UserError(
            f"the plugin {path}{line} does not import: {type(error).__name__}: {said}"
        ) from None
    return text


def _check(sources: Mapping[str, str], where: str) -> None:
    for kind in plugins.KINDS:
        for name in plugins.library(kind):
            if f"{kind}/{name}.py" in sources:
                raise UserError(f"{where}: the library has a {plugins.singular(kind)} {name!r}: "
                                f"give your {kind}/{name}.py another name")  # fmt: skip
    size = sum(len(str(text).encode()) for text in sources.values())
    if size > MOST_BYTES:
        raise UserError(f"{where}: the plugins have {size} bytes together, and a config takes "
                        f"{MOST_BYTES}: install what is long as a package")  # fmt: skip
