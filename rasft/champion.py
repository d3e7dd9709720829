"""The champion: a pointer file that names the model in use and the run that made it.

The pointer is one JSON file on a local or any fsspec path. It is written whole or not at all, so a
failed run leaves the champion in place.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

from rasft import models
from rasft.config import Config
from rasft.errors import MachineError, UserError


@dataclass(frozen=True)
class Champion:
    """What the pointer holds."""

    run: str  # Flow/run id, which also carries the tag "champion"
    model: Mapping[str, Any]  # what the run's store needs to find the model again
    base: str  # model.path that it was trained from
    base_fingerprint: str  # of that model: the next candidate starts from the same
    fingerprint: str  # of the champion itself
    data_fingerprint: str  # of its training problems
    metrics: Mapping[str, float]  # accuracy by benchmark, shares of 1
    reason: str  # why it was promoted
    commit: str
    promoted_at: str  # ISO 8601, UTC


def path(config: Config) -> str:
    """Where the config keeps its champion's pointer."""
    own = models.cache_folder() / "champions" / f"{config.name}.json"
    return config.schedule.champion or str(own)


def read(pointer: str) -> Champion | None:
    """The champion, or None before the first promotion. Raises UserError for a broken pointer."""
    try:
        with fsspec.open(pointer, "rt", encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    except Exception as error:  # each filesystem has its own classes
        raise _unreachable("read", pointer, error) from None
    try:
        return Champion(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"the champion's pointer {pointer} is broken ({error}); "
            "restore it, or remove it to start without a champion"
        ) from None


def write(pointer: str, champion: Champion) -> None:
    """Put the pointer in place, whole. Raises MachineError; the old one then still stands."""
    content = json.dumps(dataclasses.asdict(champion), indent=2).encode()
    try:
        filesystem, place = fsspec.core.url_to_fs(pointer)
        if filesystem.protocol == "file" or "file" in filesystem.protocol:
            _replace(Path(place), content)
        else:
            filesystem.pipe_file(place, content)  # one PUT, which an object store makes atomic
    except Exception as error:
        raise _unreachable("write", pointer, error) from None


def describe(champion: Champion, pointer: str) -> str:
    """The champion for a reader, a fact a line."""
    scores = ", ".join(f"{name} {100 * value:.1f}" for name, value in champion.metrics.items())
    facts = {
        "run": champion.run,
        "model": champion.model.get("key", champion.fingerprint),
        "fingerprint": champion.fingerprint,
        "trained from": f"{champion.base} ({champion.base_fingerprint[:12]})",
        "accuracy": scores,
        "promoted": f"{champion.promoted_at}: {champion.reason}",
        "training data": champion.data_fingerprint,
        "commit": champion.commit,
        "pointer": pointer,
    }
    return "\n".join(f"{name:<14} {value}" for name, value in facts.items())


def _replace(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, place)
    except OSError:
        os.unlink(partial)
        raise


def _unreachable(verb: str, pointer: str, error: Exception) -> MachineError:
    return MachineError(
        f"cannot {verb} the champion's pointer {pointer}: {error}; "
        "check schedule.champion, its permissions and the disk, then run `resume`"
    )
