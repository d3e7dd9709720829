"""`rasft export`: a trained model as a folder of its own, and on a hub if asked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from rasft import models
from rasft.errors import UserError


def export_folder(source: Path, to: Path) -> Path:
    """Copy a model folder, checked before and after. Raises UserError where it cannot be."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UserError(f"{to} is there already: name a new or an empty folder in --to")
    models.check(source)
    partial = to.with_name(f".{to.name}.{os.getpid()}.partial")
    try:
        shutil.copytree(source, partial)
        if models.fingerprint(partial) != models.fingerprint(source):
            raise UserError(f"{source} changed while it was copied; start again")
        if to.exists():
            to.rmdir()
        os.rename(partial, to)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return to


def push(folder: Path, repository: str, private: bool) -> str:
    """Upload a model folder to the hub; returns its address. Raises UserError in one sentence."""
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        address = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(folder_path=folder, repo_id=repository)
    except Exception as error:  # the hub client raises many classes, all of them this
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"cannot push {folder} to {repository!r}: {reason}; "
            "log in with `hf auth login`, check the name owner/model and the connection"
        ) from None
    return str(address)
