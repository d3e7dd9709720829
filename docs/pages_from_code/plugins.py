"""The page of the plugins: what the module of each says of itself."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

from pages_from_code.markdown import prose
from pages_from_code.source import PLUGINS

KINDS = {  # of plugins, with what the config calls them by
    "datasets": "`data.datasets[].name`",
    "benchmarks": "`evaluation.benchmarks[].name`",
    "losses": "`training.method`",
    "engines": "`rollout.engine`",
    "verifiers": "`verifier` of a problem",
}


def page() -> Iterator[str]:
    """Every plugin by kind: what its module says of itself."""
    yield from ("# Plugins", "", "The name of a plugin's file is its name in the config.", "")
    plugins = importlib.import_module(PLUGINS)
    root = Path(str(plugins.__file__)).parent
    for each, key in KINDS.items():
        yield from (f"## {each.capitalize()}", "", f"Chosen by {key}.", "")
        for name in plugins.names(each):
            doc = ast.get_docstring(ast.parse((root / each / f"{name}.py").read_text("utf-8")))
            yield from (f"### `{name}`", "", *prose((doc or "").splitlines()), "")
