"""`rasft data`: what a config would train on, before anything runs."""

from __future__ import annotations

import json
from dataclasses import asdict

from rasft.config.settings import Config
from rasft.errors import RasftError
from rasft.report import data_text
from rasft.report.data_text import Mark
from rasft.stages.look import look


def run_data(
    config: Config,
    *,
    limit: int | None,
    show: int,
    judge: bool,
    as_json: bool,
    underline: Mark | None,
) -> tuple[str, RasftError | None]:
    """The view as text or JSON, and the mistake that ended it early, if any.

    Raises UserError where nothing could be read at all.
    """
    view, mistake = look(config, limit=limit, show=show, judge=judge)
    if mistake and not view.read:
        raise mistake
    shown = json.dumps(asdict(view), indent=2) if as_json else data_text.text(view, underline)
    return shown, mistake
