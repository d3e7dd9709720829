"""Finished trainings: what one leaves follows from what it was given, so it is kept by that.

    <path>/trainings/<digest of the facts>/facts.json  files.json  <sha256 of a file> ...

`files.json` is written last and says which file has which content. Without it, or with a content
that differs from its name, the training does not exist.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from rasft import plugins
from rasft.config.settings import TrainingConfig
from rasft.ledger import Ledger
from rasft.ledger.store import Facts, Store
from rasft.models import folders
from rasft.paths import PACKAGE
from rasft.training.storage.jobs import CHECKPOINTS, EXAMPLES, SUMMARY, Served, TrainingJob

FILES = "files.json"
KIND = "trainings"
_DECIDING = ("torch", "transformers", "accelerate", "liger-kernel")  # packages

Summary = Mapping[str, Any]


def train_once(
    ledger: Ledger, facts_of: Callable[[], Facts], folder: Path, train: Callable[[], Summary]
) -> Summary:
    """The summary of the job laid out in `folder`: from the ledger, else by `train`.

    `facts_of` says what decides its result. Either way the folder then holds what the training
    leaves.
    """
    store = ledger.store if ledger.trainings else None
    if store is None:
        ledger.count(KIND, reused=0, made=1)
        return train()
    inputs, facts = _files(folder), facts_of()
    known = _fetch(store, facts, folder)
    ledger.count(KIND, reused=int(known), made=int(not known))
    if known:
        summary: Summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        return summary
    summary = train()
    _keep(store, facts, folder, sorted(_files(folder) - inputs))
    return summary


def training_facts(job: TrainingJob, folder: Path) -> dict[str, Any]:
    """What decides the result of the job laid out in `folder`."""
    own = plugins.digest(f"losses/{job.training.method}.py")
    return {
        **program_facts(Path(job.model), job.training, job.dtype, job.seed, job.served),
        "place": [job.position.number, job.position.rounds],
        "examples": file_digest(folder / EXAMPLES),
        **({"loss": own} if own else {}),
    }


def program_facts(
    model: Path, training: TrainingConfig, dtype: str, seed: int, served: Served
) -> dict[str, Any]:
    """What decides the result of any training, beside what it trains on."""
    return {
        "checkpoint": folders.fingerprint(model),
        "training": training.model_dump(mode="json"),
        "dtype": dtype,
        "seed": seed,
        "served": {**vars(served), "stop_token_ids": list(served.stop_token_ids)},
        "code": _code(),
        "versions": {name: version(name) for name in _DECIDING},
    }


def version(package: str) -> str | None:
    """Of an installed package; None where it is not."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _fetch(store: Store, facts: Facts, folder: Path) -> bool:
    """Lay the stored training of these facts out in `folder`; False if there is none.

    It appears there only when all of it has come and is whole.
    """
    stored = store.folder(KIND, facts)
    names = store.read_json(f"{stored}/{FILES}")
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        for content in set((names or {}).values()):
            path = Path(aside, content)
            if not store.download(f"{stored}/{content}", path) or file_digest(path) != content:
                store.ignored[f"{stored}/{content}"] = "damaged"
                return False
        for name, content in (names or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(aside, content), folder / name)
    return names is not None


def _keep(store: Store, facts: Facts, folder: Path, paths: list[Path]) -> None:
    stored = store.folder(KIND, facts)
    names = {}
    for path in paths:
        content = names[path.relative_to(folder).as_posix()] = file_digest(path)
        store.upload(path, f"{stored}/{content}")
    store.describe(stored, facts)
    store.put(f"{stored}/{FILES}", json.dumps(names, indent=2).encode() + b"\n")


def _files(folder: Path) -> set[Path]:
    """The files of a job's folder but its checkpoints."""
    state = folder / CHECKPOINTS
    return {p for p in folder.rglob("*") if p.is_file() and state not in p.parents}


def _code() -> str:
    """A hash of the training program and the losses."""
    sources = [file for room in ("training", "losses") for file in (PACKAGE / room).rglob("*.py")]
    content = b"".join(
        path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes()
        for path in sorted(sources)
    )
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of its content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
