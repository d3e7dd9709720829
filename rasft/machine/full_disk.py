"""A full disk, told as one: each library reports it in its own class and words."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from rasft.errors import RasftError

CODES = (errno.ENOSPC, errno.EDQUOT)
# Where no code is: of safetensors, of another process, and of torch, which says this alone.
WORDS = ("No space left on device", "Disk quota exceeded", "unexpected pos")
ADVICE = (
    "a disk is full; free some and go on with `resume`: `rasft prune` removes old runs, `rasft "
    "ledger gc` stored work that nothing needs. Other places: METAFLOW_DATASTORE_SYSROOT_LOCAL for "
    "runs, RASFT_CACHE_DIR for models and the ledger, TMPDIR for what a step is working on"
)


def message_of(error: BaseException) -> str | None:
    """What to tell of an error that someone can mend; None for a bug: its traceback tells more."""
    if is_told_by(error):
        return f"{str(error).rstrip('.')}: {ADVICE}"
    return str(error) if isinstance(error, RasftError) else None


def is_told_by(error: BaseException) -> bool:
    """Whether an error, or one that led to it, comes from a full disk."""
    return any(map(_tells, _chain(error)))


def _tells(error: BaseException) -> bool:
    return getattr(error, "errno", None) in CODES or any(word in str(error) for word in WORDS)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
