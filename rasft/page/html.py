"""The page of one run or two: a single file that needs no server and loads nothing.

Data lie in it as zlib streams in base64, which the page opens when they are asked for. A content
security policy names the page's own script and style by their digest, so nothing else can run,
whatever a response holds. The bundle is built from `web/`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from rasft.page.changes import Change
from rasft.page.data import PackedRun

FOLDER = Path(__file__).parent
# the script, the style and what holds them
FILES = (FOLDER / "bundle" / "page.js", FOLDER / "bundle" / "page.css", FOLDER / "page.html.j2")


def render(runs: Sequence[PackedRun], changes: Sequence[Change] = ()) -> str:
    """The page; of two runs also what changed from the first to the second."""
    from jinja2 import Environment

    script, style, template = _bundle()
    index = {
        "runs": [run.index for run in runs],
        "changes": [asdict(change) for change in changes],
    }
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        title=" and ".join(run.index["id"] for run in runs),
        script=script,
        style=style,
        script_digest=_digest(script),
        style_digest=_digest(style),
        index=_packed(index),
        parts=[
            (f"part-{number}-{place}", _packed(part))
            for number, run in enumerate(runs)
            for place, part in enumerate(run.parts)
        ],
    )


def write(page: str, path: Path) -> Path:
    """Write the page; a reader sees the old one or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(page, encoding="utf-8")
    os.replace(partial, path)
    return path


@cache
def _bundle() -> tuple[str, str, str]:
    script, style, template = (path.read_text(encoding="utf-8") for path in FILES)
    return script, style, template


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _packed(value: Any) -> str:
    content = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(content.encode(), 9)).decode()
