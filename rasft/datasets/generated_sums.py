"""Generated sums, the training split: for models too small for words.

Options: `steps`, weights by number of steps, such as `{1: 2, 2: 1}`; all alike by default.
`families`, some of its kinds of problem by name, such as `[adding, adding_twice]`; all by default.
`writing`, how solutions are written: `equations` (default), `words`, or both by shares, such as
`{equations: 4, words: 1}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from rasft.data.source import Source
from rasft.errors import UserError
from rasft.generated import splits, sums
from rasft.records import Problem


def load(source: Source) -> Iterator[Problem]:
    """Yield `source.limit` problems (default 1,000) drawn from `source.seed`."""
    options = dict(source.options)
    write = sums.writer(_shares(options.pop("writing", "equations")))
    plain = replace(source, options=options)
    rows = splits.problems("generated_sums", sums.FAMILIES, "train", plain)
    return (replace(row, expert_response=write(row.id, row.expert_response or "")) for row in rows)


def _shares(writing: object) -> dict[str, float]:
    """A writing's name, or several with their shares, as shares."""
    shares = dict(writing) if isinstance(writing, Mapping) else {str(writing): 1.0}
    numbers = [value for value in shares.values() if isinstance(value, int | float) and value > 0]
    if not shares or not set(shares) <= set(sums.WRITINGS) or len(numbers) < len(shares):
        raise UserError(
            f"generated_sums: option writing = {writing!r} must be one of "
            f"{', '.join(sums.WRITINGS)}, or give some of them a share above 0, "
            "like {equations: 4, words: 1}"
        )
    return shares
