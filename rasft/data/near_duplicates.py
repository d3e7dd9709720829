"""Training problems that nearly repeat an earlier one.

A problem is its set of 5-word shingles (Broder, On the resemblance and containment of documents,
1997), and two are near-duplicates where the Jaccard similarity of the sets reaches a threshold.
MinHash finds the candidates: 64 permutations in 16 bands of 4 miss a pair of similarity 0.8 about
twice in 10,000 (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4). Each
candidate pair is then compared exactly, so nothing is dropped by chance.

Likeness of words is not enough: in MATH most such pairs ask for f(-7) and f(3), or differ in one
sign. `find` takes what else must be equal. Memory is 256 bytes a problem beside the texts, which
may lie in Arrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from rasft.data.decontamination import tokens

SHINGLE = 5  # words
PERMUTATIONS, BANDS = 64, 16
AT_ONCE = 1024  # texts whose signatures are made together

Signatures = NDArray[np.uint32]  # (texts, PERMUTATIONS)
Groups = dict[int, list[int]]  # row -> the groups it shares with another row


@dataclass(frozen=True)
class Twin:
    """A row that repeats an earlier, kept one."""

    row: int
    of: int
    similarity: float


def find(
    texts: Sequence[str], threshold: float, sameness: Callable[[int], object] = lambda row: None
) -> list[Twin]:
    """The rows that repeat an earlier row which is itself kept, in their order.

    Only rows of equal `sameness` can repeat each other. `texts` is read by index, so a view of an
    Arrow column will do.
    """
    groups = _groups(_signatures(texts))
    kept: dict[int, list[int]] = {}  # group -> its rows that stay
    twins = []
    for row in sorted(groups):
        near = sorted({other for group in groups[row] for other in kept.get(group, ())})
        own = sameness(row) if near else None
        twin = _closest(row, [o for o in near if sameness(o) == own], texts, threshold)
        if twin:
            twins.append(twin)
        else:
            for group in groups[row]:
                kept.setdefault(group, []).append(row)
    return twins


def shingles(text: str) -> set[tuple[str, ...]]:
    """The distinct runs of five words; a shorter text is one run.

    >>> sorted(shingles("Find 2 + 2, then stop there."))
    [('2', '2', 'then', 'stop', 'there'), ('find', '2', '2', 'then', 'stop')]
    """
    words = tokens(text)
    return {words[i : i + SHINGLE] for i in range(max(1, len(words) - SHINGLE + 1))}


def _closest(row: int, earlier: Iterable[int], texts: Sequence[str], least: float) -> Twin | None:
    own = shingles(texts[row])
    best = max(
        (Twin(row, other, _jaccard(own, shingles(texts[other]))) for other in earlier),
        key=lambda twin: (twin.similarity, -twin.of),
        default=None,
    )
    return best if best and best.similarity >= least else None


def _jaccard(left: set[tuple[str, ...]], right: set[tuple[str, ...]]) -> float:
    return len(left & right) / len(left | right)


def _signatures(texts: Sequence[str]) -> Signatures:
    from datasketch import MinHash  # brings scipy: a second that every step of a flow would pay

    found = np.empty((len(texts), PERMUTATIONS), np.uint32)
    rows, done = iter(texts), 0
    while part := list(islice(rows, AT_ONCE)):
        made = MinHash.generator(map(_encoded, part), num_perm=PERMUTATIONS, seed=1)
        for place, each in enumerate(made, start=done):
            found[place] = each.hashvalues
        done += len(part)
    return found


def _encoded(text: str) -> list[bytes]:
    return [" ".join(words).encode() for words in shingles(text)]


def _groups(signatures: Signatures) -> Groups:
    """Rows that agree with another one in a whole band, and the groups they so form."""
    found: Groups = {}
    for number, rows in enumerate(_agreeing(signatures)):
        for row in rows:
            found.setdefault(row, []).append(number)
    return found


def _agreeing(signatures: Signatures) -> Iterator[list[int]]:
    width = PERMUTATIONS // BANDS
    for band in range(BANDS):
        columns = np.ascontiguousarray(signatures[:, band * width : (band + 1) * width])
        keys = columns.view(np.dtype((np.void, columns.itemsize * width))).ravel()
        _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        shared = np.flatnonzero(counts[inverse] > 1)
        order = shared[np.argsort(inverse[shared], kind="stable")]
        edges = np.flatnonzero(np.diff(inverse[order])) + 1
        yield from (part.tolist() for part in np.split(order, edges) if len(part))
