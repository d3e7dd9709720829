"""From a run's tables to its page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rasft.config.settings import Config
from rasft.errors import UserError
from rasft.models import sources
from rasft.page import data, html
from rasft.page.changes import changes
from rasft.page.stored import RunTables
from rasft.page.tokens import Pieces, open_pieces


def place(*run_ids: str) -> Path:
    """Where the page of one run or two lies, by the number of each."""
    return Path("runs") / "-".join(run_ids) / "page.html"


def page_of(runs: Sequence[RunTables], pieces: Pieces | None) -> str:
    """The page of one run or two; without `pieces` responses are not cut into tokens."""
    packed = [data.pack(run, pieces) for run in runs]
    return html.render(packed, changes(*runs) if len(runs) == 2 else ())


def pieces_of(config: Config, folder: Path | None = None) -> Pieces | None:
    """The tokenizer of the run's model, from `folder` if given; None where it cannot be had."""
    try:
        return open_pieces(folder or sources.resolve_tokenizer(config.model))
    except UserError as error:
        print(f"the page shows no tokens: {error}", flush=True)
        return None
