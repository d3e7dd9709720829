"""`rasft export`: a trained model as a folder of its own, and on a hub if asked."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rasft.errors import UserError
from rasft.models import folders, sources
from rasft.report import model_card
from rasft.results import runs


def export(source: str, to: Path) -> Path:
    """A model folder, or the trained model of a run, as a folder of its own.

    Of a run, the card is written anew with the run's results. Raises UserError where it cannot be.
    """
    if Path(source).is_dir():
        return export_folder(Path(source), to)
    with tempfile.TemporaryDirectory(prefix="rasft-export-") as scratch:
        folder = Path(scratch) / "model"
        run = runs.fetch_trained(source, folder)
        origin, licence = sources.origin_of(run.config.model, Path(scratch))
        facts = model_card.CardFacts(
            config=run.config,
            origin=origin,
            licence=licence or folders.licence_of(folder / model_card.CARD),
            provenance=run.provenance,
            summary=run.summary,
            checks=run.checks,
            accuracies=run.accuracies,
        )
        model_card.write(folder, facts)
        return export_folder(folder, to)


def export_folder(source: Path, to: Path) -> Path:
    """Copy a model folder, checked before and after. Raises UserError where it cannot be."""
    with fresh_folder(to) as partial:
        folders.check(source)
        shutil.copytree(source, partial, dirs_exist_ok=True)
        if folders.fingerprint(partial) != folders.fingerprint(source):
            raise UserError(f"{source} changed while it was copied; start again")
    return to


@contextmanager
def fresh_folder(to: Path) -> Iterator[Path]:
    """A folder to fill, which stands at `to` once it is whole. Raises UserError where one does."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UserError(f"{to} is there already: name a new or an empty folder in --to")
    to.parent.mkdir(parents=True, exist_ok=True)
    partial = to.with_name(f".{to.name}.{os.getpid()}.partial")
    partial.mkdir()
    try:
        yield partial
        if to.exists():
            to.rmdir()
        os.rename(partial, to)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def push(folder: Path, repository: str, private: bool, kind: str = "model") -> str:
    """Upload a folder to the hub as a model or a dataset; returns its address.

    Raises UserError in one sentence.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        address = api.create_repo(repository, private=private, exist_ok=True, repo_type=kind)
        api.upload_folder(folder_path=folder, repo_id=repository, repo_type=kind)
    except Exception as error:  # the hub client raises many classes, all of them this
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"cannot push {folder} to {repository!r}: {reason}; "
            "log in with `hf auth login`, check the name owner/{kind} and the connection"
        ) from None
    return str(address)
