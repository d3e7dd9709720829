"""What a run would train on, found as the step `start` finds it, with nothing trained."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from rasft.config.settings import Config
from rasft.data.account import Account
from rasft.errors import RasftError, UserError
from rasft.ledger import open_ledger
from rasft.models import sources
from rasft.models.rendered import RenderedRow, rendered
from rasft.models.renderer import Renderer, open_renderer
from rasft.records import Problem
from rasft.report.data_view import DataView
from rasft.stages import experts, prepare
from rasft.stages.expert_examples import expert_examples
from rasft.stages.prepare import Benchmark
from rasft.tables import from_table, take
from rasft.training.preflight.rendering import rendering


def look(
    config: Config, *, limit: int | None, show: int, judge: bool
) -> tuple[DataView, RasftError | None]:
    """The view of a config's data, and the mistake that ended it early, if any.

    Reads `limit` rows of each dataset at most, renders `show` of those that are left, and leaves
    the verifiers out unless it is to `judge`. Raises UserError for a model without a tokenizer.
    """
    folder = sources.resolve_tokenizer(config.model)
    renderer = open_renderer(folder, config.prompts, config.chat)
    view = DataView(config.name, config.model.path)
    view.prompts = [f"{check.name}: {check.detail}" for check in rendering(renderer)]
    account, mistake = Account(), None
    try:
        kept = _kept(_limited(config, limit), folder, renderer, account, view, judge)
        _count(view, kept, config, is_whole=limit is None)
        view.rows = _chosen(kept, renderer, show, config.seed)
    except RasftError as error:
        mistake = error
    view.take(account, prepare.limit(config, folder))
    view.notes += renderer.notes()
    return view, mistake


def _limited(config: Config, limit: int | None) -> Config:
    if limit is None:
        return config
    datasets = tuple(
        each.model_copy(update={"limit": min(limit, each.limit or limit)})
        for each in config.data.datasets
    )
    data = config.data.model_copy(update={"datasets": datasets})
    return config.model_copy(update={"data": data})


def _kept(
    config: Config, folder: Path, renderer: Renderer, account: Account, view: DataView, judge: bool
) -> pa.Table:
    found, notes = _benchmarks(config)
    view.notes += notes
    rows = prepare.unjudged(config, found, renderer, prepare.limit(config, folder), account)
    if judge:
        view.is_judged = True
        rows = experts.that_verify(rows, config, open_ledger(config.ledger), account)
    return rows


def _benchmarks(config: Config) -> tuple[list[Benchmark], list[str]]:
    """The benchmarks that can be read here; that others cannot ends a run, but not a look."""
    if not config.data.decontaminate or not config.evaluation.benchmarks:
        return [], []
    settings = config.evaluation.model_copy(update={"skip_unavailable": True})
    try:
        found, notes = prepare.benchmarks(config.model_copy(update={"evaluation": settings}))
    except UserError as error:
        return [], [f"{error}; so nothing was compared with a benchmark, and a run stops there"]
    skipped = [note for note in notes if " skipped: " in note]
    if skipped and not config.evaluation.skip_unavailable:
        notes.append("a run stops there, for evaluation.skip_unavailable is false")
    return found, notes


def _count(view: DataView, kept: pa.Table, config: Config, is_whole: bool) -> None:
    view.kept = kept.num_rows
    view.responses = prepare.counted(kept)["expert_responses"]
    if prepare.warmup_config(config):
        view.notes.append("warmup.datasets are not read here: a run drops what the warm-up has too")
    elif is_whole:
        warmup, training = prepare.split(kept, config)
        view.warmup = warmup.num_rows if config.warmup else None
        view.round = training.num_rows


def _chosen(kept: pa.Table, renderer: Renderer, show: int, seed: int) -> list[RenderedRow]:
    """The sequences of some rows, as they are trained on."""
    places = drawn(kept["source"].to_pylist(), show, seed)
    chosen = from_table(take(kept, places), Problem)
    return [
        rendered(example, renderer.tokenizer)
        for row in chosen
        for example in expert_examples(row, renderer)
    ]


def drawn(sources: Sequence[str], count: int, seed: int) -> list[int]:
    """Places of up to `count` rows, drawn by the seed, of each source in turn.

    >>> sorted(place > 8 for place in drawn(["a"] * 9 + ["b"] * 2, 4, seed=0))
    [False, False, True, True]
    """
    taken: Counter[str] = Counter()
    turn: dict[int, int] = {}
    for place in random.Random(seed).sample(range(len(sources)), len(sources)):
        turn[place] = taken[sources[place]]
        taken[sources[place]] += 1
    return sorted(turn, key=turn.__getitem__)[:count]
