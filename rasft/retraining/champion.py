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

from rasft import paths
from rasft.config.settings import Config
from rasft.errors import MachineError, UserError


@dataclass(frozen=True)
class Champion:
    """The promoted model, and what it showed."""

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


@dataclass(frozen=True)
class Refusal:
    """The last candidate that was refused since the champion was promoted."""

    run: str
    data_fingerprint: str
    reason: str
    refused_at: str  # ISO 8601, UTC


@dataclass(frozen=True)
class Standing:
    """All that the pointer file holds."""

    champion: Champion | None = None  # None before the first promotion
    refused: Refusal | None = None


def path(config: Config) -> str:
    """Where the config keeps its champion's pointer."""
    own = paths.cache_folder() / "champions" / f"{config.name}.json"
    return config.schedule.champion or str(own)


def read(pointer: str) -> Standing:
    """Who stands where; empty where there is no file yet. Raises UserError for a broken one."""
    try:
        with fsspec.open(pointer, "rt", encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return Standing()
    except Exception as error:  # each filesystem has its own classes
        raise _unreachable("read", pointer, error) from None
    try:
        return from_plain(json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"the champion's pointer {pointer} is broken ({error}); "
            "restore it, or remove it to start without a champion"
        ) from None


def from_plain(values: Mapping[str, Any]) -> Standing:
    """A Standing from what dataclasses.asdict made of one. Raises TypeError or KeyError."""
    reigning, refused = values["champion"], values["refused"]
    return Standing(
        champion=Champion(**reigning) if reigning else None,
        refused=Refusal(**refused) if refused else None,
    )


def write(pointer: str, standing: Standing) -> None:
    """Put the pointer in place, whole. Raises MachineError; the old one then still stands."""
    content = json.dumps(dataclasses.asdict(standing), indent=2).encode()
    try:
        filesystem, place = fsspec.core.url_to_fs(pointer)
        if filesystem.protocol == "file" or "file" in filesystem.protocol:
            _replace(Path(place), content)
        else:
            filesystem.pipe_file(place, content)  # one PUT, which an object store makes atomic
    except Exception as error:
        raise _unreachable("write", pointer, error) from None


def describe(standing: Standing, base: str, pointer: str) -> str:
    """The champion and the last refusal for a reader, a fact a line."""
    facts = {"champion": f"none yet; {base} is the model in use"}
    if standing.champion:
        facts = _facts(standing.champion)
    if refused := standing.refused:
        facts["last refused"] = f"{refused.run} at {refused.refused_at}: {refused.reason}"
    facts["pointer"] = pointer
    return "\n".join(f"{name:<14} {value}" for name, value in facts.items())


def _facts(champion: Champion) -> dict[str, str]:
    scores = ", ".join(f"{name} {100 * value:.1f}" for name, value in champion.metrics.items())
    return {
        "champion": f"run {champion.run}",
        "model": str(champion.model.get("key", "")),
        "fingerprint": champion.fingerprint,
        "trained from": f"{champion.base} ({champion.base_fingerprint[:12]})",
        "accuracy": scores,
        "promoted": f"{champion.promoted_at}: {champion.reason}",
        "training data": champion.data_fingerprint,
        "commit": champion.commit,
    }


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
